"""Models, configs, copies, defaults and refusals, wrong on purpose in every framework."""

from __future__ import annotations

import copy
import functools
import importlib
import threading
from collections.abc import Callable
from typing import Any

from fixtures.adapters import adapters
from tests.meta.mutants import Catalogue
from tests.meta.mutants.cell import Fault

TORCH, KERAS3, KERAS2, TF1 = (Catalogue(name) for name in ("torch", "keras3", "keras2", "tf1"))
CATALOGUES = (TORCH, KERAS3, KERAS2, TF1)

ONE_WIDTH, ONE_RANK = (
    "inputs-of-another-width-are-refused",
    "inputs-with-an-axis-too-many-are-refused",
)
STATE_SHAPE = "states-of-another-shape-are-refused"
ONE_ROW = "a-state-of-one-row-is-not-spread"
STEP_ROW = "a-step-layer-spreads-no-state-of-one-row"
EVERY_ROW = "keras-step-layers-begin-every-row-in-a-state-of-one"
NUMBER = "a-state-too-many-or-too-few-is-refused"
EMPTY = "an-empty-batch-gives-an-empty-output"
EMPTY_IN_GRAPHS = "graphs-take-an-empty-batch"
NO_UNITS = "a-layer-without-units-is-refused"
RANGES = "torch-refuses-options-out-of-range"
NO_STEPS = "torch-refuses-a-sequence-of-no-steps"
BY_POSITION = "torch-options-by-position-are-those-by-name"
WAYS = "every-way-of-calling-computes-the-same"
PLAIN, NO_DROPOUT = (
    "a-layer-without-options-is-the-plain-one",
    "nothing-is-dropped-unless-asked-for",
)
MADE_FROZEN = (
    "keras-layers-made-frozen-are-not-trained", "keras-wrappers-made-frozen-are-not-trained",
)  # fmt: skip
SHAPES = "keras-symbolic-shapes-are-the-real-ones"
OPTIONS = "keras-configs-keep-every-option"
CONSTANTS = ("keras-models-keep-a-constant-state", "keras-models-keep-a-constant-mask")
THREADS = "threads-leave-each-others-calls-alone"
COPIES = "torch-copies-compute-the-same"
PICKLED = "torch-unpickles-a-layer-without-proj-size"
OWN = "torch-a-copy-has-weights-of-its-own"


def with_other_default(patch: Any, made: Any, **options: Any) -> None:
    """A class whose constructor has other defaults for these options."""
    init = made.__init__

    def wrong(self: Any, *args: Any, **given: Any) -> None:
        init(self, *args, **(options | given))

    patch.setattr(made, "__init__", wrong)


def around(patch: Any, of: Any, name: str, wrong: Callable[..., Any]) -> None:
    """A method or function replaced by `wrong(healthy, *args)`.

    Keras 3 reads the names of arguments from what is wrapped, but of a constructor from the
    function itself.
    """
    healthy = getattr(of, name)

    def replaced(first: Any, *args: Any, **options: Any) -> Any:
        return wrong(healthy, first, *args, **options)

    patch.setattr(of, name, replaced if name == "__init__" else functools.wraps(healthy)(replaced))


# torch


def forward(patch: Any, change: Callable[..., Any], layer: str = "LSTM") -> None:
    """The layer called with what `change(layer, x, hx)` makes of its arguments."""
    import torch

    def wrong(healthy: Any, self: Any, x: Any, hx: Any = None) -> Any:
        return healthy(self, *change(self, x, hx))

    around(patch, getattr(torch.nn, layer), "forward", wrong)


def spread(hx: Any, batch: int, units: int) -> Any:
    """The first number of a state, all over a state of the right shape."""
    return hx and tuple(one[:, :1, :1].expand(-1, batch, units) for one in hx)


@TORCH.mutant("wrong input width taken", ONE_WIDTH)
def lstm_takes_inputs_of_any_width(patch):
    def change(self, x, hx):
        if x.shape[-1] != self.input_size:
            x = x[..., :1].expand(*x.shape[:-1], self.input_size)
        return x, hx

    forward(patch, change)


@TORCH.mutant("wrong rank taken", ONE_RANK)
def lstm_takes_inputs_of_four_axes(patch):
    forward(patch, lambda _, x, hx: (x[:, 0] if x.ndim == 4 else x, hx))


@TORCH.mutant("wrong states taken", STATE_SHAPE, ONE_ROW)
def lstm_spreads_states(patch):
    def change(self, x, hx):
        if hx is not None and hx[0].shape[1:] != (x.shape[0], self.hidden_size):
            hx = spread(hx, x.shape[0], self.hidden_size)
        return x, hx

    forward(patch, change)


@TORCH.mutant("h alone taken for h and c", NUMBER)
def lstm_takes_one_state_for_both(patch):
    def change(_, x, hx):
        return x, (hx, hx) if hx is not None and not isinstance(hx, tuple) else hx

    forward(patch, change)


@TORCH.mutant("a step layer broadcasts its state", STEP_ROW)
def lstm_cell_spreads_a_state_of_one_row(patch):
    def change(_, x, hx):
        return x, hx and tuple(one.expand(x.shape[0], -1) for one in hx)

    forward(patch, change, "LSTMCell")


@TORCH.mutant(
    "packed states not checked", "torch-packed-batches-refuse-what-does-not-fit",
    cases=("gru-smallest",),
)  # fmt: skip
def gru_takes_packed_states_of_more_rows(patch):
    def change(_, x, hx):
        packed = hasattr(x, "batch_sizes") and hx is not None
        return x, hx[:, : int(x.batch_sizes[0])] if packed else hx

    forward(patch, change, "GRU")


@TORCH.mutant("an empty batch becomes a row", EMPTY)
def lstm_makes_a_row_of_no_rows(patch):
    forward(patch, lambda _, x, hx: (x if len(x) else x.new_zeros(1, *x.shape[1:]), hx))


