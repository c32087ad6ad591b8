"""Shapes, counts and orders of outputs, states and weights, and what they do not depend on."""

from __future__ import annotations

from fixtures.cases import bidirectional, named, of_cell, one_direction
from fixtures.cells import LSTM
from fixtures.checks.compare import assert_refused, assert_structure
from fixtures.claims import KERAS, TF1, TORCH, claim

SHAPES_ARE_THE_SAME_IN_FLOAT64 = ("float32",)


@claim(
    kind="structure",
    statement="The output is [batch, time, directions * units] of the top layer, however many "
    "layers there are.",
    formula="output.shape == [batch, time, directions * units[-1]]",
    sources=["A1", "A3", "B1", "C3", "D1", "D5"],
    dtypes=SHAPES_ARE_THE_SAME_IN_FLOAT64,
)
def test_output_has_the_top_layers_shape(run, case):
    shape = (case.batch, case.time, case.directions * case.units[-1])
    assert_structure(run.output.shape, shape)


@claim(
    kind="structure",
    statement="Every layer and direction has its own h and c, each [batch, units], whatever the "
    "time.",
    formula="h[layer, direction].shape == c[layer, direction].shape == [batch, units[layer]]",
    sources=["A4", "A5", "B3", "B7"],
    dtypes=SHAPES_ARE_THE_SAME_IN_FLOAT64,
)
def test_one_state_per_layer_and_direction(run, case):
    found = [
        (h.shape, c.shape) for (_, h), (_, c) in zip(run.h.items(), run.c.items(), strict=True)
    ]
    shapes = [(case.batch, units) for units in case.units for _ in range(case.directions)]
    assert_structure(found, [(shape, shape) for shape in shapes])


@claim(
    kind="structure",
    statement="dynamic_rnn over a MultiRNNCell returns one LSTMStateTuple(c, h) per cell.",
    formula="[type(s).__name__, s._fields, s.c.shape, s.h.shape for s in state]",
    sources=["A4", "A5", "B3"],
    cases=one_direction,
    about=TF1,
    dtypes=SHAPES_ARE_THE_SAME_IN_FLOAT64,
)
def test_tf1_state_is_one_tuple_per_cell(run, case):
    _, state = run.native
    found = [(type(one).__name__, one._fields, one.c.shape, one.h.shape) for one in state]
    shapes = [(case.batch, units) for units in case.units]
    assert_structure(found, [("LSTMStateTuple", ("c", "h"), shape, shape) for shape in shapes])


@claim(
    kind="structure",
    statement="h_n and c_n have one row per layer and direction.",
    formula="h_n.shape == c_n.shape == [layers * directions, batch, units]",
    sources=["D2", "D6", "D9"],
    about=TORCH,
    dtypes=SHAPES_ARE_THE_SAME_IN_FLOAT64,
)
def test_torch_h_n_has_a_row_per_direction(run, case):
    _, (h_n, c_n) = run.native
    shape = (case.layers * case.directions, case.batch, case.units[0])
    assert_structure((h_n.shape, c_n.shape), (shape, shape))


@claim(
    kind="structure",
    statement="batch_first does not touch h_n and c_n: batch stays in the middle.",
    formula="h_n.shape == c_n.shape == [layers * directions, batch, units] with batch_first",
    sources=["D1"],
    about=TORCH,
    recipe="time_major",
    dtypes=SHAPES_ARE_THE_SAME_IN_FLOAT64,
)
def test_torch_batch_first_leaves_the_states_alone(run, recipe):
    found = [[state.shape for state in one.native[1]] for one in (run, recipe("time_major"))]
    assert_structure(found[0], found[1])


@claim(
    kind="structure",
    statement="h_0 and c_0 with batch in front are refused, with batch_first too.",
    formula="lstm(x, (h_0.transpose(0, 1), c_0.transpose(0, 1))) raises RuntimeError",
    sources=["D1", "D2"],
    cases=named("smallest", "two-layers", "bidirectional"),
    about=TORCH,
    dtypes=SHAPES_ARE_THE_SAME_IN_FLOAT64,
)
def test_torch_refuses_batch_first_states(adapter, experiment):
    assert_refused(lambda: adapter.states_batch_first(experiment), RuntimeError, "Expected hidden")


