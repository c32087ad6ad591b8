"""States between two calls, wrong on purpose: lost, kept too long, read wrongly, changed in place.

Most imitate what was wrong in a release once; the upstream report stands beside them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from fixtures.adapters.tf1 import import_tensorflow
from tests.meta.mutants import Catalogue, keras2, keras3
from tests.meta.mutants.keras import Seams
from tests.meta.mutants.keras_layers import around
from tests.meta.mutants.torch_cells import around as around_torch
from tests.meta.mutants.torch_cells import projected, written_out

HANDED_OVER = "a-state-handed-over-carries-on"
BOTH_HALVES = "halves-of-both-directions-are-not-the-whole"
LEFT_ALONE = "a-call-leaves-other-calls-states-alone"
FORMS = "a-state-is-the-same-in-every-form"
FITS = "a-state-that-does-not-fit-is-refused"
STRICT = "a-state-of-another-precision-or-batch-is-refused"
STATEFUL = "keras-stateful-layers-carry-on"
MODELS = "keras-stateful-models-carry-on"
CELLS = "keras-stateful-cells-carry-on"
DIRECTIONS = "keras-stateful-directions-carry-on"
RESET = "keras-reset-leads-to-zeros"
DIRECTIONS_RESET = "keras-stateful-directions-are-reset"
OWN_START = "keras-cells-may-start-from-a-state-of-their-own"

TORCH, KERAS3, KERAS2, TF1 = (Catalogue(name) for name in ("torch", "keras3", "keras2", "tf1"))
CATALOGUES = (TORCH, KERAS3, KERAS2, TF1)


# torch


@TORCH.mutant("initial state ignored", HANDED_OVER)
def a_state_handed_over_is_ignored(patch):
    around_torch(patch, "LSTM", before=lambda _, x, hx: (x, None))


@TORCH.mutant("backward half not reversed", BOTH_HALVES)
def both_directions_read_forward(patch):
    import torch

    def step(w, x, h, c):
        return projected(w | {"weight_hr": torch.eye(h.shape[-1], dtype=h.dtype)}, x, h, c)

    written_out(patch, "LSTM", step, reads=lambda time, _: range(time))


@TORCH.mutant("state changed in place", LEFT_ALONE)
def a_call_writes_into_its_initial_state(patch):
    def before(_, x, hx):
        healthy = tuple(one.clone() for one in hx)
        hx[0].add_(1e-3)
        return x, healthy

    around_torch(patch, "LSTM", before=before)


# "rnn: hx is not contiguous" is raised so that this cannot happen on a GPU:
# <https://github.com/pytorch/pytorch/issues/345>
@TORCH.mutant("a state's memory read in the wrong order", FORMS)
def a_state_that_lies_crosswise_is_read_along_its_memory(patch):
    def along(one):
        return one if one.is_contiguous() else one.mT.reshape(one.shape)

    around_torch(patch, "LSTM", before=lambda _, x, hx: (x, hx and tuple(map(along, hx))))


# <https://github.com/pytorch/pytorch/issues/3259>
@TORCH.mutant("a state of another shape taken", FITS, cases=["gru-smallest"])
def a_state_for_more_layers_is_taken(patch):
    around_torch(patch, "GRU", before=lambda self, x, hx: (x, hx[: self.num_layers]))


# <https://github.com/pytorch/pytorch/issues/44704>
@TORCH.mutant("a state of another precision taken", STRICT, cases=["gru-smallest"])
def a_state_of_another_precision_is_taken(patch):
    around_torch(patch, "GRU", before=lambda _, x, hx: (x, hx.to(x.dtype)))


# Keras


def flat(states: Any) -> list[Any]:
    if isinstance(states, list | tuple):
        return [one for part in states for one in flat(part)]
    return [] if states is None else [states]


def forget(layer: Any) -> None:
    """Zeros for the states that a stateful layer has kept."""
    for variable in flat(layer.states) if layer.stateful else []:
        variable.assign(0.0 * variable)


def calling(patch: Any, layer: Any, wrong: Callable[..., Any], name: str = "call") -> None:
    """`wrong(healthy, self, ...)` in a method's place."""
    healthy = getattr(layer, name)

    @functools.wraps(healthy)  # Keras 3 knows arguments by their names
    def method(self, *args, **kwargs):
        return wrong(healthy, self, *args, **kwargs)

    patch.setattr(layer, name, method)


