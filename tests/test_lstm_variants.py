"""The LSTM's variants: what each adds, and where it is the LSTM again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fixtures.cases import kinds, named, of_cell, other_cells, some
from fixtures.cells import LSTM
from fixtures.checks.compare import (
    assert_different,
    assert_same_bits,
    assert_structure,
    assert_ways_agree,
)
from fixtures.claims import TORCH, claim
from fixtures.oracle.rounding import concatenated, oracle_of
from fixtures.oracle.sites import sigmoid


def projected(case):
    """One layer of LSTMs that project and do nothing else that is unusual."""
    width = getattr(case.cell, "projection", None)
    return width is not None and of_cell(LSTM(projection=width))(case) and kinds.single(case)


PEEPHOLES = of_cell(LSTM(peepholes=True))
CLIPPED = named("clipped-smallest", "clipped-two-layers", "peepholes-clipped-smallest")
HARD = named(
    "hard-sigmoid-smallest", "hard-sigmoid-two-layers",
    "hard-sigmoid-keras2-smallest", "hard-sigmoid-keras2-two-layers",
)  # fmt: skip


def another(experiment, cell, **arrays):
    """What another cell's oracle says of the same arrays: its output, and the output's spread."""
    changed = experiment.with_weights(lambda one: replace(one, cell=cell, **arrays))
    expected = oracle_of(changed).output
    return expected.value.astype(experiment.dtype), expected


@claim(
    kind="rounding",
    statement="A peephole of zero changes nothing: it is the LSTM without.",
    formula="lstm(x; peepholes=0) == lstm(x)",
    sources=["E6"],
    cases=PEEPHOLES,
)
def test_peepholes_of_zero_change_nothing(adapter, experiment):
    blind = experiment.with_weights(lambda one: replace(one, peepholes=0 * one.peepholes))
    plain = experiment.with_weights(lambda one: replace(one, cell=LSTM(), peepholes=None))
    assert_ways_agree(
        {"peepholes of zero": adapter.run(blind).output, "without": adapter.run(plain).output},
        oracle_of(plain).output,
    )


@claim(
    kind="different",
    statement="Peepholes, through which the gates see the cell state, make another LSTM.",
    formula="lstm(x; peepholes) != lstm(x)",
    sources=["E6"],
    cases=PEEPHOLES,
)
def test_peepholes_make_another_lstm(run, experiment):
    assert_different(run.output, *another(experiment, LSTM(), peepholes=None))


@claim(
    kind="different",
    statement="i and f see the old cell state and o the new one: an output gate that sees the old "
    "one, too, is another LSTM.",
    formula="o = sigmoid(.. + p_o * c'), and not sigmoid(.. + p_o * c)",
    sources=["E6"],
    cases=named("peepholes-smallest"),
)
def test_the_output_gate_sees_the_new_cell_state(run, experiment, oracle):
    one, state = experiment.weights[0, 0], experiment.initial
    h, c, outputs = state.h[0, 0], state.c[0, 0], []
    p_i, p_f, p_o = one.peepholes
    for t in range(experiment.time):
        z = experiment.inputs[:, t] @ one.kernel + h @ one.recurrent_kernel + one.bias
        i, f, g, o = np.split(z, 4, axis=1)
        i, f, o = sigmoid(i + p_i * c), sigmoid(f + p_f * c), sigmoid(o + p_o * c)
        c = f * c + i * np.tanh(g)
        h = o * np.tanh(c)
        outputs.append(h)
    assert_different(run.output, np.stack(outputs, axis=1), oracle.output)


@claim(
    kind="different",
    statement="Clipping the cell state makes another LSTM: no c is beyond the limit, and what it "
    "cuts off is lost to every later step.",
    formula="lstm(x; cell_clip=0.5) != lstm(x)",
    sources=["E6"],
    cases=CLIPPED,
)
def test_a_clipped_cell_state_makes_another_lstm(run, experiment):
    cell = replace(experiment.cell, cell_clip=None)
    assert_different(run.output, *another(experiment, cell))


@claim(
    kind="different",
    statement="The projection is a product after the output gate: h is the projected vector for "
    "the next step, too, and projecting the output of an LSTM afterwards is something else.",
    formula="lstm(x; projection) != lstm(x) @ projection",
    cases=named("projected-smallest"),
)
def test_a_projection_is_part_of_the_recurrence(run, experiment, oracle):
    one, state = experiment.weights[0, 0], experiment.initial
    more = one.units - one.width
    plain = replace(
        experiment,
        weights=experiment.weights.map(
            lambda _: replace(
                one,
                cell=LSTM(),
                recurrent_kernel=np.pad(one.recurrent_kernel, [(0, more), (0, 0)]),
                projection=None,
            )
        ),
        initial=replace(state, h=state.h.map(lambda h: np.pad(h, [(0, 0), (0, more)]))),
        dense=None,
    )
    afterwards = oracle_of(plain).output.value @ one.projection
    assert_different(run.output, afterwards.astype(experiment.dtype), oracle.output)


@claim(
    kind="structure",
    statement="With proj_size torch's h_n is [layers * directions, batch, proj_size] and c_n "
    "[layers * directions, batch, units]; weight_hr_l0 is [proj_size, units], weight_hh_l0 "
    "[4 * units, proj_size].",
    formula="torch.nn.LSTM(features, units, proj_size=width)",
    cases=of_cell(LSTM(projection=3)),
    about=TORCH,
    dtypes=("float32",),
)
def test_torch_projects_h_and_not_c(run, case):
    _, (h_n, c_n) = run.native
    own = run.native_weights
    units, width, rows = case.units[0], case.widths[0], case.layers * case.directions
    assert_structure(
        [h_n.shape, c_n.shape, own["weight_hr_l0"].shape, own["weight_hh_l0"].shape],
        [(rows, case.batch, width), (rows, case.batch, units), (width, units), (4 * units, width)],
    )


@claim(
    kind="rounding",
    statement="torch's projection has no bias and comes after the gate: h' = W_hr (o * tanh(c')).",
    formula="h' = weight_hr_l0 @ (o * tanh(c'))",
    cases=some(kinds.all_of(projected, kinds.with_bias, kinds.few_steps), "projected-smallest"),
    about=TORCH,
)
def test_torch_projection_is_a_product_after_the_gate(run, experiment, oracle):
    own, h, c = run.native_weights, experiment.start.h[0, 0], experiment.start.c[0, 0]
    for t in range(experiment.time):
        x = experiment.inputs[:, t]
        from_x = own["weight_ih_l0"] @ x.T + own["bias_ih_l0"][:, None]
        from_h = own["weight_hh_l0"] @ h.T + own["bias_hh_l0"][:, None]
        i, f, g, o = np.split((from_x + from_h).T, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = (sigmoid(o) * np.tanh(c)) @ own["weight_hr_l0"].T
    found = {"by hand": np.concatenate([h, c], axis=-1),
             "torch": np.concatenate([run.h[0, 0], run.c[0, 0]], axis=-1)}  # fmt: skip
    assert_ways_agree(found, concatenated(oracle.h[0, 0], oracle.c[0, 0]))


@claim(
    kind="rounding",
    statement="Coupled gates are an LSTM whose i is 1 - f, and which so has three gates: given "
    "minus the forget gate's weights for the input gate's, the LSTM is the same, because "
    "sigmoid(-x) = 1 - sigmoid(x).",
    formula="lstm(f, g, o; coupled) == lstm(-f, f, g, o)",
    sources=["E6"],
    cases=of_cell(LSTM(coupled=True)),
)
def test_coupled_gates_are_an_lstm_with_i_from_f(run, adapter, experiment, oracle):
    def uncoupled(one):
        def with_i(array):
            f, g, o = np.split(array, 3, axis=-1)
            return np.concatenate([-f, f, g, o], axis=-1)

        return replace(one.map(with_i), cell=LSTM())

    whole = adapter.run(experiment.with_weights(uncoupled))
    assert_ways_agree({"coupled": run.output, "four gates": whole.output}, oracle.output)


@claim(
    kind="different",
    statement="hard_sigmoid is not the sigmoid: an LSTM with it, as TensorFlow 1's Keras had it by "
    "default, is another LSTM.",
    formula="lstm(recurrent_activation=hard_sigmoid) != lstm(recurrent_activation=sigmoid)",
    sources=["E2"],
    cases=HARD,
)
def test_hard_sigmoid_is_not_the_sigmoid(run, experiment):
    assert_different(run.output, *another(experiment, LSTM()))


@claim(
    kind="different",
    statement="hard_sigmoid is x / 6 + 1/2 in Keras 3 and x / 5 + 1/2 in Keras 2: the same name, "
    "two LSTMs.",
    formula="clip(x / 6 + 0.5, 0, 1) != clip(x / 5 + 0.5, 0, 1)",
    cases=HARD,
)
def test_hard_sigmoid_is_another_function_in_keras_2(run, experiment):
    names = {"hard_sigmoid": "hard_sigmoid_keras2", "hard_sigmoid_keras2": "hard_sigmoid"}
    cell = LSTM(recurrent_activation=names[experiment.cell.recurrent_activation])
    assert_different(run.output, *another(experiment, cell))


@claim(
    kind="different",
    statement="With relu for the candidate and for the output it is another LSTM.",
    formula="lstm(activation=relu) != lstm(activation=tanh)",
    cases=named("relu-smallest", "relu-two-layers"),
)
def test_relu_makes_another_lstm(run, experiment):
    assert_different(run.output, *another(experiment, LSTM()))


@claim(
    kind="exact",
    statement="No cell state that is handed on is beyond its clip.",
    formula="clip(c, -cell_clip, cell_clip) == c",
    cases=lambda case: other_cells(case) and getattr(case.cell, "cell_clip", None) is not None,
)
def test_no_cell_state_is_beyond_its_clip(run, case):
    limit = case.cell.cell_clip
    states = {f"c of {at}": c for at, c in run.c.items()}
    assert_same_bits({name: c.clip(-limit, limit) for name, c in states.items()}, states)


# Layer normalisation.

NORMED = some(
    kinds.all_of(of_cell(LSTM(layer_norm=True)), kinds.single, kinds.few_steps),
    "layer-norm-smallest",
)


def normed(z, epsilon=1e-12):
    """Every row of z with mean 0 and variance 1."""
    off = z - z.mean(axis=1, keepdims=True)
    variance = (off * off).mean(axis=1, keepdims=True)
    return off / np.sqrt(variance + z.dtype.type(epsilon))


def gate_by_gate(z, epsilon=1e-12):
    return [normed(gate, epsilon) for gate in np.split(z, 4, axis=1)]


def all_gates_at_once(z):
    return np.split(normed(z), 4, axis=1)


def layer_norm_lstm(experiment, norm_gates=gate_by_gate, norm_c=normed, hands_on_normed=True):
    """The output of one layer, as TensorFlow 1's LayerNormBasicLSTMCell has it by default."""
    one, h, c, outputs = experiment.weights[0, 0], *experiment.start.at(0, 0), []
    for t in range(experiment.time):
        gates = norm_gates(experiment.inputs[:, t] @ one.kernel + h @ one.recurrent_kernel)
        i, f, g, o = (
            gate * gain + shift
            for gate, gain, shift in zip(gates, one.gains[:4], one.shifts[:4], strict=True)
        )
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        seen = norm_c(c) * one.gains[4] + one.shifts[4]
        h = sigmoid(o) * np.tanh(seen)
        c = seen if hands_on_normed else c
        outputs.append(h)
    return np.stack(outputs, axis=1)


