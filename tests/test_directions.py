"""Bidirectional layers: which row, which half, which end."""

from __future__ import annotations

import numpy as np

from fixtures.cases import bidirectional, named, some
from fixtures.checks.compare import (
    assert_different,
    assert_same_bits,
    assert_structure,
    assert_ways_agree,
    assert_within_rounding,
)
from fixtures.claims import KERAS, TF1, TORCH, claim
from fixtures.oracle.rounding import concatenated, oracle_of


@claim(
    kind="rounding",
    statement="h_n and c_n are ordered by layer, and within a layer forward before backward.",
    formula="h_n[layer * directions + direction] == h[layer, direction]",
    sources=["D3", "D6", "D9"],
    about=TORCH,
)
def test_torch_h_n_goes_by_layer_then_direction(run, oracle, case):
    _, (h_n, c_n) = run.native
    rows = {
        f"row {layer * case.directions + direction}": (layer, direction)
        for layer in range(case.layers)
        for direction in range(case.directions)
    }
    found = {f"h_n, {row}": h_n[number] for number, row in enumerate(rows)}
    found |= {f"c_n, {row}": c_n[number] for number, row in enumerate(rows)}
    expected = {f"h_n, {row}": oracle.h[at] for row, at in rows.items()}
    expected |= {f"c_n, {row}": oracle.c[at] for row, at in rows.items()}
    assert_within_rounding(found, expected)


@claim(
    kind="rounding",
    statement="A Bidirectional layer's states come as forward h, forward c, backward h, "
    "backward c.",
    formula="_, forward h, forward c, backward h, backward c = layer(x)",
    sources=["D6"],
    cases=bidirectional,
    about=KERAS,
)
def test_keras_bidirectional_states_are_fh_fc_bh_bc(run, oracle):
    names = ("forward h", "forward c", "backward h", "backward c")
    found, expected = {}, {}
    for layer, (_, *states) in enumerate(run.native):
        h, c = oracle.h.rows[layer], oracle.c.rows[layer]
        for name, state, wanted in zip(names, states, (h[0], c[0], h[1], c[1]), strict=True):
            found[f"{name} of layer {layer}"] = state
            expected[f"{name} of layer {layer}"] = wanted
    assert_within_rounding(found, expected)


@claim(
    kind="rounding",
    statement="bidirectional_dynamic_rnn returns a pair of outputs and a pair of states, each "
    "forward then backward, the backward outputs in the order of the input.",
    formula="(output_fw, output_bw), (state_fw, state_bw) = bidirectional_dynamic_rnn(...)",
    sources=["D5", "D6"],
    cases=bidirectional,
    about=TF1,
)
def test_tf1_bidirectional_returns_pairs(run, oracle):
    found, expected = {}, {}
    for layer, (outputs, states) in enumerate(run.native):
        for direction, name in enumerate(("fw", "bw")):
            at = (layer, direction)
            found[f"output_{name} of layer {layer}"] = outputs[direction]
            found[f"state_{name}.h of layer {layer}"] = states[direction].h
            found[f"state_{name}.c of layer {layer}"] = states[direction].c
            expected[f"output_{name} of layer {layer}"] = oracle.h_steps[at]
            expected[f"state_{name}.h of layer {layer}"] = oracle.h[at]
            expected[f"state_{name}.c of layer {layer}"] = oracle.c[at]
    assert_within_rounding(found, expected)


@claim(
    kind="exact",
    statement="The forward half of the output ends at the last step, the backward half at step 0.",
    formula="output[:, -1, :units] == h[-1, forward]; output[:, 0, units:] == h[-1, backward]",
    sources=["D7"],
    cases=bidirectional,
)
def test_backward_half_ends_at_step_zero(run, case):
    units = case.units[-1]
    assert_same_bits(
        {"forward": run.output[:, -1, :units], "backward": run.output[:, 0, units:]},
        {"forward": run.h[-1, 0], "backward": run.h[-1, 1]},
    )


@claim(
    kind="different",
    statement="The output's last step is not the final states side by side: its backward half has "
    "seen one step only.",
    formula="output[:, -1] != concat(h[-1, forward], h[-1, backward])",
    sources=["D4", "D7"],
    cases=lambda case: bidirectional(case) and case.time > 1,
)
def test_last_output_is_not_the_final_states(run, oracle):
    states = np.concatenate([run.h[-1, 0], run.h[-1, 1]], axis=-1)
    assert_different(run.output[:, -1], states, oracle.output[:, -1])


@claim(
    kind="exact",
    statement="At time 1, and only there, the output's last step is the final states side by side.",
    formula="output[:, -1] == concat(h_n[-2], h_n[-1]) at time 1",
    sources=["D4", "D7"],
    cases=lambda case: bidirectional(case) and case.time == 1,
)
def test_at_one_step_last_output_is_the_final_states(run):
    states = np.concatenate([run.h[-1, 0], run.h[-1, 1]], axis=-1)
    assert_same_bits(run.output[:, -1], states)


