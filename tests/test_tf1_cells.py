"""What only TensorFlow 1 has: states in one array, wrappers, and other cells in the same place."""

from __future__ import annotations

import numpy as np

from fixtures.adapters.tensorflow import has_own_keras2
from fixtures.cases import named, one_direction, some
from fixtures.checks.compare import (
    assert_different,
    assert_same_bits,
    assert_structure,
    assert_ways_agree,
)
from fixtures.claims import TF1, claim

ONE_LAYER = named("smallest", "one-step", "integer-example", "line-by-line", "square")
FEW_NAMES = ("smallest", "two-layers", "two-widths", "integer-example")
FEW = named(*FEW_NAMES)


@claim(
    kind="exact",
    statement="With state_is_tuple=False the state is one array, c beside h, one layer after "
    "another: [batch, 2 * units] for one layer.",
    formula="state == concat(c0, h0, c1, h1, ...)",
    sources=["E4"],
    cases=some(
        one_direction,
        "smallest",
        "one-step",
        "two-layers",
        "two-widths",
        "three-widths",
        "integer-example",
        "line-by-line",
        "square",
    ),
    about=TF1,
    recipe="state_not_a_tuple",
)
def test_tf1_state_not_a_tuple_is_c_beside_h(run, recipe, case):
    outputs, state = recipe("state_not_a_tuple").native
    parts = [s[layer, 0] for layer in range(case.layers) for s in (run.c, run.h)]
    assert_same_bits(
        {"state": state, "outputs": outputs},
        {"state": np.concatenate(parts, axis=-1), "outputs": run.output},
    )


@claim(
    kind="exact",
    statement="A DropoutWrapper that keeps everything changes nothing.",
    formula="DropoutWrapper(cell, input_keep_prob=1.0, output_keep_prob=1.0) == cell",
    sources=["B2", "B5"],
    cases=some(
        one_direction,
        "smallest",
        "two-layers",
        "two-widths",
        "three-layers",
        "integer-example",
        "mnist",
    ),
    about=TF1,
    recipe="dropout_keep_all",
)
def test_tf1_dropout_that_keeps_all_changes_nothing(run, recipe):
    assert_same_bits(dict(recipe("dropout_keep_all").tensors()), dict(run.tensors()))


@claim(
    kind="exact",
    statement="output_keep_prob=0.5 drops or doubles each element of the output, and leaves h and "
    "c alone.",
    formula="outputs is 0 or h / 0.5; state == state without dropout",
    sources=["B5"],
    cases=ONE_LAYER,
    about=TF1,
    recipe="dropout_output_half",
)
def test_tf1_output_dropout_leaves_the_state_alone(run, recipe):
    dropped = recipe("dropout_output_half")
    kept = dropped.output != 0
    both_happen = np.array([kept.any(), (~kept).any()])
    assert_same_bits(
        {"output": dropped.output, "h": dropped.h[0, 0], "c": dropped.c[0, 0],
         "some kept, some dropped": both_happen},
        {"output": np.where(kept, 2 * run.output, 0), "h": run.h[0, 0], "c": run.c[0, 0],
         "some kept, some dropped": np.array([True, True])},
    )  # fmt: skip


@claim(
    kind="different",
    statement="Under output dropout the output's last step is not h.",
    formula="outputs[:, -1, :] != state[-1][1] at output_keep_prob=0.5",
    sources=["B5"],
    cases=ONE_LAYER,
    about=TF1,
    recipe="dropout_output_half",
)
def test_tf1_dropped_output_is_not_h(recipe, oracle):
    dropped = recipe("dropout_output_half")
    assert_different(dropped.output[:, -1], dropped.h[0, 0], oracle.h[0, 0])


@claim(
    kind="exact",
    statement="state_keep_prob=0.5 drops or doubles each element of h, and leaves c and the output "
    "of the step alone.",
    formula="h is 0 or output / 0.5; c == c without dropout, after one step",
    sources=["B5"],
    cases=named("one-step", "one-step-from-zero"),
    about=TF1,
    recipe="dropout_state_half",
)
def test_tf1_state_dropout_drops_h_and_not_c(run, recipe):
    dropped = recipe("dropout_state_half")
    kept = dropped.h[0, 0] != 0
    both_happen = np.array([kept.any(), (~kept).any()])
    assert_same_bits(
        {"output": dropped.output, "h": dropped.h[0, 0], "c": dropped.c[0, 0],
         "some kept, some dropped": both_happen},
        {"output": run.output, "h": np.where(kept, 2 * run.h[0, 0], 0), "c": run.c[0, 0],
         "some kept, some dropped": np.array([True, True])},
    )  # fmt: skip


