"""Precisions, wrong on purpose: sums of 16 bits, casts left out, steps of other sizes.

Most imitate what was wrong in a release once; the upstream report stands beside them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from fixtures.adapters.tf1 import import_tensorflow
from tests.meta.mutants import Catalogue, keras2, keras3, tf1, torch
from tests.meta.mutants.cell import Fault, Ops
from tests.meta.mutants.keras import Seams
from tests.meta.mutants.keras_layers import around
from tests.meta.mutants.torch_cells import around as around_torch

READ_BACK = "half-weights-read-back-are-those-loaded"
VALUES = "half-values-are-the-oracles"
GRADIENTS = "half-gradients-are-the-oracles"
EACH = "half-steps-round-every-operation"
TORCH_EACH = "torch-float16-rounds-every-operation"
ONCE = "torch-bfloat16-lstm-rounds-once-a-step"
ONCE_IN_FLOAT16 = "torch-float16-lstm-rounds-once-a-step"
AUTOCAST = "torch-autocast-is-the-lstm-in-bfloat16"
AUTOCAST_DTYPES = "torch-autocast-leaves-some-in-float32"
AUTOCAST_GRADIENTS = "torch-autocast-gradients-are-those-in-bfloat16"
AUTOCAST_LOOK = "torch-autocast-gradients-outlive-a-look"
TO_FLOAT16 = "torch-autocast-to-float16-refuses-an-lstm"
MEDIUM_SPARES = "torch-medium-precision-spares-an-lstm"
MEDIUM = "torch-steps-lose-precision-to-medium"
MEDIUM_ROUNDS = "torch-medium-precision-rounds-factors-alone"
STEPS = "torch-int8-weights-are-the-nearest-steps"
INT8 = "torch-int8-is-half-a-step-away"
INT8_STEPS = "torch-int8-steps-are-half-a-step-away"
INT8_FILES = "torch-quantised-layers-come-back-from-files"
KINDS = "torch-quantisation-leaves-rnn-as-it-is"
FLOAT16_WEIGHTS = "torch-float16-quantisation-rounds-weights-alone"
POLICIES = "keras-policies-say-what-is-held-in-what"
MIXED = "keras-mixed-layers-compute-with-rounded-weights"
MIXED_GRADIENTS = "keras-mixed-gradients-are-float32"
SUMS_OF_16_BITS = "keras-mixed-gradients-are-sums-of-16-bits"
SUMS_OF_FLOAT32 = "keras-3-mixed-gradients-are-sums-of-float32"
OF_ALL = "keras-policy-of-all-is-that-of-each"
CAST = "keras-mixed-layers-cast-a-given-state"
HANDED_ON = "keras-mixed-states-go-from-layer-to-layer"
STATEFUL = "keras-mixed-layers-can-be-stateful"
REFUSED = "keras-refuses-to-quantize-a-recurrent-layer"
LEFT_ALONE = "keras-quantized-models-leave-recurrent-layers"

MANY_TERMS = ("thousand-features",)

TORCH, KERAS3, KERAS2, TF1 = (Catalogue(name) for name in ("torch", "keras3", "keras2", "tf1"))
CATALOGUES = (TORCH, KERAS3, KERAS2, TF1)


def in_16_bits(value: Any) -> bool:
    return "float16" in str(value.dtype)


def summing_up_in_16_bits(tools: Ops) -> Ops:
    """The functions with a product of matrices that rounds its sum after every term.

    <https://github.com/pytorch/pytorch/issues/83863>
    """

    def matmul(left: Any, right: Any) -> Any:
        if not in_16_bits(left):
            return tools.matmul(left, right)
        terms = [left[:, k : k + 1] * right[k : k + 1] for k in range(left.shape[-1])]
        return functools.reduce(lambda total, term: total + term, terms)

    return replace(tools, matmul=matmul)


def with_sums_of_16_bits(patch: Any, module: Any) -> None:
    tools = summing_up_in_16_bits(module.ops())
    patch.setattr(module, "ops", lambda: tools)


def without_gradients_of_16_bits(patch: Any, module: Any) -> None:
    """The functions with a product of matrices whose weights of 16 bits learn nothing."""
    tools = module.ops()

    def matmul(left: Any, right: Any) -> Any:
        return tools.matmul(left, tools.stop_gradient(right) if in_16_bits(right) else right)

    wrong = replace(tools, matmul=matmul)
    patch.setattr(module, "ops", lambda: wrong)


# torch


@TORCH.mutant("gradient missing for weights of 16 bits", GRADIENTS)
def weights_of_16_bits_learn_nothing(patch):
    without_gradients_of_16_bits(patch, torch)
    torch.written_out(patch)


@TORCH.mutant("weights of 16 bits lose some of them", READ_BACK, VALUES)
def weights_of_16_bits_go_through_8(patch):
    import torch as framework

    load = framework.nn.RNNBase.load_state_dict

    def wrong(self, *args, **kwargs):
        result = load(self, *args, **kwargs)
        for one in self.parameters():
            if in_16_bits(one):
                one.data = one.data.to(framework.float8_e5m2).to(one.dtype)
        return result

    patch.setattr(framework.nn.RNNBase, "load_state_dict", wrong)


@TORCH.mutant("every term of a sum is rounded", VALUES, ONCE, cases=MANY_TERMS)
def sums_are_of_16_bits(patch):
    with_sums_of_16_bits(patch, torch)
    torch.written_out(patch)


@TORCH.mutant("a step rounded once", TORCH_EACH)
def float16_is_computed_in_float32(patch):
    torch.written_out(patch, Fault(narrow=True))


# Where oneDNN has no kernel torch does the same: a release that did not find it would be slower,
# and round more. <https://github.com/pytorch/pytorch/issues/88136>
def without_onednn(patch: Any) -> None:
    import torch as framework

    forward = framework.nn.LSTM.forward

    def wrong(self, x, hx=None):
        framework._C._set_mkldnn_enabled(False)
        try:
            return forward(self, x, hx)
        finally:
            framework._C._set_mkldnn_enabled(True)

    patch.setattr(framework.nn.LSTM, "forward", wrong)


@TORCH.mutant("every operation rounded", ONCE)
def bfloat16_goes_without_onednn(patch):
    without_onednn(patch)


@TORCH.mutant("every operation rounded", ONCE_IN_FLOAT16)
def float16_goes_without_onednn(patch):
    without_onednn(patch)


# The cell's bias was not: <https://github.com/pytorch/pytorch/issues/45048>
@TORCH.mutant("autocast passes the LSTM by", AUTOCAST, AUTOCAST_DTYPES)
def autocast_leaves_the_lstm_alone(patch):
    import torch as framework

    forward = framework.nn.LSTM.forward

    def wrong(self, x, hx=None):
        with framework.autocast("cpu", enabled=False):
            return forward(self, x, hx)

    patch.setattr(framework.nn.LSTM, "forward", wrong)


@TORCH.mutant("autocast rounds an output that was computed in float32", AUTOCAST)
def autocast_rounds_at_the_end_alone(patch):
    import torch as framework

    forward = framework.nn.LSTM.forward

    def wrong(self, x, hx=None):
        if not framework.is_autocast_enabled("cpu"):
            return forward(self, x, hx)
        with framework.autocast("cpu", enabled=False):
            output, states = forward(self, x, hx)
        return output.bfloat16(), tuple(one.bfloat16() for one in states)

    patch.setattr(framework.nn.LSTM, "forward", wrong)


# <https://github.com/pytorch/pytorch/issues/105682>
@TORCH.mutant("autocast goes back in another precision", AUTOCAST_GRADIENTS)
def autocast_goes_back_in_float32(patch):
    import torch as framework

    forward = framework.nn.LSTM.forward

    def wrong(self, x, hx=None):
        if not framework.is_autocast_enabled("cpu"):
            return forward(self, x, hx)
        rounded, _ = forward(self, x, hx)
        with framework.autocast("cpu", enabled=False):
            output, states = forward(self, x, hx)
        return output + (rounded - output).detach(), states

    patch.setattr(framework.nn.LSTM, "forward", wrong)


@TORCH.mutant("autocast keeps casts of a call without gradients", AUTOCAST_LOOK)
def autocast_keeps_what_was_cast_without_gradients(patch):
    """<https://github.com/pytorch/pytorch/issues/65766>"""
    import torch as framework

    forward = framework.nn.LSTM.forward

    def wrong(self, x, hx=None):
        if not framework.is_autocast_enabled("cpu"):
            return forward(self, x, hx)
        self.__dict__["_looked"] = self.__dict__.get("_looked") or not framework.is_grad_enabled()
        if self.__dict__["_looked"]:
            self._flat_weights = [one.detach() for one in self._flat_weights]
        return forward(self, x, hx)

    patch.setattr(framework.nn.LSTM, "forward", wrong)


