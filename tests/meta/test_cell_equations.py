"""The cells beside the LSTM against closed forms; and what a cell is called."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fixtures.cases import Case, named_cases
from fixtures.cases.experiments import experiment_of
from fixtures.cases.named import CELLS
from fixtures.cells import GRU, LSTM, RNN, Cell
from fixtures.checks.compare import assert_same_bits, assert_within_rounding
from fixtures.model.experiment import Experiment
from fixtures.model.perlayer import Array
from fixtures.model.weights import LayerWeights
from fixtures.oracle import reference
from fixtures.oracle.rounding import no_oracle_for, oracle_of
from fixtures.oracle.sites import sigmoid

NAMED = {case.name: case for case in named_cases()}
LARGE = 1000.0
"""exp(-1000) is zero in float64: a gate with this bias is open, or shut, to the last bit."""

FORMS = [GRU(), GRU(reset_after=False)]
both_forms = pytest.mark.parametrize("cell", FORMS, ids=repr)


def assert_but_for_rounding(
    found: Array, expected: Array, operations: int, size: float = 1.0
) -> None:
    """Equal but for what float64 rounds off in so many operations, one after another, on numbers of
    this size at most: half an ULP in each, on either side. exp and tanh count for two."""
    allowed = operations * np.finfo(np.float64).eps * size
    np.testing.assert_allclose(found, expected, rtol=0, atol=allowed)


def random(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).uniform(-1, 1, shape)


def gru(cell: Cell, units: int = 3, features: int = 4, **bias: float) -> LayerWeights:
    """A layer of random kernels; the bias of a gate is one number, on the input's side, if it is
    given by the gate's name, and random elsewhere."""
    both = random(2, 3 * units, seed=1)
    for place, gate in enumerate("zrn"):
        if gate in bias:
            both[:, place * units :][:, :units] = [[bias[gate]], [0.0]]
    kernel, recurrent = random(features, 3 * units, seed=2), random(units, 3 * units, seed=3)
    return LayerWeights(cell, kernel, recurrent, both[0], both[1] if cell.two_biases else None)


def only(one: LayerWeights, *names: str) -> LayerWeights:
    """The layer with nothing but these gates' columns in its kernels and biases."""

    def cut(array: Array) -> Array:
        blocks = np.split(array, len(one.cell.gates), axis=-1)
        kept = (
            block if gate in names else np.zeros_like(block)
            for gate, block in zip(one.cell.gates, blocks, strict=True)
        )
        return np.concatenate(list(kept), axis=-1)

    return one.map(cut)


def stepped(one: LayerWeights, x: Array, *states: Array) -> tuple[Array, ...]:
    return reference.step(one, x, states).states


# GRU.


@both_forms
def test_an_open_z_keeps_h_for_ever(cell):
    h = random(2, 3)
    steps = reference.scan(gru(cell, z=LARGE), random(2, 50, 4, seed=9), (h,))
    every_h = np.stack([step.states[0] for step in steps], axis=1)
    assert_same_bits(every_h, np.broadcast_to(h[:, None], (2, 50, 3)))


@both_forms
def test_a_shut_z_and_a_shut_r_give_n_of_the_input_alone(cell):
    """tanh(x @ kernel + bias) of n's columns: whatever h was is forgotten."""
    one, x = gru(cell, z=-LARGE, r=-LARGE), random(2, 4, seed=5)
    n = np.tanh(x @ one.kernel[:, 6:] + one.bias[6:])
    for h in (random(2, 3, seed=6), random(2, 3, seed=7)):
        assert_but_for_rounding(stepped(one, x, h)[0], n, operations=4 + 4 + 2, size=5.0)


@both_forms
def test_a_shut_r_makes_n_blind_to_h(cell):
    one = gru(cell, r=-LARGE)
    other = replace(one, recurrent_kernel=only(one, "z", "r").recurrent_kernel)
    x, h = random(2, 4, seed=5), random(2, 3, seed=6)
    assert_same_bits(stepped(one, x, h)[0], stepped(other, x, h)[0])


