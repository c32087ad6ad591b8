"""ONNX's operators LSTM, GRU and RNN: gates, biases, states and attributes, and what of them ONNX
Runtime and the reference evaluator of `onnx` refuse or leave out.

The hand-written steps take W, R, B and P as a model holds them, and share no code with the oracle
but the sigmoid.
"""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np

from fixtures.cases import named
from fixtures.cells import LSTM
from fixtures.checks.compare import (
    assert_beyond_rounding,
    assert_different,
    assert_refused,
    assert_same_bits,
    assert_structure,
    assert_ways_agree,
    assert_within_rounding,
)
from fixtures.claims import About, claim
from fixtures.model.experiment import first_step
from fixtures.oracle import rounding
from fixtures.oracle.rounding import oracle_of
from fixtures.oracle.sites import sigmoid

ONNX = About(lambda one: one.interface in ("onnx", "onnxruntime"), "it is about ONNX's operators")
RUNTIME = About(lambda one: one.interface == "onnxruntime", "it is about ONNX Runtime")
EVALUATOR = About(
    lambda one: one.interface == "onnx", "it is about the reference evaluator of onnx"
)

IN_FLOAT32 = ("float32",)
KINDS = named("smallest", "gru-smallest", "rnn-smallest")
PEEPHOLES = named("peepholes-smallest", "peepholes-two-layers")
COUPLED = named("coupled-smallest", "coupled-peepholes-smallest")
CLIP = 0.25
"""A clip that most sums of gates go beyond."""


def sums_of(own, x, h, gates):
    """The sums of each gate from x and from h, by its name; own are W_0, R_0 and B_0."""
    w, r, b = (own[f"{name}_0"][0] for name in "WRB")
    of_x, of_h = np.split(b, 2)
    blocks = (np.split(one, len(gates), axis=1) for one in (x @ w.T + of_x, h @ r.T + of_h))
    return [dict(zip(gates, one, strict=True)) for one in blocks]


def h_and_c(run, oracle):
    return (
        np.concatenate([run.h[0, 0], run.c[0, 0]], axis=-1),
        rounding.concatenated(oracle.h[0, 0], oracle.c[0, 0]),
    )


# Gates


@claim(
    kind="rounding",
    statement="ONNX's LSTM has the gates i, o, f, c as rows of W and R; B has the biases of W and "
    "behind them those of R, and they are summed.",
    formula="i, o, f, c = W @ x + B[:4 units] + R @ h + B[4 units:]",
    cases=named("one-step"),
    about=ONNX,
)
def test_onnx_lstm_gates_are_i_o_f_c(run, experiment, oracle):
    x, h, c = first_step(experiment)
    of_x, of_h = sums_of(run.native_weights, x, h, "iofc")
    i, o, f, g = (of_x[name] + of_h[name] for name in "iofc")
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    by_hand = np.concatenate([sigmoid(o) * np.tanh(c), c], axis=-1)
    found, expected = h_and_c(run, oracle)
    assert_ways_agree({"by hand": by_hand, "ONNX": found}, expected)


@claim(
    kind="rounding",
    statement="ONNX's GRU has the gates z, r, h, and z keeps the old state. `linear_before_reset` "
    "of 1 resets after the product, as torch and Keras do; the default, 0, before it, as "
    "TensorFlow 1 does.",
    formula="h~ = tanh(W x + r * (R h + Rb) + Wb) if linear_before_reset else "
    "tanh(W x + R (r * h) + Rb + Wb); h' = (1 - z) * h~ + z * h",
    cases=named("gru-one-step", "gru-reset-before-one-step"),
    about=ONNX,
)
def test_onnx_gru_gates_are_z_r_h(run, experiment, oracle, case):
    x, h = first_step(experiment)
    of_x, of_h = sums_of(run.native_weights, x, h, "zrh")
    z, r = (sigmoid(of_x[name] + of_h[name]) for name in "zr")
    reset = r * of_h["h"]
    if not case.cell.reset_after:
        reset = sums_of(run.native_weights, x, r * h, "zrh")[1]["h"]
    by_hand = (1 - z) * np.tanh(of_x["h"] + reset) + z * h
    assert_ways_agree({"by hand": by_hand, "ONNX": run.h[0, 0]}, oracle.h[0, 0])