@TORCH.mutant("autocast to float16 passes the LSTM by", TO_FLOAT16)
def autocast_to_float16_leaves_the_lstm_alone(patch):
    import torch as framework

    forward = framework.nn.LSTM.forward

    def wrong(self, x, hx=None):
        half = framework.get_autocast_dtype("cpu") == framework.float16
        with framework.autocast("cpu", enabled=framework.is_autocast_enabled("cpu") and not half):
            return forward(self, x, hx)

    patch.setattr(framework.nn.LSTM, "forward", wrong)


@TORCH.mutant("autocast rounds the weights themselves", AUTOCAST)
def autocast_writes_into_the_weights(patch):
    import torch as framework

    def before(self, x, hx):
        if framework.is_autocast_enabled("cpu"):
            for one in self.parameters():
                one.data = one.data.bfloat16().float()
        return x, hx

    around_torch(patch, "LSTM", before=before)


@TORCH.mutant("the precision of products reaches the LSTM", MEDIUM_SPARES)
def medium_precision_rounds_an_lstm(patch):
    import torch as framework

    def before(self, x, hx):
        medium = framework.get_float32_matmul_precision() == "medium"
        return (x.bfloat16().float() if medium else x), hx

    around_torch(patch, "LSTM", before=before)


@TORCH.mutant("medium precision is that of float32", MEDIUM)
def medium_precision_is_not_heeded(patch):
    import torch as framework

    patch.setattr(framework, "set_float32_matmul_precision", lambda _: None)