def test_an_open_r_makes_both_forms_one():
    """With z shut: h' = tanh(x @ kernel + h @ recurrent + bias), be h reset before or after."""
    x, h = random(2, 4, seed=5), random(2, 3, seed=6)
    after = gru(FORMS[0], z=-LARGE, r=LARGE)
    before = replace(after, cell=FORMS[1], bias=after.bias + after.recurrent_bias)
    before = replace(before, recurrent_bias=None)
    columns = slice(6, None)
    sums = x @ after.kernel[:, columns] + h @ after.recurrent_kernel[:, columns]
    expected = np.tanh(sums + after.bias[columns] + after.recurrent_bias[columns])
    for one in (after, before):
        operations = 2 * 4 + 2 * 3 + 2 + 2
        assert_but_for_rounding(stepped(one, x, h)[0], expected, operations, size=9.0)


def test_the_bias_on_the_recurrent_side_goes_through_r():
    """r 1/2 and z shut; no kernels: tanh(bias + recurrent bias / 2)."""
    zeros = np.zeros((3, 9))
    one = replace(gru(GRU(), z=-LARGE, r=0.0), kernel=zeros, recurrent_kernel=zeros)
    expected = np.tanh(one.bias[6:] + one.recurrent_bias[6:] / 2)
    found = stepped(one, np.ones((1, 3)), random(1, 3))[0]
    assert_but_for_rounding(found[0], expected, operations=1 + 2, size=2.0)


@both_forms
def test_r_chooses_unit_by_unit_which_h_is_seen(cell):
    """Before the product r picks rows of the recurrent kernel, after it columns."""
    units, x = 3, np.zeros((1, 4))
    one = only(gru(cell, z=0.0, r=0.0), "n").map(np.copy)
    one.bias[:] = 0.0
    one.bias[units : 2 * units] = [LARGE, -LARGE, LARGE]
    one.bias[:units] = -LARGE
    if cell.two_biases:
        one.recurrent_bias[:] = 0.0
    h, recurrent, seen = random(1, 3, seed=6), one.recurrent_kernel[:, 6:], np.array([1, 0, 1])
    expected = np.tanh((h @ recurrent) * seen if cell.reset_after else (h * seen) @ recurrent)
    assert_but_for_rounding(stepped(one, x, h)[0], expected, operations=2 * 3 + 1 + 2, size=3.0)


@both_forms
def test_a_gru_of_one_unit_worked_out_by_hand(cell):
    """z 3/4, r 1/4, n tanh(log 2) = 3/5 and h 1/5: h' = 3/20 + 3/20 = 3/10.

    r * h is 1/20 in either form, and n's sum makes up for it.
    """
    kernel = np.array([[np.log(3) / 2, -np.log(3) / 2, np.log(2) - 0.05]])
    one = LayerWeights(
        cell,
        kernel=kernel,
        recurrent_kernel=np.array([[0.0, 0.0, 1.0]]),
        bias=np.array([np.log(3) / 2, -np.log(3) / 2, 0.0]),
        recurrent_bias=np.zeros(3) if cell.two_biases else None,
    )
    (h,) = stepped(one, np.array([[1.0]]), np.array([[0.2]]))
    gates, candidate, mixed = 2 * (2 + 3), 2 + 1 + 2 + 2, 4
    assert_but_for_rounding(h, np.array([[0.3]]), operations=gates + candidate + mixed)


# RNN.


def test_an_rnn_with_the_identity_sums_up():
    """Of numbers that need no rounding, none of them below zero: relu lets all through."""
    x = np.arange(24.0).reshape(2, 4, 3)
    one = LayerWeights(RNN(activation="relu"), np.eye(3), np.eye(3), np.full(3, 0.5))
    steps = reference.scan(one, x, (np.ones((2, 3)),))
    found = np.stack([step.states[0] for step in steps], axis=1)
    assert_same_bits(found, 1 + np.cumsum(x + 0.5, axis=1))


