"""What is Keras's own: GRU and SimpleRNN, merge modes, stacked cells, and options of its layers.

The hand-written steps take Keras's own weights, as it stores them, and share no code with the
oracle but the sigmoid.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fixtures.cases import kinds, named, of_cell, other_cells, some
from fixtures.cells import GRU, LSTM, RNN
from fixtures.checks.compare import (
    assert_same_bits,
    assert_structure,
    assert_ways_agree,
    assert_within_rounding,
)
from fixtures.claims import KERAS, claim
from fixtures.oracle.rounding import concatenated, oracle_of
from fixtures.oracle.sites import sigmoid

BOTH_GRUS = of_cell(GRU(), GRU(reset_after=False))
LAYERS = ("gru", "gru-reset-before", "rnn")
SHAPES = ("smallest", "smallest-from-zero", "two-layers", "bidirectional-two-layers", "no-bias")
SHORT = some(
    kinds.all_of(kinds.layers, kinds.few_steps),
    "smallest", "two-layers", "bidirectional",
    *(f"{layer}-{shape}" for layer in LAYERS for shape in SHAPES),
)  # fmt: skip
"""The three layers of Keras, at a few steps each."""


STACKED_CELLS = kinds.all_of(kinds.plain, kinds.forward, kinds.several_layers, kinds.few_steps)


def one_step_from_given(case):
    one_layer = case.layers == 1 and case.directions == 1
    return one_layer and case.time == 1 and case.bias != "none" and case.initial == "given"


def short_rows(case):
    return other_cells(case) and case.directions == 1 and case.time <= 10


# GRU and SimpleRNN by hand


@claim(
    kind="rounding",
    statement="Keras's GRU has the gates z, r, h side by side and z keeps the old h. With "
    "reset_after r multiplies the candidate's recurrent sum, its bias included; without it, h "
    "before the product.",
    formula="h~ = tanh(x W_h + b_h + r * (h U_h + c_h)) or tanh(x W_h + (r * h) U_h + b_h); "
    "h' = z * h + (1 - z) * h~",
    cases=lambda case: BOTH_GRUS(case) and one_step_from_given(case),
    about=KERAS,
)
def test_keras_gru_gates_are_z_r_h(run, case, experiment, oracle):
    kernel, recurrent_kernel, bias = run.native_weights.values()
    x, h = experiment.inputs[:, 0], experiment.start.h[0, 0]
    of_input, recurrent = bias if case.cell.reset_after else (bias, np.zeros_like(bias))
    x_z, x_r, x_h = np.split(x @ kernel + of_input, 3, axis=1)
    h_z, h_r, h_h = np.split(h @ recurrent_kernel + recurrent, 3, axis=1)
    z, r = sigmoid(x_z + h_z), sigmoid(x_r + h_r)
    reset_before = (r * h) @ np.split(recurrent_kernel, 3, axis=1)[2]
    candidate = np.tanh(x_h + (r * h_h if case.cell.reset_after else reset_before))
    by_hand = z * h + (1 - z) * candidate
    assert_ways_agree({"by hand": by_hand, "Keras": run.h[0, 0]}, oracle.h[0, 0])


@claim(
    kind="structure",
    statement="Keras's GRU has two biases if it resets after, in two rows of one array, and one "
    "bias if it resets before.",
    formula="bias [2, 3 * units] with reset_after=True, [3 * units] without",
    cases=lambda case: BOTH_GRUS(case) and case.bias != "none",
    about=KERAS,
    dtypes=("float32",),
)
def test_keras_gru_has_two_biases_if_it_resets_after(run, case):
    def shape(units):
        return (2, 3 * units) if case.cell.reset_after else (3 * units,)

    biases = list(run.native_weights.values())[2::3]
    expected = [shape(units) for units in case.units for _ in range(case.directions)]
    assert_structure([bias.shape for bias in biases], expected)


@claim(
    kind="rounding",
    statement="Keras's SimpleRNN is one product of x, one of h and one bias: there is nothing to "
    "split.",
    formula="h' = tanh(x @ kernel + h @ recurrent_kernel + bias)",
    cases=lambda case: of_cell(RNN())(case) and one_step_from_given(case),
    about=KERAS,
)
def test_keras_simple_rnn_is_one_sum(run, experiment, oracle):
    kernel, recurrent_kernel, bias = run.native_weights.values()
    x, h = experiment.inputs[:, 0], experiment.start.h[0, 0]
    by_hand = np.tanh(x @ kernel + h @ recurrent_kernel + bias)
    assert_ways_agree({"by hand": by_hand, "Keras": run.h[0, 0]}, oracle.h[0, 0])


@claim(
    kind="rounding",
    statement="`activation` is what Keras's LSTM puts the candidate and the cell state through; "
    "the gates are left as they are.",
    formula="c' = sigmoid(f) * c + sigmoid(i) * relu(c~); h' = sigmoid(o) * relu(c')",
    cases=some(
        kinds.all_of(of_cell(LSTM(activation="relu")), kinds.single, kinds.given, kinds.with_bias),
        "relu-smallest",
    ),
    about=KERAS,
)
def test_keras_activation_is_the_candidates_and_the_outputs(adapter, experiment, oracle):
    run = adapter.run(experiment.only_step(0, experiment.initial))
    kernel, recurrent_kernel, bias = run.native_weights.values()
    x, h, c = experiment.inputs[:, 0], *experiment.start.at(0, 0)
    i, f, candidate, o = np.split(x @ kernel + h @ recurrent_kernel + bias, 4, axis=1)
    c = sigmoid(f) * c + sigmoid(i) * np.maximum(candidate, 0)
    h = sigmoid(o) * np.maximum(c, 0)
    found = np.concatenate([run.h[0, 0], run.c[0, 0]], axis=-1)
    first = (oracle.h_steps[0, 0][:, 0], oracle.c_steps[0, 0][:, 0])
    ways = {"by hand": np.concatenate([h, c], axis=-1), "Keras": found}
    assert_ways_agree(ways, concatenated(*first))


# What they return


@claim(
    kind="structure",
    statement="A GRU or SimpleRNN returns its output and h, in both directions its output, forward "
    "h and backward h; a cell with c inside `RNN` returns what LSTM does.",
    formula="output, h; output, forward h, backward h; output, h, c",
    cases=other_cells,
    about=KERAS,
    dtypes=("float32",),
)
def test_keras_other_cells_return_output_then_states(run, case):
    expected = [
        [(case.batch, case.time, case.directions * cell.widths(units)[0])]
        + case.directions * [(case.batch, width) for width in cell.widths(units)]
        for cell, units in zip(case.cells, case.units, strict=True)
    ]
    assert_structure([[one.shape for one in layer] for layer in run.native], expected)


@claim(
    kind="exact",
    statement="Without `return_sequences` the output is the last step of the one with it, of "
    "whichever cell.",
    formula="layer(x, return_sequences=False) == layer(x)[:, -1]",
    sources=["C3"],
    cases=lambda case: other_cells(case) and case.layers == 1 and case.directions == 1,
    about=KERAS,
    recipe="last_output_only",
    dtypes=("float32",),
)
def test_keras_other_cells_single_output_is_the_last_step(recipe, run):
    assert_same_bits(recipe("last_output_only").output[:, 0], run.output[:, -1])


@claim(
    kind="exact",
    statement="Under a mask Keras repeats a row's last output, of whichever cell: output[:, -1] is "
    "h even there.",
    formula="output[:, -1] == h",
    cases=short_rows,
    about=KERAS,
    recipe="lengths",
    dtypes=("float32",),
)
def test_keras_other_cells_output_under_a_mask_repeats(recipe):
    run = recipe("lengths")
    assert_same_bits(run.output[:, -1], run.h[-1, 0])


@claim(
    kind="exact",
    statement="Time-major is a transposition of batch-major, of whichever cell.",
    formula="layer(x.T, time_major=True).T == layer(x)",
    cases=SHORT,
    about=KERAS,
    recipe="time_major",
)
def test_keras_time_major_is_a_transposition_of_every_layer(run, recipe):
    assert_same_bits(dict(recipe("time_major").tensors()), dict(run.tensors()))


# Options


@claim(
    kind="exact",
    statement="The merge modes sum, mul and ave combine the outputs of both directions element by "
    "element; concat keeps them side by side, and None apart.",
    formula="forward + backward; forward * backward; (forward + backward) / 2; [forward, backward]",
    cases=some(
        kinds.all_of(kinds.layers, kinds.two_directions, kinds.few_steps),
        "bidirectional", "square-bidirectional", "bidirectional-two-layers", *(
        f"{layer}-bidirectional-two-layers" for layer in LAYERS)),
    about=KERAS,
    dtypes=("float32",),
)  # fmt: skip
def test_keras_merge_modes_combine_both_directions(adapter, experiment):
    forward, backward = adapter.merged(experiment, None)
    expected = {
        "concat": np.concatenate([forward, backward], axis=-1),
        "sum": forward + backward,
        "mul": forward * backward,
        "ave": (forward + backward) / 2,
    }
    found = {mode: adapter.merged(experiment, mode)[0] for mode in expected}
    assert_same_bits(found, expected)


@claim(
    kind="rounding",
    statement="A step layer with `implementation=1`, a product for each gate, computes what it "
    "does with `implementation=2`, one product for all, and what the layer does.",
    formula="RNN(cell(implementation=1))(x) == RNN(cell(implementation=2))(x) == layer(x)",
    cases=lambda case: SHORT(case) and case.directions == 1 and not isinstance(case.cell, RNN),
    about=KERAS,
    recipe="with_implementation_1",
    dtypes=("float32",),
)
def test_keras_implementations_compute_the_same(run, recipe, oracle):
    one, two = recipe("with_implementation_1"), recipe("with_implementation_2")
    assert_ways_agree(
        {"layer": dict(run.tensors()), "1": dict(one.tensors()), "2": dict(two.tensors())},
        dict(oracle.tensors()),
    )


@claim(
    kind="rounding",
    statement="`unroll=True` computes what the loop does.",
    formula="layer(x; unroll=True) == layer(x)",
    cases=SHORT,
    about=KERAS,
    recipe="unrolled",
    dtypes=("float32",),
)
def test_keras_unrolled_is_the_loop(run, recipe, oracle):
    ways = {"loop": dict(run.tensors()), "unrolled": dict(recipe("unrolled").tensors())}
    assert_ways_agree(ways, dict(oracle.tensors()))


@claim(
    kind="rounding",
    statement="Stacked cells inside one `RNN` are one layer after another, with the states of the "
    "bottom cell first; called at once or as a model.",
    formula="RNN(StackedRNNCells([cell, cell]))(x) == layer(layer(x))",
    sources=["A3"],
    cases=some(
        STACKED_CELLS,
        "two-widths", "three-widths", "two-layers", "two-layers-from-zero", *(
        f"{layer}-two-widths" for layer in LAYERS), "all-variants-two-layers",
        "mixed-lstm-gru", "mixed-gru-lstm"),
    about=KERAS,
    recipe="stacked_cells",
    dtypes=("float32",),
)  # fmt: skip
def test_keras_stacked_cells_are_one_layer_after_another(run, recipe, oracle):
    ways = {"layers": run, "cells": recipe("stacked_cells")}
    ways["cells in a model"] = recipe("stacked_cells_in_a_model")
    assert_ways_agree(
        {name: dict(one.tensors()) for name, one in ways.items()}, dict(oracle.tensors())
    )


@claim(
    kind="structure",
    statement="Stacked cells inside one `RNN` return a part for each cell beside the output: "
    "[h, c] of an LSTMCell, h of a GRUCell. They take the same for an initial state, and refuse "
    "one list of all states.",
    formula="rnn(x) == [output, [h, c], h]; rnn(x, initial_state=[h, c, h]) raises",
    cases=named("mixed-lstm-gru"),
    about=KERAS,
    dtypes=("float32",),
)
def test_keras_stacked_cells_states_are_cell_by_cell(adapter, experiment, case):
    below, top = ((case.batch, units) for units in case.units)
    assert_structure(
        adapter.states_of_stacked_cells(experiment),
        {"shapes": [[below, below], [top]], "as returned": "taken", "one list": "refused"},
    )


@claim(
    kind="rounding",
    statement="Stacked cells of different kinds go on from the states that they returned.",
    formula="rnn(x[:, n:], initial_state=states of rnn(x[:, :n])) == rnn(x)[:, n:]",
    sources=["A7", "D3"],
    cases=some(kinds.all_of(STACKED_CELLS, kinds.in_parts), "mixed-lstm-gru"),
    about=KERAS,
    recipe="stacked_cells_in_halves",
    dtypes=("float32",),
)
def test_keras_stacked_cells_go_on_from_their_states(run, recipe, oracle):
    ways = {"at once": run, "in halves": recipe("stacked_cells_in_halves")}
    assert_ways_agree(
        {name: dict(one.tensors()) for name, one in ways.items()}, dict(oracle.tensors())
    )


def same_last_feature(experiment):
    """The case with the last feature of the first step at every step."""
    inputs = experiment.inputs.copy()
    inputs[..., -1] = inputs[:, :1, -1]
    return replace(experiment, inputs=inputs)


OF_TWO_INPUTS = some(
    lambda case: (
        kinds.layers(case)
        and kinds.single(case)
        and kinds.from_zero(case)
        and kinds.few_steps(case)
        and case.features > 1
    ),
    "smallest-from-zero", "gru-smallest-from-zero", "rnn-smallest-from-zero",
)  # fmt: skip
"""One layer that may be given one of its features by another way."""


@claim(
    kind="rounding",
    statement="A cell of one's own inside `RNN` that takes `constants` is given them at every "
    "step, as attention needs its memory: called at once, or as a model.",
    formula="RNN(cell of [x, c])(x, constants=[c]) == layer(x beside c at every step)",
    cases=OF_TWO_INPUTS,
    about=KERAS,
    dtypes=("float32",),
)
def test_keras_cells_take_constants(adapter, experiment):
    experiment = same_last_feature(experiment)
    runs = adapter.with_constants(experiment)
    assert_ways_agree(
        {way: dict(run.tensors()) for way, run in runs.items()},
        dict(oracle_of(replace(experiment, dense=None)).tensors()),
    )


@claim(
    kind="rounding",
    statement="A cell of one's own inside `RNN` may take a pair of inputs: a step of each at a "
    "time.",
    formula="RNN(cell of [x, y])((x, y)) == layer(x beside y)",
    cases=OF_TWO_INPUTS,
    about=KERAS,
    dtypes=("float32",),
)
def test_keras_cells_take_nested_inputs(adapter, experiment, oracle):
    runs = adapter.of_two_inputs(experiment)
    assert_ways_agree(
        {way: dict(run.tensors()) for way, run in runs.items()}, dict(oracle.tensors())
    )


@claim(
    kind="rounding",
    statement="A stack of one cell inside an `RNN` is its layer, and takes the states of a stack.",
    formula="RNN(StackedRNNCells([cell]))(x, initial_state=[[h, c]]) == layer(x, [h, c])",
    cases=named("smallest", "smallest-from-zero", *(f"{layer}-smallest" for layer in LAYERS)),
    about=KERAS,
    recipe="stacked_cells",
    dtypes=("float32",),
)
def test_keras_a_stack_of_one_cell_is_its_layer(recipe, oracle):
    assert_within_rounding(dict(recipe("stacked_cells").tensors()), dict(oracle.tensors()))


@claim(
    kind="rounding",
    statement="A list of cells inside an `RNN` of some precision is computed in that precision.",
    formula="RNN([cell, cell], dtype=dtype)(x) == layer(layer(x)) in that dtype",
    cases=some(STACKED_CELLS, "two-layers", "two-widths", "gru-two-layers", "rnn-two-layers"),
    about=KERAS,
    recipe="list_of_cells",
)
def test_keras_list_of_cells_keeps_its_precision(recipe, oracle):
    assert_within_rounding(dict(recipe("list_of_cells").tensors()), dict(oracle.tensors()))


# Layers in several places, and what else computes an LSTM


@claim(
    kind="exact",
    statement="A layer that stands twice in a model is one layer: it computes in each place, on "
    "inputs of other lengths, too, what it does by itself, and the model has its weights once.",
    formula="Model([a, b], [layer(a), layer(b)])([x, x[:, :1]]) == layer(x), layer(x[:, :1])",
    cases=named("smallest-from-zero", "gru-smallest", "rnn-smallest", "bidirectional"),
    about=KERAS,
    dtypes=("float64",),
)
def test_keras_a_layer_called_twice_is_one_layer(adapter, experiment):
    found = adapter.called_twice(experiment)
    assert_same_bits(found, {name: found["calls, " + name.partition(", ")[2]] for name in found})


@claim(
    kind="rounding",
    statement="A stateful layer in two models has one state: what one model leaves, the other "
    "goes on from.",
    formula="first = Model(a, layer(a)); second = Model(b, first(b)); a step of each in turn",
    cases=named("smallest-from-zero", "gru-smallest-from-zero", "rnn-smallest-from-zero"),
    about=KERAS,
    dtypes=("float32",),
)
def test_keras_stateful_layers_are_shared_by_models(adapter, experiment, oracle):
    run = adapter.stateful_in_two_models(experiment)
    assert_within_rounding(dict(run.tensors()), dict(oracle.tensors()))


@claim(
    kind="rounding",
    statement="ConvLSTM2D with a kernel of one pixel is, on images of one pixel, the LSTM: "
    "under a mask, too.",
    formula="ConvLSTM2D(units, 1, recurrent_activation='sigmoid')(x[:, :, None, None]) == lstm(x)",
    cases=named("smallest-from-zero", "masked-right-lstm-from-zero"),
    about=KERAS,
    dtypes=("float32",),
)
def test_keras_conv_lstm_of_one_pixel_is_the_lstm(adapter, experiment, oracle):
    run = adapter.on_one_pixel(experiment)
    counts = slice(None) if experiment.mask is None else experiment.mask
    found, expected = dict(run.tensors()), dict(oracle.tensors())
    found["output"], expected["output"] = run.output[counts], oracle.output[counts]
    assert_within_rounding(found, expected)


@claim(
    kind="rounding",
    statement="A step layer takes what its own `get_initial_state` returns: zeros.",
    formula="cell(x[:, 0], cell.get_initial_state(batch_size=batch)) is the first step",
    cases=named(
        "smallest-from-zero", "gru-smallest-from-zero", "gru-reset-before-smallest-from-zero",
        "rnn-smallest-from-zero",
    ),
    about=KERAS,
    dtypes=("float32",),
)  # fmt: skip
def test_keras_step_layers_take_their_own_states(adapter, experiment, oracle):
    run = adapter.from_their_own_states(experiment)
    assert_within_rounding(run.output, oracle.output[:, :1])
