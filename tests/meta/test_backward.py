"""The oracle's gradients against derivatives of the oracle itself, taken by differences."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from fixtures.cases import named_cases, other_cells
from fixtures.cases.experiments import experiment_of
from fixtures.cases.named import CELLS
from fixtures.cells import GRU, LSTM, RNN
from fixtures.checks.compare import assert_within_rounding
from fixtures.model.experiment import Upstream
from fixtures.model.perlayer import PerLayer, State
from fixtures.model.weights import LayerWeights
from fixtures.oracle import backward, reference
from fixtures.oracle.rounding import gradients_of, no_oracle_for
from fixtures.oracle.sites import sigmoid
from fixtures.oracle.tape import Tape

CASES = {case.name: case for case in named_cases()}
NAMES = [
    "smallest", "one-step", "two-layers-from-zero", "no-bias", "saturated", "two-widths",
    "bidirectional", "bidirectional-two-widths", "integer-example",
    *(
        case.name for case in CASES.values()
        if other_cells(case) and "hundred" not in case.name
    ),
]  # fmt: skip
"""Every case of every other cell but the longest."""

MASKED = (
    "masked-holes-gru-two-layers-from-zero-backwards",
    "masked-rows-lstm-two-layers-from-zero-backwards-zeros",
    "masked-holes-rnn-two-layers-bidirectional-from-zero",
)
LENGTHS = [None, "given"]
STEP = np.longdouble(2) ** -18
"""Differences over five points are off by STEP^4 or so, 2^-72, times the fifth derivative, and by
the loss's rounding error, 2^-64 or so, over STEP; and so short a step crosses no kink."""

KINKS = {
    "relu": [0.0], "hard_sigmoid": [-3.0, 3.0], "hard_sigmoid_keras2": [-2.5, 2.5],
}  # fmt: skip
SMOOTH = [
    GRU(), GRU(reset_after=False), RNN(), LSTM(projection=3), LSTM(peepholes=True),
    LSTM(coupled=True), LSTM(coupled=True, peepholes=True), LSTM(layer_norm=True),
]  # fmt: skip

EPS = np.finfo(np.longdouble).eps


def wide(experiment):
    """The experiment's weights, inputs, initial state and loss in long double."""

    def widen(array):
        return array.astype(np.longdouble)

    upstream = experiment.upstream
    return (
        experiment.weights.map(lambda one: one.map(widen)),
        widen(experiment.inputs),
        (experiment.initial or experiment.zero_state()).map(widen),
        Upstream(widen(upstream.output), upstream.h.map(widen), upstream.c.map(widen)),
    )


def loss_of(weights, inputs, initial, upstream, mask, go_backwards):
    found = reference.layers(weights, inputs, initial, mask=mask, go_backwards=go_backwards)
    total = np.sum(found.output * upstream.output)
    by = dict(upstream.states.tensors())
    return total + sum(np.sum(state * by[name]) for name, state in found.state.tensors())


def moved(name, weights, inputs, initial, at, by):
    """Everything that goes in, with one tensor, named as in `Gradients`, moved."""
    if name == "inputs":
        return weights, inputs + by, initial
    if name.startswith("initial"):
        which = name.split()[1][0]

        def state(per_layer: PerLayer):
            return PerLayer(
                tuple(
                    tuple(array + (by if (n, d) == at else 0) for d, array in enumerate(row))
                    for n, row in enumerate(per_layer.rows)
                )
            )

        changed = dict(initial.items())
        changed[which] = state(changed[which])
        return weights, inputs, State(**changed)
    field = name.partition("[")[0]

    def one(n, d) -> LayerWeights:
        own = weights[n, d]
        return replace(own, **{field: getattr(own, field) + by}) if (n, d) == at else own

    return PerLayer.build(weights.layers, weights.directions, one), inputs, initial


def layer_and_direction(name):
    return tuple(map(int, name.partition("[")[2].rstrip("]").split(","))) if "[" in name else None


@pytest.fixture
def sides(monkeypatch):
    """On which side of each kink every number was, since the list was last emptied."""
    seen = []
    apply, clip = Tape.apply, Tape.clip

    def watched_apply(self, function, number):
        seen.extend(number.value > kink for kink in KINKS.get(function, []))
        return apply(self, function, number)

    def watched_clip(self, number, limit):
        seen.extend(number.value > kink for kink in (-limit, limit))
        return clip(self, number, limit)

    monkeypatch.setattr(Tape, "apply", watched_apply)
    monkeypatch.setattr(Tape, "clip", watched_clip)
    return seen


def on_one_line(sides):
    """All of them as one array; the list is emptied."""
    found = np.concatenate([np.ravel(one) for one in sides]) if sides else np.array([], bool)
    sides.clear()
    return found