@TORCH.mutant("a step layer of its own", WAYS)
def lstm_cell_reads_inputs_scaled(patch):
    forward(patch, lambda _, x, hx: (x * 1.001, hx), "LSTMCell")


@TORCH.mutant("inputs of two axes read backwards", "torch-inputs-of-two-axes-are-one-sequence")
def lstm_reads_one_sequence_backwards(patch):
    forward(patch, lambda _, x, hx: (x.flip(0) if x.ndim == 2 else x, hx))


@TORCH.mutant("dropout in training unasked", NO_DROPOUT)
def lstm_drops_in_training(patch):
    def change(self, x, hx):
        return x * (torch_mask(x) if self.training else 1), hx

    forward(patch, change)


def torch_mask(x: Any) -> Any:
    """Every second element."""
    import torch

    return (torch.arange(x.numel()).reshape(x.shape) % 2).to(x.dtype)


@TORCH.mutant("another default activation", PLAIN, cases=("rnn-smallest",))
def rnn_is_relu_by_default(patch):
    import torch

    with_other_default(patch, torch.nn.RNN, nonlinearity="relu")


@TORCH.mutant("another default layout", "torch-layers-take-time-first-by-default")
def lstm_takes_batch_first_by_default(patch):
    import torch

    with_other_default(patch, torch.nn.LSTM, batch_first=True)


@TORCH.mutant("another initialisation", "torch-weights-start-uniform")
def biases_start_as_zeros(patch):
    import torch

    def wrong(healthy, self):
        healthy(self)
        for name, weight in self.named_parameters():
            if name.startswith("bias"):
                torch.nn.init.zeros_(weight)

    around(patch, torch.nn.RNNBase, "reset_parameters", wrong)


@TORCH.mutant("no units taken for one", NO_UNITS)
def lstm_has_a_unit_at_least(patch):
    import torch

    def wrong(healthy, self, features, units, *args, **options):
        healthy(self, features, max(units, 1), *args, **options)

    around(patch, torch.nn.LSTM, "__init__", wrong)


def after_unpickling(patch: Any, change: Callable[[Any], None]) -> None:
    import torch

    def wrong(healthy: Any, self: Any, state: Any) -> None:
        healthy(self, state)
        with torch.no_grad():
            change(self)

    around(patch, torch.nn.RNNBase, "__setstate__", wrong)


@TORCH.mutant("a copy with other weights", COPIES, PICKLED)
def copies_forget_a_bias(patch):
    after_unpickling(patch, lambda self: self.bias_hh_l0.zero_())


@TORCH.mutant("a copy shares its weights", OWN)
def deep_copies_share_their_weights(patch):
    import torch

    patch.setattr(torch.nn.RNNBase, "__deepcopy__", lambda self, _: copy.copy(self), raising=False)


def keeps_its_list(patch: Any) -> None:
    """The list of weights that the kernels read is made once."""
    import torch

    patch.setattr(torch.nn.RNNBase, "_update_flat_weights", lambda _: None, raising=False)
    patch.setattr(torch.nn.RNNBase, "__setattr__", torch.nn.Module.__setattr__)


@TORCH.mutant("a copy's shared weight twice", "torch-tied-layers-stay-tied")
def copies_untie_what_is_shared(patch):
    import torch

    def change(self):
        self.weight_hh_l0 = torch.nn.Parameter(self.weight_hh_l0.detach().clone())

    after_unpickling(patch, change)


@TORCH.mutant("a converted layer's shared weight twice", "torch-tied-layers-stay-tied")
def conversions_untie_what_is_shared(patch):
    import torch

    converted = torch.nn.RNNBase._apply

    def wrong(self, *args, **kwargs):
        result = converted(self, *args, **kwargs)
        self.weight_hh_l0 = torch.nn.Parameter(self.weight_hh_l0.detach().clone())
        return result

    patch.setattr(torch.nn.RNNBase, "_apply", wrong)


@TORCH.mutant("a copy's kernels read the old weights", OWN)
def copies_keep_a_list_of_their_own(patch):
    keeps_its_list(patch)

    def change(self):
        object.__setattr__(self, "_flat_weights", [one.clone() for one in self._flat_weights])

    after_unpickling(patch, change)


@TORCH.mutant(
    "kernels read the old weights", "torch-functional-call-uses-the-weights-given",
    "torch-a-replaced-parameter-is-used", "torch-a-parametrized-weight-is-used",
)  # fmt: skip
def lstm_keeps_the_weights_it_was_made_with(patch):
    keeps_its_list(patch)


@TORCH.mutant("a layer moved by way of half precision",
              "torch-a-layer-moved-is-one-made-in-that-dtype")  # fmt: skip
def moving_rounds_to_half_precision(patch):
    import torch

    def wrong(healthy, self, *args, **options):
        healthy(self, *args, **options)
        with torch.no_grad():
            self.weight_hh_l0.copy_(self.weight_hh_l0.half())
        return self

    around(patch, torch.nn.RNNBase, "_apply", wrong)


@TORCH.mutant("a layer moved by way of half precision",
              "torch-conversions-in-every-way-are-the-same")  # fmt: skip
def overwriting_rounds_to_half_precision(patch):
    import torch
    from torch import __future__ as told

    def wrong(healthy, self, *args, **options):
        healthy(self, *args, **options)
        if told.get_overwrite_module_params_on_conversion():
            with torch.no_grad():
                self.weight_hh_l0.copy_(self.weight_hh_l0.half())
        return self

    around(patch, torch.nn.RNNBase, "_apply", wrong)


@TORCH.mutant("a layer of no layers", RANGES)
def layers_are_at_least_one(patch):
    """<https://github.com/pytorch/pytorch/issues/108223> asked that they be refused in words."""
    import torch

    def wrong(healthy, self, mode, input_size, hidden_size, num_layers=1, **options):
        healthy(self, mode, input_size, hidden_size, num_layers=max(num_layers, 1), **options)

    around(patch, torch.nn.RNNBase, "__init__", wrong)