@claim(
    kind="rounding",
    statement="ONNX's P are the peepholes of i, o and f in this order: the output gate's, which "
    "sees the new c, stand in the middle.",
    formula="i += P[:units] * c; o += P[units:2 units] * c'; f += P[2 units:] * c",
    cases=PEEPHOLES,
    about=ONNX,
)
def test_onnx_peepholes_are_of_i_o_f(adapter, experiment):
    one = experiment.only_layer(0, experiment.inputs[:, :1])
    run = adapter.run(one)
    x, h, c = first_step(one)
    of_x, of_h = sums_of(run.native_weights, x, h, "iofc")
    p_i, p_o, p_f = np.split(run.native_weights["P_0"][0], 3)
    i, o, f, g = (of_x[name] + of_h[name] for name in "iofc")
    c = sigmoid(f + p_f * c) * c + sigmoid(i + p_i * c) * np.tanh(g)
    by_hand = np.concatenate([sigmoid(o + p_o * c) * np.tanh(c), c], axis=-1)
    found, expected = h_and_c(run, oracle_of(one))
    assert_ways_agree({"by hand": by_hand, "ONNX": found}, expected)


# Results


@claim(
    kind="structure",
    statement="ONNX's Y has an axis of directions between time and batch, also where there is one.",
    formula="Y.shape == [time, directions, batch, units]; Y_h.shape == [directions, batch, units]",
    cases=named("smallest", "bidirectional", "gru-smallest", "rnn-bidirectional-two-layers"),
    about=ONNX,
    dtypes=IN_FLOAT32,
)
def test_onnx_y_has_an_axis_of_directions(run, case):
    top, directions = case.layers - 1, case.directions
    shapes = {name: run.native[name].shape for name in (f"Y_{top}", f"Y_h_{top}")}
    rows = (directions, case.batch, case.units[-1])
    assert_structure(shapes, {f"Y_{top}": (case.time, *rows), f"Y_h_{top}": rows})


@claim(
    kind="exact",
    statement="ONNX's Y stays in the order of time in the backward direction, too: Y_h is Y's last "
    "step forward, and its first backward.",
    formula="Y_h == [Y[-1, 0], Y[0, 1]]",
    cases=named("bidirectional", "gru-bidirectional-two-layers", "rnn-bidirectional-two-layers"),
    about=ONNX,
)
def test_onnx_y_is_in_the_order_of_time(run, case):
    top = case.layers - 1
    y = run.native[f"Y_{top}"]
    assert_same_bits(run.native[f"Y_h_{top}"], np.stack([y[-1, 0], y[0, 1]]))


# Attributes


@claim(
    kind="rounding",
    statement="With `input_forget` the gate f is 1 - i, and what W, R, B and P have for f is not "
    "read: coupled gates elsewhere have an f, and 1 - f for i.",
    formula="input_forget=1: c' = (1 - i) * c + i * c~",
    cases=COUPLED,
    about=RUNTIME,
)
def test_onnxruntime_input_forget_takes_f_from_i(adapter, experiment):
    one = experiment.only_step(0, experiment.initial)
    run = adapter.run(one)
    x, h, c = first_step(one)
    of_x, of_h = sums_of(run.native_weights, x, h, "iofc")
    i, o, g = (of_x[name] + of_h[name] for name in "ioc")
    p_i, p_o, _ = np.split(run.native_weights.get("P_0", np.zeros((1, 3, 1), x.dtype))[0], 3)
    i = sigmoid(i + p_i.reshape(-1) * c)
    c = (1 - i) * c + i * np.tanh(g)
    by_hand = np.concatenate([sigmoid(o + p_o.reshape(-1) * c) * np.tanh(c), c], axis=-1)
    found, expected = h_and_c(run, oracle_of(one))
    assert_ways_agree({"by hand": by_hand, "ONNX": found}, expected)


def one_row(experiment):
    """One step of one row."""
    one = experiment.only_row(0)
    return replace(one, inputs=one.inputs[:, :1])


def clipped_sums(experiment, run):
    """The same step of a layer whose kernels are zeros and whose bias is the clipped sums."""
    x, h, _ = first_step(experiment)
    of_x, of_h = sums_of(run.native_weights, x, h, "iofc")
    sums = np.concatenate([(of_x[name] + of_h[name])[0] for name in "ifco"])

    def change(one):
        zeros = one.map(np.zeros_like)
        return replace(zeros, bias=np.clip(sums, -CLIP, CLIP).astype(x.dtype))

    return experiment.with_weights(change)


@claim(
    kind="rounding",
    statement="ONNX Runtime's `clip` clips the sums of all four gates before their activations, "
    "and no state.",
    formula="i, o, f, c = activation(clip(W x + R h + B)); h = o * tanh(c)",
    cases=named("smallest", "one-step"),
    about=RUNTIME,
)
def test_onnxruntime_clip_is_of_the_gates_sums(adapter, experiment):
    one = one_row(experiment)
    run = adapter.with_attributes(one, clip=CLIP)
    expected = oracle_of(clipped_sums(one, run))
    assert_within_rounding(dict(run.tensors()), dict(expected.tensors()))


