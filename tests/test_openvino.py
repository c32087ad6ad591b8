"""OpenVINO's operators LSTMSequence, GRUSequence and RNNSequence on a CPU: gates, biases, states,
attributes, and what it computes otherwise than its users may think.

Lengths are read where a model is made for one number of rows and of steps. Where these are open, as
in most models that are converted from ONNX, the transformation to a loop, which reads them, is left
out, and nothing says so (<https://github.com/openvinotoolkit/openvino/pull/10710>): call
`model.reshape` with the sizes before the model is compiled.
"""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np

from fixtures.cases import named
from fixtures.cells import LSTM
from fixtures.checks.compare import (
    assert_different,
    assert_refused,
    assert_same_bits,
    assert_structure,
    assert_ways_agree,
    assert_within_rounding,
)
from fixtures.claims import About, claim
from fixtures.model.experiment import first_step
from fixtures.model.weights import one_direction
from fixtures.oracle import rounding
from fixtures.oracle.rounding import oracle_of
from fixtures.oracle.sites import sigmoid

OPENVINO = About(lambda one: one.interface == "openvino", "it is about OpenVINO's operators")

IN_FLOAT32 = ("float32",)
KINDS = named("smallest", "gru-smallest", "rnn-smallest")
CLIP = 0.25
"""A clip that most sums of gates go beyond."""


def block(own, name, gates):
    """The blocks of W_0, R_0 or B_0 by the names of their gates."""
    return dict(zip(gates, np.split(own[f"{name}_0"][0], len(gates)), strict=True))


def cast(experiment, dtype):
    """The same numbers in another precision."""
    return replace(
        experiment,
        dtype=dtype,
        weights=experiment.weights.map(lambda one: one.map(lambda array: array.astype(dtype))),
        inputs=experiment.inputs.astype(dtype),
        initial=experiment.initial.map(lambda array: array.astype(dtype)),
    )


# Gates


@claim(
    kind="rounding",
    statement="OpenVINO's LSTM has the gates f, i, c, o as rows of W and R, and one bias: f stands "
    "before i, in no other framework's order.",
    formula="f, i, c, o = W @ x + R @ h + B",
    cases=named("one-step"),
    about=OPENVINO,
)
def test_openvino_lstm_gates_are_f_i_c_o(run, experiment, oracle):
    x, h, c = first_step(experiment)
    w, r, b = (block(run.native_weights, name, "fico") for name in "WRB")
    f, i, g, o = (x @ w[gate].T + h @ r[gate].T + b[gate] for gate in "fico")
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    by_hand = np.concatenate([sigmoid(o) * np.tanh(c), c], axis=-1)
    found = np.concatenate([run.h[0, 0], run.c[0, 0]], axis=-1)
    expected = rounding.concatenated(oracle.h[0, 0], oracle.c[0, 0])
    assert_ways_agree({"by hand": by_hand, "OpenVINO": found}, expected)


@claim(
    kind="rounding",
    statement="OpenVINO's GRU has the gates z, r, h, and z keeps the old state. With "
    "`linear_before_reset` B has four blocks, the last the bias that is reset; without, which is "
    "the default, it has three.",
    formula="h~ = tanh(W x + B[2] + r * (R h + B[3])) if linear_before_reset else "
    "tanh(W x + R (r * h) + B[2]); h' = (1 - z) * h~ + z * h",
    cases=named("gru-one-step", "gru-reset-before-one-step"),
    about=OPENVINO,
)
def test_openvino_gru_gates_are_z_r_h(run, experiment, oracle, case):
    x, h = first_step(experiment)
    w, r = (block(run.native_weights, name, "zrh") for name in "WR")
    b = block(run.native_weights, "B", "zrhn" if case.cell.reset_after else "zrh")
    z, reset = (sigmoid(x @ w[gate].T + h @ r[gate].T + b[gate]) for gate in "zr")
    after = reset * (h @ r["h"].T + b.get("n", 0))
    new = after if case.cell.reset_after else (reset * h) @ r["h"].T
    by_hand = (1 - z) * np.tanh(x @ w["h"].T + b["h"] + new) + z * h
    assert_ways_agree({"by hand": by_hand, "OpenVINO": run.h[0, 0]}, oracle.h[0, 0])


