"""Keras's GRU, RNN, Bidirectional and their options, wrong on purpose around healthy cells, and
what Keras 2 and Keras 3 share of it."""

from __future__ import annotations

import functools
import sys
import weakref
from collections.abc import Callable
from typing import Any

from fixtures.adapters import adapters
from fixtures.adapters.keras_layers import flat
from tests.meta.mutants import Catalogue
from tests.meta.mutants.cell import Fault
from tests.meta.mutants.keras import Seams
from tests.meta.mutants.keras_cells import (
    GRADIENTS,
    READ_BACK,
    VALUES,
    cases_of,
    gru,
    rnn,
    written_out,
)

STACK_OF_ANY = "other-cells-stack-is-its-layers"
CUT_SHORT = "other-cells-short-row-is-the-row-cut-short"
STATES = "keras-other-cells-return-output-then-states"
STEPS = "step-layers-give-what-layers-give"
UNROLLED = "keras-unrolled-is-the-loop"
IMPLEMENTATIONS = "keras-implementations-compute-the-same"
STACKED = "keras-stacked-cells-are-one-layer-after-another"
CELL_BY_CELL = "keras-stacked-cells-states-are-cell-by-cell"
GO_ON = "keras-stacked-cells-go-on-from-their-states"
ALONE = "keras-a-stack-of-one-cell-is-its-layer"
MERGED = "keras-merge-modes-combine-both-directions"
LAYERS = {"GRU": ("gru", "gru-reset-before"), "RNN": ("rnn", "peepholes")}
"""What the names of a layer's cases begin with: `RNN` runs SimpleRNN and cells of one's own."""


def add_layers(catalogue: Catalogue, seams: Seams) -> None:
    """The faults of layers, and of what is made of them."""
    _add_layers(catalogue, seams)
    _add_options(catalogue, seams)


def around(
    patch: Any, seams: Seams, layer: str,
    before: Callable[..., Any] = lambda _, x, initial, mask: (x, initial, mask),
    after: Callable[..., Any] = lambda _, output, *states: (output, *states),
) -> None:  # fmt: skip
    """A call between `before(layer, x, initial, mask)` and `after(layer, output, *states)`."""
    one = getattr(seams.layers, layer)
    call = one.call

    @functools.wraps(call)  # Keras 3 knows arguments by their names
    def wrong(self, x, mask=None, training=None, initial_state=None, **kwargs):
        x, initial_state, mask = before(self, x, initial_state, mask)
        training = {} if training is None else {"training": training}
        result = call(self, x, mask=mask, initial_state=initial_state, **training, **kwargs)
        return type(result)(after(self, *result)) if self.return_state else result

    patch.setattr(one, "call", wrong)


