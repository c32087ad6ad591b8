"""The oracle of training: its gradients, its optimizers, and that it is one run and not several."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from fixtures.cases import named_cases
from fixtures.cases.experiments import experiment_of
from fixtures.cases.training import PLAIN_ADAM
from fixtures.model.training import MARKS, SGD, Adam, Clip, Training
from fixtures.oracle.rounding import Perturbed
from fixtures.oracle.training import clipped, optimizer_of, training_of, updated
from tests.test_training import likely_by_chance

CASE = next(case for case in named_cases() if case.name == "trained-bidirectional")
RATE = 2.0**-10


@pytest.fixture(scope="module")
def experiment():
    """Both directions, so few units and steps that every weight can be moved by itself."""
    small = replace(CASE, batch=2, units=(2,), time=2, features=392)
    one = experiment_of(small, "float64", 0)
    dense = replace(one.dense, kernel=np.concatenate([one.dense.kernel, one.dense.kernel / 2]))
    return replace(one, dense=dense)


def loss_of(experiment):
    return float(training_of(experiment, Training(SGD(RATE), steps=1, batch=2)).losses.value[0, 0])


def moved(experiment, direction, name, at, by):
    """The experiment with one number of one array changed."""

    def change(one):
        array = getattr(one, name).copy()
        array[at] += by
        return replace(one, **{name: array})

    weights = experiment.weights
    (row,) = weights.rows
    row = tuple(change(one) if d == direction else one for d, one in enumerate(row))
    return replace(experiment, weights=replace(weights, rows=(row,)))


@pytest.mark.parametrize("direction", [0, 1])
@pytest.mark.parametrize(
    ("name", "at"), [("kernel", (160, 1)), ("recurrent_kernel", (1, 4)), ("bias", (6,))]
)
def test_a_step_goes_against_the_slope(experiment, direction, name, at):
    """The loss's slope by one number, from losses on either side of it."""
    trained = training_of(experiment, Training(SGD(RATE), steps=1, batch=2))
    after = trained.weights[1][f"{name}[0, {direction}]"].value[at]
    step = 2.0**-14
    up, down = (loss_of(moved(experiment, direction, name, at, by)) for by in (step, -step))
    before = getattr(experiment.weights[0, direction], name)[at]
    assert float(before - after) / RATE == pytest.approx((up - down) / (2 * step), rel=1e-5)


def test_the_first_loss_is_that_of_softmax(experiment):
    with_zeros = replace(experiment, dense=experiment.dense.map(np.zeros_like))
    assert loss_of(with_zeros) == pytest.approx(math.log(10))


# Optimizers, of one number: what three steps come to, written out


def changes(how, gradients):
    """What an undisturbed optimizer takes off a weight, step by step."""
    optimizer = optimizer_of(how, "float64", Perturbed("float64", 0))
    return [float(optimizer(np.full((16, 1), one, np.longdouble))[0, 0]) for one in gradients]


def test_momentum_remembers():
    assert changes(SGD(0.5, momentum=0.5), [1.0, 2.0, 4.0]) == [0.5, 1.25, 2.625]


def test_nesterov_looks_ahead():
    assert changes(SGD(0.5, momentum=0.5, nesterov=True), [1.0, 2.0]) == [0.75, 1.625]


@pytest.mark.parametrize("corrected", [False, True])
def test_adam_is_the_papers(corrected):
    how = replace(PLAIN_ADAM, epsilon=0.25, corrected=corrected)
    m = v = 0.0
    expected = []
    for t, g in enumerate((1.0, -2.0, 0.5), 1):
        m = how.beta_1 * m + (1 - how.beta_1) * g
        v = how.beta_2 * v + (1 - how.beta_2) * g * g
        root = math.sqrt(1 - how.beta_2**t)
        below = math.sqrt(v) / root + 0.25 if corrected else (math.sqrt(v) + 0.25) / root
        expected.append(how.learning_rate * m / (1 - how.beta_1**t) / below)
    assert changes(how, [1.0, -2.0, 0.5]) == pytest.approx(expected, rel=1e-14)


def test_the_powers_of_beta_are_those_of_float32_where_it_says_so():
    how = Adam(1.0, 0.9, 0.999, epsilon=0.0)
    exact, of_float32, in_float32 = (
        changes(replace(how, powers=powers), [1.0, 2.0, 3.0])
        for powers in ("exact", "of float32", "in float32")
    )
    assert exact == pytest.approx(of_float32, rel=1e-4)
    assert of_float32[0] == in_float32[0]
    assert len({exact[2], of_float32[2], in_float32[2]}) == 3


def test_gradients_are_cut_together_or_each():
    sites = Perturbed("float64", 0)
    given = {name: np.full((16, 1), x, np.longdouble) for name, x in (("a", 3.0), ("b", 4.0))}
    found = {
        of: [float(one[0, 0]) for one in clipped(given, Clip(2.5, of=of), sites).values()]
        for of in ("all", "each")
    }
    assert found == {"all": [1.5, 2.0], "each": [2.5, 2.5]}
    whole = clipped(given, Clip(5.5), sites)
    assert [float(one[0, 0]) for one in whole.values()] == [3.0, 4.0]


def test_two_biases_go_twice_as_far():
    weights = {name: np.zeros((16, 3)) for name in ("bias[0, 0]", "dense bias")}
    gradients = {name: np.ones((16, 3)) for name in weights}
    sites = Perturbed("float64", 0)
    training = Training(SGD(0.5), biases=2)
    optimizer = optimizer_of(training.optimizer, "float64", sites)
    after = updated(weights, gradients, training, optimizer, sites)
    assert {name: float(one[0, 0]) for name, one in after.items()} == {
        "bias[0, 0]": -1.0, "dense bias": -0.5,
    }  # fmt: skip


def test_spreads_grow_with_the_steps(experiment):
    training = Training(SGD(2.0**-2, momentum=0.5), batch=2)
    found = training_of(replace(experiment, labels=experiment.labels), training)
    spreads = [float(found.weights[mark]["kernel[0, 0]"].spread.max()) for mark in MARKS]
    assert spreads == sorted(spreads)
    assert found.losses.value.shape == (20, 1)
    assert float(found.losses.value[-1, 0]) < float(found.losses.value[0, 0])


def test_batches_begin_anew():
    training = Training(SGD(1.0), batch=2)
    assert [training.rows(step, 4) for step in range(3)] == [slice(0, 2), slice(2, 4), slice(0, 2)]


def test_chance_is_the_binomial():
    """Of ten guesses with one chance in two: all right once in 1,024 times, too often to be sure of
    anything; of twenty the same once in a million and a bit."""
    assert likely_by_chance(10, 0.5) == 10
    assert likely_by_chance(20, 0.5) == 19