# Results


@claim(
    kind="structure",
    statement="OpenVINO's Y has an axis of directions between batch and time, also where there is "
    "one: not where ONNX's has it.",
    formula="Y.shape == [batch, directions, time, units]; Ho.shape == [batch, directions, units]",
    cases=named("smallest", "bidirectional", "gru-smallest", "rnn-bidirectional-two-layers"),
    about=OPENVINO,
    dtypes=IN_FLOAT32,
)
def test_openvino_y_has_an_axis_of_directions(run, case):
    top, directions, units = case.layers - 1, case.directions, case.units[-1]
    shapes = {name: run.native[name].shape for name in (f"Y_{top}", f"Ho_{top}")}
    expected = {
        f"Y_{top}": (case.batch, directions, case.time, units),
        f"Ho_{top}": (case.batch, directions, units),
    }
    assert_structure(shapes, expected)


@claim(
    kind="exact",
    statement="OpenVINO's Y stays in the order of time in the backward direction, too: Ho is Y's "
    "last step forward, and its first backward.",
    formula="Ho == [Y[:, 0, -1], Y[:, 1, 0]]",
    cases=named("bidirectional", "gru-bidirectional-two-layers", "rnn-bidirectional-two-layers"),
    about=OPENVINO,
    dtypes=IN_FLOAT32,
)
def test_openvino_y_is_in_the_order_of_time(run, case):
    top = case.layers - 1
    y = run.native[f"Y_{top}"]
    assert_same_bits(run.native[f"Ho_{top}"], np.stack([y[:, 0, -1], y[:, 1, 0]], axis=1))


@claim(
    kind="exact",
    statement="A sequence whose direction is `reverse` is the backward half of a bidirectional "
    "one, its output in the order of time: Keras's go_backwards returns it turned round.",
    formula='LSTMSequence(direction="reverse") == LSTMSequence(direction="bidirectional")[1]',
    cases=named("bidirectional"),
    about=OPENVINO,
    dtypes=IN_FLOAT32,
)
def test_openvino_reverse_is_the_backward_half(adapter, experiment, run, case):
    backward = replace(
        experiment,
        weights=one_direction(experiment.weights, 1),
        initial=experiment.initial.only_direction(1),
    )
    found = adapter.with_attributes(backward, direction="reverse")
    assert_same_bits(
        {"output": found.output, "h": found.h[0, 0], "c": found.c[0, 0]},
        {"output": run.output[..., case.units[0] :], "h": run.h[0, 1], "c": run.c[0, 1]},
    )


# Attributes


def one_row(experiment):
    """One step of one row."""
    one = experiment.only_row(0)
    return replace(one, inputs=one.inputs[:, :1])


def clipped_sums(experiment, own):
    """The same step of a layer whose kernels are zeros and whose bias is the clipped sums."""
    x, h, _ = first_step(experiment)
    w, r, b = (block(own, name, "fico") for name in "WRB")
    sums = np.concatenate([(x @ w[gate].T + h @ r[gate].T + b[gate])[0] for gate in "ifco"])

    def change(one):
        zeros = one.map(np.zeros_like)
        return replace(zeros, bias=np.clip(sums, -CLIP, CLIP).astype(x.dtype))

    return experiment.with_weights(change)


@claim(
    kind="rounding",
    statement="OpenVINO's `clip` clips the sums of all four gates before their activations, and no "
    "state: what goes into the last tanh is c as it is.",
    formula="f, i, c, o = activation(clip(W x + R h + B)); h = o * tanh(c)",
    cases=named("smallest", "one-step"),
    about=OPENVINO,
)
def test_openvino_clip_is_of_the_gates_sums(adapter, experiment):
    one = one_row(experiment)
    run = adapter.with_attributes(one, clip=CLIP)
    expected = oracle_of(clipped_sums(one, run.native_weights))
    assert_within_rounding(dict(run.tensors()), dict(expected.tensors()))


