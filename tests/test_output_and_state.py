"""Where the output and the final state are one number read from two places, and where not."""

from __future__ import annotations

import numpy as np

from fixtures.cases import named, one_direction, one_layer, some, stacked
from fixtures.checks.compare import assert_different, assert_same_bits, assert_within_rounding
from fixtures.claims import KERAS, TF1, TORCH, About, claim

SHORT_ROWS = some(
    lambda case: one_direction(case) and case.batch > 1 and case.time > 1,
    "smallest", "one-unit", "saturated", "integer-example", "two-layers", "three-widths",
    "four-layers", "square",
)  # fmt: skip
NOT_REPEATED = About(
    lambda adapter: adapter.masked_output != "repeated",
    because="the framework repeats the last output past a row's end "
    "(keras-output-under-a-mask-repeats)",
)


@claim(
    kind="exact",
    statement="The output's last step is the final hidden state; in a stack it is the top layer's.",
    formula="output[:, -1] == h[-1]",
    sources=["A2", "A6", "C6", "D3", "E5"],
    cases=one_direction,
)
def test_output_last_step_is_h(run):
    assert_same_bits(run.output[:, -1], run.h[-1, 0])


@claim(
    kind="exact",
    statement="outputs[:, -1, :] is state[-1].h, and index 1 of an LSTMStateTuple is h.",
    formula="outputs[:, -1, :] == state[-1].h == state[-1][1]",
    sources=["A6", "B3", "B4", "B5", "E5"],
    cases=one_direction,
    about=TF1,
)
def test_tf1_last_output_is_the_last_states_h(run):
    outputs, state = run.native
    assert_same_bits(
        {"state[-1].h": outputs[:, -1, :], "state[-1][1]": outputs[:, -1, :]},
        {"state[-1].h": state[-1].h, "state[-1][1]": state[-1][1]},
    )


@claim(
    kind="exact",
    statement="With return_sequences and return_state a layer returns output, h, c, and its "
    "output's last step is h.",
    formula="output, h, c = layer(x); output[:, -1, :] == h",
    sources=["C4", "C6"],
    cases=one_direction,
    about=KERAS,
)
def test_keras_returns_output_h_c(run):
    names = [f"layer {layer}" for layer in range(len(run.native))]
    assert_same_bits(
        {name: output[:, -1, :] for name, (output, _, _) in zip(names, run.native, strict=True)},
        {name: h for name, (_, h, _) in zip(names, run.native, strict=True)},
    )


@claim(
    kind="exact",
    statement="Without return_sequences the output is the last step's, and it is h.",
    formula="LSTM(units)(x) == LSTM(units, return_sequences=True)(x)[:, -1]",
    sources=["C6"],
    cases=lambda case: one_layer(case) and case.time <= 10,
    about=KERAS,
)
def test_keras_single_output_is_the_last_step(run, recipe):
    last = recipe("last_output_only")
    assert_same_bits(
        {"output": last.output[:, 0], "h": last.h[0, 0]},
        {"output": run.output[:, -1], "h": run.output[:, -1]},
    )


@claim(
    kind="exact",
    statement="output[-1] of a time-major LSTM in one direction is h_n[-1]: all of h_n only if "
    "there is one layer.",
    formula="output[-1] == h_n[-1]",
    sources=["D3", "D4"],
    cases=one_direction,
    about=TORCH,
    recipe="time_major",
)
def test_torch_last_output_is_the_last_row_of_h_n(recipe):
    output, (h_n, _) = recipe("time_major").native
    assert_same_bits(output[-1], h_n[-1])


@claim(
    kind="different",
    statement="Lower layers have states of their own, and none of them is the output's last step.",
    formula="output[:, -1] != h[layer] below the top",
    sources=["A6", "B7", "D4"],
    cases=lambda case: stacked(case) and case.one_width,
)
def test_output_last_step_is_no_lower_layers_h(run, oracle, case):
    lower = {f"h of layer {layer}": run.h[layer, 0] for layer in range(case.layers - 1)}
    assert_different(lower, run.output[:, -1], oracle.h[-1, 0])


