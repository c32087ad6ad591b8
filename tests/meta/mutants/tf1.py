"""TensorFlow 1's cells, wrappers and loops, wrong on purpose."""

from __future__ import annotations

import functools
import inspect
import re
import sys
from collections import namedtuple
from collections.abc import Callable
from typing import Any

import numpy as np

from fixtures.adapters.tensorflow import FLAG
from fixtures.adapters.tf1 import import_tensorflow
from tests.meta.mutants import CLOSE, Catalogue, tf1_cells
from tests.meta.mutants.cell import EVERY, FAULTS, GRADIENTS, Fault, step
from tests.meta.mutants.keras2 import ops

CATALOGUE = Catalogue("tf1")
CATALOGUE.mutants += tf1_cells.CATALOGUE.mutants
mutant = CATALOGUE.mutant

GATES = "tf1-gates-are-i-j-f-o"
LAST_IS_H = "tf1-last-output-is-the-last-states-h"
PAIRS = "tf1-bidirectional-returns-pairs"
NO_LOWER = "output-last-step-is-no-lower-layers-h"


def nn() -> Any:
    """`tf.compat.v1.nn`, whose `rnn_cell` puts another object in its own place when it is first
    looked into: what is patched before that is put back in the wrong one."""
    v1_nn = import_tensorflow().compat.v1.nn
    assert v1_nn.rnn_cell.DropoutWrapper
    return v1_nn


def in_canonical_order(value: Any) -> Any:
    """BasicLSTMCell's own order is i, j, f, o."""
    i, j, f, o = ops().split(value)
    return ops().concat([i, f, j, o])


def replace_cell(patch, fault: Fault, forget: Callable[[float], float] = float) -> None:
    """BasicLSTMCell.call, `forget(its forget bias)` being what is added to the forget gate."""
    cell = nn().rnn_cell.BasicLSTMCell

    def wrong(self, inputs, state):
        c, h = state if self._state_is_tuple else import_tensorflow().split(state, 2, axis=-1)
        features = inputs.shape[-1]
        # As many rows of h as of the inputs, which the products by themselves would not ask for.
        both = import_tensorflow().concat([inputs, h], axis=-1)
        inputs, h = both[:, :features], both[:, features:]
        kernel, bias = in_canonical_order(self._kernel), in_canonical_order(self._bias)
        i, f, g, o = ops().split(bias)
        bias = ops().concat([i, f + forget(self._forget_bias), g, o])
        h, c = step(ops(), fault, inputs, h, c, kernel[:features], kernel[features:], bias)
        if self._state_is_tuple:
            return h, nn().rnn_cell.LSTMStateTuple(c, h)
        return h, ops().concat([c, h])

    patch.setattr(cell, "call", wrong)


def replace_loop(patch, before=None, after=None, loop: str = "dynamic_rnn") -> None:
    """dynamic_rnn between `before(kwargs)` and `after(outputs, state)`."""
    module = nn()
    healthy = getattr(module, loop)

    def wrong(*args, **kwargs):
        result = healthy(*args, **(kwargs if before is None else kwargs | before(kwargs)))
        return result if after is None else after(*result)

    patch.setattr(module, loop, wrong)


def states_of(state: Any, change: Callable[[Any, Any], tuple[Any, Any]]) -> Any:
    """`change(c, h)` in every LSTMStateTuple there is; other states as they are."""
    tuple_class = nn().rnn_cell.LSTMStateTuple
    if isinstance(state, tuple_class):
        return tuple_class(*change(*state))
    return tuple(states_of(one, change) for one in state) if isinstance(state, tuple) else state


for fault in FAULTS:
    CATALOGUE.add(
        fault.name,
        fault.family,
        (*fault.caught_by, GATES) if "gates" in fault.family else fault.caught_by,
        lambda patch, fault=fault: replace_cell(patch, fault),
        fault.cases,
    )


@mutant(
    "forget bias left out",
    EVERY,
    GATES,
    "tf1-forget-bias-is-added-at-run-time",
    "recorded-values-are-still-computed",
)
def forget_bias_left_out(patch):
    replace_cell(patch, Fault(), forget=lambda _: 0.0)


@mutant("forget bias added twice", EVERY, GATES)
def forget_bias_added_twice(patch):
    replace_cell(patch, Fault(), forget=lambda once: 2 * once)