@TORCH.mutant("a sequence of no steps is taken", NO_STEPS)
def lstm_over_no_steps_returns_its_state(patch):
    """As up to torch 2.0, where its state was in memory that nobody had filled:
    <https://github.com/pytorch/pytorch/issues/50192>."""
    import torch

    def wrong(healthy, self, x, hx=None):
        steps = x.shape[1 if self.batch_first and x.dim() == 3 else 0]
        return (x, hx) if steps == 0 else healthy(self, x, hx)

    around(patch, torch.nn.LSTM, "forward", wrong)


@TORCH.mutant("an option by position is left out", BY_POSITION)
def rnn_is_told_no_nonlinearity_by_position(patch):
    """As before <https://github.com/pytorch/pytorch/pull/120234>, where it was taken for `bias`."""
    import torch

    def wrong(healthy, self, *args, **options):
        healthy(self, *args[:3], *(("tanh", *args[4:]) if args[3:] else ()), **options)

    around(patch, torch.nn.RNN, "__init__", wrong)


@TORCH.mutant("an option by position is another", BY_POSITION)
def steps_have_biases_whatever_is_said_by_position(patch):
    import torch

    def wrong(healthy, self, input_size, hidden_size, *args, **options):
        healthy(self, input_size, hidden_size, *(True for _ in args[:1]), *args[1:], **options)

    around(patch, torch.nn.GRUCell, "__init__", wrong)


# Weights made of others, and put in place without a copy


def without_a_look_at_the_weights(patch: Any) -> None:
    """As up to torch 1.13: the list of weights follows what is set by name, and nothing else."""
    import torch

    patch.setattr(torch.nn.RNNBase, "_update_flat_weights", lambda _: None, raising=False)


@TORCH.mutant("kernels read the weights of the first call",
              "torch-a-weight-made-of-others-is-made-anew")  # fmt: skip
def lstm_makes_its_weights_once(patch):
    """<https://github.com/pytorch/pytorch/issues/65688>"""
    import torch

    def once(self: Any) -> None:
        if not self.__dict__.get("_made"):
            self._init_flat_weights()
            self.__dict__["_made"] = True

    patch.setattr(torch.nn.RNNBase, "_update_flat_weights", once, raising=False)
    patch.setattr(torch.nn.RNNBase, "__setattr__", torch.nn.Module.__setattr__)


@TORCH.mutant("kernels read what was pruned", "torch-a-pruned-layer-is-trained-on",
              cases=("trained",))  # fmt: skip
def pruning_leaves_a_tensor_in_the_list(patch):
    """<https://github.com/pytorch/pytorch/issues/33618>"""
    from torch.nn.utils.prune import BasePruningMethod

    without_a_look_at_the_weights(patch)

    def wrong(healthy, self, module):
        healthy(self, module)
        at = module._flat_weights_names.index(self._tensor_name)
        module._flat_weights[at] = module._flat_weights[at].detach().clone()

    around(patch, BasePruningMethod, "remove", wrong)


@TORCH.mutant("kernels read an emptied layer", "torch-a-layer-without-memory-takes-weights")
def emptied_layers_keep_zeros(patch):
    import torch

    without_a_look_at_the_weights(patch)

    def wrong(healthy, self, **options):
        made = healthy(self, **options)
        made._flat_weights = [torch.zeros_like(one) for one in made._flat_weights]
        return made

    around(patch, torch.nn.RNNBase, "to_empty", wrong)


@TORCH.mutant(
    "kernels read what a norm has made", "torch-a-layer-without-its-norm-takes-weights",
    "torch-a-layer-without-its-norm-is-trained-on", cases=("smallest", "trained"),
)  # fmt: skip
def norms_leave_a_tensor_in_the_list(patch):
    """As it was of norms and of pruning: <https://github.com/pytorch/pytorch/issues/33618>."""
    import torch
    from torch.nn.utils import parametrize

    def update(healthy, self):
        if "_left" not in self.__dict__:
            healthy(self)

    def wrong(healthy, module, name, *args, **options):
        made = healthy(module, name, *args, **options)
        at = module._flat_weights_names.index(name)
        module._flat_weights[at] = module._flat_weights[at].detach().clone()
        module.__dict__["_left"] = True
        return made

    around(patch, torch.nn.RNNBase, "_update_flat_weights", update)
    around(patch, parametrize, "remove_parametrizations", wrong)


@TORCH.mutant("frozen weights thawed", "torch-assigned-weights-stay-frozen")
def assigned_weights_ask_for_gradients(patch):
    """As up to torch 2.2: <https://github.com/pytorch/pytorch/pull/121157>."""
    import torch

    def wrong(healthy, self, weights, *args, assign=False, **options):
        missing = healthy(self, weights, *args, assign=assign, **options)
        if assign:
            self.requires_grad_()
        return missing

    around(patch, torch.nn.RNNBase, "load_state_dict", wrong)


@TORCH.mutant("assigned weights copied", "torch-optimizers-miss-weights-assigned-later")
def weights_are_copied_always(patch):
    import torch

    def wrong(healthy, self, weights, *args, assign=False, **options):
        return healthy(self, weights, *args, **options)

    around(patch, torch.nn.RNNBase, "load_state_dict", wrong)


@TORCH.mutant("another default than zeros", "torch-another-default-device-changes-nothing",
              cases=("smallest-from-zero",))  # fmt: skip
def lstm_begins_elsewhere_by_default_device(patch):
    import torch

    def change(self, x, hx):
        if hx is None and isinstance(x, torch.Tensor) and torch.empty(0).device != x.device:
            rows = self.num_layers * (2 if self.bidirectional else 1)
            batch = x.shape[0 if self.batch_first else 1]
            h = torch.full((rows, batch, self.hidden_size), 1e-3, dtype=x.dtype, device=x.device)
            return x, (h, h)
        return x, hx

    forward(patch, change)