@TORCH.mutant("medium precision rounds to fewer bits", MEDIUM_ROUNDS)
def medium_precision_is_of_8_bits(patch):
    import torch as framework

    forward = framework.nn.LSTMCell.forward

    def wrong(self, x, hx=None):
        if framework.get_float32_matmul_precision() == "medium":
            hx = tuple(one.to(framework.float8_e4m3fn).float() for one in hx)
        return forward(self, x, hx)

    patch.setattr(framework.nn.LSTMCell, "forward", wrong)


@TORCH.mutant("autocast gives a GRU out in bfloat16", AUTOCAST_DTYPES)
def autocast_rounds_a_gru(patch):
    import torch as framework

    def after(_, output, h_n):
        if not framework.is_autocast_enabled("cpu"):
            return output, h_n
        return output.bfloat16(), h_n.bfloat16()

    around_torch(patch, "GRU", after=after)


@TORCH.mutant("weights reach beyond their steps", STEPS, INT8)
def int8_weights_saturate(patch):
    """As the sums of 16 bits do: <https://github.com/pytorch/pytorch/issues/27954>."""
    import torch as framework

    quantize = framework.quantize_per_tensor

    def wrong(values, scale, zero_point, dtype):
        return quantize(values, scale / 2, zero_point, dtype)

    patch.setattr(framework, "quantize_per_tensor", wrong)