def resetting(patch: Any, layer: Any, wrong: Callable[..., Any]) -> None:
    """`wrong(healthy, self, ...)` for each name of the method that resets."""
    for name in ("reset_state", "reset_states"):
        if hasattr(layer, name):
            calling(patch, layer, wrong, name)


def add_common(catalogue: Catalogue, seams: Seams) -> None:
    """The faults of Keras 2 and Keras 3."""
    import numpy as np

    mutant = catalogue.mutant

    @mutant("stateful layer forgets", STATEFUL, MODELS, DIRECTIONS, cases=["smallest-from-zero"])
    def stateful_lstm_forgets(patch):
        def before(layer, x, initial, mask):
            forget(layer)
            return x, initial, mask

        around(patch, seams, "LSTM", before=before)

    @mutant("stateful layer forgets", STATEFUL, CELLS,
            cases=["rnn-smallest", "two-layers-from-zero"])  # fmt: skip
    def stateful_rnn_forgets(patch):
        def before(layer, x, initial, mask):
            forget(layer)
            return x, initial, mask

        around(patch, seams, "RNN", before=before)

    @mutant("initial state ignored", HANDED_OVER)
    def a_state_handed_over_is_ignored(patch):
        around(patch, seams, "LSTM", before=lambda _, x, initial, mask: (x, None, mask))

    @mutant("backward half not reversed", BOTH_HALVES)
    def both_directions_read_forward(patch):
        def wrong(healthy, self, *args, **kwargs):
            self.backward_layer.go_backwards = False
            try:
                output, *states = healthy(self, *args, **kwargs)
            finally:
                self.backward_layer.go_backwards = True
            half = output.shape[-1] // 2
            turned = [output[..., :half], output[:, ::-1, half:]]
            return [seams.ops().concat(turned), *states]

        calling(patch, seams.layers.Bidirectional, wrong)

    @mutant("a state returned is the layer's own variable", LEFT_ALONE)
    def stateful_lstm_returns_its_variables(patch):
        def after(self, output, *states):
            return output, *(self.states if self.stateful else states)

        around(patch, seams, "LSTM", after=after)

    @mutant("a tuple of states read in another order", FORMS)
    def a_tuple_of_states_is_read_backwards(patch):
        def wrong(healthy, self, *args, initial_state=None, **kwargs):
            if isinstance(initial_state, tuple):
                initial_state = list(initial_state[::-1])
            given = {} if initial_state is None else {"initial_state": initial_state}
            return healthy(self, *args, **given, **kwargs)

        calling(patch, seams.layers.LSTM, wrong, "__call__")

    @mutant("a state of another shape taken", FITS, cases=["gru-smallest"])
    def a_narrow_state_is_made_wider(patch):
        def wider(one, units):
            missing = units - one.shape[-1]
            return seams.ops().concat([one, one[:, :missing]]) if missing else one

        def before(layer, x, initial, mask):
            return x, [wider(one, layer.units) for one in flat(initial)] or None, mask

        around(patch, seams, "GRU", before=before)

    # <https://github.com/tensorflow/tensorflow/issues/34055> was of both directions alone.
    # In Keras 3 stacked cells cannot be reset at all.
    cells_reset = ["keras-stateful-cells-are-reset"] if catalogue.adapter == "keras2" else []

    @mutant("reset does nothing", RESET, DIRECTIONS_RESET, *cells_reset,
            cases=["two-layers-from-zero"])  # fmt: skip
    def reset_does_nothing(patch):
        def wrong(healthy, self, *args, **kwargs):
            if not flat(self.states) or flat(self.states)[0] is None:
                healthy(self, *args, **kwargs)

        resetting(patch, seams.layers.RNN, wrong)

    @mutant("reset does nothing", DIRECTIONS_RESET)
    def reset_of_both_directions_does_nothing(patch):
        resetting(patch, seams.layers.Bidirectional, lambda *_, **__: None)

    @mutant("reset leads to the cell's own start", "keras-reset-passes-over-a-cells-own-start")
    def reset_leads_to_a_cells_own_start(patch):
        def wrong(healthy, self, *args, **kwargs):
            healthy(self, *args, **kwargs)
            states = flat(self.states)
            batch = int(states[0].shape[0])
            options = {"dtype": self.dtype} if seams.adapter == "keras2" else {}
            own = self.cell.get_initial_state(batch_size=batch, **options)
            for variable, value in zip(states, flat(own), strict=True):
                variable.assign(value)

        resetting(patch, seams.layers.RNN, wrong)

    # <https://github.com/tensorflow/tensorflow/issues/42193>
    @mutant("a cell's own initial state ignored", OWN_START, cases=["smallest-from-zero"])
    def an_own_initial_state_is_ignored(patch):
        def wrong(healthy, self, *args, **kwargs):
            return [0 * one for one in healthy(self, *args, **kwargs)]

        calling(patch, seams.layers.RNN, wrong, "get_initial_state")

    # <https://github.com/keras-team/keras/issues/20875>
    @mutant("stateful layer not differentiated", "keras-stateful-layers-can-be-differentiated")
    def stateful_lstm_refuses_a_second_call_without_a_state(patch):
        calls: dict[Any, int] = {}

        def before(self, x, initial, mask):
            calls[id(self)] = calls.get(id(self), 0) + 1
            if self.stateful and calls[id(self)] > 1:
                raise RuntimeError("modified by an inplace operation")
            return x, initial, mask

        around(patch, seams, "LSTM", before=before)

    @mutant("stateful layer without a gradient", "keras-stateful-layers-have-gradients")
    def stateful_lstm_has_no_gradient(patch):
        def after(self, *results):
            return [seams.ops().stop_gradient(one) for one in results] if self.stateful else results

        around(patch, seams, "LSTM", after=after)

    @mutant("directions' kept states exchanged", DIRECTIONS)
    def kept_states_of_directions_are_exchanged(patch):
        def wrong(healthy, self, *args, **kwargs):
            result = healthy(self, *args, **kwargs)
            pairs = zip(flat(self.forward_layer.states), flat(self.backward_layer.states),
                        strict=True) if self.stateful else ()  # fmt: skip
            for forward, backward in pairs:
                was = forward + 0.0
                forward.assign(backward + 0.0)
                backward.assign(was)
            return result

        calling(patch, seams.layers.Bidirectional, wrong)

    @mutant("states merged with the outputs", "keras-merge-modes-leave-the-states-alone")
    def merge_mode_sum_doubles_the_states(patch):
        def wrong(healthy, self, *args, **kwargs):
            output, *states = healthy(self, *args, **kwargs)
            if self.merge_mode == "sum":
                states = [2 * one for one in states]
            return [output, *states]

        calling(patch, seams.layers.Bidirectional, wrong)

    # <https://github.com/keras-team/keras/pull/1674> would have had it so.
    @mutant(
        "outputs of go_backwards reversed back", "keras-go-backwards-is-the-reversed-input",
        "keras-go-backwards-ends-at-step-zero", "keras-go-backwards-is-not-in-the-inputs-order",
    )  # fmt: skip
    def go_backwards_is_put_in_order(patch):
        def after(self, output, *states):
            return output[:, ::-1] if self.go_backwards else output, *states

        around(patch, seams, "LSTM", after=after)

    # <https://github.com/keras-team/keras/pull/1934>
    @mutant("mask not reversed", "masked-values-are-the-oracles",
            cases=("masked-left-lstm-from-zero-backwards-last",))  # fmt: skip
    def go_backwards_leaves_the_mask(patch):
        def before(self, x, initial, mask):
            turned = self.go_backwards and mask is not None
            return x, initial, mask[:, ::-1] if turned else mask

        around(patch, seams, "LSTM", before=before)

    # <https://github.com/keras-team/keras/issues/11472>
    @mutant("a masked output taken from the state", "keras-repeats-the-output-and-not-the-state")
    def a_masked_output_is_the_first_state(patch):
        masks = []

        def before(_, x, initial, mask):
            masks.append(mask)
            return x, initial, mask

        def after(self, output, h, *rest):
            if masks[-1] is not None and self.return_sequences:
                last = seams.array(lambda v: v[:, None], h)
                output = seams.array(lambda v: np.concatenate(
                    [v[:, :-1], np.asarray(last)], axis=1), output)  # fmt: skip
            return output, h, *rest

        around(patch, seams, "RNN", before=before, after=after)