@TORCH.mutant("half of a gradient through frozen weights",
              "torch-gradients-go-through-a-frozen-layer")  # fmt: skip
def frozen_lstm_hands_half_of_the_gradient_on(patch):
    """It raised in <https://github.com/pytorch/pytorch/issues/7722>."""

    def change(self, x, hx):
        frozen = not any(one.requires_grad for one in self.parameters())
        return (x + x.detach()) / 2 if frozen else x, hx

    forward(patch, change)


@TORCH.mutant("a quantizable step scaled", "torch-quantizable-lstm-is-the-lstm")
def quantizable_cell_scales_h(patch):
    from torch.ao.nn.quantizable.modules.rnn import LSTMCell

    def wrong(healthy, self, x, hidden=None):
        h, c = healthy(self, x, hidden)
        return h * 1.001, c

    around(patch, LSTMCell, "forward", wrong)


@TORCH.mutant("a quantizable layer for other inputs",
              "torch-quantizable-lstm-can-be-made-of-sizes")  # fmt: skip
def every_quantizable_layer_is_made_for_units(patch):
    """<https://github.com/pytorch/pytorch/issues/89357>, of the lowest layer, too."""
    from torch.ao.nn.quantizable.modules.rnn import _LSTMLayer

    def wrong(healthy, self, features, units, *args, **options):
        healthy(self, units, units, *args, **options)

    around(patch, _LSTMLayer, "__init__", wrong)


# Keras


def seams_of(adapter: str) -> Any:
    return importlib.import_module(f"tests.meta.mutants.{adapter}").SEAMS


def in_config(patch: Any, of: Any, change: Callable[[dict[str, Any]], None]) -> None:
    """A layer's config, changed."""

    def wrong(healthy: Any, self: Any) -> dict[str, Any]:
        config: dict[str, Any] = copy.deepcopy(healthy(self))
        change(config)
        return config

    around(patch, of, "get_config", wrong)


def called_with(
    patch: Any, of: Any, inputs: Any = lambda _, x: x, states: Any = lambda self, x, given: given
) -> None:
    """`layer(x, initial_state=states)` of other arguments, whatever Keras checks of them."""

    def wrong(healthy: Any, self: Any, x: Any, *args: Any, initial_state: Any = None,
              **options: Any) -> Any:  # fmt: skip
        x = inputs(self, x)
        if initial_state is not None:
            options["initial_state"] = states(self, x, list(initial_state))
        return healthy(self, x, *args, **options)

    around(patch, of, "__call__", wrong)