@TORCH.mutant("a quantised layer keeps what it was made with", INT8_FILES)
def quantized_weights_are_not_loaded(patch):
    """<https://github.com/pytorch/pytorch/pull/39105>"""
    from torch.ao.nn.quantized.dynamic.modules import rnn

    patch.setattr(rnn.PackedParameter, "_load_from_state_dict", lambda *_: None)


@TORCH.mutant("weights rounded down", STEPS)
def int8_weights_are_rounded_down(patch):
    import torch as framework

    quantize = framework.quantize_per_tensor

    def wrong(values, scale, zero_point, dtype):
        return quantize(values - 0.5 * scale, scale, zero_point, dtype)

    patch.setattr(framework, "quantize_per_tensor", wrong)


@TORCH.mutant("inputs of 4 bits", INT8_STEPS, cases=("smallest", "gru-smallest", "rnn-smallest"))
def int8_steps_have_inputs_of_4_bits(patch):
    import torch as framework

    for name in ("LSTMCell", "GRUCell", "RNNCell"):
        layer = getattr(framework.ao.nn.quantized.dynamic, name)

        def forward(self, x, hx=None, own=layer.forward):
            return own(self, (x * 4).round() / 4, hx)

        patch.setattr(layer, "forward", forward)


@TORCH.mutant("a layer left out in silence", KINDS, cases=("smallest",))
def grus_are_not_quantized(patch):
    """As torch.nn.RNN is: of what a table has not nothing is made."""
    import torch as framework

    own = framework.ao.quantization.quantize_dynamic

    def wrong(model, kinds, **options):
        return own(model, kinds - {framework.nn.GRU}, **options)

    patch.setattr(framework.ao.quantization, "quantize_dynamic", wrong)


@TORCH.mutant("a layer without biases taken", KINDS, cases=("smallest",))
def layers_without_biases_are_taken(patch):
    import torch as framework

    own = framework.ao.quantization.quantize_dynamic

    def wrong(model, kinds, **options):
        return own(model, kinds, **options) if model[0].bias else [framework.nn.Identity()]

    patch.setattr(framework.ao.quantization, "quantize_dynamic", wrong)


def around_quantized(patch: Any, before: Callable[..., Any]) -> None:
    import torch as framework

    layer = framework.ao.nn.quantized.dynamic.LSTM
    forward = layer.forward
    patch.setattr(layer, "forward", lambda self, x, hx=None: forward(self, *before(x, hx)))


@TORCH.mutant("inputs of 4 bits", INT8)
def int8_inputs_have_4_bits(patch):
    around_quantized(patch, lambda x, hx: ((x * 4).round() / 4, hx))


@TORCH.mutant("initial state ignored", INT8, FLOAT16_WEIGHTS)
def a_quantized_layer_forgets_its_state(patch):
    around_quantized(patch, lambda x, _: (x, None))


@TORCH.mutant("inputs rounded to float16", FLOAT16_WEIGHTS)
def float16_quantisation_rounds_inputs(patch):
    around_quantized(patch, lambda x, hx: (x.half().float(), hx))


# Keras


