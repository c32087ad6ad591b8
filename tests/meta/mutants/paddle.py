"""Paddle, wrong on purpose: what its LSTM, GRU and SimpleRNN take and return."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from tests.meta.mutants import Catalogue

PADDLE = Catalogue("paddle")
CATALOGUES = (PADDLE,)

VALUES = "every-value-is-the-oracles"
CELLS = "other-cells-values-are-the-oracles"
GRADIENTS = "every-gradient-is-the-oracles"
LAST = "output-last-step-is-h"
STARTS = "a-given-initial-state-is-used"
MASKED = "masked-values-are-the-oracles"
SHORT = "a-short-row-is-the-row-cut-short"
BACKWARD = "backward-half-ends-at-step-zero"
SHAPE = "output-has-the-top-layers-shape"
REPEATED = "a-second-call-repeats-every-bit"
OFF = "dropout-is-off-at-inference"
BOTH = ("bidirectional-two-layers",)
ROWS = ("masked-right-lstm-two-layers",)


def around(
    patch: Any,
    before: Callable[..., tuple[Any, Any, Any]] = lambda _, x, states, lengths: (
        x,
        states,
        lengths,
    ),
    after: Callable[..., tuple[Any, Any]] = lambda _, output, states: (output, states),
) -> None:
    """Every call of a layer between `before(layer, x, states, lengths)` and `after(layer, output,
    states)`."""
    import paddle

    for name in ("LSTM", "GRU", "SimpleRNN"):
        layer = getattr(paddle.nn, name)
        healthy = layer.forward

        def forward(self, x, initial_states=None, sequence_length=None, healthy=healthy):
            given = before(self, x, initial_states, sequence_length)
            return after(self, *healthy(self, *given))

        patch.setattr(layer, "forward", forward)


def with_weights(patch: Any, change: Callable[[str, Any], Any]) -> None:
    """Every call of a layer with `change(name, weight)` for each weight, which it has back then."""
    import paddle

    for name in ("LSTM", "GRU", "SimpleRNN"):
        layer = getattr(paddle.nn, name)
        healthy = layer.forward

        def forward(self, *args, healthy=healthy):
            with contextlib.ExitStack() as stack:
                for own, weight in self.named_parameters():
                    was = weight.clone()
                    weight.set_value(change(own, was))
                    stack.callback(weight.set_value, was)
                return healthy(self, *args)

        patch.setattr(layer, "forward", forward)


@PADDLE.mutant("initial state ignored", STARTS)
def the_initial_state_is_ignored(patch):
    around(patch, before=lambda _, x, states, lengths: (x, None, lengths))


@PADDLE.mutant("states exchanged", VALUES)
def c_is_taken_for_h(patch):
    def before(_, x, states, lengths):
        return x, states[::-1] if isinstance(states, tuple) else states, lengths

    around(patch, before=before)


@PADDLE.mutant("states exchanged", LAST)
def c_is_returned_for_h(patch):
    def after(_, output, states):
        return output, states[::-1] if isinstance(states, tuple) else states

    around(patch, after=after)


@PADDLE.mutant("mask ignored", MASKED, SHORT, cases=ROWS)
def lengths_are_ignored(patch):
    around(patch, before=lambda _, x, states, lengths: (x, states, None))


@PADDLE.mutant("lengths of other rows", MASKED, cases=ROWS)
def lengths_are_taken_in_descending_order(patch):
    def before(_, x, states, lengths):
        return x, states, None if lengths is None else lengths.sort(descending=True)

    around(patch, before=before)


@PADDLE.mutant("backward half not reversed", BACKWARD, VALUES, cases=BOTH)
def backward_outputs_are_in_the_order_they_came(patch):
    def after(self, output, states):
        import paddle

        if self.num_directions == 2:
            forward, backward = output.chunk(2, axis=-1)
            output = paddle.concat([forward, backward.flip(0 if self.time_major else 1)], axis=-1)
        return output, states

    around(patch, after=after)


@PADDLE.mutant("states by direction before layer", VALUES, cases=BOTH)
def states_go_by_direction_before_layer(patch):
    def after(self, output, states):
        import paddle

        def turned(one):
            parts = [one[n :: self.num_directions] for n in range(self.num_directions)]
            return paddle.concat(parts)

        return output, tuple(map(turned, states)) if isinstance(states, tuple) else turned(states)

    around(patch, after=after)


@PADDLE.mutant("every step's output a step late", VALUES, LAST)
def output_comes_a_step_late(patch):
    around(patch, after=lambda _, output, states: (output.roll(1, axis=1), states))


@PADDLE.mutant("batch and time exchanged", SHAPE)
def output_is_time_major(patch):
    around(patch, after=lambda _, output, states: (output.transpose([1, 0, 2]), states))


@PADDLE.mutant("recurrent kernel transposed", VALUES)
def recurrent_kernels_are_transposed(patch):
    import paddle

    def change(name, weight):
        if not name.startswith("weight_hh"):
            return weight
        gates = weight.shape[0] // weight.shape[1]
        return paddle.concat([one.T for one in weight.chunk(gates)])

    with_weights(patch, change)


def in_order(weight: Any, order: tuple[int, ...]) -> Any:
    import paddle

    parts = weight.chunk(len(order))
    return paddle.concat([parts[place] for place in order])


@PADDLE.mutant("gates in another order", VALUES)
def gates_are_those_of_tf1(patch):
    def change(_, weight):
        return in_order(weight, (0, 2, 1, 3)) if weight.shape[0] % 4 == 0 else weight

    with_weights(patch, change)


@PADDLE.mutant("gates in another order", CELLS, cases=("gru-smallest",))
def gru_gates_are_those_of_keras(patch):
    def change(_, weight):
        return in_order(weight, (1, 0, 2)) if weight.shape[0] % 3 == 0 else weight

    with_weights(patch, change)


@PADDLE.mutant("bias missing", VALUES)
def only_one_bias_is_added(patch):
    with_weights(patch, lambda name, one: one * 0 if name.startswith("bias_hh") else one)


@PADDLE.mutant("a weight a little off", VALUES)
def input_kernels_are_a_little_off(patch):
    with_weights(patch, lambda name, one: one * (1 + 3e-6) if name.startswith("weight_ih") else one)


@PADDLE.mutant("no gradient by the inputs", GRADIENTS)
def inputs_have_no_gradient(patch):
    around(patch, before=lambda _, x, states, lengths: (x.detach(), states, lengths))


@PADDLE.mutant("dropout at inference", OFF)
def layers_drop_at_inference(patch):
    def before(self, x, states, lengths):
        self.train()
        return x, states, lengths

    around(patch, before=before)


@PADDLE.mutant("state kept between calls", REPEATED)
def a_call_begins_where_the_last_one_ended(patch):
    kept = {}

    def before(self, x, states, lengths):
        return x, kept.get(id(self), states), lengths

    def after(self, output, states):
        kept[id(self)] = states
        return output, states

    around(patch, before, after)