@claim(
    kind="different",
    statement="OpenVINO's `clip` is another than TensorFlow 1's `cell_clip`, which clips c.",
    formula="LSTMSequence(clip=0.25) != LSTMCell(cell_clip=0.25)",
    cases=named("smallest", "two-layers"),
    about=OPENVINO,
)
def test_openvino_clip_is_not_tf1s(adapter, experiment):
    run = adapter.with_attributes(experiment, clip=CLIP)
    clipped = experiment.with_weights(lambda one: replace(one, cell=LSTM(cell_clip=CLIP)))
    expected = oracle_of(clipped).output
    assert_different(run.output, expected.value.astype(run.output.dtype), expected)


@claim(
    kind="structure",
    statement="OpenVINO has sigmoid, tanh and relu for activations; a hardsigmoid goes into a "
    "model, and is refused when that is compiled.",
    formula='compile_model(LSTMSequence(activations=["hardsigmoid", "tanh", "tanh"])) raises',
    cases=named("smallest"),
    about=OPENVINO,
    dtypes=IN_FLOAT32,
)
def test_openvino_refuses_other_activations(adapter, experiment):
    names = ["hardsigmoid", "tanh", "tanh"]
    call = functools.partial(adapter.with_attributes, experiment, activations=names)
    assert_refused(call, RuntimeError, "Unsupported activation function")


# Lengths and states


@claim(
    kind="different",
    statement="Where a model leaves batch and time open, OpenVINO's CPU does not read "
    "`sequence_lengths`: rows go on to the end of the longest, and nothing says so.",
    formula="reshaped to [-1, -1, features]: LSTMSequence(x, lengths) != the rows that end early",
    cases=named("smallest", "two-layers", "bidirectional", "gru-smallest", "rnn-smallest"),
    about=OPENVINO,
)
def test_openvino_open_shapes_read_no_lengths(adapter, experiment, oracle_of_short_rows):
    run = adapter.with_open_shapes(experiment.short_rows())
    expected = oracle_of_short_rows.h[0, 0]
    assert_different(run.h[0, 0], expected.value.astype(run.h[0, 0].dtype), expected)


@claim(
    kind="exact",
    statement="A row without a step ends in zeros in OpenVINO, whatever state it began in.",
    formula="sequence_lengths[row] == 0: Ho[row] == Co[row] == 0",
    cases=KINDS,
    about=OPENVINO,
    dtypes=IN_FLOAT32,
)
def test_openvino_a_row_without_a_step_ends_in_zeros(adapter, experiment):
    mask = np.ones((experiment.batch, experiment.time), bool)
    mask[0] = False
    state = adapter.run(replace(experiment, mask=mask)).state
    rows = {name: one[0] for name, one in state.tensors()}
    assert_same_bits(rows, {name: np.zeros_like(one) for name, one in rows.items()})


@claim(
    kind="exact",
    statement="States that a call of a compiled model leaves out are those of the call before, and "
    "no zeros: an input keeps what it was given.",
    formula="compiled({x, h, c}); compiled({x}) == compiled({x, h, c})",
    cases=named("smallest", "two-layers", "bidirectional", "gru-smallest", "rnn-smallest"),
    about=OPENVINO,
)
def test_openvino_keeps_the_states_of_the_last_call(adapter, experiment, run):
    assert_same_bits(dict(adapter.without_states_after(experiment).tensors()), dict(run.tensors()))


@claim(
    kind="exact",
    statement="OpenVINO casts inputs and states of another precision to the model's own, and says "
    "nothing.",
    formula="compiled(x.astype(float64)) == compiled(x.astype(float64).astype(float32))",
    cases=KINDS,
    about=OPENVINO,
    dtypes=IN_FLOAT32,
)
def test_openvino_casts_what_it_is_given(adapter, experiment, run):
    def wider(array):
        return array.astype(np.float64) * (1 + 2.0**-30)

    found = adapter.with_states_as(experiment, wider)
    assert_same_bits(dict(found.tensors()), dict(run.tensors()))


