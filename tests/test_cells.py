"""What holds of every other cell as it does of the LSTM: GRU, RNN and the LSTM's variants.

A new kind of cell is checked by all of these as soon as the table of named cases has it.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from fixtures.cases import other_cells, some, some_shapes
from fixtures.cases.named import CELLS, LAYERS
from fixtures.checks.compare import (
    assert_different,
    assert_same_bits,
    assert_structure,
    assert_ways_agree,
    assert_within_rounding,
)
from fixtures.claims import claim

ONE_PRECISION_TELLS_ALL = ("float32",)
"""What values and gradients show in both precisions is not shown again for every way to call."""


def one_layer(case):
    return other_cells(case) and case.layers == 1 and case.directions == 1


def one_direction(case):
    return other_cells(case) and case.directions == 1


def stacked(case):
    return other_cells(case) and case.layers > 1


@claim(
    kind="exact",
    statement="The weights read back from the framework are those that were loaded, of whichever "
    "cell; both biases where a GRU has two.",
    formula="canonical -> framework -> canonical",
    cases=other_cells,
)
def test_other_cells_weights_read_back_are_those_loaded(run, experiment):
    def by_name(weights):
        return {
            f"{name} of layer {layer}, direction {direction}": array
            for (layer, direction), one in weights.items()
            for name, array in one.canonical()
        }

    assert_same_bits(by_name(run.weights), by_name(experiment.weights))


@claim(
    kind="rounding",
    statement="Output and states of GRU, RNN and the LSTM's variants are what the equations say, "
    "in stacks and in both directions.",
    formula="output, h, c == oracle",
    sources=["A7", "E6"],
    cases=other_cells,
)
def test_other_cells_values_are_the_oracles(run, oracle):
    assert_within_rounding(dict(run.tensors()), dict(oracle.tensors()))


STACKED_VARIANTS = (
    "rnn-relu", "projected", "all-variants", "coupled-peepholes", "layer-norm", "hard-sigmoid",
    "hard-sigmoid-keras2",
)  # fmt: skip
"""What shows in a stack and not in one layer: a gradient that comes down through a projection, a
norm or a kink. `masked.OF_OTHER_CELLS` are in both directions and have short rows."""


@claim(
    kind="rounding",
    statement="The gradients by inputs, all weights and initial states are those of the equations, "
    "of whichever cell; nothing flows through what was clipped.",
    formula="d loss / d (x, weights, h0, c0) == oracle",
    cases=some(
        other_cells,
        *(f"{cell}-smallest" for cell in CELLS),
        *(
            f"{layer}-{shape}"
            for layer in LAYERS
            for shape in ("hundred-steps", "bidirectional-two-layers")
        ),
        *(f"{cell}-two-layers" for cell in STACKED_VARIANTS),
        "mixed-lstm-gru",
        "mixed-gru-lstm",
    ),
    recipe="gradients",
)
def test_other_cells_gradients_are_the_oracles(gradients, oracle_gradients):
    assert_within_rounding(gradients, oracle_gradients)


@claim(
    kind="exact",
    statement="The output's last step is the final h, of whichever cell: the projected one where "
    "the cell projects.",
    formula="output[:, -1] == h[-1]",
    sources=["A7", "E5", "E6"],
    cases=one_direction,
)
def test_other_cells_last_output_is_h(run):
    assert_same_bits(run.output[:, -1], run.h[-1, 0])


@claim(
    kind="exact",
    statement="In both directions the forward half of the output ends at the last step, the "
    "backward half at step 0, of whichever cell.",
    formula="output[:, -1, :width] == h[-1, forward]; output[:, 0, width:] == h[-1, backward]",
    sources=["D7"],
    cases=lambda case: other_cells(case) and case.directions == 2,
)
def test_other_cells_backward_half_ends_at_step_zero(run, case):
    width = case.widths[-1]
    assert_same_bits(
        {"forward": run.output[:, -1, :width], "backward": run.output[:, 0, width:]},
        {"forward": run.h[-1, 0], "backward": run.h[-1, 1]},
    )


@claim(
    kind="structure",
    statement="Output and h are as wide as the projection where there is one, and as the units "
    "elsewhere; c, if the cell has any, is always as wide as the units.",
    formula="output [batch, time, directions * width]; h [batch, width]; c [batch, units]",
    sources=["A7", "E6"],
    cases=other_cells,
    dtypes=ONE_PRECISION_TELLS_ALL,
)
def test_other_cells_states_have_their_widths(run, case):
    expected = {"output": (case.batch, case.time, case.directions * case.widths[-1])}
    for layer, (cell, units) in enumerate(zip(case.cells, case.units, strict=True)):
        for name, width in zip(cell.states, cell.widths(units), strict=True):
            for direction in range(case.directions):
                expected[f"{name}[{layer}, {direction}]"] = (case.batch, width)
    assert_structure({name: array.shape for name, array in run.tensors()}, expected)


@claim(
    kind="structure",
    statement="A layer has so many parameters: gates * units * (features + width + 1), one bias "
    "more for a GRU that resets after, units for every peephole, units * width for a projection; "
    "with layer normalisation units for every gain and shift, of each gate and of c, and no bias.",
    formula="GRU 3 * units * (features + units + 2); RNN units * (features + units + 1)",
    sources=["C2", "E6"],
    cases=lambda case: other_cells(case) and case.bias != "none",
    dtypes=ONE_PRECISION_TELLS_ALL,
)
def test_other_cells_parameters_are_so_many(run, case):
    below = (case.features, *(case.directions * width for width in case.widths))
    expected = []
    for cell, features, units, width in zip(
        case.cells, below, case.units, case.widths, strict=False
    ):
        gates = len(cell.gates)
        count = gates * units * (features + width + 1 + cell.two_biases)
        if getattr(cell, "peepholes", False):
            count += (gates - 1) * units
        if width != units:
            count += units * width
        if getattr(cell, "layer_norm", False):
            count += 2 * (gates + 1) * units - gates * units
        expected += [count] * case.directions
    counts = [
        sum(math.prod(array.shape) for _, array in one.canonical())
        for _, one in run.weights.items()
    ]
    assert_structure(counts, expected)


@claim(
    kind="exact",
    statement="The default initial state is zeros, of whichever cell.",
    formula="layer(x) == layer(x, zeros)",
    sources=["A8", "D2"],
    cases=lambda case: other_cells(case) and case.initial == "default",
)
def test_other_cells_default_state_is_zeros(adapter, experiment, run):
    explicit = adapter.run(replace(experiment, initial=experiment.zero_state()))
    assert_same_bits(dict(explicit.tensors()), dict(run.tensors()))


@claim(
    kind="different",
    statement="An initial state that is given is used, of whichever cell.",
    formula="layer(x, state) != layer(x)",
    sources=["D2"],
    cases=some_shapes(one_layer, "smallest"),
    dtypes=ONE_PRECISION_TELLS_ALL,
)
def test_other_cells_use_a_given_state(adapter, experiment, run, oracle):
    default = adapter.run(replace(experiment, initial=None))
    assert_different(default.output, run.output, oracle.output)


@claim(
    kind="exact",
    statement="The same layer called again with the same arguments repeats every bit, of whichever "
    "cell.",
    formula="layer(x) == layer(x)",
    cases=some_shapes(other_cells, "smallest"),
    recipe="repeated",
    dtypes=ONE_PRECISION_TELLS_ALL,
)
def test_other_cells_repeat_every_bit(run, recipe):
    assert_same_bits(dict(recipe("repeated").tensors()), dict(run.tensors()))


@claim(
    kind="rounding",
    statement="A stack of any cell is its layers one after another, each fed with all of the "
    "output below.",
    formula="stack(x) == layer_n(... layer_2(layer_1(x)))",
    sources=["A3", "A7"],
    cases=some_shapes(stacked, "bidirectional-two-layers", "mixed-rnn-lstm"),
    dtypes=ONE_PRECISION_TELLS_ALL,
)
def test_other_cells_stack_is_its_layers(run, adapter, experiment, oracle):
    below, h = experiment.inputs, []
    for layer in range(experiment.layers):
        one = adapter.run(experiment.only_layer(layer, below))
        below = one.output
        h += one.h.rows[0]
    found = {"output": below} | {f"h of {n}": state for n, state in enumerate(h)}
    whole = {"output": run.output} | {f"h of {n}": s for n, (_, s) in enumerate(run.h.items())}
    expected = {"output": oracle.output}
    expected |= {f"h of {n}": state for n, (_, state) in enumerate(oracle.h.items())}
    assert_ways_agree({"stack": whole, "one after another": found}, expected)


@claim(
    kind="rounding",
    statement="One step after another, each from the state the last one left, is the whole, of "
    "whichever cell.",
    formula="layer(x) == layer(x[:, t:t+1], state) for t in order",
    sources=["C7", "D3"],
    cases=some_shapes(lambda case: one_direction(case) and case.time <= 5, "smallest"),
    dtypes=ONE_PRECISION_TELLS_ALL,
)
def test_other_cells_step_by_step_is_the_whole(run, adapter, experiment, oracle):
    state, outputs = experiment.initial, []
    for t in range(experiment.time):
        step = adapter.run(experiment.only_step(t, state))
        state = step.state
        outputs.append(step.output)
    steps = replace(step, output=np.concatenate(outputs, axis=1))
    ways = {"the whole": dict(run.tensors()), "step by step": dict(steps.tensors())}
    assert_ways_agree(ways, dict(oracle.tensors()))


@claim(
    kind="rounding",
    statement="A row that ends early ends in the state that its own steps alone lead to, of "
    "whichever cell.",
    formula="state[row] == layer(x[row, :lengths[row]])",
    sources=["A7", "D8"],
    cases=some_shapes(one_direction, "smallest", "two-layers", "no-bias", "mixed-lstm-gru"),
    recipe="lengths",
    dtypes=ONE_PRECISION_TELLS_ALL,
)
def test_other_cells_short_row_is_the_row_cut_short(recipe, experiment, oracle):
    run = recipe("lengths")
    at = np.arange(experiment.batch), np.array(experiment.lengths) - 1
    assert_within_rounding(
        dict(run.state.tensors()),
        {f"{name}[{layer}, 0]": steps[at]
         for name, every in (("h", oracle.h_steps), ("c", oracle.c_steps))
         for (layer, _), steps in every.items()},
    )  # fmt: skip


def with_step_layers(case):
    """Stacks of one direction; no framework has a step layer that projects."""
    return other_cells(case) and case.directions == 1 and case.widths == case.units


@claim(
    kind="rounding",
    statement="The framework's step layer (torch.nn.LSTMCell, GRUCell, RNNCell; Keras's and "
    "TensorFlow 1's cells called by hand), called once per step, gives what its layer gives.",
    formula="cell(x[:, t], state) for t in order == layer(x)",
    sources=["A7", "C7"],
    cases=some_shapes(with_step_layers, "smallest", "two-layers", "no-bias", "mixed-lstm-gru"),
    recipe="steps",
    dtypes=ONE_PRECISION_TELLS_ALL,
)
def test_step_layers_give_what_layers_give(recipe, run, oracle):
    ways = {"layer": dict(run.tensors()), "step layer": dict(recipe("steps").tensors())}
    assert_ways_agree(ways, dict(oracle.tensors()))
