"""Training: the losses, and every weight after 1, 2 and 20 steps, from the same start.

The oracle goes through the whole of a training run, with replicas that are perturbed wherever
arithmetic rounds, the optimizer's included, and that go on with what their own steps made of the
weights. So the bounds grow with the steps as honest rounding does.
"""

from __future__ import annotations

from fixtures.cases import named
from fixtures.cases.training import TRAININGS
from fixtures.checks.compare import assert_each_within_rounding
from fixtures.claims import claim
from fixtures.oracle.training import training_of


def expected_of(experiment, training, run_cache):
    """The oracle's training, worked out once for all adapters."""
    key = ("oracle of training", repr(training), str(experiment.inputs.shape), experiment.dtype)
    return run_cache.once(key, lambda: training_of(experiment, training, run_cache.seed))


def pairs(found, expected):
    """After each mark, what was found and what was expected."""
    marks = zip(found.marks(), expected.marks(), strict=True)
    return {mark: (actual, oracle) for (mark, actual), (_, oracle) in marks}


@claim(
    kind="rounding",
    statement="Plain gradient descent gives the same losses and the same weights after 1, 2 and 20 "
    "steps.",
    formula="w -= rate * d loss / d w",
    cases=named("trained"),
    recipe="trained",
    dtypes=("float32",),
)
def test_sgd_trains_every_weight_alike(recipe, experiment, run_cache):
    expected = expected_of(experiment, TRAININGS["sgd"], run_cache)
    assert_each_within_rounding(pairs(recipe("trained")["sgd"], expected))


@claim(
    kind="rounding",
    statement="With momentum, too.",
    formula="u = momentum * u + d loss / d w; w -= rate * u",
    cases=named("trained"),
    recipe="trained",
)
def test_momentum_trains_every_weight_alike(recipe, experiment, run_cache):
    expected = expected_of(experiment, TRAININGS["momentum"], run_cache)
    assert_each_within_rounding(pairs(recipe("trained")["momentum"], expected))


@claim(
    kind="rounding",
    statement="Nesterov",
    formula="u = momentum * u + d loss / d w; w -= rate * u",
    cases=named("trained"),
    recipe="trained",
    dtypes=("float32",),
)
def test_nesterov_momentum_trains_every_weight_alike(recipe, experiment, run_cache):
    expected = expected_of(experiment, TRAININGS["nesterov"], run_cache)
    assert_each_within_rounding(pairs(recipe("trained")["nesterov"], expected))


@claim(
    kind="rounding",
    statement="Adam",
    formula="u = momentum * u + d loss / d w; w -= rate * u",
    cases=named("trained"),
    recipe="trained",
)
def test_adam_trains_every_weight_alike(recipe, experiment, run_cache):
    expected = expected_of(experiment, TRAININGS["adam"], run_cache)
    assert_each_within_rounding(pairs(recipe("trained")["adam"], expected))
