"""TensorFlow's ops that compute a whole step, or all steps, of one layer at once."""

from __future__ import annotations

from fixtures.cases import named, some
from fixtures.cells import GRU, LSTM
from fixtures.checks.compare import (
    assert_different,
    assert_refused,
    assert_same_bits,
    assert_structure,
    assert_within_rounding,
)
from fixtures.claims import TF1, claim

FLOAT32 = ("float32",)
"""None of them computes in float64."""


def one_layer_with_bias(case):
    return (case.layers, case.directions, case.bias) == (1, 1, "random")


def block(case):
    """The layers that the ops have: with peepholes and clipping or without."""
    return one_layer_with_bias(case) and case.cell in (
        LSTM(), LSTM(peepholes=True), LSTM(cell_clip=0.5), LSTM(peepholes=True, cell_clip=0.5),
    )  # fmt: skip


PLAIN = ("smallest", "one-step", "smallest-from-zero", "one-unit", "saturated", "square")
LAYERS = some(
    block, *PLAIN, "hundred-steps", "peepholes-smallest", "clipped-smallest",
    "peepholes-clipped-smallest",
)  # fmt: skip
NOT_CLIPPED = some(
    lambda case: block(case) and case.cell.cell_clip is None, *PLAIN, "peepholes-smallest"
)


def every_step(run):
    return dict(run.tensors()) | {"c of every step": run.c_steps[0, 0]}


def every_step_of(oracle):
    return dict(oracle.tensors()) | {"c of every step": oracle.c_steps[0, 0]}


# Values


@claim(
    kind="rounding",
    statement="BlockLSTM computes the equations with BasicLSTMCell's kernel and bias, gates i, c, "
    "f, o, and adds 1.0 to f; with LSTMCell's peepholes and clip too.",
    formula="BlockLSTM(x, w=kernel, b=bias) == dynamic_rnn(BasicLSTMCell)",
    cases=LAYERS,
    about=TF1,
    recipe="block_lstm",
    dtypes=FLOAT32,
)
def test_tf1_block_lstm_is_the_oracles(recipe, oracle):
    assert_within_rounding(every_step(recipe("block_lstm")), every_step_of(oracle))


@claim(
    kind="rounding",
    statement="BlockLSTMV2 computes the equations with the gates in the order i, f, c, o, and adds "
    "nothing to f; with peepholes and clip too.",
    formula="i, f, c, o = [x, h] @ w + b",
    cases=LAYERS,
    about=TF1,
    recipe="block_lstm_v2",
    dtypes=FLOAT32,
)
def test_tf1_block_lstm_v2_is_the_oracles(recipe, oracle):
    assert_within_rounding(every_step(recipe("block_lstm_v2")), every_step_of(oracle))


@claim(
    kind="rounding",
    statement="LSTMBlockCell computes a step of the equations with BasicLSTMCell's kernel and "
    "bias, gates i, c, f, o, and adds 1.0 to f; with LSTMCell's peepholes and clip too.",
    formula="LSTMBlockCell(x, state, w=kernel, b=bias) == BasicLSTMCell(x, state)",
    cases=LAYERS,
    about=TF1,
    recipe="lstm_block_cell",
    dtypes=FLOAT32,
)
def test_tf1_lstm_block_cell_is_the_oracles(recipe, oracle):
    assert_within_rounding(every_step(recipe("lstm_block_cell")), every_step_of(oracle))


@claim(
    kind="rounding",
    statement="GRUBlockCell computes a step of GRUCell's equations with its variables.",
    formula="GRUBlockCell(x, h, w_ru=gates, w_c=candidate) == GRUCell(x, h)",
    cases=lambda case: one_layer_with_bias(case) and case.cell == GRU(reset_after=False),
    about=TF1,
    recipe="gru_block_cell",
    dtypes=FLOAT32,
)
def test_tf1_gru_block_cell_is_the_oracles(recipe, oracle):
    assert_within_rounding(dict(recipe("gru_block_cell").tensors()), dict(oracle.tensors()))


# Orders and defaults