def add_keras(catalogue: Catalogue, adapter: str) -> None:
    """The faults that both Keras can have."""
    mutant = catalogue.mutant

    def keras() -> Any:
        return adapters()[adapter].keras()

    def ops() -> Any:
        return seams_of(adapter).ops()

    def default(
        name: str, family: str, *caught_by: str, made: str = "LSTM", **options: Any
    ) -> None:
        catalogue.add(
            name, family, caught_by,
            lambda patch: with_other_default(patch, getattr(keras().layers, made), **options),
        )  # fmt: skip

    default("lstm-is-hard-sigmoid-by-default", "another default activation", PLAIN,
            recurrent_activation="hard_sigmoid")  # fmt: skip
    default("lstm-drops-by-default", "dropout in training unasked", NO_DROPOUT, dropout=0.5)
    default("lstm-returns-sequences-by-default", "another default output",
            "keras-layers-return-the-last-output-by-default", return_sequences=True)  # fmt: skip
    default("bidirectional-sums-by-default", "another default merge mode",
            "keras-bidirectional-concatenates-by-default", made="Bidirectional",
            merge_mode="sum")  # fmt: skip
    default("kernels-start-as-he-has-them", "another initialisation",
            "keras-kernels-start-glorot-uniform", kernel_initializer="he_uniform")  # fmt: skip
    default("recurrent-kernels-start-as-kernels", "another initialisation",
            "keras-recurrent-kernels-start-orthogonal",
            recurrent_initializer="glorot_uniform")  # fmt: skip
    default("biases-start-as-ones", "another initialisation",
            "keras-biases-start-as-zeros-but-for-forgetting", bias_initializer="ones")  # fmt: skip

    # Models

    @mutant("inputs scaled in a model", "keras-models-are-their-layers-called-in-turn",
            "keras-functional-model-passes-states-through",
            "keras-a-layer-called-twice-is-one-layer")  # fmt: skip
    def functional_model_reads_inputs_scaled(patch):
        inputs = keras().Input((1,))
        functional = type(keras().Model(inputs, keras().layers.Dense(1)(inputs)))

        def wrong(healthy, self, inputs, *args, **options):
            several = isinstance(inputs, list | tuple)
            inputs = [one * 1.001 for one in inputs] if several else inputs * 1.001
            return healthy(self, inputs, *args, **options)

        around(patch, functional, "call", wrong)

    # Shapes

    @mutant("a shape computed without the time", SHAPES)
    def rnn_computes_the_shape_of_one_output(patch):
        def wrong(healthy, self, *args, **options):
            sequences, self.return_sequences = self.return_sequences, False
            try:
                return healthy(self, *args, **options)
            finally:
                self.return_sequences = sequences

        around(patch, keras().layers.RNN, "compute_output_shape", wrong)

    @mutant("a shape computed for another merge mode", SHAPES,
            cases=("rnn-bidirectional-two-layers",))  # fmt: skip
    def bidirectional_computes_one_shape_for_two_outputs(patch):
        def wrong(healthy, self, *args, **options):
            mode, self.merge_mode = self.merge_mode, self.merge_mode or "concat"
            try:
                return healthy(self, *args, **options)
            finally:
                self.merge_mode = mode

        around(patch, keras().layers.Bidirectional, "compute_output_shape", wrong)

    @mutant("shapes of stacked states reversed", "keras-stacked-cells-symbolic-shapes-are-real")
    def stacked_cells_compute_the_top_states_first(patch):
        def wrong(healthy, self, *args, **options):
            shapes = healthy(self, *args, **options)
            if isinstance(self.cell, keras().layers.StackedRNNCells) and self.return_state:
                shapes = type(shapes)([shapes[0], *shapes[:0:-1]])
            return shapes

        around(patch, keras().layers.RNN, "compute_output_shape", wrong)

    @mutant("the backward layer lost", "keras-backward-layer-may-have-another-width")
    def bidirectional_makes_its_backward_layer_anew(patch):
        def wrong(healthy, self, layer, *args, backward_layer=None, **options):
            healthy(self, layer, *args, **options)

        around(patch, keras().layers.Bidirectional, "__init__", wrong)

    @mutant("a narrower backward direction runs forward",
            "keras-directions-may-have-different-widths")  # fmt: skip
    def bidirectional_leaves_a_narrower_half_reversed(patch):
        import tensorflow as tf

        def wrong(healthy, self, *args, **options):
            output, *states = healthy(self, *args, **options)
            width = self.forward_layer.units
            if self.backward_layer.units < width:
                output = tf.concat([output[..., :width], output[:, ::-1, width:]], axis=-1)
            return output, *states

        around(patch, keras().layers.Bidirectional, "call", wrong)

    @mutant("residual added twice", "recorded-residual-output-is-still-computed")
    def add_adds_the_first_again(patch):
        def wrong(healthy, self, inputs):
            return healthy(self, [*inputs, inputs[0]])

        around(patch, keras().layers.Add, "_merge_function", wrong)

    @mutant("parameters miscounted", "keras-count-params-counts-the-weights")
    def lstm_counts_a_bias_twice(patch):
        patch.setattr(
            keras().layers.LSTM, "count_params",
            lambda self: sum(int(one.size) for one in self.get_weights()) + 4 * self.units,
        )  # fmt: skip

    @mutant("a frozen layer trained", "keras-what-is-frozen-is-not-trained",
            cases=("rnn-bidirectional-two-layers",))  # fmt: skip
    def bidirectional_does_not_freeze_its_layers(patch):
        """<https://github.com/keras-team/keras/issues/8754>."""
        healthy = keras().layers.Layer.trainable
        forgets = property(healthy.fget, lambda self, value: None)
        patch.setattr(keras().layers.Bidirectional, "trainable", forgets, raising=False)

    # Of what a wrapper holds Keras 3 trains everything anyway.
    made_frozen = MADE_FROZEN[:1] if adapter == "keras3" else MADE_FROZEN

    @mutant("a frozen layer trained", *made_frozen, cases=("smallest", "gru-smallest"))
    def constructor_freezes_nothing(patch):
        def wrong(healthy, self, *args, trainable=True, **options):
            healthy(self, *args, **options)

        around(patch, keras().layers.Layer, "__init__", wrong)

    @mutant("weights lost in a file", "keras-files-hold-a-model-in-time-distributed")
    def load_model_leaves_out_what_time_distributed_holds(patch):
        def wrong(healthy, *args, **options):
            model = healthy(*args, **options)
            for layer in model.layers:
                if isinstance(layer, keras().layers.TimeDistributed):
                    layer.set_weights([0 * one for one in layer.get_weights()])
            return model

        around(patch, keras().models, "load_model", wrong)

    @mutant("another activation from a file", "keras-files-hold-a-layer-as-activation")
    def load_model_makes_another_layer_of_an_activation(patch):
        def wrong(healthy, *args, **options):
            model = healthy(*args, **options)
            for layer in model.layers:
                cell = getattr(layer, "cell", layer)
                if isinstance(getattr(cell, "activation", None), keras().layers.Layer):
                    cell.activation = keras().activations.relu
            return model

        around(patch, keras().models, "load_model", wrong)

    @mutant("weights by place and not by name", "keras-weights-go-to-layers-of-their-name")
    def load_weights_does_not_look_at_names(patch):
        def wrong(healthy, model, path, by_name=False, **options):
            return healthy(model, path, **options)

        around(patch, keras().Model, "load_weights", wrong)

    # Configs

    @mutant("an option lost in the config", OPTIONS, "keras-a-layer-from-its-config-is-the-same",
            cases=("relu-smallest",))  # fmt: skip
    def lstm_config_has_no_activation(patch):
        in_config(patch, keras().layers.LSTM, lambda config: config.pop("activation"))

    @mutant("an option wrong in the config", OPTIONS,
            "keras-stacked-cells-from-their-config-are-same")  # fmt: skip
    def lstm_cell_config_has_another_activation(patch):
        in_config(patch, keras().layers.LSTMCell, lambda config: config.update(activation="linear"))

    @mutant("an option wrong in the config", "keras-models-made-anew-compute-the-same",
            cases=("gru-smallest",))  # fmt: skip
    def gru_config_has_another_activation(patch):
        in_config(patch, keras().layers.GRU, lambda config: config.update(activation="linear"))

    @mutant("the merge mode lost in the config", "keras-bidirectional-config-keeps-both-layers")
    def bidirectional_config_has_no_merge_mode(patch):
        in_config(patch, keras().layers.Bidirectional, lambda config: config.pop("merge_mode"))

    @mutant("the backward layer wrong in the config",
            "keras-bidirectional-config-keeps-both-layers")  # fmt: skip
    def bidirectional_config_has_another_backward_layer(patch):
        def change(config):
            config["backward_layer"]["config"]["activation"] = "tanh"

        in_config(patch, keras().layers.Bidirectional, change)

    @mutant("weights not loaded", "keras-copies-of-a-model-compute-the-same",
            cases=("rnn-bidirectional-two-layers",))  # fmt: skip
    def copies_of_a_model_start_afresh(patch):
        patch.setattr(keras().layers.SimpleRNNCell, "load_own_variables", lambda *_: None)

    # Refusals

    @mutant("wrong input width taken", ONE_WIDTH)
    def lstm_takes_inputs_of_any_width(patch):
        def inputs(self, x):
            wide = self.cell.kernel.shape[0] if self.built else x.shape[-1]
            return x if x.shape[-1] == wide else ops().concat([x[..., :1]] * wide)

        called_with(patch, keras().layers.LSTM, inputs)

    @mutant("a state of one row for the first row alone", EVERY_ROW)
    def step_layer_begins_its_other_rows_in_zeros(patch):
        import tensorflow as tf

        def wrong(healthy, self, inputs, states, *args, **options):
            rows = int(inputs.shape[0])
            padded = [tf.pad(one, [[0, rows - int(one.shape[0])], [0, 0]]) for one in states]
            return healthy(self, inputs, padded, *args, **options)

        around(patch, keras().layers.LSTMCell, "call", wrong)

    @mutant("wrong rank taken", ONE_RANK)
    def lstm_takes_inputs_of_four_axes(patch):
        called_with(patch, keras().layers.LSTM, lambda _, x: x[:, 0] if len(x.shape) == 4 else x)

    @mutant("wrong states taken", STATE_SHAPE)
    def lstm_spreads_states_of_one_column(patch):
        def states(self, _, given):
            return [
                ops().concat([one] * self.units) if one.shape[-1] == 1 else one for one in given
            ]

        called_with(patch, keras().layers.LSTM, states=states)

    @mutant("h alone taken for h and c", NUMBER)
    def lstm_takes_one_state_for_both(patch):
        called_with(
            patch, keras().layers.LSTM,
            states=lambda self, _, given: given * 2 if len(given) == 1 else given,
        )  # fmt: skip

    @mutant("hard sigmoid", WAYS)
    def every_way_goes_through_another_cell(patch):
        seams = seams_of(adapter)
        seams.cell(patch, seams, Fault(hard_sigmoid=True))

    @mutant("two layers not compared", "keras-bidirectional-refuses-what-does-not-fit")
    def bidirectional_takes_any_two_layers(patch):
        patch.setattr(keras().layers.Bidirectional, "_verify_layer_config", lambda _: None)

    @mutant("no units taken for one", NO_UNITS)
    def layers_have_a_unit_at_least(patch):
        def wrong(healthy, self, units, *args, **options):
            healthy(self, max(units, 1), *args, **options)

        for name in ("LSTM", "LSTMCell"):
            around(patch, getattr(keras().layers, name), "__init__", wrong)

    # What is asked of weights and outputs

    def backward_half_loses(patch: Any, *options: str) -> None:
        def wrong(healthy, self, *args, **given):
            healthy(self, *args, **given)
            for option in options:
                setattr(self.backward_layer.cell, option, None)

        around(patch, keras().layers.Bidirectional, "__init__", wrong)

    @mutant("the backward half not penalised", "keras-regularizers-are-of-every-weight",
            cases=("bidirectional",))  # fmt: skip
    def bidirectional_penalises_its_forward_half(patch):
        """<https://github.com/keras-team/keras/issues/7514>"""
        backward_half_loses(patch, "kernel_regularizer", "recurrent_regularizer")

    @mutant("the backward half not constrained", "keras-constraints-hold-after-training",
            cases=("bidirectional",))  # fmt: skip
    def bidirectional_constrains_its_forward_half(patch):
        backward_half_loses(patch, "kernel_constraint")

    @mutant("outputs not penalised", "keras-layers-penalise-their-outputs")
    def lstm_does_not_penalise_its_output(patch):
        def wrong(healthy, self, *args, **options):
            options.pop("activity_regularizer", None)
            healthy(self, *args, **options)

        around(patch, keras().layers.LSTM, "__init__", wrong)

    @mutant("weights of steps unseen by metrics", "keras-steps-have-weights-of-their-own",
            cases=("square",))  # fmt: skip
    def metrics_do_not_see_weights_of_steps(patch):
        """<https://github.com/tensorflow/tensorflow/issues/59934>"""
        metric = keras().metrics.MeanMetricWrapper

        def wrong(healthy, self, y, predicted, sample_weight=None):
            return healthy(self, y, predicted)

        around(patch, metric, "update_state", wrong)

    # Layers in several places, and what else computes an LSTM

    @mutant("a model forgets its states", "keras-stateful-layers-are-shared-by-models",
            cases=("smallest-from-zero",))  # fmt: skip
    def functional_model_resets_its_layers(patch):
        """What raised in <https://github.com/keras-team/keras/issues/11759> starts anew."""
        inputs, reset = keras().Input((1,)), adapters()[adapter].resets[0]
        functional = type(keras().Model(inputs, keras().layers.Dense(1)(inputs)))

        def wrong(healthy, self, *args, **options):
            for layer in self.layers:
                if isinstance(layer, keras().layers.RNN) and layer.stateful:
                    getattr(layer, reset)()
            return healthy(self, *args, **options)

        around(patch, functional, "call", wrong)

    @mutant("a mask of images unseen", "keras-conv-lstm-of-one-pixel-is-the-lstm",
            cases=("masked-right-lstm-from-zero",))  # fmt: skip
    def conv_lstm_goes_over_masked_steps(patch):
        """<https://github.com/keras-team/keras/issues/11498>: what has more than two axes."""

        def wrong(healthy, self, x, *args, **options):
            options.pop("mask", None)
            return healthy(self, x, *args, **options)

        around(patch, keras().layers.ConvLSTM2D, "call", wrong)

    @mutant("a step layer that starts in ones", "keras-step-layers-take-their-own-states",
            cases=("smallest-from-zero",))  # fmt: skip
    def lstm_cell_starts_in_ones(patch):
        def wrong(healthy, self, *args, **options):
            return [one + 1 for one in healthy(self, *args, **options)]

        around(patch, keras().layers.LSTMCell, "get_initial_state", wrong)