add_common(KERAS3, keras3.SEAMS)
add_common(KERAS2, keras2.SEAMS)


@KERAS3.mutant("a given state yields to the kept one",
               "keras-3-given-state-wins-over-the-kept-one")  # fmt: skip
def a_given_state_yields(patch):
    def before(self, x, initial, mask):
        import keras

        kept = self.stateful and any(keras.ops.convert_to_numpy(v).any() for v in self.states)
        return x, None if kept else initial, mask

    around(patch, keras3.SEAMS, "LSTM", before=before)


@KERAS3.mutant("a state cast by way of float16", "keras-3-casts-a-state-to-its-precision")
def a_state_is_cast_by_way_of_float16(patch):
    def wrong(healthy, self, x, *args, initial_state=None, **kwargs):
        import keras

        def cast(one):
            return one if one.dtype == x.dtype else keras.ops.cast(one, "float16")

        if initial_state is not None:
            kwargs["initial_state"] = [cast(one) for one in initial_state]
        return healthy(self, x, *args, **kwargs)

    calling(patch, keras3.SEAMS.layers.LSTM, wrong, "__call__")


@KERAS3.mutant("another batch taken", "keras-stateful-layers-refuse-another-batch",
               cases=["smallest-from-zero"])  # fmt: skip
def stateful_layers_read_the_first_rows(patch):
    def before(self, x, initial, mask):
        return x[: self.states[0].shape[0]] if self.stateful else x, initial, mask

    around(patch, keras3.SEAMS, "LSTM", before=before)