@pytest.mark.parametrize(
    ("name", "lengths"),
    [
        *(pytest.param(name, ends, id=f"{name}-{'short' if ends else 'whole'}-rows")
          for name in NAMES for ends in LENGTHS),
        *(pytest.param(name, None, id=name) for name in MASKED),
    ],
)  # fmt: skip
def test_gradients_are_the_loss_differentiated(name, lengths, sides):
    """Along two random directions of every tensor, to 2^-38 of the gradient's size.

    No number may change its side of a kink on the way: there is no derivative there.
    """
    experiment = experiment_of(CASES[name], "float64", 0)
    weights, inputs, initial, upstream = wide(experiment)
    if lengths:
        experiment = experiment.short_rows()
    how = {"mask": experiment.mask, "go_backwards": experiment.loop.go_backwards}
    found = reference.layers(weights, inputs, initial, **how)
    at_rest = on_one_line(sides)
    gradients = dict(backward.gradients(weights, found, upstream, **how).tensors())
    assert gradients.keys() == names_of(experiment)
    noise = np.random.default_rng(0)
    for tensor, gradient in gradients.items():
        for _ in range(2):
            way = noise.standard_normal(gradient.shape).astype(np.longdouble)

            def along(times, tensor=tensor, way=way):
                changed = moved(
                    tensor, weights, inputs, initial, layer_and_direction(tensor), times * way
                )
                loss = loss_of(*changed, upstream, **how)
                assert np.array_equal(on_one_line(sides), at_rest)
                return loss

            near, far = (along(n * STEP) - along(-n * STEP) for n in (1, 2))
            slope = (8 * near - far) / (12 * STEP)
            size = np.linalg.norm(gradient.astype(float)) * np.linalg.norm(way.astype(float))
            assert abs(slope - np.sum(gradient * way)) < 2.0**-38 * size, tensor


def names_of(experiment):
    """What there are gradients by."""
    weights = {
        f"{name}[{layer}, {direction}]"
        for (layer, direction), one in experiment.weights.items()
        for name, _ in one.canonical()
    }
    states = {f"initial {name}" for name, _ in experiment.zero_state().tensors()}
    return {"inputs"} | weights | states


@pytest.mark.parametrize("name", [name for name in CELLS if CELLS[name] not in SMOOTH])
def test_the_cases_of_a_cell_with_a_kink_have_numbers_on_both_sides(name, sides):
    for shape in ("smallest", "two-layers", "bidirectional-two-layers"):
        weights, inputs, initial, _ = wide(experiment_of(CASES[f"{name}-{shape}"], "float64", 0))
        reference.layers(weights, inputs, initial)
    found = on_one_line(sides)
    assert found.any()
    assert not found.all()


@pytest.mark.parametrize("name", ["gru-one-step", "gru-reset-before-one-step"])
def test_a_gru_goes_back_as_its_equations_are_differentiated_by_hand(name):
    """Of a, the sums of x's side, and of q, those of h's; z, r and n are the gates."""
    experiment = experiment_of(CASES[name], "float64", 0)
    weights, inputs, initial, upstream = wide(experiment)
    one, x, h = weights[0, 0], inputs[:, 0], initial.h[0, 0]
    dh = upstream.output[:, 0] + upstream.h[0, 0]
    found = backward.gradients(weights, reference.layers(weights, inputs, initial), upstream)

    after = one.cell.reset_after
    w, u = one.kernel, one.recurrent_kernel
    u_n = u[:, 2 * one.units :]
    az, ar, an = np.split(x @ w + one.bias, 3, axis=-1)
    qz, qr, qn = np.split(h @ u + (one.recurrent_bias if after else 0), 3, axis=-1)
    z, r = sigmoid(az + qz), sigmoid(ar + qr)
    n = np.tanh(an + (r * qn if after else (r * h) @ u_n))
    da_n = dh * (1 - z) * (1 - n**2)
    da_z = dh * (h - n) * z * (1 - z)
    d_reset = da_n if after else da_n @ u_n.T
    da_r = d_reset * (qn if after else h) * r * (1 - r)
    da = np.concatenate([da_z, da_r, da_n], axis=-1)
    dq = np.concatenate([da_z, da_r, r * da_n if after else np.zeros_like(da_n)], axis=-1)
    expected = {
        "inputs": (da @ w.T)[:, None],
        "kernel[0, 0]": x.T @ da,
        "recurrent_kernel[0, 0]": h.T @ dq,
        "bias[0, 0]": da.sum(axis=0),
        "initial h[0, 0]": dh * z + dq @ u.T,
    }
    if after:
        expected["recurrent_bias[0, 0]"] = dq.sum(axis=0)
    else:
        expected["recurrent_kernel[0, 0]"][:, 2 * one.units :] = (r * h).T @ da_n
        expected["initial h[0, 0]"] += r * d_reset
    gradients = dict(found.tensors())
    assert gradients.keys() == expected.keys()
    for tensor, by_hand in expected.items():
        size = np.abs(by_hand).max()
        np.testing.assert_allclose(gradients[tensor], by_hand, rtol=0, atol=32 * EPS * size)