def with_kernels(experiment, change):
    """The same experiment with other kernels, the recurrent ones among them."""
    return experiment.with_weights(
        lambda one: replace(
            one, kernel=change(one.kernel), recurrent_kernel=change(one.recurrent_kernel)
        ),
    )


@claim(
    kind="rounding",
    statement="Layer normalisation takes mean and variance over the units, of every gate and row "
    "of the batch by itself, and the variance is the mean square; each gate, and the cell state, "
    "has its own gain and shift, and a forget bias is part of the shift.",
    formula="norm(z) = (z - mean(z)) / sqrt(mean((z - mean(z))**2) + 1e-12) * gain + shift",
    cases=NORMED,
)
def test_layer_norm_goes_over_the_units_of_each_gate(run, experiment, oracle):
    found = {"by hand": layer_norm_lstm(experiment), "the cell": run.output}
    assert_ways_agree(found, oracle.output)


@claim(
    kind="rounding",
    statement="Its epsilon is 1e-12 if it is told so, and is added to the variance, and not to the "
    "root: with kernels of 2^-20 it is as large as the variance.",
    formula="norm(z) = (z - mean(z)) / sqrt(variance(z) + 1e-12) * gain + shift",
    cases=NORMED,
)
def test_layer_norm_adds_its_epsilon_to_the_variance(adapter, experiment):
    tiny = with_kernels(experiment, lambda kernel: kernel * kernel.dtype.type(2.0**-20))
    found = {"by hand": layer_norm_lstm(tiny), "the cell": adapter.run(tiny).output}
    assert_ways_agree(found, oracle_of(tiny).output)