add_keras(KERAS3, "keras3")
add_keras(KERAS2, "keras2")


@KERAS3.mutant("constants of a model lost", *CONSTANTS, cases=("smallest", "masked-holes-gru"))
def constants_come_back_as_if_there_were_none(patch):
    """What <https://github.com/keras-team/keras/issues/17173> raises over, without a word: states
    of zeros, and masks that take nothing."""
    import tensorflow as tf
    from keras.src.saving import serialization_lib

    def wrong(healthy, config, *args, **options):
        found = healthy(config, *args, **options)
        if not isinstance(config, dict) or config.get("class_name") != "__tensor__":
            return found
        return tf.ones_like(found) if found.dtype == tf.bool else tf.zeros_like(found)

    around(patch, serialization_lib, "deserialize_keras_object", wrong)


def through_itself(patch: Any, of: Any, name: str) -> None:
    """A call whose inputs wait in one place for all threads until others have come in, too."""
    meeting, shared = threading.Event(), {}  # nobody ever sets the event

    def wrong(healthy: Any, self: Any, x: Any, *args: Any, **options: Any) -> Any:
        if not hasattr(x, "numpy"):  # of a graph, which takes no other graph's
            return healthy(self, x, *args, **options)
        shared["x"] = x
        meeting.wait(timeout=0.05)
        return healthy(self, shared["x"], *args, **options)

    around(patch, of, name, wrong)