@mutant("forget bias added to another gate", EVERY, GATES)
def forget_bias_added_to_the_output_gate(patch):
    replace_cell(patch, Fault(forget=1.0, forget_gate="o"), forget=lambda _: 0.0)


@mutant("forget bias stored with the bias", "tf1-forget-bias-is-stored-nowhere",
        "weights-read-back-are-those-loaded")  # fmt: skip
def forget_bias_put_into_what_is_stored(patch):
    v1 = import_tensorflow().compat.v1
    assign = v1.assign

    def wrong(variable, array):
        return assign(variable, array + 1 if "bias" in variable.name else array)

    patch.setattr(v1, "assign", wrong)


@mutant("a fresh bias of ones", "tf1-bias-starts-as-zeros")
def fresh_bias_is_ones(patch):
    cell = nn().rnn_cell.BasicLSTMCell
    add_weight = cell.add_weight

    def wrong(self, name, shape, **kwargs):
        if name == "bias":
            kwargs["initializer"] = import_tensorflow().compat.v1.ones_initializer()
        return add_weight(self, name, shape=shape, **kwargs)

    patch.setattr(cell, "add_weight", wrong)


@mutant("more parameters", "tf1-kernel-is-one-product")
def peepholes_in_every_cell(patch):
    cell = nn().rnn_cell.BasicLSTMCell
    build = cell.build

    def wrong(self, input_shape):
        build(self, input_shape)
        self.built = False  # else the variable is looked for and not made
        self.add_weight("w_f_diag", shape=[self._num_units])
        self.built = True

    patch.setattr(cell, "build", wrong)


@mutant("the kernel under another name", "tf1-bidirectional-multi-rnn-cell-sees-one-direction")
def kernel_is_called_weights(patch):
    """As it was in the first versions of TensorFlow."""
    module = sys.modules[nn().rnn_cell.BasicLSTMCell.__module__]
    patch.setattr(module, "_WEIGHTS_VARIABLE_NAME", "weights")


# Kernels slightly off


class Instead:
    """A cell with other attributes, for its own `call`."""

    def __init__(self, cell: Any, **attributes: Any) -> None:
        self.__dict__.update(attributes)
        self.cell = cell

    def __getattr__(self, name: str) -> Any:
        return getattr(self.cell, name)


def slightly_off(patch, recurrent: bool, of: str, dtype: str, by: float) -> None:
    """The kernel's rows for x or those for h, in the cells whose variables' names hold `of`."""
    cell = nn().rnn_cell.BasicLSTMCell
    call = cell.call

    def wrong(self, inputs, state):
        kernel = self._kernel
        if kernel.dtype != dtype or of not in kernel.name:
            return call(self, inputs, state)
        is_recurrent = np.arange(kernel.shape[0]) >= inputs.shape[-1]
        factors = np.where(is_recurrent == recurrent, 1 + by, 1).astype(dtype)
        return call(Instead(self, _kernel=kernel * factors[:, None]), inputs, state)

    patch.setattr(cell, "call", wrong)


for whose, of in (
    ("bottom layer's", "/cell_0/"), ("second layer's", "/cell_1/"), ("backward", "/bw/"),
):  # fmt: skip
    for which in ("kernel", "recurrent kernel"):
        for dtype, by in CLOSE:
            family = f"{whose} {which} scaled by 1 + {by:.0e}".replace("-06", "-6")
            CATALOGUE.add(
                re.sub("[^a-z0-9-]+", "-", family.replace("'", "")),
                family,
                [EVERY],
                functools.partial(
                    slightly_off, recurrent=which != "kernel", of=of, dtype=dtype, by=by
                ),
            )


# Stacks


@mutant("layer 2 fed by the wrong layer", EVERY, cases=["three-layers"])
def upper_layers_fed_by_the_one_below_the_next(patch):
    def wrong(self, inputs, state):
        outputs, states = [inputs], []
        for cell, own in zip(self._cells, state, strict=True):
            output, new = cell(outputs[-1 if len(outputs) < 3 else -2], own)
            outputs.append(output)
            states.append(new)
        return outputs[-1], tuple(states)

    patch.setattr(nn().rnn_cell.MultiRNNCell, "call", wrong)


@mutant("layers' states exchanged between steps", EVERY, "a-stack-is-its-layers-one-after-another")
def layers_take_each_others_state(patch):
    call = nn().rnn_cell.MultiRNNCell.call

    def wrong(self, inputs, state):
        if self._state_is_tuple and len({str(one) for one in self.state_size}) == 1:
            state = tuple(state[::-1])
        return call(self, inputs, state)

    patch.setattr(nn().rnn_cell.MultiRNNCell, "call", wrong)