@claim(
    kind="different",
    statement="What goes into the last tanh ONNX Runtime does not clip, though the operator's "
    "description says so of the input of activations.",
    formula="clip: h != o * tanh(clip(c))",
    cases=named("one-step"),
    about=RUNTIME,
)
def test_onnxruntime_clip_leaves_the_last_tanh(adapter, experiment):
    one = one_row(experiment)
    run = adapter.with_attributes(one, clip=CLIP)
    sums = clipped_sums(one, run)
    o = sigmoid(np.split(sums.weights[0, 0].bias, 4)[3])
    by_hand = o * np.tanh(np.clip(run.c[0, 0], -CLIP, CLIP))
    assert_different(by_hand, run.h[0, 0], oracle_of(sums).h[0, 0])


@claim(
    kind="different",
    statement="ONNX's `clip` is another than TensorFlow 1's `cell_clip`, which clips c.",
    formula="LSTM(clip=0.25) != LSTMCell(cell_clip=0.25)",
    cases=named("smallest", "two-layers"),
    about=RUNTIME,
)
def test_onnxruntime_clip_is_not_tf1s(adapter, experiment):
    run = adapter.with_attributes(experiment, clip=CLIP)
    clipped = experiment.with_weights(lambda one: replace(one, cell=LSTM(cell_clip=CLIP)))
    expected = oracle_of(clipped).output
    assert_different(run.output, expected.value.astype(run.output.dtype), expected)


@claim(
    kind="different",
    statement="ONNX Runtime hands alphas and betas to the functions that have one, in turn: a list "
    "with one for each function is read otherwise, from the second direction on.",
    formula="activation_alpha=[1/6, 0, 0, 1/6, 0, 0] != activation_alpha=[1/6, 1/6]",
    cases=named("hard-sigmoid-bidirectional-two-layers"),
    about=RUNTIME,
)
def test_onnxruntime_alphas_are_of_functions_that_have_one(adapter, experiment, run, oracle):
    for_each = {"activation_alpha": [1 / 6, 0.0, 0.0] * 2, "activation_beta": [0.5, 0.0, 0.0] * 2}
    other = adapter.with_attributes(experiment, **for_each)
    assert_different(other.output, run.output, oracle.output)


@claim(
    kind="structure",
    statement="ONNX Runtime refuses a `layout` of 1, batch before time: models that have the batch "
    "first have a Transpose.",
    formula="InferenceSession(LSTM(layout=1)) raises",
    cases=KINDS,
    about=RUNTIME,
    dtypes=IN_FLOAT32,
)
def test_onnxruntime_refuses_layout_1(adapter, experiment):
    call = functools.partial(adapter.with_attributes, experiment, layout=1)
    assert_refused(call, Exception, "layout == 1) are not supported")


@claim(
    kind="exact",
    statement="With a `layout` of 1 nodes read and return the batch first, states too, and compute "
    "the same.",
    formula="Y of layout 1 == transpose(Y of layout 0, [2, 0, 1, 3])",
    cases=named("smallest", "bidirectional", "gru-smallest", "rnn-smallest"),
    about=EVALUATOR,
)
def test_onnx_layout_1_is_a_transposition(adapter, experiment, run):
    other = adapter.with_attributes(experiment, layout=1)
    names = run.native.keys() - {"output"}
    moved = {3: [1, 0, 2], 4: [2, 0, 1, 3]}
    assert_same_bits(
        {"output": other.output} | {name: other.native[name] for name in sorted(names)},
        {"output": run.output}
        | {
            name: run.native[name].transpose(moved[run.native[name].ndim]) for name in sorted(names)
        },
    )


# What ONNX Runtime has not, or has otherwise


def wide(experiment):
    """The same numbers in float64."""

    def cast(array):
        return array.astype(np.float64)

    return replace(
        experiment,
        dtype="float64",
        weights=experiment.weights.map(lambda one: one.map(cast)),
        inputs=cast(experiment.inputs),
        initial=experiment.initial.map(cast),
    )


@claim(
    kind="structure",
    statement="ONNX Runtime refuses float64, which its LSTM and GRU say they take: GRU and LSTM "
    "when they are run, RNN when the model is read.",
    formula="LSTM(x.astype(float64)) raises",
    cases=KINDS,
    about=RUNTIME,
    dtypes=IN_FLOAT32,
)
def test_onnxruntime_refuses_float64(adapter, experiment, case):
    refusals = {
        "LSTM": "LSTM operator does not support double yet",
        "GRU": "GRU operator does not support double yet",
        "RNN": "Could not find an implementation for RNN",
    }
    call = functools.partial(adapter.run, wide(experiment))
    assert_refused(call, Exception, refusals[type(case.cell).__name__])


