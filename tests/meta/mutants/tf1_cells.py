"""TensorFlow 1's other cells and its block ops, wrong on purpose."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fixtures.adapters.tf1 import import_tensorflow
from tests.meta.mutants import CLOSE, Catalogue

CATALOGUE = Catalogue("tf1")
mutant = CATALOGUE.mutant

VALUES = "other-cells-values-are-the-oracles"
GRADIENTS = "other-cells-gradients-are-the-oracles"

GRU_BY_HAND = "tf1-gru-gates-are-r-u"
GRU = ("gru-reset-before-smallest", "gru-reset-before-one-step", "gru-reset-before-two-layers")
RNN = ("rnn-smallest", "rnn-relu-smallest")

PEEPHOLES_BY_HAND = "tf1-peepholes-see-the-old-c-and-o-the-new"
CLIP_BY_HAND = "tf1-cell-clip-comes-before-the-output"
PROJECTION_BY_HAND = "tf1-projection-is-a-product-without-bias"
PEEPHOLES, CLIPPED, PROJECTED = (
    "peepholes-smallest",
    "peepholes-clipped-smallest",
    "projected-smallest",
)
VARIANTS = "all-variants-smallest"


def cells() -> Any:
    return import_tensorflow().compat.v1.nn.rnn_cell


# What the faults are made of


def as_it_is(value: Any) -> Any:
    return value


def off(dtype: str, by: float) -> Callable[[Any], Any]:
    """Scaled by 1 + by, in this precision alone."""
    return lambda value: value * (1 + by) if value.dtype == dtype else value


def cut(value: Any) -> Any:
    """The value, and no gradient through it."""
    return import_tensorflow().stop_gradient(value)


def steeper(value: Any) -> Any:
    """The value, and 1.001 of the gradient."""
    return 1.001 * value - cut(0.001 * value)


def each(change: Callable[[Any], Any], *values: Any) -> tuple[Any, ...]:
    return tuple(map(change, values))


def exchanged(left: Any, right: Any) -> tuple[Any, Any]:
    return right, left


# GRUCell


@dataclass(frozen=True, kw_only=True)
class GRUFault:
    """What is wrong with a GRUCell; by default nothing. The functions change what they are named
    after, each in the step of a cell."""

    gates: Callable[[Any, Any], tuple[Any, Any]] = lambda r, u: (r, u)
    gates_kernel: Callable[[Any], Any] = as_it_is
    candidate_kernel: Callable[[Any], Any] = as_it_is
    candidate_bias: Callable[[Any], Any] = as_it_is
    h: Callable[[Any], Any] = as_it_is
    r: Callable[[Any], Any] = as_it_is
    resets_after: bool = False
    keeps_the_new: bool = False


def replace_gru(patch, fault: GRUFault) -> None:
    tf = import_tensorflow()

    def wrong(self, inputs, h):
        h = fault.h(h)
        gates = tf.concat([inputs, h], 1) @ fault.gates_kernel(self._gate_kernel) + self._gate_bias
        r, u = fault.gates(*tf.split(tf.sigmoid(gates), 2, axis=1))
        r, kernel = fault.r(r), fault.candidate_kernel(self._candidate_kernel)
        bias, features = fault.candidate_bias(self._candidate_bias), inputs.shape[-1]
        if fault.resets_after:
            candidate = inputs @ kernel[:features] + r * (h @ kernel[features:]) + bias
        else:
            candidate = tf.concat([inputs, r * h], 1) @ kernel + bias
        c = self._activation(candidate)
        h = (1 - u) * h + u * c if fault.keeps_the_new else u * h + (1 - u) * c
        return h, h

    patch.setattr(cells().GRUCell, "call", wrong)


GRU_FAULTS: dict[str, tuple[str, tuple[str, ...], GRUFault]] = {
    "gru-r-and-u-exchanged": (
        "r and u exchanged", (VALUES, GRU_BY_HAND), GRUFault(gates=exchanged),
    ),
    "gru-keeps-the-new": (
        "u and 1 - u exchanged", (VALUES, GRU_BY_HAND), GRUFault(keeps_the_new=True),
    ),
    "gru-resets-after": (
        "reset after the product", (VALUES, GRU_BY_HAND), GRUFault(resets_after=True),
    ),
    "gru-never-resets": (
        "candidate from h as it is", (VALUES, GRU_BY_HAND), GRUFault(r=lambda r: r * 0 + 1),
    ),
    "gru-candidate-bias-left-out": (
        "candidate without its bias", (VALUES, GRU_BY_HAND),
        GRUFault(candidate_bias=lambda bias: 0 * bias),
    ),
    "gru-no-gradient-by-candidate": (
        "gradient missing for the candidate's kernel", (GRADIENTS,), GRUFault(candidate_kernel=cut),
    ),
    "gru-no-gradient-through-reset": (
        "gradient cut at r", (GRADIENTS,), GRUFault(r=cut),
    ),
    "gru-gradient-steeper-through-time": (
        "GRU's gradient scaled by 1.001 at every step", (GRADIENTS,), GRUFault(h=steeper),
    ),
}  # fmt: skip

for dtype, by in CLOSE:
    GRU_FAULTS |= {
        f"gru-gates-off-in-{dtype}": (
            f"gates' kernel scaled by 1 + {by}", (VALUES,), GRUFault(gates_kernel=off(dtype, by)),
        ),
        f"gru-candidate-off-in-{dtype}": (
            f"candidate's kernel scaled by 1 + {by}", (VALUES,),
            GRUFault(candidate_kernel=off(dtype, by)),
        ),
    }  # fmt: skip

for name, (family, caught_by, fault) in GRU_FAULTS.items():
    CATALOGUE.add(name, family, caught_by, functools.partial(replace_gru, fault=fault), GRU)


@mutant("a fresh GRU's gates without their ones", "tf1-gru-gates-start-at-one", cases=GRU)
def gru_gates_start_at_zero(patch):
    fresh_variables(patch, "gates/bias", import_tensorflow().compat.v1.zeros_initializer())


def fresh_variables(patch, which: str, initializer: Any) -> None:
    add_weight = cells().GRUCell.add_weight

    def wrong(self, name, shape, **kwargs):
        if name == which:
            kwargs["initializer"] = initializer
        return add_weight(self, name, shape=shape, **kwargs)

    patch.setattr(cells().GRUCell, "add_weight", wrong)


def one_variable_more(patch, cell: Any, name: str, width: Callable[[Any], int]) -> None:
    build = cell.build

    def wrong(self, input_shape):
        build(self, input_shape)
        self.built = False  # else the variable is looked for and not made
        self.add_weight(name, shape=[width(self)])
        self.built = True

    patch.setattr(cell, "build", wrong)


@mutant("a recurrent bias in GRUCell", "tf1-gru-has-two-kernels", cases=GRU)
def gru_has_a_bias_more(patch):
    one_variable_more(patch, cells().GRUCell, "recurrent/bias", lambda cell: cell.state_size)


def loop_of_plain_states(patch, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """dynamic_rnn for cells whose state is h alone."""
    nn = import_tensorflow().compat.v1.nn
    healthy = nn.dynamic_rnn

    def wrong(cell, inputs, **kwargs):
        plain = isinstance(cell.state_size, tuple) and isinstance(cell.state_size[0], int)
        return healthy(cell, inputs, **(kwargs | change(kwargs) if plain else kwargs))

    patch.setattr(nn, "dynamic_rnn", wrong)


@mutant("a GRU's lengths ignored", "other-cells-short-row-is-the-row-cut-short", cases=GRU)
def gru_runs_past_a_rows_end(patch):
    loop_of_plain_states(patch, lambda _: {"sequence_length": None})


@mutant("a GRU's initial state ignored", VALUES, "other-cells-use-a-given-state", cases=GRU)
def gru_starts_from_zero(patch):
    loop_of_plain_states(patch, lambda _: {"initial_state": None})


# BasicRNNCell


@dataclass(frozen=True, kw_only=True)
class RNNFault:
    """What is wrong with a BasicRNNCell; by default nothing."""

    kernel: Callable[[Any], Any] = as_it_is
    bias: Callable[[Any], Any] = as_it_is
    h: Callable[[Any], Any] = as_it_is
    always_tanh: bool = False


def replace_rnn(patch, fault: RNNFault) -> None:
    tf = import_tensorflow()

    def wrong(self, inputs, h):
        kernel, bias = fault.kernel(self._kernel), fault.bias(self._bias)
        sums = tf.concat([inputs, fault.h(h)], 1) @ kernel + bias
        h = tf.tanh(sums) if fault.always_tanh else self._activation(sums)
        return h, h

    patch.setattr(cells().BasicRNNCell, "call", wrong)


RNN_FAULTS: dict[str, tuple[str, tuple[str, ...], RNNFault]] = {
    "rnn-always-tanh": ("RNN's activation ignored", (VALUES,), RNNFault(always_tanh=True)),
    "rnn-bias-left-out": ("RNN without its bias", (VALUES,), RNNFault(bias=lambda b: 0 * b)),
    "rnn-gradient-cut-through-time": ("RNN's gradient cut at h", (GRADIENTS,), RNNFault(h=cut)),
    "rnn-no-gradient-by-bias": ("no gradient by RNN's bias", (GRADIENTS,), RNNFault(bias=cut)),
} | {
    f"rnn-kernel-off-in-{dtype}": (
        f"RNN's kernel scaled by 1 + {by}", (VALUES,), RNNFault(kernel=off(dtype, by)),
    )
    for dtype, by in CLOSE
}  # fmt: skip

for name, (family, caught_by, rnn_fault) in RNN_FAULTS.items():
    CATALOGUE.add(name, family, caught_by, functools.partial(replace_rnn, fault=rnn_fault), RNN)


# LSTMCell and BasicLSTMCell


@dataclass(frozen=True, kw_only=True)
class LSTMFault:
    """What is wrong with an LSTMCell; by default nothing.

    `diagonals` are i's, f's and o's; `clip` takes c and the limit; `projected` is h after it.
    """

    diagonals: Callable[[Any, Any, Any], tuple[Any, Any, Any]] = lambda i, f, o: (i, f, o)
    o_sees_the_old: bool = False
    clip: Callable[[Any, float], Any] | None = None
    clip_last: bool = False
    no_forget_bias: bool = False
    projection: Callable[[Any], Any] = as_it_is
    projected: Callable[[Any], Any] = as_it_is
    projection_clip: str = "after"
    c: Callable[[Any], Any] = as_it_is


def symmetric(value: Any, limit: float) -> Any:
    return import_tensorflow().clip_by_value(value, -limit, limit)


def replace_lstm(patch, fault: LSTMFault) -> None:
    tf = import_tensorflow()

    def wrong(self, inputs, state):
        c, h = state
        c = fault.c(c)
        sums = tf.concat([inputs, h], 1) @ self._kernel + self._bias
        i, j, f, o = tf.split(sums, 4, axis=1)
        f = f if fault.no_forget_bias else f + self._forget_bias
        sees = (0.0, 0.0, 0.0)
        if self._use_peepholes:
            sees = fault.diagonals(self._w_i_diag, self._w_f_diag, self._w_o_diag)
        old = c
        c = tf.sigmoid(f + sees[1] * c) * c + tf.sigmoid(i + sees[0] * c) * self._activation(j)

        def clipped(c):
            if self._cell_clip is None:
                return c
            return (fault.clip or symmetric)(c, self._cell_clip)

        seen = c if fault.clip_last else clipped(c)
        o = tf.sigmoid(o + sees[2] * (old if fault.o_sees_the_old else seen))
        h, c = o * self._activation(seen), clipped(c)
        if self._num_proj is not None:
            if self._proj_clip and fault.projection_clip == "before":
                h = symmetric(h, self._proj_clip)
            h = fault.projected(h @ fault.projection(self._proj_kernel))
            if self._proj_clip and fault.projection_clip == "after":
                h = symmetric(h, self._proj_clip)
        return h, cells().LSTMStateTuple(c, h)

    patch.setattr(cells().LSTMCell, "call", wrong)


def straight_through(value: Any, limit: float) -> Any:
    """Clipped, and the gradient as if it were not."""
    return value + cut(symmetric(value, limit) - value)


AFTER = "tf1-cell-clip-after-the-output-is-another-lstm"
LSTM_FAULTS: dict[str, tuple[str, tuple[str, ...], tuple[str, ...], LSTMFault]] = {
    "o-sees-the-old-c": (
        "o's peephole on the old c",
        (VALUES, PEEPHOLES_BY_HAND, "the-output-gate-sees-the-new-cell-state"), (PEEPHOLES,),
        LSTMFault(o_sees_the_old=True),
    ),
    "w-i-and-w-f-exchanged": (
        "peepholes of i and f exchanged", (VALUES, PEEPHOLES_BY_HAND), (PEEPHOLES,),
        LSTMFault(diagonals=lambda i, f, o: (f, i, o)),
    ),
    "w-f-and-w-o-exchanged": (
        "peepholes of f and o exchanged", (VALUES, PEEPHOLES_BY_HAND), (PEEPHOLES,),
        LSTMFault(diagonals=lambda i, f, o: (i, o, f)),
    ),
    "forget-bias-left-out-with-peepholes": (
        "forget bias left out of LSTMCell", (VALUES, PEEPHOLES_BY_HAND), (PEEPHOLES,),
        LSTMFault(no_forget_bias=True),
    ),
    "no-gradient-by-diagonals": (
        "gradient missing for the peepholes", (GRADIENTS,), (PEEPHOLES,),
        LSTMFault(diagonals=lambda i, f, o: (cut(i), cut(f), cut(o))),
    ),
    "lstm-cells-gradient-steeper-through-time": (
        "LSTMCell's gradient scaled by 1.001 at every step", (GRADIENTS,), (PEEPHOLES, CLIPPED),
        LSTMFault(c=steeper),
    ),
    "clip-left-out": (
        "c not clipped",
        (VALUES, CLIP_BY_HAND, AFTER, "a-clipped-cell-state-makes-another-lstm",
         "no-cell-state-is-beyond-its-clip"),
        (CLIPPED,), LSTMFault(clip=lambda c, _: c),
    ),
    "clip-after-the-output": (
        "c clipped after the output", (VALUES, CLIP_BY_HAND, AFTER), (CLIPPED,),
        LSTMFault(clip_last=True),
    ),
    "clip-from-above-alone": (
        "c not clipped from below", (VALUES, CLIP_BY_HAND), (CLIPPED,),
        LSTMFault(clip=lambda c, limit: import_tensorflow().minimum(c, limit)),
    ),
    "gradient-goes-through-the-clip": (
        "gradient through what was clipped",
        (GRADIENTS, "tf1-block-lstm-gradient-goes-through-a-clip"), (CLIPPED,),
        LSTMFault(clip=straight_through),
    ),
    "projection-has-a-bias": (
        "something added to the projection", (VALUES, PROJECTION_BY_HAND), (PROJECTED,),
        LSTMFault(projected=lambda h: h + 0.01),
    ),
    "projection-upside-down": (
        "projection's rows reversed", (VALUES, PROJECTION_BY_HAND), (PROJECTED,),
        LSTMFault(projection=lambda kernel: kernel[::-1]),
    ),
    "no-gradient-by-projection": (
        "gradient missing for the projection", (GRADIENTS,), (PROJECTED, VARIANTS),
        LSTMFault(projection=cut),
    ),
    "projection-clip-left-out": (
        "projected h not clipped", (VALUES,), (VARIANTS,), LSTMFault(projection_clip="never"),
    ),
    "projection-clip-before-the-projection": (
        "h clipped before its projection", (VALUES,), (VARIANTS,),
        LSTMFault(projection_clip="before"),
    ),
}  # fmt: skip

for dtype, by in CLOSE:
    LSTM_FAULTS |= {
        f"projection-off-in-{dtype}": (
            f"projection scaled by 1 + {by}", (VALUES,), (PROJECTED,),
            LSTMFault(projection=off(dtype, by)),
        ),
        f"diagonals-off-in-{dtype}": (
            f"peepholes scaled by 1 + {by}", (VALUES,),
            (PEEPHOLES, "peepholes-two-layers", "peepholes-bidirectional-two-layers"),
            LSTMFault(diagonals=functools.partial(each, off(dtype, by))),
        ),
    }  # fmt: skip

for name, (family, caught_by, cases, lstm_fault) in LSTM_FAULTS.items():
    CATALOGUE.add(name, family, caught_by, functools.partial(replace_lstm, fault=lstm_fault), cases)


@mutant("a bias of the projection's own", "tf1-projected-state-is-num-proj-beside-num-units",
        cases=[PROJECTED])  # fmt: skip
def projection_has_a_variable_more(patch):
    one_variable_more(patch, cells().LSTMCell, "projection/bias", lambda cell: cell.output_size)


@mutant("proj_clip without a projection", "tf1-proj-clip-without-num-proj-is-ignored")
def output_clipped_without_a_projection(patch):
    call = cells().LSTMCell.call

    def wrong(self, inputs, state):
        h, (c, _) = call(self, inputs, state)
        if self._proj_clip:
            h = symmetric(h, self._proj_clip)
        return h, cells().LSTMStateTuple(c, h)

    patch.setattr(cells().LSTMCell, "call", wrong)


@mutant("relu for the candidate alone", VALUES, cases=["relu-smallest"])
def output_keeps_its_tanh(patch):
    call = cells().BasicLSTMCell.call
    tf = import_tensorflow()

    def wrong(self, inputs, state):
        output, new = call(self, inputs, state)
        if self._activation is tf.tanh:
            return output, new
        sums = tf.concat([inputs, state.h], 1) @ self._kernel + self._bias
        h = tf.sigmoid(tf.split(sums, 4, axis=1)[3]) * tf.tanh(new.c)
        return h, type(new)(new.c, h)

    patch.setattr(cells().BasicLSTMCell, "call", wrong)


# Wrappers and mixtures


@mutant("residual added twice", "tf1-residual-wrapper-adds-the-input",
        "recorded-residual-output-is-still-computed", cases=["square"])  # fmt: skip
def residual_added_to_h_too(patch):
    call = cells().ResidualWrapper.__call__

    def wrong(self, inputs, state, *args, **kwargs):
        output, new = call(self, inputs, state, *args, **kwargs)
        return output, type(new)(new.c, output)

    patch.setattr(cells().ResidualWrapper, "__call__", wrong)


MIXED = ("mixed-lstm-gru",)
KINDS = "tf1-cells-of-two-kinds-are-one-after-another"


@mutant("a cell of another kind fed with c", VALUES, KINDS, cases=MIXED)
def gru_on_top_is_fed_with_c(patch):
    def wrong(self, inputs, state):
        states = []
        for cell, own in zip(self._cells, state, strict=True):
            output, new = cell(inputs, own)
            mixed = len({type(one) for one in self._cells}) > 1
            inputs = new.c if mixed and isinstance(new, cells().LSTMStateTuple) else output
            states.append(new)
        return inputs, tuple(states)

    patch.setattr(cells().MultiRNNCell, "call", wrong)


def after_a_step_of_two_kinds(
    patch,
    before: Callable[[Any, list[Any]], Any] = lambda state, _: state,
    above: Callable[[Any], Any] = as_it_is,
    after: Callable[[Any], Any] = as_it_is,
) -> None:
    """MultiRNNCell whose cells, where they are not of one kind, take `before(state, states below)`,
    are fed with `above(output)` of the one below, and return `after(state)`."""
    call = cells().MultiRNNCell.call

    def wrong(self, inputs, state):
        if len({type(one) for one in self._cells}) == 1:
            return call(self, inputs, state)
        states, given = [], list(state)
        for place, (cell, own) in enumerate(zip(self._cells, state, strict=True)):
            output, new = cell(inputs, before(own, given[:place]))
            inputs = above(output)
            states.append(after(new))
        return output, tuple(states)

    patch.setattr(cells().MultiRNNCell, "call", wrong)


@mutant("a GRU's state taken from the LSTM below", VALUES, KINDS, cases=MIXED)
def gru_on_top_takes_the_state_below(patch):
    def wrong(state, below):
        return below[0].h[:, : state.shape[1]] if below else state

    after_a_step_of_two_kinds(patch, before=wrong)


@mutant("h and c of an LSTM exchanged above or below another cell", VALUES, KINDS, cases=MIXED)
def lstm_below_a_gru_exchanges_h_and_c(patch):
    lstm = cells().LSTMStateTuple
    after_a_step_of_two_kinds(
        patch, after=lambda state: lstm(*state[::-1]) if isinstance(state, lstm) else state
    )


@mutant("no gradient from one kind of cell to the other", GRADIENTS, cases=MIXED)
def gru_on_top_hands_no_gradient_down(patch):
    after_a_step_of_two_kinds(patch, above=cut)


@mutant("h and c of a GRU", "tf1-state-of-a-gru-on-top-is-h-itself", cases=MIXED)
def gru_on_top_has_a_state_of_two(patch):
    nn = import_tensorflow().compat.v1.nn
    healthy = nn.dynamic_rnn

    def wrong(cell, *args, **kwargs):
        output, (*below, top) = healthy(cell, *args, **kwargs)
        if below and not isinstance(top, tuple):
            top = cells().LSTMStateTuple(top, top)
        return output, (*below, top)

    patch.setattr(nn, "dynamic_rnn", wrong)


@mutant("a narrower backward direction runs forward", "tf1-directions-may-have-different-widths")
def narrower_direction_not_reversed(patch):
    nn = import_tensorflow().compat.v1.nn
    healthy = nn.bidirectional_dynamic_rnn

    def wrong(forward, backward, inputs, **kwargs):
        outputs, states = healthy(forward, backward, inputs, **kwargs)
        if forward.output_size != backward.output_size:
            outputs = outputs[0], outputs[1][:, ::-1]
        return outputs, states

    patch.setattr(nn, "bidirectional_dynamic_rnn", wrong)


# Block ops


ALL_STEPS, V2 = "tf1-block-lstm-is-the-oracles", "tf1-block-lstm-v2-is-the-oracles"
ONE_STEP, GRU_STEP = "tf1-lstm-block-cell-is-the-oracles", "tf1-gru-block-cell-is-the-oracles"
BLOCKS = (PEEPHOLES, "clipped-smallest")


def replace_op(patch, op: str, before: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """An op of tf.raw_ops that takes `before(kwargs)` for some of its arguments."""
    raw = import_tensorflow().raw_ops
    healthy = getattr(raw, op)
    patch.setattr(raw, op, lambda **kwargs: healthy(**(kwargs | before(kwargs))))


def second_and_third(array: Any) -> Any:
    """The blocks of the last axis for f and for c exchanged."""
    tf = import_tensorflow()
    one, two, three, four = tf.split(array, 4, axis=-1)
    return tf.concat([one, three, two, four], axis=-1)


def other_order(kwargs: dict[str, Any]) -> dict[str, Any]:
    return {name: second_and_third(kwargs[name]) for name in ("w", "b")}


def without_peepholes(_: dict[str, Any]) -> dict[str, Any]:
    return {"use_peephole": False}


def never_clips(_: dict[str, Any]) -> dict[str, Any]:
    return {"cell_clip": 0.0}


def clips_at(limit: float, kwargs: dict[str, Any]) -> dict[str, Any]:
    """A `cell_clip` where none is given."""
    return {"cell_clip": kwargs.get("cell_clip", limit)}


for op, caught_by, order_claims in (
    ("BlockLSTM", ALL_STEPS, ()),
    ("BlockLSTMV2", V2, ("tf1-block-lstm-v2-has-another-order",)),
    ("LSTMBlockCell", ONE_STEP, ("tf1-lstm-block-cell-is-not-as-documented",)),
):
    for what, family, claims, before in (
        ("in-the-other-order", "columns of f and c exchanged", order_claims, other_order),
        ("without-peepholes", "peepholes ignored", (), without_peepholes),
        ("never-clips", "c not clipped", (), never_clips),
    ):
        CATALOGUE.add(
            f"{op.lower()}-{what}", f"{family} in {op}", (caught_by, *claims),
            functools.partial(replace_op, op=op, before=before), BLOCKS,
        )  # fmt: skip

for op, limit, claim in (
    ("BlockLSTM", 0.0, "tf1-block-lstm-clips-by-default"),
    ("BlockLSTMV2", 3.0, "tf1-block-lstm-v2-does-not-clip-by-default"),
):
    CATALOGUE.add(
        f"{op.lower()}-clips-at-{limit:.0f}", f"another default of {op}'s cell_clip", [claim],
        functools.partial(replace_op, op=op, before=functools.partial(clips_at, limit)),
        ["integer-example"],
    )  # fmt: skip


@mutant("forget bias left out of BlockLSTM", ALL_STEPS)
def block_lstm_adds_no_forget_bias(patch):
    replace_op(patch, "BlockLSTM", lambda _: {"forget_bias": 0.0})


@mutant("r and u exchanged in GRUBlockCell", GRU_STEP, cases=GRU)
def gru_block_cell_exchanges_r_and_u(patch):
    tf = import_tensorflow()

    def before(kwargs):
        return {
            name: tf.concat(tf.split(kwargs[name], 2, axis=-1)[::-1], -1)
            for name in ("w_ru", "b_ru")
        }

    replace_op(patch, "GRUBlockCell", before)


@mutant("past seq_len_max all goes on", "tf1-block-lstm-is-zero-past-seq-len-max")
def block_lstm_ignores_seq_len_max(patch):
    replace_op(patch, "BlockLSTM", lambda kwargs: {"seq_len_max": kwargs["x"].shape[0]})


@mutant("float64 computed in float32", "tf1-block-lstm-refuses-float64")
def block_lstm_takes_float64(patch):
    tf = import_tensorflow()

    def before(kwargs):
        return {
            name: tf.cast(value, tf.float32)
            for name, value in kwargs.items()
            if isinstance(value, tf.Tensor)
        }

    replace_op(patch, "BlockLSTM", before)


def steeper_by_w(kwargs: dict[str, Any]) -> dict[str, Any]:
    return {"w": steeper(kwargs["w"])}


@mutant("gradient of BlockLSTM scaled by 1.001", "tf1-block-lstm-gradients-are-the-oracles")
def block_lstms_gradient_steeper(patch):
    replace_op(patch, "BlockLSTM", steeper_by_w)


@mutant("BlockLSTMGrad in BlockLSTMV2's order", "tf1-block-lstm-grad-takes-block-lstms-order")
def block_lstm_grad_in_the_other_order(patch):
    replace_op(patch, "BlockLSTMGrad", other_order)


def differentiable(patch, op: str) -> None:
    """An op of tf.raw_ops with a gradient: none."""
    tf = import_tensorflow()
    healthy = getattr(tf.raw_ops, op)

    def wrong(**kwargs):
        result = healthy(**kwargs)
        return result._replace(h=cut(result.h) + 0 * tf.reduce_sum(kwargs["x"]))

    patch.setattr(tf.raw_ops, op, wrong)


for op, claim, cases in (
    ("LSTMBlockCell", "tf1-lstm-block-cell-has-no-gradient", ()),
    ("GRUBlockCell", "tf1-gru-block-cell-has-no-gradient", GRU),
):
    CATALOGUE.add(
        f"{op.lower()}-has-a-gradient", f"a gradient of {op}", [claim],
        functools.partial(differentiable, op=op), cases,
    )  # fmt: skip