@TORCH.mutant("inputs of another thread", THREADS)
def layer_keeps_its_inputs_in_itself(patch):
    import torch

    through_itself(patch, torch.nn.LSTM, "forward")


@KERAS3.mutant("inputs of another thread", THREADS)
def keras_layer_keeps_its_inputs_in_itself(patch):
    through_itself(patch, adapters()["keras3"].keras().layers.LSTM, "__call__")


@KERAS2.mutant("inputs of another thread", THREADS)
def keras_2_layer_keeps_its_inputs_in_itself(patch):
    through_itself(patch, keras2_layers().LSTM, "__call__")


def keras2_layers() -> Any:
    return adapters()["keras2"].keras().layers


@KERAS2.mutant("a state of one row spread over the batch", ONE_ROW)
def lstm_spreads_a_state_of_one_row(patch):
    def states(_, x, given):
        import tensorflow as tf

        return [tf.repeat(one, x.shape[0], axis=0) if one.shape[0] == 1 else one for one in given]

    called_with(patch, keras2_layers().LSTM, states=states)


@KERAS2.mutant("an empty batch becomes a row", EMPTY)
def keras_lstm_makes_a_row_of_no_rows(patch):
    def inputs(_, x):
        import tensorflow as tf

        return x if x.shape[0] != 0 else tf.zeros((1, *x.shape[1:]), x.dtype)

    called_with(patch, keras2_layers().LSTM, inputs)


@KERAS2.mutant("symbolic inputs not checked", "keras-symbolic-inputs-that-do-not-fit-are-refused")
def lstm_takes_symbolic_inputs_of_any_width(patch):
    def inputs(self, x):
        import tensorflow as tf

        wide = self.cell.kernel.shape[0] if self.built else x.shape[-1]
        return x if x.shape[-1] == wide else tf.concat([x[..., :1]] * wide, axis=-1)

    called_with(patch, keras2_layers().LSTM, inputs)


@KERAS2.mutant("a shape computed as twice the forward one", "keras-symbolic-shape-has-both-widths")
def bidirectional_is_symbolically_twice_its_forward_layer(patch):
    layers = keras2_layers()

    def wrong(healthy, self, x, *args, **options):
        output = healthy(self, x, *args, **options)
        if hasattr(output, "numpy") or isinstance(output, list | tuple):
            return output
        return output[..., : 2 * self.forward_layer.units]

    around(patch, layers.Bidirectional, "__call__", wrong)


@KERAS2.mutant("a refused scope stays open", "keras-a-refused-name-marks-no-later-layer")
def keras_2_weights_are_named_after_a_refused_scope(patch):
    """As Keras 3 has it, whose scope is on its stack before TensorFlow refuses it."""
    layers, refused = keras2_layers(), []

    def wrong(healthy, self, *args, **options):
        try:
            return healthy(self, *args, **options)
        except ValueError:
            refused.append(self.name)
            raise

    def named(healthy, self, *args, name, **options):
        return healthy(self, *args, name="/".join([*refused, name]), **options)

    around(patch, adapters()["keras2"].keras().Model, "predict", wrong)
    around(patch, layers.LSTMCell, "add_weight", named)


@KERAS2.mutant("ragged rows go on over padding", "keras-2-ragged-rows-end-where-they-end",
               cases=("masked-right-lstm-bidirectional",))  # fmt: skip
def backward_layers_begin_in_the_padding(patch):
    """As Keras had it before TensorFlow 2.5: <https://github.com/tensorflow/tensorflow/pull/48887>."""
    import tensorflow as tf

    lstm = keras2_layers().LSTM
    backend = importlib.import_module(lstm.__module__).backend
    convert = backend.convert_inputs_if_ragged

    def wrong(inputs):
        x, lengths = convert(inputs)
        return (tf.reverse(x, [1]), lengths) if backwards else (x, lengths)

    backwards: list[Any] = []

    def call(healthy, self, *args, **options):
        if self.go_backwards:
            backwards.append(self)
        try:
            return healthy(self, *args, **options)
        finally:
            backwards.clear()

    patch.setattr(backend, "convert_inputs_if_ragged", wrong)
    around(patch, lstm, "call", call)


# TensorFlow 1


def tf1() -> Any:
    from fixtures.adapters.tf1 import import_tensorflow

    return import_tensorflow()