@claim(
    kind="exact",
    statement="In float16 ONNX Runtime computes in float32, and rounds what a layer returns.",
    formula="LSTM(x in float16) == LSTM(x.astype(float32)).astype(float16)",
    cases=KINDS,
    about=RUNTIME,
    dtypes=("float16",),
    recipe="in_precision",
)
def test_onnxruntime_float16_is_float32_rounded(recipe, adapter, experiment):
    def cast(array):
        return array.astype(np.float32)

    whole = replace(
        experiment,
        dtype="float32",
        weights=experiment.weights.map(lambda one: one.map(cast)),
        inputs=cast(experiment.inputs),
        initial=experiment.initial.map(cast),
    )
    expected = {name: one.astype(np.float16) for name, one in adapter.run(whole).tensors()}
    assert_same_bits(dict(recipe("in_precision").tensors()), expected)


@claim(
    kind="exact",
    statement="A row without a step ends in zeros in ONNX Runtime, whatever state it began in.",
    formula="sequence_lens[row] == 0: Y_h[row] == Y_c[row] == 0",
    cases=KINDS,
    about=RUNTIME,
    dtypes=IN_FLOAT32,
)
def test_onnxruntime_a_row_without_a_step_ends_in_zeros(adapter, experiment):
    mask = np.ones((experiment.batch, experiment.time), bool)
    mask[0] = False
    state = adapter.run(replace(experiment, mask=mask)).state
    rows = {name: one[0] for name, one in state.tensors()}
    assert_same_bits(rows, {name: np.zeros_like(one) for name, one in rows.items()})


@claim(
    kind="different",
    statement="ONNX Runtime's RNN computes tanh as 2 sigmoid(2x) - 1, which leaves few right "
    "digits of a small one.",
    formula="RNN(x) != oracle where all sums are small",
    cases=named("rnn-two-layers"),
    about=RUNTIME,
    dtypes=IN_FLOAT32,
)
def test_onnxruntime_rnn_tanh_loses_digits(adapter, experiment):
    small = np.float32(2.0**-12)
    one = replace(
        experiment.with_weights(lambda one: one.map(lambda array: array * small)),
        initial=experiment.zero_state(),
    )
    run = adapter.run(one)
    assert_beyond_rounding(dict(run.tensors()), dict(oracle_of(one).tensors()))


@claim(
    kind="different",
    statement="ONNX Runtime's sigmoid is as far off for small values as for large ones: of an "
    "output gate that is nearly shut, and so of h, few digits are right.",
    formula="LSTM(x) != oracle where o = sigmoid(sum - 8)",
    cases=named("two-layers"),
    about=RUNTIME,
    dtypes=IN_FLOAT32,
)
def test_onnxruntime_sigmoid_loses_digits(adapter, experiment):
    def shut(one):
        bias = one.bias.copy()
        bias[-one.units :] -= 8
        return replace(one, bias=bias)

    one = experiment.with_weights(shut)
    assert_beyond_rounding(adapter.run(one).output, oracle_of(one).output)


# What the reference evaluator leaves out


@claim(
    kind="different",
    statement="The reference evaluator of onnx does not read `sequence_lens`: rows go on to the "
    "end of the longest.",
    formula="evaluator(x, sequence_lens) != the rows that end early",
    cases=named("smallest", "two-layers", "gru-smallest", "rnn-smallest"),
    about=EVALUATOR,
)
def test_onnx_reference_reads_no_lengths(adapter, experiment, oracle_of_short_rows):
    run = adapter.run(experiment.short_rows())
    expected = oracle_of_short_rows.h[0, 0]
    assert_different(run.h[0, 0], expected.value.astype(run.h[0, 0].dtype), expected)


@claim(
    kind="different",
    statement="The reference evaluator of onnx reads neither `input_forget` nor an LSTM's "
    "`activations`: it computes the plain layer, and says nothing.",
    formula="evaluator(LSTM(activations=['HardSigmoid', 'Relu', 'Relu'])) != that LSTM",
    cases=named("smallest", "two-layers", "bidirectional"),
    about=EVALUATOR,
)
def test_onnx_reference_reads_few_attributes(adapter, experiment):
    cell = LSTM(activation="relu", recurrent_activation="hard_sigmoid")
    other = experiment.with_weights(lambda one: replace(one, cell=cell))
    run, expected = adapter.run(other), oracle_of(other).output
    assert_different(run.output, expected.value.astype(run.output.dtype), expected)


@claim(
    kind="structure",
    statement="The reference evaluator of onnx takes states of another precision, one row of them "
    "for the whole batch, and more than there are directions: it checks nothing.",
    formula="evaluator(x, h.astype(other)), evaluator(x, h[:, :1]), evaluator(x, concat([h, h]))",
    cases=KINDS,
    about=EVALUATOR,
    dtypes=IN_FLOAT32,
)
def test_onnx_reference_takes_states_that_do_not_fit(adapter, experiment):
    found = adapter.fits(experiment)
    names = ("its own", "more layers", "another precision", "one row of the batch")
    assert_structure({name: found[name] for name in names}, dict.fromkeys(names, "taken"))