# Initial states


def initial(change: Callable[[Any], Any]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def before(kwargs):
        state = kwargs.get("initial_state")
        return {} if state is None else {"initial_state": change(state)}

    return before


@mutant("initial state ignored", EVERY, "a-given-initial-state-is-used")
def initial_state_ignored(patch):
    replace_loop(patch, before=initial(lambda _: None))


@mutant("initial state used for one layer only", EVERY)
def initial_state_of_upper_layers_ignored(patch):
    def change(state):
        zeros = states_of(state, lambda c, h: (0 * c, 0 * h))
        return (state[0], *zeros[1:]) if isinstance(state, tuple) else state

    replace_loop(patch, before=initial(change))


@mutant("h0 and c0 exchanged", EVERY, GATES)
def h0_and_c0_exchanged(patch):
    replace_loop(patch, before=initial(lambda state: states_of(state, lambda c, h: (h, c))))


@mutant("h0 taken for c0 too", EVERY, "h0-and-c0-do-not-take-each-others-place")
def sum_of_h0_and_c0_taken_for_both(patch):
    replace_loop(patch, before=initial(lambda state: states_of(state, lambda c, h: (c + h, c + h))))


@mutant("directions' initial states exchanged", EVERY)
def initial_states_of_directions_exchanged(patch):
    def before(kwargs):
        return {"initial_state_fw": kwargs.get("initial_state_bw"),
                "initial_state_bw": kwargs.get("initial_state_fw")}  # fmt: skip

    replace_loop(patch, before=before, loop="bidirectional_dynamic_rnn")


@mutant(
    "another default than zeros", "default-initial-state-is-zeros", cases=["smallest-from-zero"]
)
def default_state_is_not_zeros(patch):
    cell = nn().rnn_cell.MultiRNNCell
    zero_state = cell.zero_state

    def wrong(self, batch_size, dtype):
        return states_of(zero_state(self, batch_size, dtype), lambda c, h: (c + 1e-3, h + 1e-3))

    patch.setattr(cell, "zero_state", wrong)


@mutant("stale state carried into the next call", "a-second-call-repeats-every-bit",
        cases=["bidirectional-two-layers-from-zero"])  # fmt: skip
def last_state_is_the_next_default(patch):
    tf, healthy = import_tensorflow(), nn().dynamic_rnn

    def wrong(cell, inputs, initial_state=None, **kwargs):
        if initial_state is not None:
            return healthy(cell, inputs, initial_state=initial_state, **kwargs)
        kept = []

        def last_or_zeros(*zeros):
            return kept[-1] if kept else zeros

        def keep(*last):
            kept.append(last)
            return last

        def through_python(function, state):
            flat = tf.nest.flatten(state)
            given = tf.numpy_function(function, flat, [one.dtype for one in flat])
            for one, like in zip(given, flat, strict=True):
                one.set_shape(like.shape)
            return tf.nest.pack_sequence_as(state, given)

        zeros = cell.zero_state(inputs.shape[0], kwargs["dtype"])
        first = through_python(last_or_zeros, zeros)
        outputs, state = healthy(cell, inputs, initial_state=first, **kwargs)
        return outputs, through_python(keep, state)

    patch.setattr(nn(), "dynamic_rnn", wrong)
    loops = inspect.unwrap(nn().bidirectional_dynamic_rnn).__globals__
    patch.setitem(loops, "dynamic_rnn", wrong)


@mutant("gradient cut at the initial state", GRADIENTS)
def gradient_cut_at_the_initial_state(patch):
    stop = ops().stop_gradient
    replace_loop(
        patch, before=initial(lambda state: states_of(state, lambda c, h: (stop(c), stop(h))))
    )


# Final states


def final(change: Callable[[Any, Any], tuple[Any, Any]]) -> Callable[[Any, Any], Any]:
    return lambda outputs, state: (outputs, states_of(state, change))


def alone(which: str, state: Any, changed: Any) -> Any:
    """`changed` in h alone, in c alone or ("hc") in both, of states in the same tuples."""
    tuple_class = nn().rnn_cell.LSTMStateTuple
    if isinstance(state, tuple_class):
        return tuple_class(
            c=changed.c if "c" in which else state.c, h=changed.h if "h" in which else state.h
        )
    return tuple(alone(which, *pair) for pair in zip(state, changed, strict=True))


def of_tuples(state: Any) -> bool:
    return isinstance(state, tuple) and isinstance(state[0], tuple)


def changed_rows(patch, which: str, change: Callable[[Any], Any], loop: str) -> None:
    def after(outputs, state):
        return outputs, alone(which, state, change(state)) if of_tuples(state) else state

    replace_loop(patch, after=after, loop=loop)


for which, suffix in (("hc", ""), ("h", ", h_n alone"), ("c", ", c_n alone")):
    for name, family, change, loop, caught_by in (
        ("layers-reversed", "h_n's layers reversed",
         lambda state: state[::-1], "dynamic_rnn", LAST_IS_H),
        ("top-row-repeated", "one layer's row of h_n repeated",
         lambda state: state[-1:] * len(state), "dynamic_rnn", NO_LOWER),
        ("directions-exchanged", "h_n's directions exchanged",
         lambda state: state[::-1], "bidirectional_dynamic_rnn", PAIRS),
    ):  # fmt: skip
        CATALOGUE.add(
            f"{which}-{name}",
            family + suffix,
            [EVERY, *[caught_by] * ("h" in which or caught_by == PAIRS)],
            functools.partial(changed_rows, which=which, change=change, loop=loop),
        )


@mutant("c returned for h", EVERY, LAST_IS_H)
def c_returned_for_h(patch):
    replace_loop(patch, after=final(lambda c, h: (c, c)))


@mutant("(h, c) returned as (c, h)", EVERY, LAST_IS_H)
def states_exchanged(patch):
    replace_loop(patch, after=final(lambda c, h: (h, c)))


@mutant("h returned for c", EVERY, "output-last-step-is-not-c")
def h_returned_for_c(patch):
    replace_loop(patch, after=final(lambda c, h: (h, h)))


@mutant("state of another class", "tf1-state-is-one-tuple-per-cell")
def state_in_a_class_of_its_own(patch):
    State = namedtuple("State", "c h")

    def after(outputs, state):
        return outputs, tuple(State(*one) if isinstance(one, tuple) else one for one in state)

    replace_loop(patch, after=after)


@mutant("final state one ULP off", LAST_IS_H, "output-last-step-is-h")
def h_one_ulp_off(patch):
    tf = import_tensorflow()
    replace_loop(patch, after=final(lambda c, h: (c, tf.math.nextafter(h, tf.ones_like(h)))))


@mutant("a state saved at T - 1", EVERY, LAST_IS_H)
def h_is_of_the_step_before(patch):
    def after(outputs, state):
        if not isinstance(state, tuple) or outputs.shape[1] < 2:
            return outputs, state
        last = state[-1]
        if not isinstance(last, nn().rnn_cell.LSTMStateTuple):
            return outputs, state
        return outputs, (*state[:-1], type(last)(last.c, outputs[:, -2]))

    replace_loop(patch, after=after)


# Directions


def pairs(patch, change) -> None:
    replace_loop(patch, after=change, loop="bidirectional_dynamic_rnn")


@mutant("directions' outputs exchanged", EVERY, PAIRS, "a-bidirectional-layer-is-two-lstms")
def outputs_of_directions_exchanged(patch):
    pairs(patch, lambda outputs, states: (outputs[::-1], states))


@mutant("backward half not reversed back", EVERY, PAIRS,
        "tf1-bidirectional-multi-rnn-cell-is-two-stacks")  # fmt: skip
def backward_outputs_not_reversed_back(patch):
    pairs(patch, lambda outputs, states: ((outputs[0], outputs[1][:, ::-1]), states))


@mutant("backward final state taken at the wrong end", EVERY, PAIRS)
def backward_state_taken_at_the_last_step(patch):
    def change(outputs, states):
        forward, backward = states
        if isinstance(backward, nn().rnn_cell.LSTMStateTuple):
            backward = type(backward)(backward.c, outputs[1][:, -1])
        return outputs, (forward, backward)

    pairs(patch, change)


def inputs_from_below(inputs: Any) -> list[Any]:
    """What the layer below gave in each direction; empty at the bottom."""
    return list(inputs.op.inputs[:2]) if inputs.op.type == "ConcatV2" else []


@mutant("layer 2 fed by one direction only", EVERY, "a-stack-is-its-layers-one-after-another")
def upper_layers_fed_by_one_direction(patch):
    healthy = nn().bidirectional_dynamic_rnn

    def wrong(forward_cell, backward_cell, inputs, **kwargs):
        if below := inputs_from_below(inputs):
            inputs = ops().concat([below[0], 0 * below[1]])
        return healthy(forward_cell, backward_cell, inputs, **kwargs)

    patch.setattr(nn(), "bidirectional_dynamic_rnn", wrong)


@mutant("each direction of layer 2 fed by its own alone", EVERY,
        "tf1-bidirectional-multi-rnn-cell-is-no-stack")  # fmt: skip
def upper_directions_fed_by_their_own(patch):
    healthy = nn().bidirectional_dynamic_rnn

    def wrong(forward_cell, backward_cell, inputs, **kwargs):
        below = inputs_from_below(inputs)
        if not below:
            return healthy(forward_cell, backward_cell, inputs, **kwargs)
        halves = (ops().concat([below[0], 0 * below[1]]), ops().concat([0 * below[0], below[1]]))
        runs = [healthy(forward_cell, backward_cell, half, **kwargs) for half in halves]
        return tuple((runs[0][part][0], runs[1][part][1]) for part in range(2))

    patch.setattr(nn(), "bidirectional_dynamic_rnn", wrong)


# Layouts


@mutant("time and batch exchanged when equal", EVERY, cases=["square"])
def batch_taken_for_time_when_equal(patch):
    def wrong_loop(healthy):
        def wrong(cell, inputs, **kwargs):
            if inputs.shape[0] == inputs.shape[1]:
                inputs = import_tensorflow().transpose(inputs, (1, 0, 2))
            return healthy(cell, inputs, **kwargs)

        return wrong

    patch.setattr(nn(), "dynamic_rnn", wrong_loop(nn().dynamic_rnn))


@mutant("time_major leaves batch in front", "time-major-is-a-transposition", cases=["square"])
def time_major_ignored(patch):
    replace_loop(patch, before=lambda kwargs: {"time_major": False})


@mutant("integers taken", "tf1-refuses-integers")
def integers_cast(patch):
    healthy = nn().dynamic_rnn

    def wrong(cell, inputs, **kwargs):
        return healthy(cell, import_tensorflow().cast(inputs, kwargs["dtype"]), **kwargs)

    patch.setattr(nn(), "dynamic_rnn", wrong)


# Rows that end early


@mutant("sequence lengths ignored", "a-short-row-is-the-row-cut-short",
        "output-past-a-rows-end-is-zero", "padding-counts-unless-lengths-are-given",
        "recorded-short-rows-are-still-computed",
        "recorded-gradients-of-short-rows-are-still-computed")  # fmt: skip
def sequence_length_ignored(patch):
    replace_loop(patch, before=lambda _: {"sequence_length": None})


@mutant("past a row's end the output repeats", "the-last-step-of-a-short-row-is-not-h",
        "output-past-a-rows-end-is-zero")  # fmt: skip
def padding_repeats_the_last_output(patch):
    tf, healthy = import_tensorflow(), nn().dynamic_rnn

    def wrong(cell, inputs, sequence_length=None, **kwargs):
        outputs, state = healthy(cell, inputs, sequence_length=sequence_length, **kwargs)
        if sequence_length is not None:
            last = tf.constant(sequence_length, tf.int32)[:, None] - 1
            steps = tf.minimum(tf.range(outputs.shape[1])[None], last)
            outputs = tf.gather(outputs, steps, batch_dims=1)
        return outputs, state

    patch.setattr(nn(), "dynamic_rnn", wrong)


# Wrappers, other cells, names


def wrap_dropout(patch, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    rnn_cell = nn().rnn_cell
    wrapper = rnn_cell.DropoutWrapper
    patch.setattr(rnn_cell, "DropoutWrapper", lambda cell, **keep: wrapper(cell, **change(keep)))


@mutant("dropout active when it must not be", "tf1-dropout-that-keeps-all-changes-nothing")
def dropout_though_all_is_kept(patch):
    wrap_dropout(patch, lambda keep: dict.fromkeys(keep, 0.5))


@mutant("dropped state instead of output", "tf1-output-dropout-leaves-the-state-alone",
        "tf1-dropped-output-is-not-h", cases=["smallest"])  # fmt: skip
def output_dropout_drops_the_state_too(patch):
    def after_call(call):
        def wrong(self, inputs, state, *args, **kwargs):
            output, (c, h) = call(self, inputs, state, *args, **kwargs)
            del h
            return output, nn().rnn_cell.LSTMStateTuple(c, output)

        return wrong

    wrapper = nn().rnn_cell.DropoutWrapper
    patch.setattr(wrapper, "__call__", after_call(wrapper.__call__))


@mutant("dropout that does not scale up", "tf1-output-dropout-leaves-the-state-alone")
def dropped_output_not_scaled(patch):
    call = nn().rnn_cell.DropoutWrapper.__call__

    def wrong(self, inputs, state, *args, **kwargs):
        output, new = call(self, inputs, state, *args, **kwargs)
        return output * 0.5, new

    patch.setattr(nn().rnn_cell.DropoutWrapper, "__call__", wrong)


@mutant("state dropout that drops c too", "tf1-state-dropout-drops-h-and-not-c")
def state_dropout_drops_c(patch):
    everything = {"dropout_state_filter_visitor": lambda state: True}
    wrap_dropout(patch, lambda keep: keep | everything)


@mutant("a state array of h beside c", "tf1-state-not-a-tuple-is-c-beside-h")
def state_array_is_h_beside_c(patch):
    tf = import_tensorflow()

    def after(outputs, state):
        if isinstance(state, tf.Tensor):
            state = tf.concat(tf.split(state, 2, axis=-1)[::-1], axis=-1)
        return outputs, state

    replace_loop(patch, after=after)


def other_cells(name: str, claims: list[str]) -> None:
    """A cell whose output is not its state."""

    def make(patch):
        cell = getattr(nn().rnn_cell, name)
        call = cell.call

        def wrong(self, inputs, state):
            output, new = call(self, inputs, state)
            return output * 1.0001, new

        patch.setattr(cell, "call", wrong)

    CATALOGUE.add(f"{name.lower()}-off", f"{name}'s output off its state", claims, make)


other_cells("GRUCell", ["tf1-gru-state-is-its-output"])
other_cells("BasicRNNCell", ["tf1-basic-rnn-state-is-its-output"])
other_cells("LSTMCell", ["tf1-lstm-cell-is-basic-lstm-cell"])


@mutant("another state for GRU and RNN", "tf1-gru-and-rnn-states-have-no-h")
def states_of_other_cells_have_an_h(patch):
    tf, state_with_h = import_tensorflow(), namedtuple("State", "h")

    def after(outputs, state):
        if isinstance(state, tuple) and isinstance(state[0], tf.Tensor):
            state = tuple(map(state_with_h, state))
        return outputs, state

    replace_loop(patch, after=after)


@mutant("peepholes ignored", "tf1-peepholes-make-another-lstm", "peepholes-make-another-lstm",
        cases=["peepholes-smallest"])  # fmt: skip
def peepholes_ignored(patch):
    call = nn().rnn_cell.LSTMCell.call

    def wrong(self, inputs, state):
        wanted, self._use_peepholes = self._use_peepholes, False
        try:
            return call(self, inputs, state)
        finally:
            self._use_peepholes = wanted

    patch.setattr(nn().rnn_cell.LSTMCell, "call", wrong)


@mutant("the cell with coupled gates back", "tf1-coupled-gates-are-gone")
def coupled_gates_are_back(patch):
    rnn_cell = nn().rnn_cell
    patch.setattr(rnn_cell, "CoupledInputForgetGateLSTMCell", rnn_cell.LSTMCell, raising=False)


@mutant("BasicLSTMCell without Keras 2", "tf1-basic-lstm-cell-needs-keras-2")
def basic_lstm_cell_is_there_all_the_same(patch):
    """In a process of its own: whatever the variable says there, Keras 2 is in use."""
    import subprocess

    run = subprocess.run

    def wrong(command, env, **kwargs):
        return run(command, env=env | {FLAG: "1" if env[FLAG] == "0" else "0"}, **kwargs)

    patch.setattr(subprocess, "run", wrong)


# Gradients


@mutant("gradient through the output scaled", "gradients-through-last-output-are-those-through-h",
        GRADIENTS, "recorded-gradients-are-still-computed")  # fmt: skip
def gradient_through_the_output_scaled(patch):
    def after(outputs, state):
        if isinstance(outputs, tuple):
            return outputs, state
        return 1.001 * outputs - 0.001 * ops().stop_gradient(outputs), state

    replace_loop(patch, after=after)
