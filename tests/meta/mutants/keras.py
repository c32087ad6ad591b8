"""Keras's LSTM and Bidirectional, wrong on purpose: what Keras 2 and Keras 3 have in common."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from typing import Any

from fixtures.adapters import adapters
from tests.meta.mutants import Catalogue
from tests.meta.mutants.cell import EVERY, FAULTS, GRADIENTS, Fault, Ops

STATES = "keras-returns-output-h-c"
FOUR = "keras-bidirectional-states-are-fh-fc-bh-bc"
LAST_IS_H = "output-last-step-is-h"


class Seams:
    """Where Keras is cut open; each version adds how its cell is replaced, and its functions."""

    def __init__(
        self, adapter: str, ops: Callable[[], Ops], cell: Callable[[Any, Any, Fault], None]
    ) -> None:
        self.adapter, self.ops, self.cell = adapter, ops, cell

    @property
    def layers(self) -> Any:
        return adapters()[self.adapter].keras().layers

    @property
    def activations(self) -> Any:
        return adapters()[self.adapter].keras().activations

    def lstm(self, patch, before=None, after=None) -> None:
        """LSTM.call between `before(layer, x, initial)` and `after(layer, output, h, c)`."""
        call = self.layers.LSTM.call

        @functools.wraps(call)  # Keras 3 knows arguments by their names
        def wrong(self, x, mask=None, training=None, initial_state=None, **kwargs):
            if before is not None:
                x, initial_state = before(self, x, initial_state)
            training = {} if training is None else {"training": training}
            result = call(self, x, mask=mask, initial_state=initial_state, **training, **kwargs)
            if after is None or not self.return_state:
                return result
            return type(result)(
                after(self, *result)
            )  # a list is what Bidirectional of Keras 2 takes

        patch.setattr(self.layers.LSTM, "call", wrong)

    def bidirectional(self, patch, before=None, after=None) -> None:
        """Bidirectional.call between `before(initial)` and `after(output, *states)`."""
        call = self.layers.Bidirectional.call

        @functools.wraps(call)
        def wrong(self, x, *args, initial_state=None, **kwargs):
            if before is not None and initial_state is not None:
                initial_state = before(initial_state)
            result = call(self, x, *args, initial_state=initial_state, **kwargs)
            return result if after is None else after(*result)

        patch.setattr(self.layers.Bidirectional, "call", wrong)

    def array(self, change: Callable[[Any], Any], value: Any) -> Any:
        """A tensor changed by way of NumPy."""
        module = adapters()[self.adapter]
        return module._tensor(change(module._as_numpy(value)))


def add_common(catalogue: Catalogue, seams: Seams) -> None:
    """The faults of both."""
    import numpy as np

    mutant, ops = catalogue.mutant, seams.ops

    for fault in FAULTS:
        claims = fault.caught_by
        if "gates" in fault.family:
            claims = (*claims, "keras-gates-are-i-f-c-o")
        if fault.name in ("hard-sigmoid", "c-without-tanh"):
            claims = (*claims, "c-of-every-step-is-the-oracles")[: 1 + (fault.name[0] == "h")]
        catalogue.add(
            fault.name,
            fault.family,
            claims,
            lambda patch, fault=fault: seams.cell(patch, seams, fault),
            fault.cases,
        )

    @mutant("TF1's gate order taken for Keras's", EVERY, "keras-gates-are-i-f-c-o")
    def gates_in_tf1_order(patch):
        seams.cell(patch, seams, Fault(order="igfo"))

    @mutant("a forget bias beside the bias", EVERY, "keras-gates-are-i-f-c-o")
    def forget_bias_added(patch):
        seams.cell(patch, seams, Fault(forget=1.0))

    @mutant("forget bias added to another gate", EVERY)
    def forget_bias_added_to_the_output_gate(patch):
        seams.cell(patch, seams, Fault(forget=1.0, forget_gate="o"))

    # Initial states

    @mutant("initial state ignored", EVERY, "a-given-initial-state-is-used")
    def initial_state_ignored(patch):
        seams.lstm(patch, before=lambda _, x, initial: (x, None))

    @mutant("h0 and c0 exchanged", EVERY)
    def h0_and_c0_exchanged(patch):
        seams.lstm(patch, before=lambda _, x, initial: (x, initial and list(initial)[::-1]))

    @mutant("h0 taken for c0 too", EVERY)
    def sum_of_h0_and_c0_taken_for_both(patch):
        def before(_, x, initial):
            return x, initial and 2 * [initial[0] + initial[1]]

        seams.lstm(patch, before=before)

    @mutant("directions' initial states exchanged", EVERY, "a-bidirectional-layer-is-two-lstms")
    def initial_states_of_directions_exchanged(patch):
        seams.bidirectional(patch, before=lambda s: [*s[2:], *s[:2]])

    @mutant("another default than zeros", "default-initial-state-is-zeros", EVERY,
            cases=["smallest-from-zero"])  # fmt: skip
    def default_state_is_not_zeros(patch):
        def before(layer, x, initial):
            if initial is None:
                small = np.full((x.shape[0], layer.units), 1e-3, layer.compute_dtype)
                initial = 2 * [adapters()[seams.adapter]._tensor(small)]
            return x, initial

        seams.lstm(patch, before=before)

    @mutant("stale state carried into the next call", "a-second-call-repeats-every-bit",
            cases=["bidirectional-two-layers-from-zero"])  # fmt: skip
    def last_state_is_the_next_default(patch):
        last = weakref.WeakKeyDictionary()

        def before(layer, x, initial):
            return x, last.get(layer) if initial is None else initial

        def after(layer, output, h, c):
            last[layer] = [h, c]
            return output, h, c

        seams.lstm(patch, before=before, after=after)

    @mutant("gradient cut at the initial state", GRADIENTS)
    def gradient_cut_at_the_initial_state(patch):
        seams.lstm(
            patch,
            before=lambda _, x, initial: (x, initial and [ops().stop_gradient(s) for s in initial]),
        )

    # Final states

    @mutant("c returned for h", EVERY, STATES, LAST_IS_H)
    def c_returned_for_h(patch):
        seams.lstm(patch, after=lambda _, output, h, c: (output, c, c))

    @mutant("(h, c) returned as (c, h)", EVERY, STATES)
    def states_exchanged(patch):
        seams.lstm(patch, after=lambda _, output, h, c: (output, c, h))

    @mutant("h returned for c", EVERY)
    def h_returned_for_c(patch):
        seams.lstm(patch, after=lambda _, output, h, c: (output, h, h))

    @mutant("final state one ULP off", STATES, LAST_IS_H, "keras-single-output-is-the-last-step")
    def h_one_ulp_off(patch):
        seams.lstm(
            patch,
            after=lambda _, output, h, c: (
                output,
                seams.array(lambda v: np.nextafter(v, v + 1), h),
                c,
            ),
        )

    @mutant("a state saved at T - 1", EVERY, STATES)
    def h_is_of_the_step_before(patch):
        def after(layer, output, h, c):
            early = layer.return_sequences and not layer.go_backwards and output.shape[1] > 1
            return output, output[:, -2] if early else h, c

        seams.lstm(patch, after=after)

    @mutant("directions' final states exchanged", EVERY, FOUR)
    def final_states_of_directions_exchanged(patch):
        seams.bidirectional(patch, after=lambda output, fh, fc, bh, bc: [output, bh, bc, fh, fc])

    @mutant("directions' final states exchanged, h alone", EVERY, FOUR)
    def final_h_of_directions_exchanged(patch):
        seams.bidirectional(patch, after=lambda output, fh, fc, bh, bc: [output, bh, fc, fh, bc])

    @mutant("directions' final states exchanged, c alone", EVERY, FOUR)
    def final_c_of_directions_exchanged(patch):
        seams.bidirectional(patch, after=lambda output, fh, fc, bh, bc: [output, fh, bc, bh, fc])

    @mutant("states in the order h, h, c, c", EVERY, FOUR)
    def states_by_kind(patch):
        seams.bidirectional(patch, after=lambda output, fh, fc, bh, bc: [output, fh, bh, fc, bc])

    # Directions

    def halves(patch, change) -> None:
        def after(output, *states):
            units = output.shape[-1] // 2
            return [ops().concat(change(output[..., :units], output[..., units:])), *states]

        seams.bidirectional(patch, after=after)

    @mutant("backward half not reversed back", EVERY, "backward-half-ends-at-step-zero")
    def backward_half_not_reversed_back(patch):
        halves(patch, lambda forward, backward: [forward, backward[:, ::-1]])

    @mutant("directions' outputs exchanged", EVERY, "a-bidirectional-layer-is-two-lstms")
    def halves_exchanged(patch):
        halves(patch, lambda forward, backward: [backward, forward])

    @mutant("backward final state taken at the wrong end", EVERY, FOUR)
    def backward_state_taken_at_the_last_step(patch):
        def after(output, fh, fc, bh, bc):
            return [output, fh, fc, output[:, -1, output.shape[-1] // 2 :], bc]

        seams.bidirectional(patch, after=after)

    @mutant(
        "a bidirectional layer that returns two states", "keras-bidirectional-returns-four-states"
    )
    def states_side_by_side(patch):
        def after(output, *states):
            return [output, *(ops().concat([one, one]) for one in states)]

        seams.bidirectional(patch, after=after)

    @mutant("layer 2 fed by one direction only", EVERY)
    def upper_layers_fed_by_one_direction(patch):
        call = seams.layers.Bidirectional.call

        def wrong(self, x, *args, **kwargs):
            if x.shape[-1] == 2 * self.forward_layer.units:
                half = x.shape[-1] // 2
                x = ops().concat([x[..., :half], 0 * x[..., half:]])
            return call(self, x, *args, **kwargs)

        patch.setattr(seams.layers.Bidirectional, "call", wrong)

    # Layouts

    @mutant("time and batch exchanged when equal", EVERY, cases=["square"])
    def batch_taken_for_time_when_equal(patch):
        def before(_, x, initial):
            if x.shape[0] == x.shape[1]:
                x = seams.array(lambda v: v.swapaxes(0, 1), x)
            return x, initial

        seams.lstm(patch, before=before)

    @mutant("dropout active when it must not be", EVERY, "a-second-call-repeats-every-bit")
    def dropout_on_the_inputs(patch):
        noise = np.random.default_rng(0)

        def before(_, x, initial):
            return seams.array(
                lambda v: v * noise.integers(0, 2, v.shape, dtype=np.int8), x
            ), initial

        seams.lstm(patch, before=before)

    @mutant("gates in separate weights", "keras-gates-lie-side-by-side")
    def weights_handed_out_gate_by_gate(patch):
        get_weights = seams.layers.LSTM.get_weights

        def wrong(self):
            return [part[None] for part in get_weights(self)]

        patch.setattr(seams.layers.LSTM, "get_weights", wrong)

    @mutant("a fresh bias without the forget bias", "keras-forget-bias-is-in-the-bias")
    def fresh_bias_is_zeros(patch):
        init = seams.layers.LSTM.__init__

        def wrong(self, *args, **kwargs):
            init(self, *args, **(kwargs | {"unit_forget_bias": False}))

        patch.setattr(seams.layers.LSTM, "__init__", wrong)

    # Rows that end early

    @mutant("sequence lengths ignored", "a-short-row-is-the-row-cut-short",
            "padding-counts-unless-lengths-are-given")  # fmt: skip
    def mask_ignored(patch):
        call = seams.layers.LSTM.call

        def wrong(self, x, mask=None, **kwargs):
            return call(self, x, mask=None, **kwargs)

        patch.setattr(seams.layers.LSTM, "call", wrong)

    @mutant("past a row's end the output is zero", "keras-output-under-a-mask-repeats")
    def zeros_under_a_mask(patch):
        init = seams.layers.LSTM.__init__

        def wrong(self, *args, **kwargs):
            init(self, *args, **kwargs)
            self.zero_output_for_mask = True

        patch.setattr(seams.layers.LSTM, "__init__", wrong)

    # Gradients

    @mutant("gradient through the output scaled", GRADIENTS,
            "gradients-through-last-output-are-those-through-h")  # fmt: skip
    def gradient_through_the_output_scaled(patch):
        seams.lstm(
            patch,
            after=lambda _, o, h, c: (1.001 * o - 0.001 * ops().stop_gradient(o), h, c),
        )