# <https://github.com/keras-team/keras/issues/19478>
@KERAS3.mutant("shapes said wrongly", "keras-shapes-of-both-directions-are-known-before",
               cases=["rnn-bidirectional-two-layers"])  # fmt: skip
def shapes_of_states_are_said_once(patch):
    def wrong(healthy, self, *args, **kwargs):
        shapes = healthy(self, *args, **kwargs)
        return shapes[:-1] if self.return_state else shapes

    calling(patch, keras3.SEAMS.layers.Bidirectional, wrong, "compute_output_shape")


# What Keras 3 does of itself.
@KERAS2.mutant("stateful directions return no states",
               "keras-stateful-directions-return-their-states",
               cases=["bidirectional-from-zero"])  # fmt: skip
def stateful_directions_with_states_raise(patch):
    def wrong(healthy, self, *args, **kwargs):
        if self.stateful and self.return_state:
            raise TypeError("unsupported operand")
        return healthy(self, *args, **kwargs)

    calling(patch, keras2.SEAMS.layers.Bidirectional, wrong)


# <https://github.com/tensorflow/tensorflow/issues/32299>
@KERAS2.mutant("a given state wins over the kept one",
               "keras-2-given-state-yields-to-the-kept-one")  # fmt: skip
def a_given_state_wins(patch):
    def before(layer, x, initial, mask):
        if initial is not None:
            forget(layer)
        return x, initial, mask

    around(patch, keras2.SEAMS, "LSTM", before=before)


# <https://github.com/keras-team/keras/issues/8317>
@KERAS2.mutant("reset ignores its states", "keras-2-resets-to-states-that-are-given")
def reset_ignores_states(patch):
    resetting(patch, keras2.SEAMS.layers.RNN, lambda healthy, self, states=None: healthy(self))


@KERAS2.mutant("a state of another precision taken", STRICT)
def a_state_is_cast(patch):
    def before(_, x, initial, mask):
        return x, initial and [keras2.ops().cast(one, x.dtype) for one in initial], mask

    around(patch, keras2.SEAMS, "LSTM", before=before)


@KERAS2.mutant("another batch taken", "keras-stateful-layers-refuse-another-batch",
               cases=["smallest-from-zero"])  # fmt: skip
def stateful_layers_cut_a_larger_batch(patch):
    def wrong(healthy, self, x, *args, **kwargs):
        states = flat(self.states)
        rows = states[0].shape[0] if self.stateful and states else None
        return healthy(self, x if rows is None else x[:rows], *args, **kwargs)

    calling(patch, keras2.SEAMS.layers.RNN, wrong, "__call__")