def test_an_rnns_relu_shuts_out_what_is_below_zero():
    one = LayerWeights(RNN(activation="relu"), np.eye(2), -np.eye(2))
    (h,) = stepped(one, np.array([[3.0, 1.0]]), np.array([[1.0, 3.0]]))
    assert h.tolist() == [[2.0, 0.0]]


def test_an_rnn_without_memory_is_tanh_of_its_input():
    x = random(2, 3)
    one = LayerWeights(RNN(), np.eye(3), np.zeros((3, 3)))
    assert_same_bits(stepped(one, x, random(2, 3, seed=1))[0], np.tanh(x))


# The LSTM's variants.

SHAPES = ["smallest", "two-layers", "bidirectional-two-layers"]
each_shape = pytest.mark.parametrize("shape", SHAPES)


def values(experiment: Experiment) -> dict[str, Array]:
    initial = experiment.initial or experiment.zero_state()
    found = reference.layers(experiment.weights, experiment.inputs, initial)
    return {"output": found.output} | dict(found.state.tensors())


def plain(shape: str) -> Experiment:
    return experiment_of(NAMED[shape], "float64", 0)


def variant(experiment: Experiment, cell: Cell, **arrays: Array) -> Experiment:
    """The same experiment of another cell, with more weights."""
    weights = experiment.weights.map(lambda one: replace(one, cell=cell, **arrays))
    return replace(experiment, weights=weights)


@each_shape
def test_peepholes_of_zero_change_no_bit(shape):
    experiment = plain(shape)
    zeros = np.zeros((3, experiment.units[0]))
    with_zeros = variant(experiment, LSTM(peepholes=True), peepholes=zeros)
    assert_same_bits(values(with_zeros), values(experiment))


@pytest.mark.parametrize(
    ("row", "gate", "sees"), [(0, "i", "old"), (1, "f", "old"), (2, "o", "new")]
)
def test_a_peephole_shows_its_gate_the_old_cell_state_and_o_the_new_one(row, gate, sees):
    """All gates 1/2 but for the one that it opens where c is above zero, and shuts below."""
    peepholes = np.zeros((3, 2))
    peepholes[row] = 1e6
    zeros = np.zeros((2, 8))
    g_is_one = np.repeat([0.0, 0.0, LARGE, 0.0], 2)
    one = LayerWeights(LSTM(peepholes=True), zeros, zeros, g_is_one, peepholes=peepholes)
    old = np.array([[0.25, -0.5], [-2.0, 3.0]])
    h, c = stepped(one, np.ones((2, 2)), np.ones((2, 2)), old)
    open_where = {"old": old > 0, "new": 0.5 * old + 0.5 > 0}[sees].astype(float)
    gates = dict.fromkeys("ifo", np.full_like(old, 0.5)) | {gate: open_where}
    expected = gates["f"] * old + gates["i"]
    assert_same_bits({"c": c, "h": h}, {"c": expected, "h": gates["o"] * np.tanh(expected)})


def test_a_peephole_sees_its_own_unit_alone():
    one = experiment_of(NAMED["peepholes-smallest"], "float64", 0).weights[0, 0]
    x, h, c = random(1, one.features), random(1, one.units), random(1, one.units, seed=1)
    moved = c + np.eye(one.units)[0]
    before, after = stepped(one, x, h, c)[1], stepped(one, x, h, moved)[1]
    assert ((before != after) == [[True, *[False] * (one.units - 1)]]).all()