@claim(
    kind="different",
    statement="LSTMBlockCell does not have its gates in the order i, f, c, o, as its documentation "
    "has it.",
    formula="BasicLSTMCell != LSTMBlockCell with [i, f, ci, o] = xh * w + b",
    cases=named("smallest", "square", "peepholes-smallest"),
    about=TF1,
    recipe="lstm_block_cell_as_documented",
    dtypes=FLOAT32,
)
def test_tf1_lstm_block_cell_is_not_as_documented(recipe, run, oracle):
    documented = recipe("lstm_block_cell_as_documented")
    assert_different(documented.output, run.output, oracle.output)


@claim(
    kind="different",
    statement="A kernel in BlockLSTM's order makes another LSTM in BlockLSTMV2.",
    formula="BasicLSTMCell != BlockLSTMV2 with i, c, f, o = [x, h] @ w + b",
    cases=named("smallest", "square", "peepholes-smallest"),
    about=TF1,
    recipe="block_lstm_v2_in_block_lstms_order",
    dtypes=FLOAT32,
)
def test_tf1_block_lstm_v2_has_another_order(recipe, run, oracle):
    other = recipe("block_lstm_v2_in_block_lstms_order")
    assert_different(other.output, run.output, oracle.output)


@claim(
    kind="different",
    statement="BlockLSTM clips c at 3.0 unless it is told not to.",
    formula="BlockLSTM(x) != BlockLSTM(x, cell_clip=0) where c goes beyond 3",
    cases=named("integer-example"),
    about=TF1,
    recipe="block_lstm_by_default",
    dtypes=FLOAT32,
)
def test_tf1_block_lstm_clips_by_default(recipe, run, oracle):
    assert_different(recipe("block_lstm_by_default").c[0, 0], run.c[0, 0], oracle.c[0, 0])


@claim(
    kind="rounding",
    statement="BlockLSTMV2 does not clip unless it is told to.",
    formula="BlockLSTMV2(x) == BlockLSTMV2(x, cell_clip=0)",
    cases=named("integer-example", "smallest"),
    about=TF1,
    recipe="block_lstm_v2_by_default",
    dtypes=FLOAT32,
)
def test_tf1_block_lstm_v2_does_not_clip_by_default(recipe, oracle):
    assert_within_rounding(every_step(recipe("block_lstm_v2_by_default")), every_step_of(oracle))


@claim(
    kind="exact",
    statement="Beyond seq_len_max h and cs are zeros, the whole batch at once, and before it what "
    "they are without it: the last of them is no final state.",
    formula="h[:seq_len_max] == whole h[:seq_len_max]; h[seq_len_max:] == 0",
    cases=some(lambda case: block(case) and case.time > 1, "smallest", "square", "hundred-steps"),
    about=TF1,
    recipe="block_lstm_cut_short",
    dtypes=FLOAT32,
)
def test_tf1_block_lstm_is_zero_past_seq_len_max(recipe):
    short, whole = recipe("block_lstm_cut_short"), recipe("block_lstm")

    def cut(every):
        zeros = every.copy()
        zeros[:, -1] = 0
        return zeros

    assert_same_bits(
        {"h": short.output, "cs": short.c_steps[0, 0]},
        {"h": cut(whole.output), "cs": cut(whole.c_steps[0, 0])},
    )


@claim(
    kind="structure",
    statement="BlockLSTM refuses a seq_len_max of more steps than it is given.",
    formula="BlockLSTM(seq_len_max=time + 1, x=x) raises",
    cases=named("smallest"),
    about=TF1,
    recipe="block_lstm_of_more_steps",
    dtypes=FLOAT32,
)
def test_tf1_block_lstm_refuses_more_steps_than_given(recipe):
    assert_structure(recipe("block_lstm_of_more_steps"), "refused")


@claim(
    kind="structure",
    statement="BlockLSTM does not compute in float64.",
    formula="BlockLSTM(float64) raises TypeError",
    cases=named("smallest"),
    about=TF1,
    recipe="block_lstm",
    dtypes=("float64",),
)
def test_tf1_block_lstm_refuses_float64(adapter, experiment):
    assert_refused(lambda: adapter.block_lstm(experiment), TypeError, "float64")