@claim(
    kind="exact",
    statement="GRUCell takes BasicLSTMCell's place; its state is the output of the last step.",
    formula="outputs[:, -1] == state[-1]",
    sources=["A7"],
    cases=some(one_direction, *FEW_NAMES),
    about=TF1,
    recipe="gru_cell",
)
def test_tf1_gru_state_is_its_output(recipe):
    outputs, state = recipe("gru_cell").native
    assert_same_bits(outputs[:, -1], state[-1])


@claim(
    kind="exact",
    statement="BasicRNNCell takes BasicLSTMCell's place; its state is the output of the last step.",
    formula="outputs[:, -1] == state[-1]",
    sources=["A7"],
    cases=some(one_direction, *FEW_NAMES),
    about=TF1,
    recipe="basic_rnn_cell",
)
def test_tf1_basic_rnn_state_is_its_output(recipe):
    outputs, state = recipe("basic_rnn_cell").native
    assert_same_bits(outputs[:, -1], state[-1])


@claim(
    kind="structure",
    statement="The state of GRUCell and BasicRNNCell is one [batch, units] per layer, without "
    "an .h.",
    formula="state[-1].h raises AttributeError",
    sources=["A7"],
    cases=FEW,
    about=TF1,
    dtypes=("float32",),
)
def test_tf1_gru_and_rnn_states_have_no_h(recipe, case):
    states = [recipe(name).native[1] for name in ("gru_cell", "basic_rnn_cell")]
    found = [[(one.shape, hasattr(one, "h")) for one in state] for state in states]
    assert_structure(found, 2 * [[((case.batch, units), False) for units in case.units]])


@claim(
    kind="rounding",
    statement="LSTMCell with none of its variants is BasicLSTMCell.",
    formula="LSTMCell(units) == BasicLSTMCell(units)",
    sources=["E2", "E7"],
    cases=some(
        one_direction, "smallest", "two-layers", "two-widths", "integer-example", "line-by-line"
    ),
    about=TF1,
    recipe="lstm_cell",
)
def test_tf1_lstm_cell_is_basic_lstm_cell(run, recipe, oracle):
    outputs = {"LSTMCell": recipe("lstm_cell").output, "BasicLSTMCell": run.output}
    assert_ways_agree(outputs, oracle.output)


@claim(
    kind="different",
    statement="With peepholes, where the gates see the cell state, it is another LSTM.",
    formula="LSTMCell(units, use_peepholes=True) != BasicLSTMCell(units)",
    sources=["E6"],
    cases=FEW,
    about=TF1,
    recipe="peepholes",
)
def test_tf1_peepholes_make_another_lstm(run, recipe, oracle):
    assert_different(recipe("peepholes").output, run.output, oracle.output)


@claim(
    kind="structure",
    statement="LSTMCell is there; the cell with coupled gates left TensorFlow with contrib.",
    formula="'LSTMCell' in names, 'CoupledInputForgetGateLSTMCell' not in names",
    sources=["E6", "E7"],
    cases=named("smallest"),
    about=TF1,
    recipe="names",
    dtypes=("float32",),
)
def test_tf1_coupled_gates_are_gone(recipe):
    names = recipe("names").native
    found = {name: name in names for name in ("LSTMCell", "CoupledInputForgetGateLSTMCell")}
    assert_structure(found, {"LSTMCell": True, "CoupledInputForgetGateLSTMCell": False})


@claim(
    kind="structure",
    statement="From TensorFlow 2.16 on, BasicLSTMCell is gone from tf.compat.v1 unless Keras 2 is "
    "asked for with TF_USE_LEGACY_KERAS=1.",
    formula="tf.compat.v1.nn.rnn_cell.BasicLSTMCell raises AttributeError with Keras 3",
    sources=["E7"],
    cases=named("smallest"),
    about=TF1,
    recipe="names_with_keras_3",
    dtypes=("float32",),
)
def test_tf1_basic_lstm_cell_needs_keras_2(recipe):
    expected = "BasicLSTMCell" if has_own_keras2() else "AttributeError"
    assert_structure(recipe("names_with_keras_3").native, expected)