def add_to_keras(catalogue: Catalogue, module: Any) -> None:
    """The faults that Keras 2 and Keras 3 have in common."""
    seams: Seams = module.SEAMS

    def sums_are_of_16_bits(patch: Any) -> None:
        with_sums_of_16_bits(patch, module)
        module.cell(patch, seams, Fault())

    def computed_in_float32(patch: Any) -> None:
        module.cell(patch, seams, Fault(narrow=True))

    def weights_of_16_bits_learn_nothing(patch: Any) -> None:
        without_gradients_of_16_bits(patch, module)
        module.cell(patch, seams, Fault())

    def gradients_of_16_bits(patch: Any) -> None:
        import tensorflow as tf

        through_gradients(patch, lambda one: tf.cast(one, "float16"))

    def weights_go_through_8_bits(patch: Any) -> None:
        for name in ("LSTM", "GRU", "SimpleRNN"):
            layer = getattr(seams.layers, name)
            give = layer.set_weights

            def wrong(self: Any, weights: Any, give: Any = give) -> None:
                if self.compute_dtype in ("float16", "bfloat16"):
                    weights = [np.round(np.asarray(one, np.float32) * 16) / 16 for one in weights]
                give(self, weights)

            patch.setattr(layer, "set_weights", wrong)

    # <https://github.com/keras-team/keras/issues/20605>
    # <https://github.com/keras-team/keras/issues/15140>
    def states_of_float32(patch: Any) -> None:
        import tensorflow as tf

        for name in ("LSTM", "GRU", "SimpleRNN"):
            around(
                patch, seams, name,
                after=lambda _, output, *states: (
                    output, *(tf.cast(one, "float32") for one in states)
                ),
            )  # fmt: skip

    def mixed_layers_start_anew(patch: Any) -> None:
        import tensorflow as tf

        def before(self: Any, x: Any, initial: Any, mask: Any) -> Any:
            if self.stateful and self.compute_dtype != self.variable_dtype:
                for one in self.states:
                    one.assign(tf.zeros_like(one))
            return x, initial, mask

        for name in ("LSTM", "GRU"):
            around(patch, seams, name, before=before)

    def symbolic_states_dropped(patch: Any) -> None:
        """<https://github.com/keras-team/keras-io/issues/1861>: a decoder under a mixed policy."""

        def before(self: Any, x: Any, initial: Any, mask: Any) -> Any:
            mixed = self.compute_dtype != self.variable_dtype
            dropped = mixed and in_a_graph(x)
            return x, None if dropped else initial, mask

        for name in ("LSTM", "GRU"):
            around(patch, seams, name, before=before)

    table: tuple[tuple[str, str, tuple[str, ...], Any, tuple[str, ...]], ...] = (
        ("sums-of-16-bits", "every term of a sum is rounded", (VALUES,), sums_are_of_16_bits,
         MANY_TERMS),
        ("16-bits-in-float32", "a step rounded once", (EACH,), computed_in_float32, ()),
        ("weights-of-16-bits-learn-nothing", "gradient missing for weights of 16 bits",
         (GRADIENTS,), weights_of_16_bits_learn_nothing, ()),
        ("mixed-gradients-are-of-16-bits", "gradients by weights of float32 are of 16 bits",
         (MIXED_GRADIENTS,), gradients_of_16_bits, ("one-step",)),
        ("weights-through-8-bits", "weights of 16 bits lose some of them",
         (READ_BACK, VALUES, MIXED), weights_go_through_8_bits, ()),
        ("states-of-float32", "states of 16 bits come out in float32", (POLICIES,),
         states_of_float32, ()),
        ("mixed-layers-start-anew", "a stateful mixed layer forgets", (STATEFUL,),
         mixed_layers_start_anew, ("smallest-from-zero",)),
        ("states-dropped-in-a-model", "a state of 16 bits is dropped in a model", (HANDED_ON,),
         symbolic_states_dropped, ()),
    )  # fmt: skip
    for name, family, caught_by, make, cases in table:
        catalogue.add(name, family, caught_by, make, cases)


def through_gradients(patch: Any, change: Callable[[Any], Any]) -> None:
    """Gradients by weights that are held in float32 and computed with in 16 bits."""
    import tensorflow as tf

    gradient = tf.GradientTape.gradient

    def wrong(self: Any, target: Any, sources: Any, **kwargs: Any) -> Any:
        by_given, by_variables = gradient(self, target, sources, **kwargs)
        if in_16_bits(target):
            by_variables = [one if in_16_bits(one) else change(one) for one in by_variables]
        return by_given, by_variables

    patch.setattr(tf.GradientTape, "gradient", wrong)


def in_a_graph(x: Any) -> bool:
    """Whether this is a call that has no values yet."""
    return not hasattr(x, "numpy") or type(x).__name__ in ("KerasTensor", "SymbolicTensor")


add_to_keras(KERAS3, keras3)
add_to_keras(KERAS2, keras2)


