"""Identical weights, and every number that comes out of them, in every framework."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fixtures.cases import every, named, one_direction, some
from fixtures.checks.compare import assert_same_bits, assert_ways_agree, assert_within_rounding
from fixtures.claims import TORCH, About, claim

EVERY_STEP = some(
    one_direction,
    "smallest", "one-unit", "batch-one", "hundred-steps", "saturated", "no-bias", "two-layers",
    "two-widths", "four-layers", "square",
)  # fmt: skip
ROWS = named("smallest", "two-layers", "bidirectional", "gru-smallest", "rnn-smallest")
LAYOUTS = some(
    every,
    "smallest", "one-unit", "batch-one", "integer-example", "two-layers", "two-widths",
    "bidirectional", "bidirectional-two-layers", "square", "square-bidirectional",
)  # fmt: skip


def with_nan_in_row_one(experiment):
    inputs = experiment.inputs.copy()
    inputs[1] = np.nan
    return replace(experiment, inputs=inputs, nan_rows=(1,))


def rows_beside_it(arrays):
    """What has the batch in front, without that row."""
    return {name: np.delete(array, 1, axis=0) for name, array in arrays}


def by_given(gradients):
    return [(n, one) for n, one in gradients.tensors() if n.startswith(("inputs", "initial"))]


@claim(
    kind="exact",
    statement="The weights read back from the framework are those that were loaded.",
    formula="canonical -> framework -> canonical",
)
def test_weights_read_back_are_those_loaded(run, experiment):
    def by_name(weights):
        return {
            f"{name} of layer {layer}, direction {direction}": array
            for (layer, direction), one in weights.items()
            for name, array in one.by_name()
            if name != "recurrent_bias"
        }

    assert_same_bits(by_name(run.weights), by_name(experiment.weights))


@claim(
    kind="rounding",
    statement="Output, and h and c of every layer and direction, are what the equations say.",
    formula="output, h, c == oracle",
    sources=["D3", "D9", "D10"],
)
def test_every_value_is_the_oracles(run, oracle):
    assert_within_rounding(dict(run.tensors()), dict(oracle.tensors()))


@claim(
    kind="rounding",
    statement="The c of every step can be had, in every framework, and is what the equations say.",
    formula="c_steps[layer][:, t] == oracle's c at t",
    sources=["C3", "C7"],
    cases=EVERY_STEP,
    recipe="c_of_every_step",
)
def test_c_of_every_step_is_the_oracles(recipe, oracle, case):
    shown = recipe("c_of_every_step")
    layers = range(case.layers)
    assert_within_rounding(
        {f"c of layer {layer}": shown.c_steps[layer, 0] for layer in layers},
        {f"c of layer {layer}": oracle.c_steps[layer, 0] for layer in layers},
    )


@claim(
    kind="rounding",
    statement="One step after another, each from the state the last one left, is the whole.",
    formula="lstm(x) == lstm(x[:, t:t+1], state) for t in order",
    sources=["C7", "D3"],
    cases=some(
        lambda case: one_direction(case) and case.time <= 5,
        "smallest",
        "two-layers",
        "two-widths",
        "no-bias",
    ),
)
def test_step_by_step_is_the_whole(run, adapter, experiment, oracle):
    state, outputs = experiment.initial, []
    for t in range(experiment.time):
        step = adapter.run(experiment.only_step(t, state))
        state = step.state
        outputs.append(step.output)
    steps = replace(step, output=np.concatenate(outputs, axis=1))
    ways = {"the whole": dict(run.tensors()), "step by step": dict(steps.tensors())}
    assert_ways_agree(ways, dict(oracle.tensors()))


@claim(
    kind="exact",
    statement="The same layer called again with the same arguments repeats every bit.",
    formula="lstm(x) == lstm(x)",
    cases=some(every, "smallest", "two-layers", "two-widths", "bidirectional-two-layers-from-zero"),
    recipe="repeated",
)
def test_a_second_call_repeats_every_bit(run, recipe):
    assert_same_bits(dict(recipe("repeated").tensors()), dict(run.tensors()))


@claim(
    kind="exact",
    statement="Time-major is a transposition of batch-major, and leaves the states as they are.",
    formula="lstm(x.T, time_major=True).T == lstm(x)",
    sources=["A8"],
    cases=LAYOUTS,
    about=About(
        lambda adapter: adapter.interface != "torch",
        because="in torch it is a matter of rounding (torch-batch-first-is-a-transposition)",
    ),
    recipe="time_major",
)
def test_time_major_is_a_transposition(run, recipe):
    assert_same_bits(dict(recipe("time_major").tensors()), dict(run.tensors()))


@claim(
    kind="rounding",
    statement="batch_first moves batch to the front of input and output, and changes no value "
    "beyond rounding.",
    formula="lstm(x.T, batch_first=False).T == lstm(x, batch_first=True)",
    sources=["D1"],
    about=TORCH,
    recipe="time_major",
)
def test_torch_batch_first_is_a_transposition(run, recipe, oracle):
    time_major = recipe("time_major")
    ways = {"batch first": dict(run.tensors()), "time first": dict(time_major.tensors())}
    assert_ways_agree(ways, dict(oracle.tensors()))


@claim(
    kind="exact",
    statement="Rows of a batch are computed side by side: NaN in one of them moves no bit of "
    "another.",
    formula="lstm(x with x[1] = NaN)[0] == lstm(x)[0]",
    cases=ROWS,
    dtypes=("float32",),
)
def test_nan_in_one_row_reaches_no_other_row(adapter, run, experiment):
    other = adapter.run(with_nan_in_row_one(experiment))
    assert_same_bits(rows_beside_it(other.tensors()), rows_beside_it(run.tensors()))


@claim(
    kind="exact",
    statement="Nor does it move a bit of the gradients by another row's inputs and states.",
    formula="d loss / d (x[0], h0[0], c0[0]) with x[1] = NaN == without",
    cases=ROWS,
    recipe="gradients",
    dtypes=("float32",),
)
def test_nan_in_one_row_reaches_no_other_rows_gradient(adapter, recipe, experiment):
    other = adapter.gradients(with_nan_in_row_one(experiment)).gradients
    own = recipe("gradients").gradients
    assert_same_bits(rows_beside_it(by_given(other)), rows_beside_it(by_given(own)))