def _add_layers(catalogue: Catalogue, seams: Seams) -> None:
    import numpy as np

    def tensor(array: Any) -> Any:
        return adapters()[seams.adapter]._tensor(array)

    def exchanged(states: Any) -> Any:
        half = len(states) // 2
        return [*states[half:], *states[:half]]

    def one_ulp_off(_, output, h, *rest):
        return output, seams.array(lambda v: np.nextafter(v, v + 1), h), *rest

    def not_zeros(self, x, initial, mask):
        if initial is None:
            size = self.cell.state_size
            sizes = size if isinstance(size, list | tuple) else [size]
            initial = [tensor(np.full((x.shape[0], size), 1e-3, self.compute_dtype))
                       for size in sizes]  # fmt: skip
        return x, initial, mask

    def step_before(self, output, h, *rest):
        early = self.return_sequences and not self.go_backwards and output.shape[1] > 1
        return output, output[:, -2] if early else h, *rest

    def stopped(initial: Any) -> Any:
        return initial and [seams.ops().stop_gradient(state) for state in initial]

    def steeper(output: Any) -> Any:
        return 1.001 * output - 0.001 * seams.ops().stop_gradient(output)

    def single(self: Any, output: Any) -> Any:
        return output if self.return_sequences else output * (1 + 1e-6)

    last_is_h = "other-cells-last-output-is-h"
    at_both_ends = "other-cells-backward-half-ends-at-step-zero"
    uses_state = ("other-cells-use-a-given-state", "other-cells-step-by-step-is-the-whole")
    under_a_mask = "keras-other-cells-output-under-a-mask-repeats"
    single_output = "keras-other-cells-single-output-is-the-last-step"
    table: dict[str, tuple[str, tuple[str, ...], dict[str, Any]]] = {
        "state-one-ulp-off": (
            "h one ulp off", (last_is_h, at_both_ends), {"after": one_ulp_off}),
        "state-saved-at-t-1": (
            "a state saved at T - 1", (VALUES, last_is_h), {"after": step_before}),
        "initial-state-ignored": (
            "initial state ignored", (VALUES, *uses_state),
            {"before": lambda _, x, initial, mask: (x, None, mask)}),
        "mask-ignored": (
            "sequence lengths ignored", (CUT_SHORT,),
            {"before": lambda _, x, initial, mask: (x, initial, None)}),
        "gradient-cut-at-the-initial-state": (
            "gradient cut at the initial state", (GRADIENTS,),
            {"before": lambda _, x, initial, mask: (x, stopped(initial), mask)}),
        "gradient-through-the-output-scaled": (
            "gradient through the output scaled", (GRADIENTS,),
            {"after": lambda _, output, *states: (steeper(output), *states)}),
        "another-last-step": (
            "the single output is not the last step", (single_output,),
            {"after": lambda self, output, *states: (single(self, output), *states)}),
        "returns-h-again": (
            "a state too many", (STATES,),
            {"after": lambda _, output, h, *rest: (output, h, *rest, h)}),
    }  # fmt: skip
    for layer, kinds in LAYERS.items():
        kind, cases = f"{layer.lower()}-layer", cases_of(*kinds)
        for name, (family, caught_by, how) in table.items():
            catalogue.add(
                f"{kind}-{name}", family, caught_by,
                lambda patch, layer=layer, how=how: around(patch, seams, layer, **how), cases,
            )  # fmt: skip
        catalogue.add(
            f"{kind}-zeros-under-a-mask", "past a row's end the output is zero", (under_a_mask,),
            lambda patch, layer=layer: zeros_under_a_mask(patch, seams, layer), cases,
        )  # fmt: skip
        catalogue.add(
            f"{kind}-stale-state", "stale state carried into the next call",
            ("other-cells-repeat-every-bit",),
            lambda patch, layer=layer: stale_state(patch, seams, layer), cases,
        )  # fmt: skip
        catalogue.add(
            f"{kind}-default-state-is-not-zeros", "another default than zeros",
            ("other-cells-default-state-is-zeros",),
            lambda patch, layer=layer: around(patch, seams, layer, before=not_zeros),
            (f"{kinds[0]}-smallest-from-zero",),
        )  # fmt: skip

    @catalogue.mutant("(h, c) returned as (c, h)", VALUES, "other-cells-last-output-is-h",
                      cases=cases_of("peepholes"))  # fmt: skip
    def rnn_layer_returns_states_exchanged(patch):
        around(patch, seams, "RNN", after=lambda _, output, *states: (output, *states[::-1]))

    @catalogue.mutant("h0 and c0 exchanged", VALUES, cases=cases_of("peepholes"))
    def rnn_layer_takes_states_exchanged(patch):
        def before(_, x, initial, mask):
            return x, initial and list(initial)[::-1], mask

        around(patch, seams, "RNN", before=before)

    everything = cases_of("gru", "rnn", "peepholes")

    def bidirectional(patch, before=None, after=None, merged=lambda mode: mode):
        one = seams.layers.Bidirectional
        call = one.call

        def wrong(self, x, *args, initial_state=None, **kwargs):
            if before is not None and initial_state is not None:
                initial_state = before(list(initial_state))
            mode, self.merge_mode = self.merge_mode, merged(self.merge_mode)
            try:
                result = call(self, x, *args, initial_state=initial_state, **kwargs)
            finally:
                self.merge_mode = mode
            return result if after is None else after(*result)

        patch.setattr(one, "call", wrong)

    @catalogue.mutant("directions' initial states exchanged", VALUES, cases=everything)
    def other_cells_initial_states_of_directions_exchanged(patch):
        bidirectional(patch, before=exchanged)

    @catalogue.mutant("directions' final states exchanged", VALUES,
                      "other-cells-backward-half-ends-at-step-zero", cases=everything)  # fmt: skip
    def other_cells_final_states_of_directions_exchanged(patch):
        bidirectional(patch, after=lambda output, *states: [output, *exchanged(states)])

    @catalogue.mutant("backward half not reversed back", VALUES, STACK_OF_ANY, cases=everything)
    def other_cells_backward_half_not_reversed_back(patch):
        def after(output, *states):
            half = output.shape[-1] // 2
            back = output[:, ::-1, half:]
            return [seams.ops().concat([output[..., :half], back]), *states]

        bidirectional(patch, after=after)

    for right, wrong in (("sum", "ave"), ("mul", "sum"), ("ave", "sum")):
        catalogue.add(
            f"merge-mode-{right}-is-{wrong}", "another merge mode", (MERGED,),
            lambda patch, right=right, wrong=wrong: bidirectional(
                patch, merged=lambda mode: wrong if mode == right else mode),
        )  # fmt: skip

    @catalogue.mutant("merge mode concat turned round", MERGED, VALUES, cases=everything)
    def merge_mode_concat_puts_backward_first(patch):
        one = seams.layers.Bidirectional
        call = one.call

        def wrong(self, *args, **kwargs):
            output, *states = call(self, *args, **kwargs)
            if self.merge_mode == "concat":
                half = output.shape[-1] // 2
                output = seams.ops().concat([output[..., half:], output[..., :half]])
            return [output, *states]

        patch.setattr(one, "call", wrong)

    # Weights

    @catalogue.mutant("two biases of a GRU exchanged", READ_BACK, VALUES, cases=cases_of("gru"))
    def gru_loads_biases_exchanged(patch):
        set_weights = seams.layers.GRU.set_weights

        def wrong(self, weights):
            kernel, recurrent, *bias = weights
            set_weights(self, [kernel, recurrent, *(one[::-1] for one in bias)])

        patch.setattr(seams.layers.GRU, "set_weights", wrong)

    @catalogue.mutant("a GRU's bias in another shape", READ_BACK,
                      "keras-gru-has-two-biases-if-it-resets-after",
                      cases=cases_of("gru-reset-before"))  # fmt: skip
    def gru_hands_out_one_bias_as_a_row(patch):
        get_weights = seams.layers.GRU.get_weights
        patch.setattr(
            seams.layers.GRU, "get_weights",
            lambda self: [one[None] if one.ndim == 1 else one for one in get_weights(self)],
        )  # fmt: skip

    @catalogue.mutant("weights saved wrongly", READ_BACK, "other-cells-parameters-are-so-many",
                      cases=cases_of("rnn"))  # fmt: skip
    def rnn_hands_out_a_bias_twice_as_long(patch):
        get_weights = seams.layers.SimpleRNN.get_weights
        patch.setattr(
            seams.layers.SimpleRNN, "get_weights",
            lambda self: [np.tile(one, 2) if one.ndim == 1 else one for one in get_weights(self)],
        )  # fmt: skip


