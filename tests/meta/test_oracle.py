"""The oracle against closed forms and ball arithmetic."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from fixtures.cases import Case, named_cases, plain
from fixtures.cases.experiments import experiment_of
from fixtures.cells import LSTM
from fixtures.checks.compare import WORST, assert_same_bits
from fixtures.model.experiment import Experiment
from fixtures.model.perlayer import Array, PerLayer, State
from fixtures.model.weights import Dense, LayerWeights
from fixtures.oracle import reference, sites
from fixtures.oracle.rounding import no_oracle_for, oracle_of

LARGE = 1000.0
"""exp(-1000) is zero in float64: a gate with this bias is open, or shut, to the last bit."""

needs_long_double = pytest.mark.skipif(
    no_oracle_for("float64") is not None, reason=no_oracle_for("float64") or ""
)


# Closed forms.


def gates(kernel: Array, recurrent: Array, **bias: float) -> LayerWeights:
    """A layer whose biases are the same for all units: 0 unless given by the gate's name."""
    units = len(recurrent)
    return LayerWeights(
        LSTM(), kernel, recurrent, np.repeat([bias.get(g, 0.0) for g in "ifgo"], units)
    )


def no_memory(kernel: Array) -> LayerWeights:
    """A layer with f shut and i and o open: c is tanh(x @ kernel), h is tanh(c)."""
    units = kernel.shape[1]
    zeros = np.zeros_like(kernel)
    whole = np.concatenate([zeros, zeros, kernel, zeros], axis=1)
    return gates(whole, np.zeros((units, 4 * units)), i=LARGE, f=-LARGE, o=LARGE)


def states(*rows: tuple[int, ...], batch: int) -> State:
    """Zero states for units per layer and direction."""
    zeros = PerLayer(tuple(tuple(np.zeros((batch, units)) for units in row) for row in rows))
    return State(h=zeros, c=zeros)


@needs_long_double
def test_cell_of_one_unit_worked_out_by_hand():
    """i 3/4, f 1/4, g 3/5, o 7/8; c' = log 2, so that tanh(c') = 3/5 and h' = 21/40.

    Each gate is half made of x, a quarter of h and a quarter of the bias.
    """
    wide = np.longdouble
    wanted = np.log(np.array([3, 1 / wide(3), 2, 7], wide))
    one = LayerWeights(LSTM(), (wanted / 4)[None], (-wanted / 2)[None], wanted / 4)
    c = 4 * (np.log(wide(2)) - wide(9) / 20)
    before = np.array([[wide(-0.5)]]), np.array([[c]])
    new_h, new_c = reference.step(one, np.array([[wide(2)]]), before).states
    assert new_c.astype(np.float64) == np.log(2.0)
    # 21/40 takes tens of roundings; long double has 11 bits to spare for them.
    assert new_h.astype(np.float64) == 0.525


@pytest.mark.parametrize("keeps", [0.0, 1.0], ids=["f-shut", "f-open"])
@pytest.mark.parametrize("takes", [0.0, 1.0], ids=["i-shut", "i-open"])
def test_saturated_gates_are_switches(keeps, takes):
    g, h, c = np.random.default_rng(0).uniform(-1, 1, (3, 2, 5))
    kernel = np.concatenate([np.zeros((5, 10)), np.eye(5), np.zeros((5, 5))], axis=1)
    switch = {0.0: -LARGE, 1.0: LARGE}
    one = gates(kernel, np.zeros((5, 20)), i=switch[takes], f=switch[keeps], o=LARGE)
    new_h, new_c = reference.step(one, g, (h, c)).states
    expected = keeps * c + takes * np.tanh(g)
    assert_same_bits({"c": new_c, "h": new_h}, {"c": expected, "h": np.tanh(expected)})


def test_shut_output_gate_hides_the_cell_state():
    c = np.array([[0.5, -2.0]])
    zeros = np.zeros((2, 8))
    one = gates(zeros, zeros, i=-LARGE, f=LARGE, o=-LARGE)
    new_h, new_c = reference.step(one, c, (c, c)).states
    assert_same_bits({"h": np.abs(new_h), "c": new_c}, {"h": np.zeros_like(c), "c": c})


def test_cell_state_is_kept_for_ever_behind_an_open_forget_gate():
    c = np.array([[0.75, -1.5, 3.0]])
    one = gates(np.ones((2, 12)), np.ones((3, 12)), i=-LARGE, f=LARGE)
    steps = reference.scan(one, np.ones((1, 50, 2)), (np.zeros_like(c), c))
    every_c = np.stack([step.states[1] for step in steps], axis=1)
    assert_same_bits(every_c, np.broadcast_to(c[:, None], (1, 50, 3)))