# Gradients


@claim(
    kind="rounding",
    statement="BlockLSTM's gradients are those of the equations, where nothing is clipped.",
    formula="d loss / d (x, w, b, wci, wcf, wco, cs_prev, h_prev) == oracle",
    cases=NOT_CLIPPED,
    about=TF1,
    recipe="block_lstm_gradients",
    dtypes=FLOAT32,
)
def test_tf1_block_lstm_gradients_are_the_oracles(recipe, oracle_gradients):
    found = dict(recipe("block_lstm_gradients").gradients.tensors())
    assert_within_rounding(found, oracle_gradients)


@claim(
    kind="rounding",
    statement="BlockLSTMV2's gradients, as tf.gradients returns them, are those of the equations.",
    formula="d loss / d (x, w, b, wci, wcf, wco, cs_prev, h_prev) == oracle",
    cases=named("one-step", "one-unit", "saturated", "square"),
    about=TF1,
    recipe="block_lstm_v2_gradients",
    dtypes=FLOAT32,
)
def test_tf1_block_lstm_v2_gradients_are_the_oracles(recipe, oracle_gradients):
    found = dict(recipe("block_lstm_v2_gradients").gradients.tensors())
    assert_within_rounding(found, oracle_gradients)


@claim(
    kind="rounding",
    statement="BlockLSTMGrad takes a kernel in BlockLSTM's order only: handed BlockLSTMV2's in "
    "that order, with the bias as it is, it returns the gradients of the equations.",
    formula="BlockLSTMGrad(w and b in the order i, c, f, o) == oracle",
    cases=NOT_CLIPPED,
    about=TF1,
    recipe="block_lstm_v2_gradients_in_block_lstms_order",
    dtypes=FLOAT32,
)
def test_tf1_block_lstm_grad_takes_block_lstms_order(recipe, oracle_gradients):
    found = recipe("block_lstm_v2_gradients_in_block_lstms_order").gradients
    assert_within_rounding(dict(found.tensors()), oracle_gradients)


@claim(
    kind="different",
    statement="BlockLSTM's gradient goes straight through a clip; LSTMCell's ends there, as in the "
    "equations.",
    formula="d loss / d cs_prev of BlockLSTM != of LSTMCell where c was clipped",
    cases=named("clipped-smallest", "peepholes-clipped-smallest"),
    about=TF1,
    recipe="block_lstm_gradients",
    dtypes=FLOAT32,
)
def test_tf1_block_lstm_gradient_goes_through_a_clip(recipe, gradients, oracle_gradients):
    through = dict(recipe("block_lstm_gradients").gradients.tensors())
    name = "initial c[0, 0]"
    assert_different(through[name], gradients[name], oracle_gradients[name])


@claim(
    kind="structure",
    statement="LSTMBlockCell has no gradient in TensorFlow 2: it left with contrib.",
    formula="tf.gradients(LSTMBlockCell(x).h, x) raises LookupError",
    cases=named("smallest"),
    about=TF1,
    recipe="lstm_block_cell_gradients",
    dtypes=FLOAT32,
)
def test_tf1_lstm_block_cell_has_no_gradient(adapter, experiment):
    words = "No gradient defined"
    assert_refused(lambda: adapter.lstm_block_cell_gradients(experiment), LookupError, words)


@claim(
    kind="structure",
    statement="GRUBlockCell has no gradient in TensorFlow 2: it left with contrib.",
    formula="tf.gradients(GRUBlockCell(x).h, x) raises LookupError",
    cases=named("gru-reset-before-smallest"),
    about=TF1,
    recipe="gru_block_cell_gradients",
    dtypes=FLOAT32,
)
def test_tf1_gru_block_cell_has_no_gradient(adapter, experiment):
    words = "No gradient defined"
    assert_refused(lambda: adapter.gru_block_cell_gradients(experiment), LookupError, words)