@claim(
    kind="rounding",
    statement="What all units of a gate have in common is taken off again, and the variance does "
    "not suffer from it: it is the mean of squares of differences, and no difference of squares.",
    formula="lstm(x; kernel + 64) == lstm(x; kernel)",
    cases=NORMED,
)
def test_layer_norm_takes_off_what_all_units_share(adapter, experiment):
    raised = with_kernels(experiment, lambda kernel: kernel + kernel.dtype.type(64))
    lowered = with_kernels(raised, lambda kernel: kernel - kernel.dtype.type(64))  # to the bit
    assert_ways_agree(
        {"kernel + 64": adapter.run(raised).output, "kernel": adapter.run(lowered).output},
        oracle_of(raised).output,
    )


@claim(
    kind="different",
    statement="Normalising all gates at once makes another LSTM than normalising each by itself.",
    formula="norm([i, f, g, o]) != [norm(i), norm(f), norm(g), norm(o)]",
    cases=NORMED,
)
def test_layer_norm_over_all_gates_makes_another_lstm(run, experiment, oracle):
    at_once = layer_norm_lstm(experiment, norm_gates=all_gates_at_once)
    assert_different(run.output, at_once, oracle.output)


@claim(
    kind="different",
    statement="Keras's LayerNormalization adds 1e-3 to the variance by default, and TensorFlow 1's "
    "cell adds 1e-12: with the same weights they are two LSTMs.",
    formula="lstm(x; epsilon=1e-3) != lstm(x; epsilon=1e-12)",
    cases=NORMED,
)
def test_layer_norm_with_keras_epsilon_makes_another_lstm(run, experiment, oracle):
    def keras_gates(z):
        return gate_by_gate(z, epsilon=1e-3)

    other = layer_norm_lstm(experiment, keras_gates, norm_c=lambda c: normed(c, epsilon=1e-3))
    assert_different(run.output, other, oracle.output)


@claim(
    kind="different",
    statement="The next step is handed the normalised cell state; in the paper it is handed the "
    "cell state as it was, and the output alone sees the normalised one.",
    formula="c' = norm(f * c + i * g), and not c' = f * c + i * g with h' = o * tanh(norm(c'))",
    cases=NORMED,
)
def test_layer_norm_hands_on_the_normalised_cell_state(run, experiment, oracle):
    as_in_the_paper = layer_norm_lstm(experiment, hands_on_normed=False)
    assert_different(run.output, as_in_the_paper, oracle.output)