def test_zero_weights_halve_the_cell_state_at_every_step():
    c = np.array([[0.3, -4.0], [1.0, 7.0], [-0.01, 2.5]])
    one = gates(np.zeros((4, 8)), np.zeros((2, 8)))
    steps = reference.scan(one, np.ones((3, 6, 4)), (np.ones_like(c), c))
    h, c_steps = (np.stack([step.states[place] for step in steps], axis=1) for place in (0, 1))
    halves = 0.5 ** np.arange(1, 7)[:, None]
    expected = c[:, None] * halves
    assert_same_bits({"c": c_steps, "h": h}, {"c": expected, "h": np.tanh(expected) / 2})


def test_sigmoid_reaches_its_limits_without_overflow():
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        value = sites.sigmoid(np.array([-1e4, 0.0, 1e4]))
    assert value.tolist() == [0.0, 0.5, 1.0]


def test_backward_direction_reads_from_the_end():
    x = np.random.default_rng(1).uniform(-1, 1, (2, 5, 3))
    layer = no_memory(np.eye(3))
    found = reference.layers(PerLayer(((layer, layer),)), x, states((3, 3), batch=2))
    assert_same_bits(
        {"forward": found.c[0, 0], "backward": found.c[0, 1]},
        {"forward": np.tanh(x[:, -1]), "backward": np.tanh(x[:, 0])},
    )


def test_backward_direction_carries_its_state_against_time():
    """With all gates open c sums tanh(x) up: from the start, or from the end."""
    x = np.random.default_rng(2).uniform(-1, 1, (2, 4, 3)).round(1)
    layer = gates(
        np.concatenate([np.zeros((3, 6)), np.eye(3), np.zeros((3, 3))], axis=1),
        np.zeros((3, 12)),
        i=LARGE, f=LARGE, o=LARGE,
    )  # fmt: skip
    found = reference.layers(PerLayer(((layer, layer),)), x, states((3, 3), batch=2))
    g = np.tanh(x)
    backward = np.cumsum(g[:, ::-1], axis=1)[:, ::-1]
    c_steps = found.state_steps.c
    assert_same_bits(
        {"forward": c_steps[0, 0], "backward": c_steps[0, 1], "output": found.output},
        {
            "forward": np.cumsum(g, axis=1),
            "backward": backward,
            "output": np.concatenate([np.tanh(np.cumsum(g, axis=1)), np.tanh(backward)], axis=-1),
        },
    )


def test_stack_feeds_the_output_of_the_layer_below():
    x = np.random.default_rng(3).uniform(-1, 1, (2, 4, 3))
    turn = np.eye(3)[:, [1, 2, 0]]
    found = reference.layers(
        PerLayer(((no_memory(np.eye(3)),), (no_memory(turn),))), x, states((3,), (3,), batch=2)
    )
    below = np.tanh(np.tanh(x))
    expected = np.tanh(np.tanh(below[..., [1, 2, 0]]))
    assert_same_bits(
        {"below": found.state_steps.h[0, 0], "output": found.output},
        {"below": below, "output": expected},
    )


def test_second_bidirectional_layer_sees_both_directions_of_the_first():
    x = np.random.default_rng(4).uniform(-1, 1, (2, 4, 1))
    first = no_memory(np.array([[1.0]])), no_memory(np.array([[-2.0]]))
    picks_forward, picks_backward = np.array([[1.0], [0.0]]), np.array([[0.0], [1.0]])
    second = no_memory(picks_backward), no_memory(picks_forward)
    found = reference.layers(PerLayer((first, second)), x, states((1, 1), (1, 1), batch=2))
    assert_same_bits(
        found.output,
        np.concatenate(
            [np.tanh(np.tanh(np.tanh(np.tanh(-2 * x)))), np.tanh(np.tanh(np.tanh(np.tanh(x))))],
            axis=-1,
        ),
    )