@pytest.mark.parametrize("peepholes", [False, True], ids=["plain", "peepholes"])
@each_shape
def test_coupled_gates_are_an_lstm_whose_i_is_one_minus_f(shape, peepholes):
    """sigmoid(-a) is 1 - sigmoid(a): an LSTM whose i has f's numbers with the other sign."""
    name = f"coupled-peepholes-{shape}" if peepholes else f"coupled-{shape}"
    experiment = experiment_of(NAMED[name], "float64", 0)
    columns = experiment.units[0]

    def uncoupled(one: LayerWeights) -> LayerWeights:
        arrays = {
            name: np.concatenate([-array[..., :columns], array], axis=-1)
            for name, array in one.by_name()
            if name != "peepholes"
        }
        if one.peepholes is not None:
            arrays["peepholes"] = np.concatenate([-one.peepholes[:1], one.peepholes])
        return LayerWeights(LSTM(peepholes=peepholes), **arrays)

    uncoupled_one = replace(experiment, weights=experiment.weights.map(uncoupled))
    if reason := no_oracle_for("float64"):
        pytest.skip(reason)
    expected = dict(oracle_of(experiment).tensors())
    found = values(uncoupled_one)
    assert_within_rounding(found, {tensor: expected[tensor] for tensor in found})


@each_shape
def test_a_projection_by_the_identity_changes_no_bit(shape):
    experiment = plain(shape)
    units = experiment.units[0]
    projected = variant(experiment, LSTM(projection=units), projection=np.eye(units))
    assert_same_bits(values(projected), values(experiment))


def test_a_projection_picks_units_of_h_and_leaves_c_whole():
    """Nothing of h is fed back here, so that picking is all that it does."""
    experiment = plain("smallest")
    one = experiment.weights[0, 0]
    blind = replace(one, recurrent_kernel=np.zeros_like(one.recurrent_kernel))
    picks = np.eye(one.units)[:, [3, 0]]
    narrow = replace(
        blind, cell=LSTM(projection=2), recurrent_kernel=np.zeros((2, 4 * one.units)),
        projection=picks,
    )  # fmt: skip
    x, h, c = experiment.inputs[:, 0], random(2, one.units), random(2, one.units, seed=1)
    whole_h, whole_c = stepped(blind, x, h, c)
    narrow_h, narrow_c = stepped(narrow, x, h[:, :2], c)
    assert_same_bits({"h": narrow_h, "c": narrow_c}, {"h": whole_h[:, [3, 0]], "c": whole_c})


@each_shape
@pytest.mark.parametrize("option", ["cell_clip", "projection_clip"])
def test_a_limit_that_nothing_reaches_changes_no_bit(shape, option):
    experiment = plain(shape)
    clipped = variant(experiment, LSTM(**{option: np.inf}))
    assert_same_bits(values(clipped), values(experiment))


def test_the_cell_state_is_clipped_before_the_output_sees_it():
    """Behind open gates c grows by one with every step: up to the limit, and h is tanh of it."""
    zeros = np.zeros((2, 8))
    one = LayerWeights(LSTM(cell_clip=2.5), zeros, zeros, np.full(8, LARGE))
    steps = reference.scan(one, np.ones((1, 5, 2)), (np.zeros((1, 2)), np.array([[0.0, -4.0]])))
    c = [[1.0, -2.5], [2.0, -1.5], [2.5, -0.5], [2.5, 0.5], [2.5, 1.5]]
    found_h, found_c = (np.stack([step.states[n][0] for step in steps]) for n in (0, 1))
    assert_same_bits({"c": found_c, "h": found_h}, {"c": np.array(c), "h": np.tanh(c)})


def test_h_is_clipped_after_its_projection():
    zeros, c = np.zeros((2, 8)), np.array([[0.5, 4.0]])
    keeps = np.repeat([-LARGE, LARGE, 0.0, LARGE], 2)
    one = LayerWeights(
        LSTM(projection=2, projection_clip=0.25), zeros, zeros, keeps,
        projection=np.array([[0.25, 0.0], [0.0, -1.0]]),
    )  # fmt: skip
    h, new_c = stepped(one, np.ones((1, 2)), np.zeros((1, 2)), c)
    assert_same_bits({"h": h, "c": new_c}, {"h": np.array([[np.tanh(0.5) / 4, -0.25]]), "c": c})