def test_a_step_goes_back_as_the_equations_are_differentiated_by_hand():
    """Graves 2012, section 4.6: of `z`, the gates' sums, of x and of both states."""
    experiment = experiment_of(CASES["smallest"], "float64", 0)
    weights, inputs, initial, upstream = wide(experiment)
    one, x, h, c = weights[0, 0], inputs[:, 0], initial.h[0, 0], initial.c[0, 0]
    dh, dc = upstream.h[0, 0], upstream.c[0, 0]
    step = reference.step(one, x, (h, c))
    found = step.tape.back(zip(step.came_out, (dh, dc), strict=True))

    z = x @ one.kernel + h @ one.recurrent_kernel + one.bias
    i, f, g, o = np.split(z, 4, axis=-1)
    i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
    tanh_c = np.tanh(f * c + i * g)
    dc = dc + dh * o * (1 - tanh_c**2)
    gates = (
        dc * g * i * (1 - i),
        dc * c * f * (1 - f),
        dc * i * (1 - g**2),
        dh * tanh_c * o * (1 - o),
    )
    dz = np.concatenate(gates, axis=-1)
    expected = (dz @ one.kernel.T, dz @ one.recurrent_kernel.T, dc * f, dz)
    numbers = (*step.went_in, step.tape.uses[0].result)
    for number, by_hand in zip(numbers, expected, strict=True):
        size = np.abs(by_hand).max()
        np.testing.assert_allclose(found[number], by_hand, rtol=0, atol=8 * EPS * size)


@dataclass(frozen=True, repr=False)
class Twice(RNN):
    """An RNN that multiplies x by its kernel twice over."""

    def step(self, w, x, states, ops):
        (h,) = states
        first = ops.dot([(x, w.kernel)], w.bias)
        second = ops.dot([(x, w.kernel), (h, w.recurrent_kernel)], None)
        return (ops.apply("tanh", ops.plus(first, second)),)


def test_a_weight_that_is_used_twice_has_the_sum_of_both_gradients():
    """It is an RNN with a kernel of twice the size."""
    weights, inputs, initial, upstream = wide(
        experiment_of(CASES["rnn-bidirectional-two-layers"], "float64", 0)
    )
    twice = weights.map(lambda one: replace(one, cell=Twice()))
    doubled = weights.map(lambda one: replace(one, kernel=2 * one.kernel))
    found, expected = (
        dict(backward.gradients(w, reference.layers(w, inputs, initial), upstream).tensors())
        for w in (twice, doubled)
    )
    for name, gradient in found.items():
        by_hand = expected[name] * (2 if name.startswith("kernel") else 1)
        size = np.abs(by_hand).max()
        np.testing.assert_allclose(gradient, by_hand, rtol=0, atol=64 * EPS * size, err_msg=name)


def test_nothing_flows_past_the_end_of_a_row():
    experiment = experiment_of(CASES["bidirectional"], "float64", 0)
    weights, inputs, initial, upstream = wide(experiment)
    mask = experiment.short_rows().mask
    found = reference.layers(weights, inputs, initial, mask=mask)
    by_inputs = backward.gradients(weights, found, upstream, mask=mask).inputs
    past = ~mask
    assert past.any()
    assert not by_inputs[past].any()
    assert by_inputs[~past].all()


def test_the_value_is_the_undisturbed_gradient():
    experiment = experiment_of(CASES["two-layers"], "float32", 0)
    narrow = experiment_of(CASES["two-layers"], "float64", 0)
    weights, inputs, initial, upstream = (
        narrow.weights,
        narrow.inputs,
        narrow.initial,
        narrow.upstream,
    )
    exact = backward.gradients(weights, reference.layers(weights, inputs, initial), upstream)
    if reason := no_oracle_for("float64"):
        pytest.skip(reason)
    values = {name: one.value for name, one in gradients_of(experiment).items()}
    spreads = gradients_of(narrow)
    assert_within_rounding(values, spreads)
    assert_within_rounding(dict(exact.tensors()), spreads)


@pytest.mark.parametrize("tensor", ["inputs", "kernel[1, 0]", "bias[0, 0]", "initial c[0, 0]"])
def test_a_gradient_off_by_one_in_a_thousand_is_no_rounding(tensor):
    expected = gradients_of(experiment_of(CASES["two-layers"], "float32", 0))
    found = {name: one.value.astype(np.float32) for name, one in expected.items()}
    assert_within_rounding(found, expected)
    found[tensor] = found[tensor] * np.float32(1.001)
    with pytest.raises(AssertionError):
        assert_within_rounding(found, expected)