# Precision


@claim(
    kind="exact",
    statement="OpenVINO takes and returns float64, and computes in float32.",
    formula="LSTMSequence(x in float64) == LSTMSequence(x.astype(float32)).astype(float64)",
    cases=KINDS,
    about=OPENVINO,
    dtypes=IN_FLOAT32,
)
def test_openvino_float64_is_computed_in_float32(adapter, experiment, run):
    expected = {name: one.astype(np.float64) for name, one in run.tensors()}
    assert_same_bits(dict(adapter.run(cast(experiment, "float64")).tensors()), expected)


@claim(
    kind="exact",
    statement="In float16 OpenVINO computes in float32, and rounds what a model returns.",
    formula="LSTMSequence(x in float16) == LSTMSequence(x.astype(float32)).astype(float16)",
    cases=named("smallest", "two-layers", "gru-smallest", "rnn-smallest"),
    about=OPENVINO,
    dtypes=("float16",),
    recipe="in_precision",
)
def test_openvino_float16_is_float32_rounded(recipe, adapter, experiment):
    whole = adapter.run(cast(experiment, "float32"))
    expected = {name: one.astype(np.float16) for name, one in whole.tensors()}
    assert_same_bits(dict(recipe("in_precision").tensors()), expected)


@claim(
    kind="structure",
    statement="Where a CPU has bfloat16, OpenVINO computes models of float32 in it by default.",
    formula="INFERENCE_PRECISION_HINT == (bf16 if BF16 in OPTIMIZATION_CAPABILITIES else f32)",
    cases=named("smallest"),
    about=OPENVINO,
    dtypes=IN_FLOAT32,
    recipe="default_precision",
)
def test_openvino_default_is_bfloat16_where_there_is_any(adapter):
    default, has = adapter.default_precision()
    assert_structure(default, "bf16" if "BF16" in has else "f32")


@claim(
    kind="different",
    statement="In bfloat16, the default of CPUs that have it, OpenVINO's results are called "
    "float32, and have the digits of bfloat16.",
    formula="compile_model(model, INFERENCE_PRECISION_HINT=bf16)(x) != the same with f32",
    cases=named("two-layers", "bidirectional", "gru-smallest", "rnn-smallest"),
    about=OPENVINO,
    dtypes=IN_FLOAT32,
    recipe="in_bfloat16",
)
def test_openvino_bfloat16_has_few_right_digits(adapter, experiment, oracle):
    expected = oracle.output
    found = adapter.in_bfloat16(experiment).output
    assert_different(found, expected.value.astype(found.dtype), expected)


@claim(
    kind="exact",
    statement="`openvino.save_model` writes weights in float16 unless it is told not to: what is "
    "read from the file is the layer of weights so rounded.",
    formula="read_model(save_model(model)) == model of weights.astype(float16)",
    cases=named("smallest", "two-layers", "gru-reset-before-smallest", "rnn-smallest"),
    about=OPENVINO,
    dtypes=IN_FLOAT32,
)
def test_openvino_save_model_halves_the_weights(adapter, experiment):
    def rounded(array):
        return array.astype(np.float16).astype(array.dtype)

    halved = experiment.with_weights(lambda one: one.map(rounded))
    found, expected = adapter.saved(experiment), adapter.run(halved)
    assert_same_bits(dict(found.tensors()), dict(expected.tensors()))


@claim(
    kind="exact",
    statement="Told so, it writes them whole: what is read from the file is the same layer.",
    formula="read_model(save_model(model, compress_to_fp16=False)) == model",
    cases=named("smallest", "bidirectional-two-layers", "gru-smallest", "rnn-smallest"),
    about=OPENVINO,
    dtypes=IN_FLOAT32,
)
def test_openvino_a_model_saved_whole_is_the_same(adapter, experiment, run):
    found = adapter.saved(experiment, compress_to_fp16=False)
    assert_same_bits(dict(found.tensors()), dict(run.tensors()))
