"""Stacks: what a layer feeds the next one."""

from __future__ import annotations

from fixtures.cases import every
from fixtures.compare import assert_within_rounding
from fixtures.evidence.claims import claim
from fixtures.perlayer import PerLayer
from fixtures.run import Run


@claim(
    kind="rounding",
    statement="A stack is its layers one after another, each fed with all of the output below, "
    "both directions of it.",
    formula="stack(x) == layer_n(... layer_2(layer_1(x)))",
    sources=["A3", "B2", "D3"],
    cases=lambda case: every(case) and case.layers > 1 and case.time <= 10,
)
def test_a_stack_is_its_layers_one_after_another(adapter, experiment, oracle):
    runs, below = [], experiment.inputs
    for layer in range(experiment.layers):
        runs.append(adapter.run(experiment.only_layer(layer, below)))
        below = runs[-1].output
    chain = Run(
        output=below,
        h=PerLayer(tuple(run.h.rows[0] for run in runs)),
        c=PerLayer(tuple(run.c.rows[0] for run in runs)),
    )
    assert_within_rounding(dict(chain.tensors()), dict(oracle.tensors()))