def normed(gains: float | None = None, shifts: float | None = None, units: int = 5) -> LayerWeights:
    """A layer of random weights, whose gains or shifts may all be one number."""
    cell = LSTM(layer_norm=True)
    shapes = cell.shapes(4, units).items()
    arrays = {name: random(*shape, seed=seed) for seed, (name, shape) in enumerate(shapes, 5)}
    for name, number in (("gains", gains), ("shifts", shifts)):
        if number is not None:
            arrays[name] = np.full_like(arrays[name], number)
    return LayerWeights(cell, **arrays)


def test_a_normed_cell_state_has_mean_zero_and_variance_one_row_by_row():
    one = normed(gains=1.0, shifts=0.0)
    _, c = stepped(one, random(3, 4), random(3, 5, seed=1), random(3, 5, seed=2))
    np.testing.assert_allclose(c.mean(axis=1), 0, atol=1e-14)
    np.testing.assert_allclose((c * c).mean(axis=1), 1, rtol=1e-10)


def test_gains_of_zero_leave_nothing_but_the_shifts():
    """Whatever x, h and c were; the last row is c's, and the one before it o's."""
    one = normed(gains=0.0)
    h, c = stepped(one, random(3, 4), random(3, 5, seed=1), random(3, 5, seed=2))
    shift_o, shift_c = one.shifts[3:]
    expected = {"h": sigmoid(shift_o) * np.tanh(shift_c), "c": shift_c}
    assert_same_bits(
        {"h": h, "c": c},
        {name: np.broadcast_to(array, (3, 5)) for name, array in expected.items()},
    )


def test_of_two_units_a_norm_sees_which_is_the_larger():
    """They become 1 and -1, but for the epsilon: c is its shift and its gain, with either sign."""
    one = normed(units=2)
    _, c = stepped(one, random(3, 4), random(3, 2, seed=1), random(3, 2, seed=2))
    signs = np.sign(c - one.shifts[-1]) * np.sign(one.gains[-1])
    assert_same_bits(signs[:, 0], -signs[:, 1])
    np.testing.assert_allclose(c, one.shifts[-1] + signs * one.gains[-1], atol=1e-9)


def test_a_norm_does_not_see_how_large_a_gates_kernel_is():
    """But for its epsilon. The kernels of i are four times as large, and no other gate's are."""
    one, states = normed(), (random(3, 5, seed=1), random(3, 5, seed=2))
    larger = np.repeat([4.0, 1.0, 1.0, 1.0], 5)
    other = replace(one, kernel=one.kernel * larger, recurrent_kernel=one.recurrent_kernel * larger)
    x = random(3, 4)
    for array, expected in zip(stepped(other, x, *states), stepped(one, x, *states), strict=True):
        np.testing.assert_allclose(array, expected, rtol=1e-10)


@pytest.mark.parametrize("row", range(5))
def test_each_gate_and_the_cell_state_has_a_gain_and_a_shift_of_its_own(row):
    """In the order i, f, g, o, c: o's alone leaves c as it is."""
    one, x = normed(), random(3, 4)
    states = (random(3, 5, seed=1), random(3, 5, seed=2))
    for name in ("gains", "shifts"):
        moved = getattr(one, name) + np.eye(5)[row][:, None]
        h, c = stepped(one, x, *states)
        other_h, other_c = stepped(replace(one, **{name: moved}), x, *states)
        assert (h != other_h).any()
        assert (c != other_c).any() == (row != 3)


def test_relu_takes_the_place_of_both_tanhs_in_an_lstm():
    zeros = np.zeros((3, 12))
    all_open = LARGE * np.ones(12)
    all_open[6:9] = [3.0, -2.0, -2.0]
    one = LayerWeights(LSTM(activation="relu"), zeros, zeros, all_open)
    h, c = stepped(one, np.ones((1, 3)), np.zeros((1, 3)), np.array([[0.5, 0.5, -0.5]]))
    assert h.tolist() == [[3.5, 0.5, 0.0]]
    assert c.tolist() == [[3.5, 0.5, -0.5]]