@KERAS2.mutant("shapes said wrongly", "keras-shapes-of-both-directions-are-known-before",
               cases=["rnn-bidirectional-two-layers"])  # fmt: skip
def a_graph_has_a_state_less(patch):
    def wrong(healthy, self, *args, **kwargs):
        results = healthy(self, *args, **kwargs)
        return results if import_tensorflow().executing_eagerly() else results[:-1]

    calling(patch, keras2.SEAMS.layers.Bidirectional, wrong)


# TensorFlow 1


def in_loop(patch: Any, change: Callable[[Any, Any, Any], Any]) -> None:
    """dynamic_rnn from `change(cell, x, state)` in each initial state's place."""
    nn = import_tensorflow().compat.v1.nn
    healthy = nn.dynamic_rnn

    def wrong(cell, x, initial_state=None, **kwargs):
        if initial_state is not None:
            initial_state = change(cell, x, initial_state)
        return healthy(cell, x, initial_state=initial_state, **kwargs)

    patch.setattr(nn, "dynamic_rnn", wrong)


@TF1.mutant(
    "initial state ignored", HANDED_OVER, FORMS, "tf1-loops-in-one-graph-carry-on",
    "tf1-states-in-one-array-carry-on", "tf1-loops-take-the-states-of-keras-cells",
)  # fmt: skip
def a_loop_starts_from_zero(patch):
    nest = import_tensorflow().nest
    in_loop(patch, lambda _, __, state: nest.map_structure(lambda one: 0 * one, state))


@TF1.mutant("a state is not kept", "tf1-state-saving-loops-carry-on")
def a_state_saver_is_told_nothing(patch):
    nn = import_tensorflow().compat.v1.nn
    healthy = nn.static_state_saving_rnn

    def wrong(cell, inputs, state_saver, state_name, **kwargs):
        silent = SimpleNamespace(state=state_saver.state, save_state=lambda _, value: value)
        return healthy(cell, inputs, silent, state_name, **kwargs)

    patch.setattr(nn, "static_state_saving_rnn", wrong)


@TF1.mutant("a state of another shape taken", FITS, cases=["rnn-smallest"])
def a_loop_makes_a_narrow_state_wider(patch):
    tf = import_tensorflow()

    def wider(cell, _, state):
        def one(tensor, units):
            return tf.concat([tensor, tensor[:, : units - tensor.shape[-1]]], axis=-1)

        return tf.nest.map_structure(one, state, cell.state_size)

    in_loop(patch, wider)


@TF1.mutant("a state of another precision taken", STRICT)
def a_loop_casts_its_state(patch):
    tf = import_tensorflow()
    in_loop(patch, lambda _, x, state: tf.nest.map_structure(
        lambda one: tf.cast(one, x.dtype), state))  # fmt: skip


@TF1.mutant("backward half not reversed", BOTH_HALVES)
def both_loops_read_forward(patch):
    tf = import_tensorflow()
    nn = tf.compat.v1.nn

    def wrong(forward, backward, x, initial_state_fw=None, initial_state_bw=None, scope=None,
              **kwargs):  # fmt: skip
        both = []
        for cell, state, name in ((forward, initial_state_fw, "fw"),
                                  (backward, initial_state_bw, "bw")):  # fmt: skip
            both.append(nn.dynamic_rnn(cell, x, initial_state=state, scope=f"{scope}_{name}",
                                       **kwargs))  # fmt: skip
        return tuple(zip(*both, strict=True))

    patch.setattr(nn, "bidirectional_dynamic_rnn", wrong)


@TF1.mutant("state changed in place", LEFT_ALONE)
def a_session_writes_into_what_it_is_fed(patch):
    session = import_tensorflow().compat.v1.Session
    session = getattr(session, "func", session)  # the tests' own options may be around it
    run = session.run

    def wrong(self, fetches, feed_dict=None, **kwargs):
        result = run(self, fetches, feed_dict, **kwargs)
        for array in (feed_dict or {}).values():
            if array.flags.writeable:
                array += 1e-3
        return result

    patch.setattr(session, "run", wrong)