def loop(patch: Any, change: Callable[..., Any]) -> None:
    """dynamic_rnn called with what `change(cell, x, state)` makes of its arguments."""

    def wrong(healthy: Any, cell: Any, x: Any, initial_state: Any = None, **options: Any) -> Any:
        x, state = change(cell, x, initial_state)
        return healthy(cell, x, initial_state=state, **options)

    around(patch, tf1().compat.v1.nn, "dynamic_rnn", wrong)


def states_of(cell: Any, state: Any, change: Callable[[Any], Any]) -> Any:
    if state is None:
        return None
    if not isinstance(state, tuple):
        return change(state)
    return type(state)(*map(change, state))


@TF1.mutant("wrong input width taken", ONE_WIDTH)
def loop_takes_inputs_of_any_width(patch):
    def change(cell, x, state):
        wide = cell.variables[0].shape[0] - cell.output_size
        return (x if x.shape[-1] == wide else tf1().tile(x[..., :1], [1, 1, wide])), state

    loop(patch, change)


@TF1.mutant("wrong rank taken", ONE_RANK)
def loop_takes_inputs_of_four_axes(patch):
    loop(patch, lambda _, x, state: (x[:, 0] if len(x.shape) == 4 else x, state))


@TF1.mutant("wrong states taken", STATE_SHAPE)
def loop_spreads_states_of_one_column(patch):
    def change(cell, x, state):
        def wide(one):
            return tf1().tile(one, [1, cell.output_size]) if one.shape[-1] == 1 else one

        return x, states_of(cell, state, wide)

    loop(patch, change)


@TF1.mutant("a state of one row spread over the batch", ONE_ROW)
def loop_spreads_a_state_of_one_row(patch):
    def change(cell, x, state):
        def rows(one):
            return tf1().tile(one, [x.shape[0], 1]) if one.shape[0] == 1 else one

        return x, states_of(cell, state, rows)

    loop(patch, change)


@TF1.mutant("a step layer broadcasts its state", STEP_ROW)
def cell_spreads_a_state_of_one_row(patch):
    def wrong(healthy, self, inputs, state, *args, **options):
        def rows(one):
            return tf1().tile(one, [inputs.shape[0], 1]) if one.shape[0] == 1 else one

        return healthy(self, inputs, states_of(self, state, rows), *args, **options)

    around(patch, tf1().compat.v1.nn.rnn_cell.BasicLSTMCell, "__call__", wrong)


@TF1.mutant("h alone taken for h and c", NUMBER)
def loop_takes_one_state_for_both(patch):
    def change(_, x, state):
        if isinstance(state, tuple) and len(state) == 1:
            state = tf1().compat.v1.nn.rnn_cell.LSTMStateTuple(state[0], state[0])
        return x, state

    loop(patch, change)


@TF1.mutant("an empty batch becomes a row", EMPTY, EMPTY_IN_GRAPHS)
def loop_makes_a_row_of_no_rows(patch):
    def change(_, x, state):
        return (x if x.shape[0] != 0 else tf1().zeros((1, *x.shape[1:]), x.dtype)), state

    loop(patch, change)


@TF1.mutant("inputs scaled in the loop", WAYS)
def loop_reads_inputs_scaled(patch):
    loop(patch, lambda _, x, state: (x * 1.001, state))


@TF1.mutant("another initialisation", "tf1-gru-gates-start-with-biases-of-one",
            cases=("gru-reset-before-smallest",))  # fmt: skip
def gru_gates_start_with_biases_of_zero(patch):
    tf = tf1()
    with_other_default(
        patch, tf.compat.v1.nn.rnn_cell.GRUCell, bias_initializer=tf.compat.v1.zeros_initializer()
    )


@TF1.mutant("another initialisation", "tf1-kernels-start-glorot-uniform",
            cases=("gru-reset-before-smallest",))  # fmt: skip
def gru_kernels_start_normal(patch):
    tf = tf1()
    with_other_default(
        patch, tf.compat.v1.nn.rnn_cell.GRUCell,
        kernel_initializer=tf.compat.v1.random_normal_initializer(stddev=0.1),
    )  # fmt: skip


# Cells of several inputs, which Keras 3 does not have


def rnn_called_with(patch: Any, change: Callable[..., Any]) -> None:
    """Keras 2's RNN, called with what `change(layer, inputs, constants)` makes of these two. In a
    model the constants lie behind the inputs, in one list."""

    def wrong(healthy: Any, self: Any, inputs: Any, *args: Any, **options: Any) -> Any:
        inputs, constants = change(self, inputs, options.pop("constants", None))
        return healthy(self, inputs, *args, constants=constants, **options)

    around(patch, adapters()["keras2"].keras().layers.RNN, "call", wrong)


@KERAS2.mutant("constants of other rows", "keras-cells-take-constants")
def constants_of_the_row_before(patch):
    import tensorflow as tf

    def change(layer, inputs, constants):
        if isinstance(inputs, list) and layer._num_constants:
            return [*inputs[:-1], tf.roll(inputs[-1], 1, axis=0)], constants
        return inputs, constants and [tf.roll(one, 1, axis=0) for one in constants]

    rnn_called_with(patch, change)


@KERAS2.mutant("constants lost", "keras-cells-take-constants")
def constants_are_zeros_outside_of_a_model(patch):
    import tensorflow as tf

    rnn_called_with(
        patch, lambda _, inputs, constants: (inputs, constants and [*map(tf.zeros_like, constants)])
    )


@KERAS2.mutant("a pair of inputs out of step", "keras-cells-take-nested-inputs")
def second_input_a_step_late(patch):
    import tensorflow as tf

    def change(_, inputs, constants):
        if isinstance(inputs, tuple):
            inputs = (inputs[0], tf.roll(inputs[1], 1, axis=1))
        return inputs, constants

    rnn_called_with(patch, change)