@claim(
    kind="different",
    statement="The hidden state is the output; the cell state stays inside and is not.",
    formula="output[:, -1] != c[-1]",
    sources=["D10"],
    cases=one_direction,
)
def test_output_last_step_is_not_c(run, oracle):
    assert_different(run.output[:, -1], run.c[-1, 0], oracle.c[-1, 0])


@claim(
    kind="exact",
    statement="Where rows end early, each row's h is its output at its own last step.",
    formula="h[row] == output[row, lengths[row] - 1]",
    sources=["A2", "D8"],
    cases=SHORT_ROWS,
    recipe="lengths",
)
def test_a_short_rows_h_is_its_last_output(recipe, experiment):
    run = recipe("lengths")
    rows, lengths = np.arange(experiment.batch), np.array(experiment.lengths)
    assert_same_bits(run.output[rows, lengths - 1], run.h[-1, 0])


@claim(
    kind="rounding",
    statement="A row that ends early ends in the state that its own steps alone lead to.",
    formula="h[row], c[row] == lstm(x[row, :lengths[row]])",
    sources=["D8"],
    cases=SHORT_ROWS,
    recipe="lengths",
)
def test_a_short_row_is_the_row_cut_short(recipe, experiment, oracle, case):
    run = recipe("lengths")
    at = np.arange(experiment.batch), np.array(experiment.lengths) - 1
    layers = range(case.layers)
    assert_within_rounding(
        {f"{name} of layer {layer}": state[layer, 0] for layer in layers
         for name, state in (("h", run.h), ("c", run.c))},
        {f"{name} of layer {layer}": steps[layer, 0][at] for layer in layers
         for name, steps in (("h", oracle.h_steps), ("c", oracle.c_steps))},
    )  # fmt: skip


@claim(
    kind="different",
    statement="Where rows end early, output[:, -1] is not h: past a row's end the output is zero.",
    formula="output[row, -1] != h[row] where lengths[row] < time",
    sources=["A2"],
    cases=SHORT_ROWS,
    about=NOT_REPEATED,
    recipe="lengths",
)
def test_the_last_step_of_a_short_row_is_not_h(recipe, oracle):
    run = recipe("lengths")
    assert_different(run.output[:-1, -1], run.h[-1, 0][:-1], oracle.h[-1, 0][:-1])


@claim(
    kind="exact",
    statement="Past a row's end the output is zero.",
    formula="output[row, lengths[row]:] == 0",
    sources=["A2"],
    cases=SHORT_ROWS,
    about=About(
        lambda adapter: adapter.masked_output in ("zeros", None),
        because="the framework repeats the last output past a row's end "
        "(keras-output-under-a-mask-repeats), or goes on over the padding "
        "(flax-goes-on-past-a-rows-end)",
    ),
    recipe="lengths",
)
def test_output_past_a_rows_end_is_zero(recipe, experiment):
    output = recipe("lengths").output
    past = np.arange(experiment.time) >= np.array(experiment.lengths)[:, None]
    assert_same_bits(output[past], np.zeros_like(output[past]))


@claim(
    kind="exact",
    statement="Under a mask Keras repeats a row's last output, so output[:, -1] is h even there.",
    formula="output[:, -1] == h",
    sources=["A2"],
    cases=SHORT_ROWS,
    about=About(
        lambda adapter: adapter.masked_output in ("repeated", None),
        because="the framework puts zeros past a row's end (output-past-a-rows-end-is-zero), or "
        "goes on over the padding (flax-goes-on-past-a-rows-end)",
    ),
    recipe="lengths",
)
def test_keras_output_under_a_mask_repeats(recipe):
    run = recipe("lengths")
    assert_same_bits(run.output[:, -1], run.h[-1, 0])


@claim(
    kind="different",
    statement="Unless the framework is told the lengths, a short row's h is the padding's.",
    formula="lstm(x).h[row] != lstm(x, lengths).h[row] where lengths[row] < time",
    sources=["A2", "D8"],
    cases=named("smallest", "two-layers", "three-layers", "square"),
    recipe="lengths",
)
def test_padding_counts_unless_lengths_are_given(run, recipe, oracle):
    told = recipe("lengths")
    assert_different(run.h[-1, 0][:-1], told.h[-1, 0][:-1], oracle.h[-1, 0][:-1])