@claim(
    kind="rounding",
    statement="A bidirectional layer is two LSTMs, one on the input and one on the reversed input, "
    "whose output is reversed back; the output is forward beside backward.",
    formula="output == concat(forward(x), backward(x[:, ::-1])[:, ::-1])",
    sources=["D5", "D7"],
    cases=some(
        lambda case: bidirectional(case) and case.layers == 1,
        "bidirectional",
        "bidirectional-from-zero",
        "bidirectional-one-step",
    ),
)
def test_a_bidirectional_layer_is_two_lstms(run, adapter, experiment, oracle):
    forward = adapter.run(experiment.only_direction(0))
    backward = adapter.run(experiment.only_direction(1))
    two = {
        "output": np.concatenate([forward.output, backward.output[:, ::-1]], axis=-1),
        "h[0, 0]": forward.h[0, 0],
        "h[0, 1]": backward.h[0, 0],
        "c[0, 0]": forward.c[0, 0],
        "c[0, 1]": backward.c[0, 0],
    }
    ways = {"bidirectional": dict(run.tensors()), "two LSTMs": two}
    assert_ways_agree(ways, dict(oracle.tensors()))


@claim(
    kind="structure",
    statement="In a bidirectional MultiRNNCell an upper cell's kernel has rows for one direction "
    "of the layer below; in a stack of bidirectional layers it has rows for both.",
    formula="kernel rows: units + units against 2 * units + units",
    sources=["D6"],
    cases=named("bidirectional-two-layers", "bidirectional-two-widths"),
    about=TF1,
    recipe="bidirectional_multi_rnn_cell",
    dtypes=("float32",),
)
def test_tf1_bidirectional_multi_rnn_cell_sees_one_direction(run, recipe, case):
    below, units = case.units

    def upper_kernels(weights):
        rows = [array.shape[0] for name, array in weights.items() if "kernel" in name]
        return sorted(rows)[-2:]

    multi = recipe("bidirectional_multi_rnn_cell").native_weights
    found = (upper_kernels(multi), upper_kernels(run.native_weights))
    expected = (
        sorted([case.features + below] * 2 + [below + units] * 2)[-2:],
        sorted([case.features + below] * 2 + [2 * below + units] * 2)[-2:],
    )
    assert_structure(found, expected)


@claim(
    kind="rounding",
    statement="The two layers of a `Bidirectional` may have different widths: each half of the "
    "output, and its states, are those of its layer alone, under a mask, too.",
    formula="Bidirectional(layer, backward_layer=narrower)(x) == "
    "concat(layer(x), narrower(x[:, ::-1])[:, ::-1])",
    cases=named("bidirectional", "masked-left-lstm-bidirectional",
                "masked-left-gru-bidirectional-from-zero"),
    about=KERAS,
    dtypes=("float32",),
)  # fmt: skip
def test_keras_directions_may_have_different_widths(adapter, experiment):
    forward, backward = experiment.only_direction(0), experiment.only_direction(1).narrowed(3)
    run = adapter.two_directions(forward, backward)
    one, other = oracle_of(forward), oracle_of(backward)
    expected = {"output": concatenated(one.output, other.output[:, ::-1])}
    for (name, state), (_, backward_state) in zip(one.states(), other.states(), strict=True):
        expected |= {name: state, name.replace("[0, 0]", "[0, 1]"): backward_state}
    assert_within_rounding(dict(run.tensors()), expected)


@claim(
    kind="rounding",
    statement="A bidirectional MultiRNNCell is two stacks side by side that never see each other.",
    formula="output == concat(stack_fw(x), stack_bw(x[:, ::-1])[:, ::-1])",
    cases=some(bidirectional, "bidirectional-two-layers", "bidirectional-two-widths"),
    about=TF1,
    recipe="bidirectional_multi_rnn_cell",
)
def test_tf1_bidirectional_multi_rnn_cell_is_two_stacks(recipe, experiment):
    (outputs, _) = recipe("bidirectional_multi_rnn_cell").native
    forward, backward = (oracle_of(experiment.only_direction(direction)) for direction in range(2))
    assert_within_rounding(
        {"forward": outputs[0], "backward": outputs[1]},
        {"forward": forward.output, "backward": backward.output[:, ::-1]},
    )


@claim(
    kind="different",
    statement="A bidirectional MultiRNNCell is not a stack of bidirectional layers, which is what "
    "torch's num_layers=2 and stack_bidirectional_dynamic_rnn are.",
    formula="bidirectional(MultiRNNCell) != stacked bidirectional",
    sources=["D6"],
    cases=named("bidirectional-two-layers", "bidirectional-two-widths"),
    about=TF1,
    recipe="bidirectional_multi_rnn_cell",
)
def test_tf1_bidirectional_multi_rnn_cell_is_no_stack(run, recipe, oracle):
    multi = recipe("bidirectional_multi_rnn_cell")
    assert_different(multi.output, run.output, oracle.output)
