"""Gradients of sum(output * G) + sum(h * H) + sum(c * C), by everything that went in.

In the `mnist` case gradients grow to where rounding alone moves them: it is left out. Of the other
named cases these will do, since every framework goes back through every one of its steps.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fixtures.cases import every, some
from fixtures.checks.compare import assert_ways_agree, assert_within_rounding
from fixtures.claims import TORCH, claim
from fixtures.model.experiment import Upstream
from fixtures.oracle.rounding import gradients_of

CASES = (
    "smallest", "one-step", "hundred-steps", "saturated", "no-bias", "two-layers", "two-widths",
    "three-layers-from-zero", "bidirectional", "bidirectional-two-layers",
)  # fmt: skip
FEW = ("smallest", "two-layers", "bidirectional")


@claim(
    kind="rounding",
    statement="The gradients by inputs, kernels, recurrent kernels, biases and initial states are "
    "those of the equations.",
    formula="d loss / d (x, kernel, recurrent kernel, bias, h0, c0) == oracle",
    cases=some(every, *CASES),
    recipe="gradients",
)
def test_every_gradient_is_the_oracles(gradients, oracle_gradients):
    assert_within_rounding(gradients, oracle_gradients)


@claim(
    kind="rounding",
    statement="What a layer returns while gradients are recorded is what it returns otherwise.",
    formula="output, h, c under differentiation == oracle",
    cases=some(every, *CASES),
    recipe="gradients",
    dtypes=("float32",),
)
def test_values_under_differentiation_are_the_oracles(recipe, oracle):
    assert_within_rounding(dict(recipe("gradients").tensors()), dict(oracle.tensors()))


@claim(
    kind="rounding",
    statement="The gradients through the output's last step (backward: step 0) and through the "
    "top layer's final h are the same.",
    formula="d sum(output[:, -1] * H) == d sum(h * H)",
    cases=some(every, *FEW),
    recipe="gradients",
    dtypes=("float32",),
)
def test_gradients_through_last_output_are_those_through_h(adapter, experiment):
    nothing = experiment.zero_state()
    h, c, output = nothing.h, nothing.c, np.zeros_like(experiment.upstream.output)
    top = experiment.upstream.h.rows[-1]
    units = experiment.units[-1]
    at_the_ends = output.copy()
    for direction, end in zip(range(experiment.directions), (-1, 0), strict=False):
        at_the_ends[:, end, direction * units :][:, :units] = top[direction]
    losses = {
        "the output's ends": Upstream(output=at_the_ends, h=h, c=c),
        "h": Upstream(output=output, h=replace(h, rows=(*h.rows[:-1], top)), c=c),
    }
    experiments = {way: replace(experiment, upstream=loss) for way, loss in losses.items()}
    ways = {
        f"through {way}": dict(adapter.gradients(one).gradients.tensors())
        for way, one in experiments.items()
    }
    assert_ways_agree(ways, gradients_of(experiments["h"]))


@claim(
    kind="rounding",
    statement="torch's two biases have the same gradient, that of their sum; the bits may differ, "
    "as each is summed up in an order of its own.",
    formula="d bias_ih == d bias_hh == d bias",
    cases=some(lambda case: every(case) and case.bias != "none", *FEW),
    about=TORCH,
    recipe="gradients",
)
def test_torch_both_biases_have_one_gradient(recipe, oracle_gradients):
    by_weights = recipe("gradients").gradients.weights
    names = [f"bias[{layer}, {direction}]" for (layer, direction), _ in by_weights.items()]
    gradients = [one for _, one in by_weights.items()]
    ways = {
        "bias_ih": dict(zip(names, (one.bias for one in gradients), strict=True)),
        "bias_hh": dict(zip(names, (one.recurrent_bias for one in gradients), strict=True)),
    }
    assert_ways_agree(ways, {name: oracle_gradients[name] for name in names})