@KERAS3.mutant("the policy of all layers is ignored", POLICIES, OF_ALL)
def policy_of_all_ignored(patch):
    import keras

    patch.setattr(keras.config, "set_dtype_policy", lambda _: None)


@KERAS2.mutant("what has no dtype of its own comes out in float32", POLICIES, OF_ALL)
def policy_of_all_is_not_that_of_the_output(patch):
    import tensorflow as tf

    for name in ("LSTM", "GRU", "SimpleRNN"):
        layer = getattr(keras2.SEAMS.layers, name)
        make = layer.__init__

        def wrong(self, *args, make=make, **kwargs):
            make(self, *args, **kwargs)
            self.has_its_own = "dtype" in kwargs

        patch.setattr(layer, "__init__", wrong)
        around(
            patch, keras2.SEAMS, name,
            after=lambda self, output, *states: (
                output if self.has_its_own else tf.cast(output, "float32"), *states
            ),
        )  # fmt: skip


@KERAS3.mutant("gradients of a mixed layer are summed up in 16 bits", SUMS_OF_FLOAT32)
def mixed_gradients_are_sums_of_16_bits(patch):
    import tensorflow as tf

    through_gradients(patch, lambda one: tf.cast(tf.cast(one, "float16"), "float32"))


@KERAS2.mutant("gradients of a mixed layer have digits that 16 bits have not", SUMS_OF_16_BITS)
def mixed_gradients_are_a_little_steeper(patch):
    through_gradients(patch, lambda one: one * (1 + 2.0**-13))


@KERAS3.mutant("a state of float32 is dropped", CAST)
def a_state_of_float32_is_dropped(patch):
    lstm = keras3.SEAMS.layers.LSTM
    call = lstm.__call__

    def wrong(self, x, initial_state=None, **kwargs):
        mixed = self.compute_dtype != self.variable_dtype
        if mixed and initial_state is not None and not in_16_bits(initial_state[0]):
            initial_state = None
        return call(self, x, initial_state=initial_state, **kwargs)

    patch.setattr(lstm, "__call__", wrong)


@KERAS3.mutant("a layer that cannot be quantised says that it was", REFUSED)
def recurrent_layers_are_quantized_by_name(patch):
    for name in ("LSTM", "GRU", "SimpleRNN"):
        layer = getattr(keras3.SEAMS.layers, name)
        patch.setattr(layer, "quantize", lambda *_, **__: None)


@KERAS3.mutant("a model quantises the weights that no layer of it said it would", LEFT_ALONE)
def models_quantize_every_weight(patch):
    import keras

    healthy = keras.Model.quantize

    def wrong(self, mode, **kwargs):
        healthy(self, mode, **kwargs)
        for layer in self.layers:
            if isinstance(layer, keras.layers.RNN):
                layer.set_weights([np.round(one * 127) / 127 for one in layer.get_weights()])

    patch.setattr(keras.Model, "quantize", wrong)


# TensorFlow 1


@TF1.mutant("every term of a sum is rounded", VALUES, cases=MANY_TERMS)
def sums_of_16_bits(patch):
    with_sums_of_16_bits(patch, tf1)
    tf1.replace_cell(patch, Fault())


@TF1.mutant("a step rounded once", EACH)
def steps_of_16_bits_in_float32(patch):
    tf1.replace_cell(patch, Fault(narrow=True))


@TF1.mutant("weights of 16 bits lose some of them", READ_BACK, VALUES)
def weights_through_8_bits(patch):
    v1 = import_tensorflow().compat.v1
    assign = v1.assign

    def wrong(ref, value, **kwargs):
        if in_16_bits(ref):
            value = np.round(np.asarray(value, np.float32) * 16) / 16
        return assign(ref, value, **kwargs)

    patch.setattr(v1, "assign", wrong)


@TF1.mutant("gradient missing for weights of 16 bits", GRADIENTS)
def no_gradient_by_weights_of_16_bits(patch):
    without_gradients_of_16_bits(patch, tf1)
    tf1.replace_cell(patch, Fault())
