"""Stacks: what a layer feeds the next one."""

from __future__ import annotations

from fixtures.cases import every, kinds, some
from fixtures.checks.compare import assert_ways_agree
from fixtures.claims import claim
from fixtures.model.perlayer import PerLayer
from fixtures.model.run import Run


@claim(
    kind="rounding",
    statement="A stack is its layers one after another, each fed with all of the output below, "
    "both directions of it.",
    formula="stack(x) == layer_n(... layer_2(layer_1(x)))",
    sources=["A3", "B2", "D3"],
    cases=some(
        lambda case: every(case) and case.layers > 1,
        "two-layers",
        "two-widths",
        "four-widths",
        "bidirectional-two-layers",
        "bidirectional-three-layers",
        "square-two-layers",
    ),
)
def test_a_stack_is_its_layers_one_after_another(run, adapter, experiment, oracle):
    layers, below = [], experiment.inputs
    for layer in range(experiment.layers):
        layers.append(adapter.run(experiment.only_layer(layer, below)))
        below = layers[-1].output
    chain = Run(
        output=below,
        h=PerLayer(tuple(layer.h.rows[0] for layer in layers)),
        c=PerLayer(tuple(layer.c.rows[0] for layer in layers)),
    )
    ways = {"the stack": dict(run.tensors()), "its layers": dict(chain.tensors())}
    assert_ways_agree(ways, dict(oracle.tensors()))


@claim(
    kind="rounding",
    statement="The LSTM's step layer (torch.nn.LSTMCell, keras.layers.LSTMCell, BasicLSTMCell "
    "called by hand), called once per step, gives what its layer gives.",
    formula="cell(x[:, t], (h, c)) for t in order == lstm(x)",
    sources=["C7", "D3"],
    cases=some(
        kinds.all_of(every, kinds.forward, kinds.few_steps), "smallest", "two-layers", "no-bias"
    ),
    recipe="steps",
)
def test_the_lstms_step_layer_gives_what_the_layer_gives(recipe, run, oracle):
    ways = {"layer": dict(run.tensors()), "step layer": dict(recipe("steps").tensors())}
    assert_ways_agree(ways, dict(oracle.tensors()))
