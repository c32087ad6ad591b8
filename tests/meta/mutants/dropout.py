"""Dropout, wrong on purpose in every framework that has it; often as a release once had it."""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from fixtures.adapters import adapters
from fixtures.adapters.tf1 import import_tensorflow
from tests.meta.mutants import Catalogue
from tests.meta.mutants.models import around
from tests.meta.mutants.tf1 import nn, wrap_dropout

OFF = "dropout-is-off-at-inference"
SECOND = "a-second-training-call-drops-others"
SEED = "a-seed-repeats-the-masks"
RATE = "dropout-drops-as-many-as-it-says"
STACKS = ("two-layers", "gru-two-layers", "rnn-two-layers")

AT_INFERENCE = "dropout active when it must not be"
FROZEN = "masks of dropout kept from call to call"
UNSEEDED = "masks of dropout that no seed repeats"
KEEP = "a rate of dropout taken for what is kept"
UNSCALED = "dropout that does not scale up"
STEPS = "a mask of dropout for all steps where there is one for each, or the other way round"
GATES = "one mask of dropout for all gates"
DIRECTIONS = "masks of dropout shared by directions, or not"


# torch

TORCH = Catalogue("torch")
BETWEEN = "torch-dropout-is-between-layers"
EVERY_STEP = "torch-draws-a-mask-for-every-step"
PACKED = "torch-dropout-of-packed-rows-is-between-layers"


def torch_forward(patch: Any, wrong: Callable[..., Any]) -> None:
    """`wrong(forward, layer, x, hx)` in the place of the forward of each of torch's layers."""
    import torch

    for name in ("LSTM", "GRU", "RNN"):
        layer = getattr(torch.nn, name)
        patch.setattr(layer, "forward", functools.partialmethod(_called, wrong, layer.forward))


def _called(self: Any, wrong: Any, forward: Any, x: Any, hx: Any = None) -> Any:
    return wrong(forward, self, x, hx)


def torch_with(**changed: Callable[[Any], Any]) -> Callable[..., Any]:
    """torch's forward, called while attributes of the layer are others."""

    def wrong(forward: Any, self: Any, x: Any, hx: Any) -> Any:
        was = {name: getattr(self, name) for name in changed}
        for name, value in changed.items():
            setattr(self, name, value(self))
        try:
            return forward(self, x, hx)
        finally:
            for name, value in was.items():
                setattr(self, name, value)

    return wrong


def torch_layer_by_layer(drop: Callable[[Any, float], Any]) -> Callable[..., Any]:
    """Two layers, each by itself, with `drop(output, rate)` between them in training."""
    import torch

    def wrong(forward: Any, self: Any, x: Any, hx: Any) -> Any:
        if not self.training or self.num_layers != 2 or not self.dropout:
            return forward(self, x, hx)
        directions = 2 if self.bidirectional else 1
        ends = []
        for layer in range(2):
            one = type(self)(x.shape[-1], self.hidden_size, batch_first=self.batch_first,
                             bidirectional=self.bidirectional, dtype=x.dtype)  # fmt: skip
            own = {name: getattr(self, name.replace("_l0", f"_l{layer}"))
                   for name, _ in one.named_parameters()}  # fmt: skip
            rows = slice(layer * directions, (layer + 1) * directions)
            given = tuple(part[rows] for part in hx) if isinstance(hx, tuple) else hx[rows]
            patched = torch.func.functional_call
            x, end = patched(_Plain(one, forward), {f"one.{k}": v for k, v in own.items()},
                             (x, given))  # fmt: skip
            ends.append(end if isinstance(end, tuple) else (end,))
            x = drop(x, self.dropout) if layer == 0 else x
        last = tuple(torch.cat(parts) for parts in zip(*ends, strict=True))
        return x, last if isinstance(hx, tuple) else last[0]

    return wrong