@pytest.mark.parametrize(
    ("function", "ends", "steepness"), [("hard_sigmoid", 3.0, 6), ("hard_sigmoid_keras2", 2.5, 5)]
)
@pytest.mark.parametrize("kind", [LSTM, GRU])
def test_a_hard_sigmoid_is_a_line_between_its_ends(kind, function, ends, steepness):
    """Read off a gate: f of an LSTM, z of a GRU, with a state of one and a candidate of zero."""
    x = np.array([-LARGE, -ends, -1.0, 0.0, 0.5, ends, LARGE])[:, None]
    expected = np.clip(x / steepness + 0.5, 0, 1)
    cell = kind(recurrent_activation=function)
    place = cell.gates.index("f" if kind is LSTM else "z")
    kernel = np.zeros((1, len(cell.gates)))
    kernel[0, place] = 1.0
    one = LayerWeights(cell, kernel, np.zeros_like(kernel))
    found = stepped(one, x, *np.ones((len(cell.states), 7, 1)))[-1]
    assert_but_for_rounding(found, expected, operations=1 + 2 + 1)


# What a cell is called.

EVERY_CELL = [LSTM(), *CELLS.values()]


@pytest.mark.parametrize("cell", EVERY_CELL, ids=repr)
def test_a_cell_is_shown_as_the_python_that_makes_it(cell):
    again = eval(repr(cell), {"LSTM": LSTM, "GRU": GRU, "RNN": RNN})  # noqa: S307
    assert again == cell
    assert hash(again) == hash(cell)


def test_a_cell_is_shown_without_what_is_so_by_default():
    shown = [repr(cell) for cell in (LSTM(), GRU(reset_after=True), RNN(activation="tanh"))]
    assert shown == ["LSTM()", "GRU()", "RNN()"]
    assert repr(LSTM(peepholes=True, projection=3, cell_clip=None)) == (
        "LSTM(peepholes=True, projection=3)"
    )


@pytest.mark.parametrize("cell", EVERY_CELL, ids=repr)
def test_a_cell_says_the_shapes_of_its_weights_and_states(cell):
    """As canonical weights are drawn, and as a step returns them."""
    case = Case(name="n", about="a", batch=2, time=1, features=7, units=(5,), cell=cell)
    experiment = experiment_of(case, "float64", 0)
    one = experiment.weights[0, 0]
    assert {name: array.shape for name, array in one.by_name()} == cell.shapes(7, 5)
    states = stepped(one, experiment.inputs[:, 0], *experiment.initial.at(0, 0))
    assert [state.shape for state in states] == [(2, width) for width in cell.widths(5)]
    assert len(states) == len(cell.states)
    zeros = experiment.zero_state().at(0, 0)
    assert [state.shape for state in zeros] == [state.shape for state in states]


def test_the_gates_of_a_layer_may_be_asked_for_by_name():
    one = experiment_of(NAMED["gru-smallest"], "float64", 0).weights[0, 0].for_step()
    whole = one.kernel
    assert_same_bits(
        {"zr": one.gates("zr").kernel.value, "n": one.gates("n").recurrent_bias.value},
        {"zr": whole.value[:, :10], "n": one.recurrent_bias.value[10:]},
    )


def test_biases_exchanged_make_another_gru():
    one = experiment_of(NAMED["gru-smallest"], "float64", 0).weights[0, 0]
    other = one.with_biases_exchanged()
    assert_same_bits(other.bias, one.recurrent_bias)
    assert_same_bits(other.recurrent_bias, one.bias)
    x, h = random(2, one.features), random(2, one.units)
    assert (stepped(one, x, h)[0] != stepped(other, x, h)[0]).all()