def test_initial_state_belongs_to_its_layer_and_direction():
    """Behind open forget gates every layer and direction still holds the c it was given."""
    given = PerLayer.build(2, 2, lambda n, d: np.full((3, 4), 1.0 + 2 * n + d))
    keeps = [gates(np.ones((f, 16)), np.ones((4, 16)), i=-LARGE, f=LARGE) for f in (5, 8)]
    weights = PerLayer(tuple((one, one) for one in keeps))
    zeros = states((4, 4), (4, 4), batch=3).h
    found = reference.layers(weights, np.ones((3, 6, 5)), State(h=zeros, c=given))
    assert_same_bits(
        {str(at): c for at, c in found.c.items()}, {str(at): c for at, c in given.items()}
    )


def test_dense_layer_multiplies_from_the_right():
    dense = Dense(kernel=np.array([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]]), bias=np.arange(3.0))
    assert reference.dense(dense, np.array([[1.0, -1.0]])).tolist() == [[-9.0, -17.0, -25.0]]


# Arbitrary precision.

IN_FLOAT64 = [
    case
    for case in named_cases()
    if plain(case) and case.inputs != "mnist" and "float64" in case.dtypes
]
"""Cases of every cell; a mask takes steps out, and adds nothing to be computed."""


def _in_balls(experiment: Experiment):
    pytest.importorskip("flint", reason="python-flint is not installed: no ball arithmetic")
    from tests.meta import ball

    return ball.run(experiment)


@functools.cache
def in_long_double(case: Case) -> dict[str, Array]:
    """The oracle's own code on long doubles, by the names of `Oracle.tensors`."""

    def widen(array: Array) -> Array:
        return array.astype(np.longdouble)

    experiment = experiment_of(case, "float64", 0)
    initial = experiment.initial or experiment.zero_state()
    found = reference.layers(
        experiment.weights.map(lambda one: one.map(widen)),
        widen(experiment.inputs),
        initial.map(widen),
    )
    return {"output": found.output} | dict(found.state.tensors())


@functools.cache
def in_balls(case: Case) -> dict[str, Array]:
    """Ball arithmetic on the same experiment: arrays of balls, by the same names."""
    return {
        name: np.array(values, dtype=object)
        for name, values in _in_balls(experiment_of(case, "float64", 0)).items()
    }


def off_after_rounding(case: Case) -> tuple[Array, Array]:
    """Of every element: the difference of long double and ball, both rounded to float64, and the
    ULP of the largest element in its row of units.

    A number that larger ones nearly cancel to keeps their rounding error, in any precision.
    """
    differences, ulps = [], []
    for name, array in in_long_double(case).items():
        nearest = np.vectorize(_rounded, [float])(in_balls(case)[name])
        row = np.abs(nearest).max(axis=-1, keepdims=True)
        differences.append(np.abs(array.astype(np.float64) - nearest).ravel())
        ulps.append(np.broadcast_to(np.spacing(row), nearest.shape).ravel())
    return np.concatenate(differences), np.concatenate(ulps)


def _rounded(ball) -> float:
    """The float64 nearest to the number in the ball, which must leave no doubt."""
    low, high = float(ball.lower()), float(ball.upper())
    assert low == high
    return low


@needs_long_double
@pytest.mark.parametrize("case", IN_FLOAT64, ids=lambda case: case.name)
def test_oracle_is_within_one_float64_ulp_of_ball_arithmetic(case):
    differences, ulps = off_after_rounding(case)
    assert (differences <= ulps).all()


@needs_long_double
def test_oracle_is_correctly_rounded_to_float64_in_all_but_one_element_of_a_hundred():
    # Long double has 11 more bits: an error of n of its ULPs turns one rounding in 2048 / 2n.
    differences = np.concatenate([off_after_rounding(case)[0] for case in IN_FLOAT64])
    assert np.mean(differences == 0) > 0.99


@needs_long_double
@pytest.mark.parametrize("case", IN_FLOAT64, ids=lambda case: case.name)
def test_oracle_keeps_its_own_bound_in_long_double(case):
    """The spread is for honest arithmetic in float64; long double's roundoff is that much less."""
    ratio = float(np.finfo(np.longdouble).eps / np.finfo(np.float64).eps)
    balls = in_balls(case)
    expected = dict(oracle_of(experiment_of(case, "float64", 0)).tensors())
    for name, array in in_long_double(case).items():
        distance = np.vectorize(_distance, [float])(array, balls[name])
        assert (distance <= WORST * ratio * expected[name].spread).all(), name


def _distance(value, ball) -> float:
    """Between a long double, which is the sum of two float64 numbers, and a ball."""
    high = float(value)
    low = float(value - np.longdouble(high))
    return float(abs(type(ball)(high) + type(ball)(low) - ball))