def zeros_under_a_mask(patch: Any, seams: Seams, layer: str) -> None:
    one = getattr(seams.layers, layer)
    init = one.__init__

    def wrong(self, *args, **kwargs):
        init(self, *args, **kwargs)
        self.zero_output_for_mask = True

    patch.setattr(one, "__init__", wrong)


def stale_state(patch: Any, seams: Seams, layer: str) -> None:
    """What a call ends in moves the next one's inputs a little."""
    calls: Any = weakref.WeakKeyDictionary()

    def before(self: Any, x: Any, initial: Any, mask: Any) -> Any:
        calls[self] = calls.get(self, 0) + 1
        return (x if calls[self] == 1 else x * (1 + 1e-6)), initial, mask

    around(patch, seams, layer, before=before)


def _add_options(catalogue: Catalogue, seams: Seams) -> None:
    @catalogue.mutant(
        "initial state ignored", VALUES, "coupled-gates-are-an-lstm-with-i-from-f",
        "peepholes-of-zero-change-nothing", cases=cases_of("coupled", "peepholes"),
    )  # fmt: skip
    def a_custom_cell_starts_from_zero(patch):
        around(patch, seams, "RNN", before=lambda _, x, initial, mask: (x, None, mask))

    # Step layers, implementations, unrolled loops

    @catalogue.mutant("the step layer takes r for z", STEPS, cases=cases_of("gru"))
    def gru_step_layer_exchanges_gates(patch):
        step = functools.partial(gru, order="rzn")
        written_out(patch, seams, "GRU", step)

    @catalogue.mutant("gates r and z exchanged", IMPLEMENTATIONS,
                      cases=cases_of("gru", "gru-reset-before"))  # fmt: skip
    def gru_implementation_1_takes_a_wrong_block(patch):
        step = functools.partial(gru, order="rzn")
        written_out(patch, seams, "GRU", step, only=lambda cell: cell.implementation == 1)

    @catalogue.mutant("one gate for input and forgetting", IMPLEMENTATIONS)
    def lstm_implementation_1_takes_a_wrong_block(patch):
        cell = seams.layers.LSTMCell
        healthy = cell.call

        def wrong(self, inputs, states, training=None):
            if self.implementation != 1:
                return healthy(self, inputs, states, training=bool(training))
            with patch.context() as here:
                seams.cell(here, seams, Fault(order="iigo"))
                return cell.call(self, inputs, states)

        patch.setattr(cell, "call", wrong)

    for layer, case in {
        "LSTM": "smallest",
        "GRU": "gru-smallest",
        "SimpleRNN": "rnn-smallest",
    }.items():
        catalogue.add(
            f"{layer.lower()}-unrolled-from-zero", "initial state ignored", (UNROLLED,),
            lambda patch, layer=layer: around(
                patch, seams, layer,
                before=lambda self, x, initial, mask: (x, None if self.unroll else initial, mask)),
            (case,),
        )  # fmt: skip
        catalogue.add(
            f"{layer.lower()}-unrolled-misses-a-step", "a step left out", (UNROLLED,),
            lambda patch, layer=layer: around(
                patch, seams, layer,
                before=lambda self, x, initial, mask: (
                    seams.ops().concat([x[..., :1] * 0, x[..., 1:]]) if self.unroll else x,
                    initial, mask)),
            (case,),
        )  # fmt: skip

    # Stacked cells

    def stacked_cells(patch, before=lambda initial: initial, after=lambda states: states, kinds=1):
        """Changes what stacked cells of at least so many kinds take and return."""
        call = seams.layers.RNN.call

        @functools.wraps(call)
        def wrong(self, x, initial_state=None, **kwargs):
            many = isinstance(self.cell, seams.layers.StackedRNNCells)
            many = many and len({type(cell) for cell in self.cell.cells}) >= kinds
            if many and initial_state is not None:
                initial_state = before(initial_state)
            output, *states = call(self, x, initial_state=initial_state, **kwargs)
            return [output, *(after(states) if many else states)]

        patch.setattr(seams.layers.RNN, "call", wrong)

    several = ("two-widths", "gru-two-widths", "rnn-two-widths", "two-layers")

    @catalogue.mutant("stacked states reversed", STACKED, cases=several)
    def stacked_cells_return_the_top_states_first(patch):
        stacked_cells(patch, after=lambda states: states[::-1])

    @catalogue.mutant("stacked initial states reversed", STACKED, cases=several)
    def stacked_cells_take_the_top_states_first(patch):
        stacked_cells(patch, before=lambda initial: list(initial)[::-1])

    @catalogue.mutant("stacked initial states ignored", STACKED,
                      "keras-list-of-cells-keeps-its-precision", cases=several)  # fmt: skip
    def stacked_cells_start_from_zero(patch):
        stacked_cells(patch, before=lambda _: None)

    alone = ("smallest", "gru-smallest", "rnn-smallest")

    def stack_of_one(patch, before):
        """Changes what a stack of one cell is given, a cell's states as its layer has them."""
        one = seams.layers.StackedRNNCells
        call = one.call

        @functools.wraps(call)
        def wrong(self, inputs, states, **kwargs):
            if len(self.cells) == 1:
                inputs, states = before(inputs, states)
            return call(self, inputs, states, **kwargs)

        patch.setattr(one, "call", wrong)

    @catalogue.mutant("stacked initial states ignored", ALONE, cases=alone)
    def stack_of_one_starts_from_zero(patch):
        call = seams.layers.RNN.call

        @functools.wraps(call)
        def wrong(self, x, initial_state=None, **kwargs):
            if len(getattr(self.cell, "cells", ())) == 1:
                initial_state = None
            return call(self, x, initial_state=initial_state, **kwargs)

        patch.setattr(seams.layers.RNN, "call", wrong)

    @catalogue.mutant("stacked cells fed with more", ALONE, cases=alone)
    def stack_of_one_doubles_its_inputs(patch):
        stack_of_one(patch, lambda inputs, states: (2 * inputs, states))

    lstm_gru = ("mixed-lstm-gru",)

    @catalogue.mutant("h and c of an LSTM exchanged above or below another cell", STACKED, GO_ON,
                      cases=lstm_gru)  # fmt: skip
    def stacked_kinds_exchange_h_and_c(patch):
        def exchanged(states):
            return [one[::-1] if isinstance(one, list | tuple) else one for one in states]

        stacked_cells(patch, after=exchanged, kinds=2)

    @catalogue.mutant("a GRU's h in the place of an LSTM's c", STACKED, cases=("mixed-gru-lstm",))
    def stacked_kinds_give_a_grus_h_for_c(patch):
        def wrong(states):
            of_gru, (h, _) = states
            return [of_gru, [h, *flat(of_gru)]]

        stacked_cells(patch, after=wrong, kinds=2)

    @catalogue.mutant("initial states of cells of two kinds ignored", STACKED, GO_ON,
                      cases=lstm_gru)  # fmt: skip
    def stacked_kinds_start_from_zero(patch):
        stacked_cells(patch, before=lambda _: None, kinds=2)

    @catalogue.mutant("states of stacked cells in one list", CELL_BY_CELL, cases=lstm_gru)
    def stacked_kinds_return_one_list(patch):
        stacked_cells(patch, after=flat, kinds=2)

    @catalogue.mutant("one list of states taken", CELL_BY_CELL, cases=lstm_gru)
    def stacked_kinds_take_one_list(patch):
        def by_cell(initial):
            h, c, of_gru = flat(initial)
            return [[h, c], [of_gru]]

        stacked_cells(patch, before=by_cell, kinds=2)

    @catalogue.mutant("stacked cells fed with more", STACKED, cases=several)
    def stacked_cells_double_what_comes_from_below(patch):
        one = seams.layers.StackedRNNCells
        call = one.call
        patch.setattr(
            one, "call", lambda self, inputs, states, **kw: call(self, 2 * inputs, states, **kw)
        )

    # Clipping, in a cell of one's own

    def clip_is(patch, change):
        """`clip` of Keras with another result: `change(value, clipped)`."""
        keras = adapters()[seams.adapter].keras()
        functions = keras.ops if hasattr(keras, "ops") else keras.backend
        clip = functions.clip
        patch.setattr(functions, "clip", lambda x, low, high: change(x, clip(x, low, high)))

    clipped = ("clipped-smallest", "clipped-two-layers", "peepholes-clipped-smallest")

    @catalogue.mutant("cell state not clipped", VALUES, "no-cell-state-is-beyond-its-clip",
                      "a-clipped-cell-state-makes-another-lstm", cases=clipped)  # fmt: skip
    def clip_does_nothing(patch):
        clip_is(patch, lambda value, _: value)

    @catalogue.mutant("gradient through what was clipped", GRADIENTS, cases=clipped)
    def clip_lets_the_gradient_through(patch):
        clip_is(patch, lambda value, it: value + seams.ops().stop_gradient(it - value))

    # Activations

    def hard_sigmoid_is(patch, function):
        """The function that both Keras call by that name, behind `keras.activations`."""
        keras = adapters()[seams.adapter].keras()
        module = sys.modules[keras.activations.hard_sigmoid.__module__]
        home = module.ops if hasattr(module, "ops") else module.backend
        patch.setattr(home, "hard_sigmoid", function)

    hard = tuple(
        f"{kind}-smallest"
        for kind in ("hard-sigmoid", "hard-sigmoid-keras2", "gru-hard-sigmoid",
                     "gru-hard-sigmoid-keras2")
    )  # fmt: skip

    @catalogue.mutant("hard_sigmoid with the other Keras's slope", VALUES,
                      "hard-sigmoid-is-another-function-in-keras-2", cases=hard)  # fmt: skip
    def hard_sigmoid_is_the_other_keras(patch):
        by = 5 if seams.adapter == "keras3" else 6
        hard_sigmoid_is(patch, lambda x: seams.ops().clip(x / by + 0.5))

    @catalogue.mutant("sigmoid for hard_sigmoid", VALUES, "hard-sigmoid-is-not-the-sigmoid",
                      cases=hard)  # fmt: skip
    def hard_sigmoid_is_the_sigmoid(patch):
        hard_sigmoid_is(patch, lambda x: seams.ops().sigmoid(x))

    def lstm_cell_with(patch, **wanted):
        """LSTMCell.call with another activation than it was made with."""
        cell = seams.layers.LSTMCell
        call = cell.call

        def wrong(self, inputs, states, training=False):
            was = {name: getattr(self, name) for name in wanted}
            for name, function in wanted.items():
                setattr(self, name, function(self))
            try:
                return call(self, inputs, states, training=training)
            finally:
                for name, function in was.items():
                    setattr(self, name, function)

        patch.setattr(cell, "call", wrong)

    activation = "keras-activation-is-the-candidates-and-the-outputs"

    @catalogue.mutant("tanh for relu", VALUES, activation, "relu-makes-another-lstm",
                      cases=("relu-smallest", "relu-two-layers"))  # fmt: skip
    def lstm_activation_ignored(patch):
        lstm_cell_with(patch, activation=lambda _: seams.ops().tanh)

    @catalogue.mutant("the candidate's activation used for the gates", VALUES, activation,
                      cases=("relu-smallest", "relu-two-layers"))  # fmt: skip
    def lstm_gates_use_the_candidates_activation(patch):
        lstm_cell_with(patch, recurrent_activation=lambda cell: cell.activation)


def without_a_fault(patch: Any, seams: Seams) -> None:
    """Every cell and layer taken apart and put together as for these mutants, and nothing wrong."""
    written_out(patch, seams, "GRU", gru)
    written_out(patch, seams, "SimpleRNN", rnn)
    for layer in LAYERS:
        around(patch, seams, layer)
