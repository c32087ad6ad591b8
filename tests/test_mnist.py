"""Real input: MNIST images, row by row, through three layers of 256 units to the digit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fixtures.cases import named
from fixtures.checks.compare import (
    WORST,
    assert_same_bits,
    assert_structure,
    assert_within_rounding,
)
from fixtures.claims import claim
from fixtures.oracle import reference
from fixtures.oracle.rounding import oracle_of


@claim(
    kind="rounding",
    statement="The top layer's last h, through a dense layer 256 -> 10, gives the same logits.",
    formula="logits == h[-1] @ kernel + bias",
    sources=["B1", "B2", "B6"],
    cases=named("mnist"),
    recipe="classify",
)
def test_mnist_logits_are_the_oracles(recipe, oracle):
    assert_within_rounding(recipe("classify").logits, oracle.logits)


def digits_of(experiment, run_cache):
    """The digit of every image, and where two logits are too close for rounding to leave it alone.

    The spread of the logits is known for 8 images; two logits are apart if they are by more than
    twice the bound on the largest of these.
    """

    def work_out():
        wide = experiment.weights.map(lambda one: one.map(np.float64))
        found = reference.layers(
            wide, experiment.inputs.astype(np.float64), experiment.zero_state().map(np.float64)
        )
        logits = reference.dense(experiment.dense.map(np.float64), found.h[-1, 0])
        few = oracle_of(replace(experiment, inputs=experiment.inputs[:8], lengths=None))
        second, first = np.sort(logits, axis=1)[:, -2:].T
        return logits.argmax(axis=1), first - second > 2 * WORST * few.logits.spread.max()

    return run_cache.once(("digits",), work_out)


@claim(
    kind="exact",
    statement="The predicted digit is the same everywhere, on every image on which rounding cannot "
    "decide it.",
    formula="argmax(softmax(logits)) == oracle's",
    sources=["B1", "B2", "B6"],
    cases=named("mnist-digits"),
    recipe="classify",
)
def test_mnist_digits_are_the_oracles(recipe, experiment, run_cache):
    expected, decided = digits_of(experiment, run_cache)
    found = recipe("classify").logits.argmax(axis=1)
    assert_same_bits(
        {"digits": found[decided], "most images decided": np.array(decided.mean() > 0.9)},
        {"digits": expected[decided], "most images decided": np.array(True)},
    )


@claim(
    kind="structure",
    statement="Different images get different digits: the claim above is about something.",
    formula="len(set(digits)) > 1",
    sources=["B6"],
    cases=named("mnist-digits"),
    recipe="classify",
)
def test_mnist_digits_depend_on_the_image(recipe):
    found = recipe("classify").logits.argmax(axis=1)
    assert_structure(len(set(found.tolist())) > 1, True)
