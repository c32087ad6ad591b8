"""The oracle's gradients against derivatives of the oracle itself, taken by differences."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fixtures.cases import named_cases
from fixtures.cases.experiments import experiment_of
from fixtures.checks.compare import assert_within_rounding
from fixtures.model.experiment import Upstream
from fixtures.model.perlayer import PerLayer, State
from fixtures.model.weights import LayerWeights
from fixtures.oracle import backward, reference
from fixtures.oracle.rounding import gradients_of
from fixtures.oracle.sites import sigmoid

CASES = {case.name: case for case in named_cases()}
NAMES = [
    "smallest", "one-step", "two-layers-from-zero", "no-bias", "saturated", "two-widths",
    "bidirectional", "bidirectional-two-widths", "integer-example",
]  # fmt: skip
LENGTHS = [None, "given"]
STEP = np.longdouble(2) ** -13
"""Differences over five points are off by STEP^4 or so, 2^-52, times the fifth derivative."""


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


def loss_of(weights, inputs, initial, upstream, lengths):
    found = reference.layers(weights, inputs, initial, lengths=lengths)
    total = np.sum(found.output * upstream.output)
    for states, by in ((found.h, upstream.h), (found.c, upstream.c)):
        total += sum(np.sum(state * by[at]) for at, state in states.items())
    return total


def moved(name, weights, inputs, initial, at, by):
    """Everything that goes in, with one tensor, named as in `Gradients`, moved."""
    if name == "inputs":
        return weights, inputs + by, initial
    if name.startswith("initial"):
        which = name.split()[1][0]

        def state(per_layer: PerLayer):
            return PerLayer.build(
                per_layer.layers,
                per_layer.directions,
                lambda n, d: per_layer[n, d] + (by if (n, d) == at else 0),
            )

        changed = {"h": initial.h, "c": initial.c}
        changed[which] = state(changed[which])
        return weights, inputs, State(**changed)
    field = name.partition("[")[0]

    def one(n, d) -> LayerWeights:
        own = weights[n, d]
        return replace(own, **{field: getattr(own, field) + by}) if (n, d) == at else own

    return PerLayer.build(weights.layers, weights.directions, one), inputs, initial


def layer_and_direction(name):
    return tuple(map(int, name.partition("[")[2].rstrip("]").split(","))) if "[" in name else None


@pytest.mark.parametrize("lengths", LENGTHS, ids=["whole-rows", "short-rows"])
@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_the_loss_differentiated(name, lengths):
    """Along two random directions of every tensor, to 2^-38 of the gradient's size."""
    experiment = experiment_of(CASES[name], "float64", 0)
    weights, inputs, initial, upstream = wide(experiment)
    ends = None if lengths is None else np.array(experiment.lengths)
    found = reference.layers(weights, inputs, initial, lengths=ends)
    gradients = dict(backward.gradients(weights, found, upstream, lengths=ends).tensors())
    assert "inputs" in gradients
    noise = np.random.default_rng(0)
    for tensor, gradient in gradients.items():
        for _ in range(2):
            way = noise.standard_normal(gradient.shape).astype(np.longdouble)

            def along(times, tensor=tensor, way=way):
                changed = moved(
                    tensor, weights, inputs, initial, layer_and_direction(tensor), times * way
                )
                return loss_of(*changed, upstream, ends)

            near, far = (along(n * STEP) - along(-n * STEP) for n in (1, 2))
            slope = (8 * near - far) / (12 * STEP)
            size = np.linalg.norm(gradient.astype(float)) * np.linalg.norm(way.astype(float))
            assert abs(slope - np.sum(gradient * way)) < 2.0**-38 * size, tensor


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


def test_nothing_flows_past_the_end_of_a_row():
    experiment = experiment_of(CASES["bidirectional"], "float64", 0)
    weights, inputs, initial, upstream = wide(experiment)
    ends = np.array(experiment.lengths)
    found = reference.layers(weights, inputs, initial, lengths=ends)
    by_inputs = backward.gradients(weights, found, upstream, lengths=ends).inputs
    past = np.arange(experiment.time) >= ends[:, None]
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
    expected = gradients_of(experiment)
    for name, array in exact.tensors():
        np.testing.assert_allclose(expected[name].value, array, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("tensor", ["inputs", "kernel[1, 0]", "bias[0, 0]", "initial c[0, 0]"])
def test_a_gradient_off_by_one_in_a_thousand_is_no_rounding(tensor):
    expected = gradients_of(experiment_of(CASES["two-layers"], "float32", 0))
    found = {name: one.value.astype(np.float32) for name, one in expected.items()}
    assert_within_rounding(found, expected)
    found[tensor] = found[tensor] * np.float32(1.001)
    with pytest.raises(AssertionError):
        assert_within_rounding(found, expected)
