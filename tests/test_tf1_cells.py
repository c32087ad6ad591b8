"""What only TensorFlow 1 has: states in one array, wrappers, and other cells in the same place."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fixtures.adapters.tensorflow import has_own_keras2
from fixtures.cases import kinds, named, of_cell, one_direction, some
from fixtures.cells import GRU, LSTM, RNN
from fixtures.checks.compare import (
    assert_different,
    assert_same_bits,
    assert_structure,
    assert_ways_agree,
    assert_within_rounding,
)
from fixtures.claims import TF1, claim
from fixtures.oracle.rounding import oracle_of
from fixtures.oracle.sites import sigmoid

ONE_LAYER = named("smallest", "one-step", "integer-example", "line-by-line", "square")
GRU_CELL = GRU(reset_after=False)

BY_HAND = kinds.all_of(kinds.one_cell, kinds.single, kinds.given, kinds.few_steps)


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
    cases=lambda case: of_cell(GRU_CELL)(case) and case.directions == 1,
    about=TF1,
)
def test_tf1_gru_state_is_its_output(run):
    outputs, state = run.native
    assert_same_bits(outputs[:, -1], state[-1])


@claim(
    kind="exact",
    statement="BasicRNNCell takes BasicLSTMCell's place; its state is the output of the last step.",
    formula="outputs[:, -1] == state[-1]",
    sources=["A7"],
    cases=lambda case: of_cell(RNN())(case) and case.directions == 1,
    about=TF1,
)
def test_tf1_basic_rnn_state_is_its_output(run):
    outputs, state = run.native
    assert_same_bits(outputs[:, -1], state[-1])


@claim(
    kind="structure",
    statement="The state of GRUCell and BasicRNNCell is one [batch, units] per layer, without "
    "an .h.",
    formula="state[-1].h raises AttributeError",
    sources=["A7"],
    cases=lambda case: case.cell in (GRU_CELL, RNN()) and case.directions == 1,
    about=TF1,
    dtypes=("float32",),
)
def test_tf1_gru_and_rnn_states_have_no_h(run, case):
    _, state = run.native
    found = [(np.shape(one), hasattr(one, "h")) for one in state]
    assert_structure(found, [((case.batch, units), False) for units in case.units])


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
    cases=of_cell(LSTM(peepholes=True)),
    about=TF1,
)
def test_tf1_peepholes_make_another_lstm(run, adapter, experiment, oracle):
    weights = experiment.weights.map(lambda one: replace(one, cell=LSTM(), peepholes=None))
    without = adapter.run(replace(experiment, weights=weights))
    assert_different(without.output, run.output, oracle.output)


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


# GRUCell


@claim(
    kind="rounding",
    statement="GRUCell takes the gates r and u from [x, h], the candidate from [x, r * h], and "
    "keeps u of the old h.",
    formula="r, u = sigmoid([x, h] @ gates); c = tanh([x, r * h] @ candidate); "
    "h' = u * h + (1 - u) * c",
    sources=["A7"],
    cases=some(
        kinds.all_of(of_cell(GRU_CELL), BY_HAND),
        "gru-reset-before-one-step",
        "gru-reset-before-smallest",
    ),
    about=TF1,
)
def test_tf1_gru_gates_are_r_u(run, experiment, oracle):
    gates, gates_bias, candidate, candidate_bias = run.native_weights.values()
    x, (h,), output = experiment.inputs, experiment.initial.at(0, 0), []
    for t in range(experiment.time):
        both = np.concatenate([x[:, t], h], axis=1) @ gates + gates_bias
        r, u = np.split(sigmoid(both), 2, axis=1)
        c = np.tanh(np.concatenate([x[:, t], r * h], axis=1) @ candidate + candidate_bias)
        h = u * h + (1 - u) * c
        output.append(h)
    assert_ways_agree({"by hand": np.stack(output, axis=1), "tf1": run.output}, oracle.output)


@claim(
    kind="exact",
    statement="A fresh GRUCell's bias is ones for both gates, so that it forgets and resets "
    "little, and zeros for the candidate.",
    formula="gates/bias == ones([2 * units]); candidate/bias == zeros([units])",
    cases=named("gru-reset-before-smallest", "gru-reset-before-two-widths"),
    about=TF1,
    recipe="fresh",
)
def test_tf1_gru_gates_start_at_one(recipe, experiment):
    biases = list(recipe("fresh").native_weights.values())[1::2]
    fills = [fill for units in experiment.units for fill in ((2 * units, 1), (units, 0))]
    assert_same_bits(
        {str(place): bias for place, bias in enumerate(biases)},
        {str(place): np.full(*fill, experiment.dtype) for place, fill in enumerate(fills)},
    )


@claim(
    kind="structure",
    statement="GRUCell has two kernels, one for both gates and one for the candidate, each for x "
    "and h together.",
    formula="gates [features + units, 2 * units]; candidate [features + units, units]",
    cases=lambda case: of_cell(GRU_CELL)(case) and case.directions == 1,
    about=TF1,
    dtypes=("float32",),
)
def test_tf1_gru_has_two_kernels(run, case):
    below, expected = (case.features, *case.units), []
    for features, units in zip(below, case.units, strict=False):
        rows = features + units
        expected += [(rows, 2 * units), (2 * units,), (rows, units), (units,)]
    assert_structure([array.shape for array in run.native_weights.values()], expected)


# LSTMCell's variants


def lstm_cell_by_hand(run, experiment, before=lambda c: c, after=lambda c: c):
    """The output of a layer of LSTMCell with peepholes, out of its own variables; the new c goes
    through `before` on its way to o and h, and through `after` on its way to the next step."""
    kernel, bias, w_f, w_i, w_o = run.native_weights.values()
    x, (h, c), output = experiment.inputs, experiment.initial.at(0, 0), []
    for t in range(experiment.time):
        i, j, f, o = np.split(np.concatenate([x[:, t], h], axis=1) @ kernel + bias, 4, axis=1)
        c = sigmoid(f + 1 + w_f * c) * c + sigmoid(i + w_i * c) * np.tanh(j)
        h = sigmoid(o + w_o * before(c)) * np.tanh(before(c))
        c = after(c)
        output.append(h)
    return np.stack(output, axis=1)


def clipped(c):
    return np.clip(c, -0.5, 0.5)


@claim(
    kind="rounding",
    statement="With peepholes i and f see the old c, and o the new one, each by a diagonal.",
    formula="i + w_i * c; f + 1 + w_f * c; o + w_o * c'",
    sources=["E6"],
    cases=some(kinds.all_of(of_cell(LSTM(peepholes=True)), BY_HAND), "peepholes-smallest"),
    about=TF1,
)
def test_tf1_peepholes_see_the_old_c_and_o_the_new(run, experiment, oracle):
    ways = {"by hand": lstm_cell_by_hand(run, experiment), "tf1": run.output}
    assert_ways_agree(ways, oracle.output)


@claim(
    kind="rounding",
    statement="cell_clip clips the new c before the output gate and the output see it.",
    formula="c' = clip(f * c + i * j); h' = sigmoid(o + w_o * c') * tanh(c')",
    cases=named("peepholes-clipped-smallest"),
    about=TF1,
)
def test_tf1_cell_clip_comes_before_the_output(run, experiment, oracle):
    by_hand = lstm_cell_by_hand(run, experiment, before=clipped, after=clipped)
    assert_ways_agree({"by hand": by_hand, "tf1": run.output}, oracle.output)


@claim(
    kind="different",
    statement="To clip only what goes on to the next step, and not what the output gate and the "
    "output see, is another LSTM; so is not to clip.",
    formula="clip(c') after h' != clip(c') before h'",
    cases=named("peepholes-clipped-smallest"),
    about=TF1,
)
def test_tf1_cell_clip_after_the_output_is_another_lstm(run, experiment, oracle):
    others = {
        "clipped after the output": lstm_cell_by_hand(run, experiment, after=clipped),
        "never clipped": lstm_cell_by_hand(run, experiment),
    }
    assert_different(others, run.output, oracle.output)


@claim(
    kind="rounding",
    statement="The projection is one product after the output gate, without a bias.",
    formula="h' = (sigmoid(o) * tanh(c')) @ projection",
    cases=named("projected-smallest"),
    about=TF1,
)
def test_tf1_projection_is_a_product_without_bias(run, experiment, oracle):
    kernel, bias, projection = run.native_weights.values()
    x, (h, c), output = experiment.inputs, experiment.initial.at(0, 0), []
    for t in range(experiment.time):
        i, j, f, o = np.split(np.concatenate([x[:, t], h], axis=1) @ kernel + bias, 4, axis=1)
        c = sigmoid(f + 1) * c + sigmoid(i) * np.tanh(j)
        h = (sigmoid(o) * np.tanh(c)) @ projection
        output.append(h)
    assert_ways_agree({"by hand": np.stack(output, axis=1), "tf1": run.output}, oracle.output)


@claim(
    kind="structure",
    statement="With num_proj output and h are as wide as the projection, and c as the units; the "
    "kernel has rows for the projected h.",
    formula="state.h [batch, num_proj]; state.c [batch, num_units]; projection/kernel "
    "[num_units, num_proj]",
    cases=lambda case: of_cell(LSTM(projection=3))(case) and case.directions == 1,
    about=TF1,
    dtypes=("float32",),
)
def test_tf1_projected_state_is_num_proj_beside_num_units(run, case):
    outputs, states = run.native
    found = {
        "outputs": outputs.shape,
        "h": [one.h.shape for one in states],
        "c": [one.c.shape for one in states],
        "variables": [array.shape for array in run.native_weights.values()],
    }
    below, variables = (case.features, *case.widths), []
    for features, units in zip(below, case.units, strict=False):
        variables += [(features + 3, 4 * units), (4 * units,), (units, 3)]
    expected = {
        "outputs": (case.batch, case.time, 3),
        "h": [(case.batch, 3)] * case.layers,
        "c": [(case.batch, units) for units in case.units],
        "variables": variables,
    }
    assert_structure(found, expected)


@claim(
    kind="exact",
    statement="proj_clip without num_proj is ignored, without a word.",
    formula="LSTMCell(units, proj_clip=0.25) == LSTMCell(units)",
    cases=some(one_direction, "smallest", "two-layers", "integer-example"),
    about=TF1,
    recipe="projection_clip_alone",
)
def test_tf1_proj_clip_without_num_proj_is_ignored(recipe):
    alone, plain = recipe("projection_clip_alone"), recipe("lstm_cell")
    assert_same_bits(dict(alone.tensors()), dict(plain.tensors()))


# Wrappers and mixtures


@claim(
    kind="exact",
    statement="ResidualWrapper adds the input to the output, and leaves the state alone.",
    formula="ResidualWrapper(cell)(x, state) == (x + cell(x, state), new state)",
    cases=named("line-by-line", "square"),
    about=TF1,
    recipe="residual",
)
def test_tf1_residual_wrapper_adds_the_input(run, recipe, experiment):
    wrapped = recipe("residual")
    assert_same_bits(
        dict(wrapped.tensors()), dict(run.tensors()) | {"output": experiment.inputs + run.output}
    )


@claim(
    kind="rounding",
    statement="A MultiRNNCell may have cells of different kinds: a BasicLSTMCell below and a "
    "GRUCell on top are one after another, each with a state of its own kind.",
    formula="MultiRNNCell([BasicLSTMCell, GRUCell])(x) == GRUCell(BasicLSTMCell(x))",
    sources=["A7", "B3"],
    cases=named("mixed-lstm-gru"),
    about=TF1,
)
def test_tf1_cells_of_two_kinds_are_one_after_another(run, adapter, experiment, oracle):
    below = adapter.run(experiment.only_layer(0, experiment.inputs))
    above = adapter.run(experiment.only_layer(1, below.output))
    outputs, (lstm, gru) = run.native
    assert_ways_agree(
        {
            "one cell": {"output": outputs, "lstm.h": lstm.h, "lstm.c": lstm.c, "gru": gru},
            "one after another": {"output": above.output, "lstm.h": below.h[0, 0],
                                  "lstm.c": below.c[0, 0], "gru": above.h[0, 0]},
        },
        {"output": oracle.output, "lstm.h": oracle.h[0, 0], "lstm.c": oracle.c[0, 0],
         "gru": oracle.h[1, 0]},
    )  # fmt: skip


@claim(
    kind="structure",
    statement="Where the top of a MultiRNNCell is a GRUCell, `state[-1]` is h itself: there is no "
    "`state[-1].h`, as there is of a BasicLSTMCell.",
    formula="state == (LSTMStateTuple(c, h), h), h [batch, units]",
    sources=["A7", "B3"],
    cases=named("mixed-lstm-gru"),
    about=TF1,
    dtypes=("float32",),
)
def test_tf1_state_of_a_gru_on_top_is_h_itself(run, case):
    _, states = run.native
    found = [
        [one.shape for one in state] if isinstance(state, tuple) else state.shape
        for state in states
    ]
    below, top = ((case.batch, units) for units in case.units)
    assert_structure(
        {"state": found, "state[-1].h": hasattr(states[-1], "h")},
        {"state": [[below, below], top], "state[-1].h": False},
    )


@claim(
    kind="rounding",
    statement="The directions of bidirectional_dynamic_rnn may be of different widths.",
    formula="outputs == (lstm_fw(x), lstm_bw(x[:, ::-1])[:, ::-1])",
    cases=named("bidirectional"),
    about=TF1,
)
def test_tf1_directions_may_have_different_widths(adapter, experiment):
    forward = experiment.only_direction(0)
    backward = experiment.only_direction(1).narrowed(3)
    outputs, states = adapter.two_directions(forward, backward)
    expected = oracle_of(forward), oracle_of(backward)
    assert_within_rounding(
        {
            "output_fw": outputs[0], "h_fw": states[0].h, "c_fw": states[0].c,
            "output_bw": outputs[1], "h_bw": states[1].h, "c_bw": states[1].c,
        },
        {
            "output_fw": expected[0].output,
            "h_fw": expected[0].h[0, 0], "c_fw": expected[0].c[0, 0],
            "output_bw": expected[1].output[:, ::-1],
            "h_bw": expected[1].h[0, 0], "c_bw": expected[1].c[0, 0],
        },
    )  # fmt: skip
