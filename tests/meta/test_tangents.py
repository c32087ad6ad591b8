"""The oracle's derivatives along a direction, and the gradients of these, against differences of
the oracle itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fixtures.cases import named_cases
from fixtures.cases.experiments import experiment_of
from fixtures.cells import GRU, LSTM, RNN
from fixtures.model.experiment import Upstream
from fixtures.model.perlayer import PerLayer, State
from fixtures.oracle import backward, reference
from fixtures.oracle.rounding import no_oracle_for
from fixtures.oracle.tangents import derivatives_of, second_gradients_of

CASES = {case.name: case for case in named_cases()}
NAMES = (
    "smallest", "one-step", "no-bias", "two-widths", "bidirectional", "bidirectional-two-layers",
    "two-layers-from-zero", "projected-two-layers", "peepholes-smallest", "coupled-smallest",
    "gru-smallest", "gru-two-layers", "gru-reset-before-bidirectional-two-layers", "rnn-smallest",
    "mixed-gru-lstm", "masked-holes-gru-two-layers-from-zero-backwards",
    "masked-rows-lstm-two-layers-from-zero-backwards-zeros",
    "masked-holes-rnn-two-layers-bidirectional-from-zero",
)  # fmt: skip
STEP = np.longdouble(2) ** -14
"""Differences over five points are off by STEP^4 or so, 2^-56, times the fifth derivative, and by
the rounding error of what is differenced, 2^-64 or so, over STEP."""


def moved(experiment, along, by):
    """Everything that goes in, in long double, moved so far along a direction."""

    def move(one, direction):
        return one.astype(np.longdouble) + by * direction.astype(np.longdouble)

    def weights(n, d):
        one, speed = experiment.weights[n, d], dict(along.weights[n, d].by_name())
        return replace(one, **{name: move(array, speed[name]) for name, array in one.by_name()})

    def states(n, d):
        return tuple(map(move, experiment.start.at(n, d), along.start.at(n, d)))

    sizes = (experiment.layers, experiment.directions)
    initial = State.from_rows(experiment.cell.states, PerLayer.build(*sizes, states))
    return PerLayer.build(*sizes, weights), move(experiment.inputs, along.inputs), initial


def results(experiment, weights, inputs, initial):
    """What the layers return, and the gradients of the loss, by name."""
    upstream, way = experiment.upstream, experiment.loop.go_backwards
    found = reference.layers(weights, inputs, initial, mask=experiment.mask, go_backwards=way)
    loss = Upstream(*(np.longdouble(1) * upstream.output, upstream.h, upstream.c))
    gradients = backward.gradients(weights, found, loss, mask=experiment.mask, go_backwards=way)
    returned = {"output": found.output, **dict(found.state.tensors())}
    return returned, dict(gradients.tensors())


def by_differences(experiment, along):
    """How fast results and gradients move, by name."""
    points = {n: results(experiment, *moved(experiment, along, n * STEP)) for n in (-2, -1, 1, 2)}

    def slope(which, name):
        at = {n: found[which][name] for n, found in points.items()}
        return (at[-2] - at[2] + 8 * (at[1] - at[-1])) / (12 * STEP)

    return tuple({name: slope(which, name) for name in points[1][which]} for which in (0, 1))


@pytest.mark.parametrize("name", NAMES)
def test_derivatives_are_those_of_differences(name):
    if (why := no_oracle_for("float64")) is not None:
        pytest.skip(why)
    experiment, along = (experiment_of(CASES[name], "float64", seed) for seed in (0, 1))
    first, second = by_differences(experiment, along)
    for found, expected in (
        (derivatives_of(experiment, along), first),
        (second_gradients_of(experiment, along), second),
    ):
        assert found.keys() == expected.keys()
        for tensor, one in found.items():
            size = np.abs(expected[tensor]).max()
            assert size > 0
            assert np.abs(one.value - expected[tensor]).max() < 2**-40 * size, tensor


@pytest.mark.parametrize(
    "cell",
    [RNN(activation="relu"), GRU(recurrent_activation="hard_sigmoid"), LSTM(cell_clip=0.5),
     LSTM(layer_norm=True)],
    ids=str,
)  # fmt: skip
def test_what_is_not_smooth_is_refused(cell):
    case = replace(CASES["smallest"], name="not-smooth", cell=cell, bias="none")
    one, other = (experiment_of(case, "float64", seed) for seed in (0, 1))
    with pytest.raises(TypeError, match="no derivative of"):
        second_gradients_of(one, other)