@claim(
    kind="structure",
    statement="A layer has the parameters of one cell in each direction, however many steps it "
    "takes.",
    formula="parameters == directions * 4 * units * (features + units + 1)",
    sources=["C1"],
    cases=lambda case: of_cell(LSTM())(case) and case.bias != "none",
    dtypes=SHAPES_ARE_THE_SAME_IN_FLOAT64,
)
def test_parameters_do_not_depend_on_time(run, case):
    found = [
        sum(array.size for name, array in one.by_name() if name != "recurrent_bias")
        for _, one in run.weights.items()
    ]
    below = [case.features, *(units * case.directions for units in case.units)]
    expected = [
        4 * units * (below[layer] + units + 1)
        for layer, units in enumerate(case.units)
        for _ in range(case.directions)
    ]
    assert_structure(found, expected)


@claim(
    kind="structure",
    statement="The four gates lie side by side in one kernel, one recurrent kernel and one bias: "
    "with 1 feature and 30 units [1, 120], [30, 120], [120], and not [1, 30], [30, 30], [30].",
    formula="kernel [features, 4 * units], recurrent kernel [units, 4 * units], bias [4 * units]",
    sources=["C2", "C5"],
    cases=lambda case: one_direction(case) and case.bias != "none",
    about=KERAS,
    dtypes=SHAPES_ARE_THE_SAME_IN_FLOAT64,
)
def test_keras_gates_lie_side_by_side(run, case):
    below = (case.features, *case.units)
    expected = [
        shape
        for features, units in zip(below, case.units, strict=False)
        for shape in ((features, 4 * units), (units, 4 * units), (4 * units,))
    ]
    assert_structure([array.shape for array in run.native_weights.values()], expected)


@claim(
    kind="structure",
    statement="x and h share one kernel: the rows of x first, then those of h.",
    formula="kernel [features + units, 4 * units], bias [4 * units]",
    sources=["C2", "E1"],
    cases=one_direction,
    about=TF1,
    dtypes=SHAPES_ARE_THE_SAME_IN_FLOAT64,
)
def test_tf1_kernel_is_one_product(run, case):
    below = (case.features, *case.units)
    expected = [
        shape
        for features, units in zip(below, case.units, strict=False)
        for shape in ((features + units, 4 * units), (4 * units,))
    ]
    assert_structure([array.shape for array in run.native_weights.values()], expected)


@claim(
    kind="structure",
    statement="Weights are rows, gate under gate, and there are two biases.",
    formula="weight_ih [4 * units, features], weight_hh [4 * units, units], bias_ih and bias_hh "
    "[4 * units]",
    sources=["C2"],
    cases=lambda case: one_direction(case) and case.bias != "none",
    about=TORCH,
    dtypes=SHAPES_ARE_THE_SAME_IN_FLOAT64,
)
def test_torch_weights_are_rows(run, case):
    expected = {}
    for layer, units in enumerate(case.units):
        features = case.features if layer == 0 else units
        expected |= {
            f"weight_ih_l{layer}": (4 * units, features),
            f"weight_hh_l{layer}": (4 * units, units),
            f"bias_ih_l{layer}": (4 * units,),
            f"bias_hh_l{layer}": (4 * units,),
        }
    assert_structure({name: a.shape for name, a in run.native_weights.items()}, expected)


@claim(
    kind="structure",
    statement="A Bidirectional layer returns its output and four states, each [batch, units].",
    formula="output, forward h, forward c, backward h, backward c = layer(x)",
    sources=["C4"],
    cases=bidirectional,
    about=KERAS,
    dtypes=SHAPES_ARE_THE_SAME_IN_FLOAT64,
)
def test_keras_bidirectional_returns_four_states(run, case):
    expected = [
        [(case.batch, case.time, 2 * units)] + 4 * [(case.batch, units)] for units in case.units
    ]
    assert_structure([[part.shape for part in native] for native in run.native], expected)


@claim(
    kind="structure",
    statement="An array of integers is refused: source A's example has to be cast first.",
    formula="dynamic_rnn(cell, integers) raises ValueError",
    sources=["A9"],
    cases=named("integer-example"),
    about=TF1,
    dtypes=SHAPES_ARE_THE_SAME_IN_FLOAT64,
)
def test_tf1_refuses_integers(adapter, experiment):
    assert_refused(lambda: adapter.integer_input(experiment), ValueError, "int32")