def _Plain(one: Any, forward: Any) -> Any:  # noqa: N802  # a class, made once torch is there
    """A module that calls the layer's own forward."""
    import torch

    class Plain(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one = one

        def forward(self, x: Any, hx: Any) -> Any:
            return forward(self.one, x, hx)

    return Plain()


def torch_mask(x: Any, rate: float) -> Any:
    import torch

    return torch.nn.functional.dropout(torch.ones_like(x), rate)


@TORCH.mutant(AT_INFERENCE, OFF, cases=STACKS)
def dropout_at_inference(patch):
    torch_forward(patch, torch_with(training=lambda _: True))


@TORCH.mutant(FROZEN, SECOND, cases=STACKS)
def dropout_masks_frozen(patch):
    """https://github.com/pytorch/pytorch/pull/185351"""
    import torch

    def wrong(forward, self, x, hx):
        torch.manual_seed(0)
        return forward(self, x, hx)

    torch_forward(patch, wrong)


@TORCH.mutant(UNSEEDED, SEED, BETWEEN, cases=STACKS)
def dropout_masks_unseeded(patch):
    """https://github.com/pytorch/pytorch/issues/18110"""
    import torch

    seeds = itertools.count()

    def wrong(forward, self, x, hx):
        torch.manual_seed(next(seeds))
        return forward(self, x, hx)

    torch_forward(patch, wrong)


@TORCH.mutant(KEEP, RATE, cases=STACKS)
def dropout_keeps_at_the_rate(patch):
    torch_forward(patch, torch_with(dropout=lambda self: 1 - self.dropout if self.dropout else 0.0))


@TORCH.mutant("dropout after the last layer", BETWEEN, "torch-dropout-of-one-layer-drops-nothing",
              cases=(*STACKS, "gru-smallest"))  # fmt: skip
def dropout_after_the_last_layer(patch):
    def wrong(forward, self, x, hx):
        output, state = forward(self, x, hx)
        return (output * torch_mask(output, self.dropout) if self.training else output), state

    torch_forward(patch, wrong)


@TORCH.mutant(UNSCALED, BETWEEN, cases=STACKS)
def dropout_not_scaled(patch):
    def drop(x, rate):
        return x * torch_mask(x, rate) * (1 - rate)

    torch_forward(patch, torch_layer_by_layer(drop))


@TORCH.mutant("NaN", "torch-dropout-of-all-hands-zeros-on", cases=STACKS)
def dropout_of_all_divides_by_nothing(patch):
    """<https://github.com/pytorch/pytorch/issues/190057>"""

    def drop(x, rate):
        import torch

        return x * (torch.rand_like(x) >= rate) * (1 / torch.tensor(1 - rate, dtype=x.dtype))

    torch_forward(patch, torch_layer_by_layer(drop))


@TORCH.mutant("dropout lost beside an option", PACKED, cases=STACKS)
def dropout_lost_where_rows_are_packed(patch):
    import torch

    def wrong(forward, self, x, hx):
        packed = isinstance(x, torch.nn.utils.rnn.PackedSequence)
        return torch_with(dropout=lambda _: 0.0)(forward, self, x, hx) if packed else forward(
            self, x, hx
        )  # fmt: skip

    torch_forward(patch, wrong)


@TORCH.mutant(STEPS, EVERY_STEP, cases=STACKS)
def dropout_mask_for_all_steps(patch):
    def drop(x, rate):
        return x * torch_mask(x[:, :1], rate)

    torch_forward(patch, torch_layer_by_layer(drop))


@TORCH.mutant("gradient through what was dropped", "torch-gradients-go-through-what-is-kept",
              cases=STACKS)  # fmt: skip
def dropout_lets_every_gradient_through(patch):
    """https://github.com/pytorch/pytorch/pull/190059"""

    def drop(x, rate):
        return x + (x * torch_mask(x, rate) - x).detach()

    torch_forward(patch, torch_layer_by_layer(drop))


@TORCH.mutant("a warning left out", "torch-warns-of-dropout-of-one-layer")
def dropout_of_one_layer_without_a_warning(patch):
    import torch

    silent = SimpleNamespace(warn=lambda *args, **kwargs: None)
    patch.setattr(torch.nn.modules.rnn, "warnings", silent)


# Keras

KERAS3, KERAS2 = Catalogue("keras3"), Catalogue("keras2")
OF_INPUTS = "keras-dropout-is-of-the-inputs"
OF_STATE = "keras-recurrent-dropout-is-of-the-state"
BEFORE_RESET = "keras-recurrent-dropout-comes-before-the-reset"
BOTH = "keras-both-dropouts-do-their-own-work"
IN_ONE_LOOP = "keras-cells-in-one-loop-draw-new-masks"
AS_LAYERS = "keras-cells-in-one-loop-drop-as-layers-do"
IN_GRAPHS = "keras-graphs-draw-new-masks"
IN_FIT = "keras-fit-draws-new-masks"
BESIDE_A_MASK = "keras-dropout-beside-a-mask-is-what-it-is-alone"
CONV_DROPS = "keras-conv-lstm-drops-what-the-lstm-drops"
CONV_DRAWS = "keras-conv-lstm-draws-new-masks"
CONV_OFF = "keras-conv-lstm-drops-nothing-at-inference"
ONE_LAYER = ("smallest", "gru-smallest", "gru-reset-before-smallest", "rnn-smallest")
LAYERS = ("LSTM", "GRU", "SimpleRNN")
SAME = {
    "keras3": ("keras-3-drops-the-same-inputs-at-every-step",),
    "keras2": ("keras-2-drops-the-same-inputs-in-a-loop-of-cells",),
}
"""By adapter, the claims that a mask stays from step to step."""

GETTERS = {
    "keras3": ("get_dropout_mask", "get_recurrent_dropout_mask"),
    "keras2": ("get_dropout_mask_for_cell", "get_recurrent_dropout_mask_for_cell"),
}
"""What hands a cell its masks: of the inputs, and of the state."""


def layers_of(adapter: str) -> Any:
    return adapters()[adapter].keras().layers


def mixin(adapter: str) -> Any:
    """The class that cells, and Keras 2's LSTM and GRU, have their masks from."""
    classes = layers_of(adapter).LSTMCell.__mro__
    return next(one for one in classes if one.__name__.startswith("DropoutRNNCell"))


def of_masks(patch: Any, adapter: str, change: Callable[[Any], Any], *which: int) -> None:
    """Masks, or lists of them, as `change` makes them: 0 those of the inputs, 1 of the state."""

    def wrong(call, self, *args, **kwargs):
        found = call(self, *args, **kwargs)
        return None if found is None else change(found)

    for number in which:
        around(patch, mixin(adapter), GETTERS[adapter][number], wrong)


def each(change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda found: (
        [change(one) for one in found] if isinstance(found, list) else change(found)
    )


def add_keras(catalogue: Catalogue) -> None:
    adapter = catalogue.adapter

    @catalogue.mutant(AT_INFERENCE, OFF, "keras-recurrent-dropout-is-off-at-inference",
                      cases=(*STACKS, *ONE_LAYER))  # fmt: skip
    def dropout_at_inference(patch):
        """https://github.com/keras-team/keras/pull/20983"""

        def wrong(call, self, x, *args, **kwargs):
            given = inspect.signature(call).bind(self, x, *args, **kwargs)
            given.arguments["training"] = True
            return call(*given.args, **given.kwargs)

        for name in LAYERS:
            around(patch, getattr(layers_of(adapter), name), "call", wrong)

    @catalogue.mutant(FROZEN, SECOND, "keras-recurrent-dropout-draws-new-masks", IN_ONE_LOOP,
                      cases=(*STACKS, *ONE_LAYER))  # fmt: skip
    def dropout_masks_frozen(patch):
        """https://github.com/tensorflow/tensorflow/issues/29391"""
        for name in ("reset_dropout_mask", "reset_recurrent_dropout_mask"):
            patch.setattr(mixin(adapter), name, lambda self: None)

    @catalogue.mutant("recurrent dropout at the rate of dropout", "keras-each-rate-is-its-own",
                      OF_STATE, cases=ONE_LAYER)  # fmt: skip
    def recurrent_dropout_at_the_rate_of_dropout(patch):
        """https://github.com/keras-team/keras/issues/19395"""

        def wrong(call, self, *args, **kwargs):
            was = self.recurrent_dropout
            self.recurrent_dropout = was and max(self.dropout, 1e-9)
            try:
                return call(self, *args, **kwargs)
            finally:
                self.recurrent_dropout = was

        around(patch, mixin(adapter), GETTERS[adapter][1], wrong)

    @catalogue.mutant(GATES, "keras-recurrent-dropout-has-a-mask-for-each-gate",
                      "keras-both-dropouts-have-a-mask-for-each-gate", cases=ONE_LAYER)  # fmt: skip
    def dropout_masks_the_same_for_all_gates(patch):
        """https://github.com/keras-team/keras/pull/20663"""
        of_masks(
            patch, adapter,
            lambda found: [found[0]] * len(found) if isinstance(found, list) else found, 0, 1,
        )  # fmt: skip

    @catalogue.mutant("recurrent dropout of the state itself", OF_STATE, cases=ONE_LAYER)
    def gru_drops_its_state(patch):
        """https://github.com/keras-team/keras/issues/20276"""
        getter = GETTERS[adapter][1]

        def wrong(call, self, inputs, states, training=False):
            h = states[0] if isinstance(states, list | tuple) else states
            more = {} if adapter == "keras3" else {"training": training, "count": 3}
            found = getattr(self, getter)(h, **more)
            was, self.recurrent_dropout = self.recurrent_dropout, 0.0
            try:
                states = [h * found[0]] if found is not None and training else states
                return call(self, inputs, states, training=training)
            finally:
                self.recurrent_dropout = was

        around(patch, layers_of(adapter).GRUCell, "call", wrong)

    @catalogue.mutant(UNSCALED, OF_INPUTS, BOTH, cases=ONE_LAYER)
    def dropout_not_scaled(patch):
        of_masks(patch, adapter, each(lambda mask: mask * 0.5), 0)

    @catalogue.mutant(FROZEN, IN_GRAPHS, IN_FIT, cases=(*ONE_LAYER, "smallest-from-zero"))
    def masks_are_constants_of_a_graph(patch):
        """https://github.com/keras-team/keras/pull/6089"""
        import tensorflow as tf

        def wrong(call, self, inputs, *args, **kwargs):
            if tf.executing_eagerly():
                return call(self, inputs, *args, **kwargs)
            with tf.init_scope():
                shape = [2 if size is None else size for size in inputs.shape]
                return call(self, tf.ones(shape, inputs.dtype), *args, **kwargs)

        for name in ("_create_dropout_mask", "_create_recurrent_dropout_mask"):
            if hasattr(mixin(adapter), name):
                around(patch, mixin(adapter), name, wrong)

    @catalogue.mutant("dropout lost beside an option", BESIDE_A_MASK, cases=ONE_LAYER)
    def dropout_lost_beside_a_mask(patch):
        masked = []

        def under_a_mask(call, self, *args, **kwargs):
            masked.append(kwargs.get("mask") is not None)
            return call(self, *args, **kwargs)

        for name in LAYERS:
            around(patch, getattr(layers_of(adapter), name), "call", under_a_mask)
        of_masks(patch, adapter, each(lambda mask: mask * 0 + 1 if masked[-1] else mask), 1)

    @catalogue.mutant(UNSCALED, OF_STATE, BOTH, BEFORE_RESET, AS_LAYERS, cases=ONE_LAYER)
    def recurrent_dropout_not_scaled(patch):
        of_masks(patch, adapter, each(lambda mask: mask * 0.5), 1)

    @catalogue.mutant(STEPS, *SAME[adapter], OF_STATE, BOTH, cases=ONE_LAYER)
    def dropout_masks_change_at_every_step(patch):
        """https://github.com/tensorflow/tensorflow/issues/38922"""

        def wrong(call, self, *args, **kwargs):
            self.reset_dropout_mask()
            self.reset_recurrent_dropout_mask()
            return call(self, *args, **kwargs)

        for name in LAYERS:
            around(patch, getattr(layers_of(adapter), f"{name}Cell"), "call", wrong)

    @catalogue.mutant(DIRECTIONS, "keras-directions-drop-by-themselves")
    def directions_share_their_masks(patch):
        """What the forward layer draws is kept for the backward one."""
        drawn: dict[Any, Any] = {}

        def in_both(call, self, *args, **kwargs):
            drawn.clear()
            return call(self, *args, **kwargs)

        def once(call, self, inputs, *args, **kwargs):
            key = tuple(inputs.shape)
            if key not in drawn:
                drawn[key] = call(self, inputs, *args, **kwargs)
            return drawn[key]

        around(patch, layers_of(adapter).Bidirectional, "call", in_both)
        for name in ("_create_dropout_mask", "_create_recurrent_dropout_mask"):
            if hasattr(mixin(adapter), name):
                around(patch, mixin(adapter), name, once)


add_keras(KERAS3)
add_keras(KERAS2)

REPEATED = "keras-recurrent-dropout-is-repeated-by-a-seed"


@KERAS3.mutant(KEEP, RATE, cases=STACKS)
def masks_keep_at_the_rate(patch):
    def wrong(call, self, step_input, rate):
        return call(self, step_input, 1 - rate)

    around(patch, mixin("keras3"), "_create_dropout_mask", wrong)


@KERAS2.mutant(KEEP, RATE, cases=STACKS)
def layers_keep_at_the_rate(patch):
    def wrong(call, self, *args, dropout=0.0, **kwargs):
        call(self, *args, dropout=1 - dropout if dropout else 0.0, **kwargs)

    for name in LAYERS:
        around(patch, getattr(layers_of("keras2"), name), "__init__", wrong)


@KERAS3.mutant(UNSEEDED, SEED, REPEATED, OF_INPUTS, cases=(*STACKS, *ONE_LAYER))
def seed_of_the_layer_lost(patch):
    keras, seeds = adapters()["keras3"].keras(), itertools.count()

    def wrong(call, self, *args, **kwargs):
        self.seed_generator = keras.random.SeedGenerator(next(seeds))
        return call(self, *args, **kwargs)

    for name in LAYERS:
        around(patch, getattr(keras.layers, f"{name}Cell"), "build", wrong)


@KERAS2.mutant(UNSEEDED, SEED, REPEATED, OF_INPUTS, cases=(*STACKS, *ONE_LAYER))
def seed_of_the_program_lost(patch):
    """https://github.com/tensorflow/tensorflow/issues/60170"""
    utils, seeds = adapters()["keras2"].keras().utils, itertools.count()
    set_random_seed = utils.set_random_seed
    patch.setattr(utils, "set_random_seed", lambda seed: set_random_seed(next(seeds)))


@KERAS3.mutant(DIRECTIONS, "keras-3-directions-of-one-seed-drop-the-same")
def directions_of_one_seed_drop_by_themselves(patch):
    keras = adapters()["keras3"].keras()

    def wrong(call, self, *args, **kwargs):
        self.backward_layer.cell.seed_generator = keras.random.SeedGenerator(0)
        return call(self, *args, **kwargs)

    around(patch, keras.layers.Bidirectional, "build", wrong)


@KERAS2.mutant(STEPS, "keras-2-lstm-and-gru-drop-others-at-every-step", cases=ONE_LAYER)
def inputs_dropped_the_same_at_all_steps(patch):
    """Of the masks that LSTM and GRU draw for all steps at once, the first step's."""

    def first(mask):
        return mask if len(mask.shape) < 3 else mask[:, :1]

    of_masks(patch, "keras2", each(first), 0)


def conv_lstm_cell() -> Any:
    """The step layer of Keras 3's ConvLSTM2D, which has no public name."""
    return type(layers_of("keras3").ConvLSTM2D(1, 1).cell)


@KERAS3.mutant("no dropout where it was asked for", CONV_DROPS, CONV_DRAWS)
def conv_lstm_drops_nothing(patch):
    """<https://github.com/keras-team/keras/issues/20063>: it kept its rates, and read them not."""

    def wrong(call, self, inputs, states, training=False):
        return call(self, inputs, states, training=False)

    around(patch, conv_lstm_cell(), "call", wrong)


@KERAS3.mutant(UNSCALED, CONV_DROPS)
def conv_lstm_does_not_scale_up_its_state(patch):
    def wrong(call, self, *args, **kwargs):
        found = call(self, *args, **kwargs)
        return None if found is None else [one * 0.5 for one in found]

    around(patch, conv_lstm_cell(), "get_recurrent_dropout_mask", wrong)


@KERAS3.mutant(FROZEN, CONV_DRAWS)
def conv_lstm_keeps_its_masks(patch):
    """As tf-keras's, which draws them in the first call and not again."""
    for name in ("reset_dropout_mask", "reset_recurrent_dropout_mask"):
        patch.setattr(conv_lstm_cell(), name, lambda self: None)


@KERAS3.mutant(AT_INFERENCE, CONV_OFF)
def conv_lstm_drops_at_inference(patch):
    def wrong(call, self, inputs, states, training=False):
        return call(self, inputs, states, training=True)

    around(patch, conv_lstm_cell(), "call", wrong)


# TensorFlow 1

TF1 = Catalogue("tf1")
TF1_STACKS = ("two-layers", "rnn-two-layers")
CELLS = ("smallest", "gru-reset-before-smallest", "rnn-smallest")
TF1_INPUTS = "tf1-input-dropout-is-of-the-inputs"
TF1_STATE = "tf1-state-dropout-is-what-the-next-step-sees"
TF1_C = "tf1-state-dropout-leaves-c-alone"
OF_H = "tf1-variational-dropout-is-of-h-at-every-step"
ONE_MASK = "tf1-variational-dropout-has-one-mask"
VARIATIONAL_INPUTS = "tf1-variational-dropout-is-of-the-inputs"
VARIATIONAL_STATE = "tf1-variational-dropout-is-of-the-state"
VARIATIONAL_OUTPUTS = "tf1-variational-dropout-is-of-the-outputs"
EACH_KEEP_PROB = "tf1-each-keep-prob-is-its-own"
ANOTHER = "tf1-variational-dropout-draws-new-masks"


def with_options(change: Callable[[str, Any], Any]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Every `keep_prob` as `change(name, value)` makes it."""

    def changed(options: dict[str, Any]) -> dict[str, Any]:
        keep = {k: change(k, v) for k, v in options.items() if k.endswith("_keep_prob")}
        return options | keep

    return changed


def of_dropped(patch: Any, change: Callable[..., Any]) -> None:
    """`change(dropped, values, what)` of what a wrapper makes of its input, state or output."""
    wrapper = nn().rnn_cell.DropoutWrapper
    dropout = wrapper._dropout

    def wrong(self, values, salt_prefix, recurrent_noise, keep_prob, *args, **kwargs):
        found = dropout(self, values, salt_prefix, recurrent_noise, keep_prob, *args, **kwargs)
        return change(found, values, salt_prefix)

    patch.setattr(wrapper, "_dropout", wrong)


@TF1.mutant(AT_INFERENCE, OFF, cases=TF1_STACKS)
def wrapper_drops_at_inference(patch):
    """A `keep_prob` that is fed is taken for 0.5."""
    wrap_dropout(patch, with_options(lambda _, keep: keep if isinstance(keep, float) else 0.5))


@TF1.mutant(FROZEN, SECOND, ANOTHER, cases=(*TF1_STACKS, *CELLS))
def wrapper_masks_frozen(patch):
    import numpy as np

    def change(dropped, values, what):
        if what != "input":
            return dropped
        mask = np.random.default_rng(0).integers(0, 2, values.shape)
        return values * (2 * mask).astype(values.dtype.as_numpy_dtype)

    of_dropped(patch, change)


@TF1.mutant(UNSEEDED, SEED, TF1_INPUTS, cases=(*TF1_STACKS, *CELLS))
def wrapper_masks_unseeded(patch):
    seeds = itertools.count()
    wrap_dropout(patch, lambda options: options | {"seed": next(seeds)})


@TF1.mutant(KEEP, EACH_KEEP_PROB, cases=CELLS)
def wrapper_takes_a_keep_prob_for_another(patch):
    """The output's for the state's, and the state's for the output's."""
    other = {"output_keep_prob": "state_keep_prob", "state_keep_prob": "output_keep_prob"}

    def change(options):
        return {other.get(name, name): value for name, value in options.items()}

    wrap_dropout(patch, change)


@TF1.mutant(KEEP, RATE, EACH_KEEP_PROB, cases=(*TF1_STACKS, *CELLS))
def dropout_drops_what_it_should_keep(patch):
    wrap_dropout(patch, with_options(lambda _, keep: 1 - keep))


@TF1.mutant(UNSCALED, TF1_INPUTS, VARIATIONAL_INPUTS, cases=CELLS)
def input_dropout_not_scaled(patch):
    of_dropped(patch, lambda dropped, _, what: dropped * 0.5 if what == "input" else dropped)


@TF1.mutant("dropout of the cell state", TF1_C, OF_H, cases=(*CELLS, "smallest-from-zero"))
def state_dropout_is_of_c_too(patch):
    wrap_dropout(
        patch, lambda options: options | {"dropout_state_filter_visitor": lambda _: True}
    )  # fmt: skip


@TF1.mutant(UNSCALED, VARIATIONAL_OUTPUTS, cases=CELLS)
def output_dropout_not_scaled(patch):
    of_dropped(patch, lambda dropped, _, what: dropped * 0.5 if what == "output" else dropped)


@TF1.mutant(UNSCALED, TF1_STATE, TF1_C, OF_H, VARIATIONAL_STATE,
            cases=(*CELLS, "smallest-from-zero"))  # fmt: skip
def state_dropout_not_scaled(patch):
    tf = import_tensorflow()

    def change(dropped, values, what):
        return tf.nest.map_structure(lambda one: one * 0.5, dropped) if what == "state" else dropped

    of_dropped(patch, change)


@TF1.mutant("dropout of the state where it is of the output", VARIATIONAL_OUTPUTS, cases=CELLS)
def wrapper_hands_on_the_dropped_output(patch):
    """What comes out dropped is the cell's new h, too."""
    wrapper = nn().rnn_cell.DropoutWrapper
    call = wrapper._call_wrapped_cell

    def wrong(self, inputs, state, cell_call_fn, **kwargs):
        output, new = call(self, inputs, state, cell_call_fn, **kwargs)
        return output, new._replace(h=output) if hasattr(new, "h") else output

    patch.setattr(wrapper, "_call_wrapped_cell", wrong)


@TF1.mutant(STEPS, ONE_MASK, OF_H, VARIATIONAL_STATE, VARIATIONAL_OUTPUTS,
            cases=(*CELLS, "smallest-from-zero"))  # fmt: skip
def variational_recurrent_ignored(patch):
    variational = ("variational_recurrent", "input_size", "dtype")
    wrap_dropout(
        patch, lambda options: {k: v for k, v in options.items() if k not in variational}
    )  # fmt: skip


CATALOGUES = (TORCH, KERAS3, KERAS2, TF1)
