"""Dropout: off at inference, and in training what it does once its masks are known.

A framework draws its masks by itself. They are read off a first run, whose weights show them, and
the numbers of a second run from the same seed are judged with the masks known
(fixtures/cases/dropout.py).
"""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np

from fixtures.adapters.base import BACKEND
from fixtures.cases import every, kinds, named, some
from fixtures.cases.dropout import (
    candidate,
    doubled,
    keeps_the_state,
    kept,
    row_with_masks,
    showing,
    showing_nothing,
    showing_reset,
    with_input_mask,
)
from fixtures.cells import GRU
from fixtures.checks.compare import (
    assert_different,
    assert_each_within_rounding,
    assert_same_bits,
    assert_structure,
    assert_within_rounding,
)
from fixtures.claims import KERAS, TF1, TORCH, About, claim
from fixtures.model.experiment import Upstream
from fixtures.model.perlayer import PerLayer, State
from fixtures.oracle.rounding import gradients_of, oracle_of


def shows_inputs(case):
    """One layer whose output shows all of its inputs, a unit for each; a bias holds its gates
    half open."""
    a_layer = kinds.layers(case) and kinds.single(case) and kinds.with_bias(case)
    return a_layer and case.features <= case.units[0]


def shows_masks(case):
    """The same, of so few rows that the oracle can be asked for each, which has masks of its own;
    and where the masks of the state can be read off for each gate. Reset before, r shows only in
    the units of the state that the candidate keeps."""
    resets_before = case.cell == GRU(reset_after=False)
    return shows_inputs(case) and kinds.few_rows(case) and not resets_before


def resets_before(case):
    """A GRU whose resets show, unit after unit, in as many runs as it has units."""
    its_cell = case.cell == GRU(reset_after=False)
    return its_cell and shows_inputs(case) and kinds.few_rows(case) and case.units[0] <= 8


def shows_what_is_between(case):
    """Two layers, the upper of which has a unit for each element of what the lower hands on."""
    a_stack = kinds.layers(case) and kinds.two_layers(case) and kinds.with_bias(case)
    return a_stack and case.units[0] <= case.units[1]


def forward_of_two(case):
    return shows_what_is_between(case) and kinds.forward(case)


STACKS = some(
    kinds.all_of(kinds.layers, kinds.several_layers),
    "two-layers", "gru-two-layers", "rnn-two-layers",
)  # fmt: skip
"""Two layers of every cell: the least that torch drops anything of."""

ONE_LAYER = some(
    shows_inputs, "smallest", "gru-smallest", "gru-reset-before-smallest", "rnn-smallest"
)
WITH_GATES = named("smallest", "gru-smallest")
READABLE = some(shows_masks, "smallest", "gru-smallest", "rnn-smallest")

KEEPS_MASKS = About(
    lambda one: one.interface == "keras" and not one.input_masks_change,
    because="it is about Keras 3, which draws one mask of the inputs for all steps",
)
DRAWS_MASKS = About(
    lambda one: one.interface == "keras" and one.input_masks_change,
    because="it is about Keras 2, which draws masks of the inputs for every step",
)
FALSE_ALARMS_IN = 10**9
"""A count is wrong if chance makes one like it in less than one of so many runs."""


def masks(adapter, experiment, kernel="kernel", **options):
    """Which elements a call in training keeps on their way to the candidate, `[batch, time,
    elements]`."""
    gate = candidate(experiment)
    shown = adapter.dropped(showing(experiment, kernel, gate), **options)
    nothing = adapter.run(showing_nothing(experiment, gate))
    return kept(shown.output, nothing.output)


def input_masks(adapter, experiment, **options):
    return masks(adapter, experiment, "kernel", **options)[..., : experiment.features]


def masks_of_gates(adapter, experiment, kernel, gates=None, **rates):
    """The masks at the first step for each gate, `[batch, gates, elements]`."""
    gates = gates or experiment.cell.gates
    wide = experiment.features if kernel == "kernel" else experiment.units[0]
    nothing = {  # it is the same for all gates but the one that keeps the old state
        keeps: adapter.run(showing_nothing(experiment, gate)).output
        for keeps, gate in {keeps_the_state(experiment, gate): gate for gate in gates}.items()
    }
    of_gates = [
        kept(
            adapter.dropped(showing(experiment, kernel, gate), **rates).output,
            nothing[keeps_the_state(experiment, gate)],
        )[:, 0, :wide]
        for gate in gates
    ]
    return np.stack(of_gates, axis=1)


def masks_reset_before(adapter, experiment, **rates):
    """The masks of the state for the gates of a GRU that resets before, `[batch, gates, elements]`.

    That of r is read off where n keeps the unit that it is led to, so it is led to one after
    another. Where n keeps none, nothing comes of r.
    """
    found = masks_of_gates(adapter, experiment, "recurrent_kernel", "zn", **rates)
    n = adapter.dropped(showing(experiment, "recurrent_kernel", "n"), **rates).output
    units, of_r = experiment.units[0], np.zeros_like(found[:, 0])
    for shift in range(units):
        shown = adapter.dropped(showing_reset(experiment, shift), **rates).output
        of_r |= np.roll(kept(shown, n)[:, 0], -shift, axis=-1)
    by_gate = {"z": found[:, 0], "r": of_r, "n": found[:, 1]}
    return np.stack([by_gate[gate] for gate in experiment.cell.gates], axis=1)


def two_gates(experiment):
    """The candidate and another gate: enough to see whether each has a mask of its own."""
    return {"LSTM": "ig", "GRU": "rn"}[type(experiment.cell).__name__]


def the_same(masks, axis):
    """Whether masks are the same all along an axis."""
    return bool((masks == masks.take([0], axis=axis)).all())


def with_gate_masks(run, experiment, **masks):
    """Every row of the batch, and what the oracle says of it with its own masks, by kernel."""
    ways = {}
    for row in range(experiment.batch):
        of_row = {kernel: mask[row] for kernel, mask in masks.items()}
        expected = oracle_of(row_with_masks(experiment, row, **of_row))
        actual = {name: array[row : row + 1] for name, array in run.tensors()}
        ways[f"row {row}"] = (actual, dict(expected.tensors()))
    return ways


# What holds of every framework, whatever it drops


@claim(
    kind="exact",
    statement="At inference a layer with dropout is the layer without, to the bit, even after a "
    "call in training.",
    formula="layer(x; dropout=0.5, training=False) == layer(x)",
    cases=STACKS,
    recipe="dropout_at_inference",
    dtypes=("float32",),
)
def test_dropout_is_off_at_inference(run, recipe):
    assert_same_bits(dict(recipe("dropout_at_inference").tensors()), dict(run.tensors()))


@claim(
    kind="different",
    statement="Every call in training draws new masks.",
    formula="layer(x; training=True) != layer(x; training=True) a second time",
    cases=STACKS,
    recipe="dropout_second_call",
    dtypes=("float32",),
)
def test_a_second_training_call_drops_others(recipe, oracle):
    first, second = recipe("dropout"), recipe("dropout_second_call")
    assert_different(second.output, first.output, oracle.output)


@claim(
    kind="exact",
    statement="From the same seed the same masks are drawn.",
    formula="layer(x; training=True, seed=s) == layer(x; training=True, seed=s) built anew",
    cases=some(
        kinds.all_of(kinds.layers, kinds.several_layers),
        "two-layers",
        "gru-two-layers",
        "rnn-two-layers",
        "rnn-bidirectional-two-layers",
    ),
    recipe="dropout_again",
    dtypes=("float32",),
)
def test_a_seed_repeats_the_masks(recipe):
    assert_same_bits(dict(recipe("dropout_again").tensors()), dict(recipe("dropout").tensors()))


def nearest_likely(dropped, of, quarters):
    """The nearest number of elements, `of` so many, that independent draws at a rate of so many
    quarters drop with more than a false alarm's probability on either side."""
    weights = [math.comb(of, n) * quarters**n * (4 - quarters) ** (of - n) for n in range(of + 1)]
    improbable = 4**of // FALSE_ALARMS_IN // 2  # the weights' sum is 4^of
    least, below = 0, weights[0]
    while below < improbable:
        least += 1
        below += weights[least]
    most, above = of, weights[of]
    while above < improbable:
        most -= 1
        above += weights[most]
    return min(max(dropped, least), most)


def many_rows(experiment):
    """100 rows of the first one's numbers."""
    initial = experiment.initial
    return replace(
        experiment,
        inputs=np.repeat(experiment.inputs[:1], 100, axis=0),
        initial=initial.map(lambda array: np.repeat(array[:1], 100, axis=0)),
        dense=None,
        upstream=None,
    )


@claim(
    kind="structure",
    statement="Three quarters are dropped where that is the rate, as far as chance goes.",
    formula="dropped elements of 100 rows at one step: Binomial(100 * width, 3/4), false alarms "
    "below 1e-9",
    cases=named("two-layers", "gru-two-layers"),
    recipe="dropout_of_three_quarters",
    dtypes=("float32",),
)
def test_dropout_drops_as_many_as_it_says(adapter, experiment):
    many, gate = many_rows(experiment), candidate(experiment)
    shown = adapter.dropout_of_three_quarters(showing(many, "kernel", gate))
    nothing = adapter.run(showing_nothing(many, gate))
    mask = kept(shown.output, nothing.output)[:, 0]
    dropped = int((~mask).sum())
    assert_structure(dropped, nearest_likely(dropped, mask.size, 3))


# torch


def layers_apart(adapter, experiment, found, oracle):
    """Each of two layers that a run in training found, and what the oracle says of it: of the upper
    one, on what the masks leave of the lower one's output."""
    experiment = replace(experiment, dense=None)
    below = adapter.run(experiment.only_layer(0, experiment.inputs)).output
    upper = experiment.only_layer(1, doubled(below, masks(adapter, experiment)))
    lower = {name: one for name, one in found.tensors() if "[0, " in name}
    top = {name.replace("[1, ", "[0, "): one for name, one in found.tensors() if name not in lower}
    of_lower = {name: one for name, one in oracle.tensors() if name in lower}
    return {
        "lower layer": (lower, of_lower),
        "upper layer": (top, dict(oracle_of(upper).tensors())),
    }


@claim(
    kind="rounding",
    statement="torch drops what a layer hands to the next one, doubles what it keeps at p = 0.5, "
    "and drops nothing of the states or of the last layer's output.",
    formula="h[1] = layer_1(2 * mask * layer_0(x)); output == h[1]; mask [batch, time, "
    "directions * units]",
    cases=some(
        shows_what_is_between,
        "two-layers",
        "bidirectional-two-layers",
        "gru-two-layers",
        "gru-bidirectional-two-layers",
        "rnn-two-layers",
        "rnn-bidirectional-two-layers",
    ),
    about=TORCH,
    recipe="dropout",
)
def test_torch_dropout_is_between_layers(adapter, recipe, experiment, oracle):
    found = recipe("dropout")
    assert_each_within_rounding(layers_apart(adapter, experiment, found, oracle))


@claim(
    kind="rounding",
    statement="So it does of packed rows: of each up to its own end.",
    formula="h[1] = layer_1(pack(2 * mask * layer_0(pack(x))))",
    cases=some(shows_what_is_between, "two-layers", "gru-bidirectional-two-layers"),
    about=TORCH,
    recipe="dropout",
    dtypes=("float32",),
)
def test_torch_dropout_of_packed_rows_is_between_layers(adapter, experiment, oracle_of_short_rows):
    packed = experiment.short_rows()
    found = adapter.dropped(packed)
    assert_each_within_rounding(layers_apart(adapter, packed, found, oracle_of_short_rows))


@claim(
    kind="rounding",
    statement="At p = 1 torch hands zeros to the upper layer, and no NaN.",
    formula="torch.nn.LSTM(num_layers=2, dropout=1.0).train(): h[1] = layer_1(0 * layer_0(x))",
    cases=some(shows_what_is_between, "two-layers", "gru-bidirectional-two-layers"),
    about=TORCH,
    recipe="dropout_of_all",
)
def test_torch_dropout_of_all_hands_zeros_on(recipe, experiment):
    found = dict(recipe("dropout_of_all").tensors())
    top = {name.replace("[1, ", "[0, "): of for name, of in found.items() if "[0, " not in name}
    wide = experiment.directions * experiment.units[0]
    nothing = np.zeros((experiment.batch, experiment.time, wide), experiment.dtype)
    upper = replace(experiment, dense=None).only_layer(1, nothing)
    assert_within_rounding(top, dict(oracle_of(upper).tensors()))


@claim(
    kind="exact",
    statement="Dropout of a torch layer that has no other on top does nothing, in training too.",
    formula="torch.nn.LSTM(num_layers=1, dropout=0.5).train()(x) == torch.nn.LSTM()(x)",
    cases=some(
        kinds.all_of(kinds.layers, kinds.one_layer),
        "smallest",
        "bidirectional",
        "gru-smallest",
        "rnn-smallest",
    ),
    about=TORCH,
    recipe="dropout",
)
def test_torch_dropout_of_one_layer_drops_nothing(run, recipe):
    assert_same_bits(dict(recipe("dropout").tensors()), dict(run.tensors()))


@claim(
    kind="structure",
    statement="torch warns of dropout where there is one layer, and where there are two does not.",
    formula="warnings: one with num_layers=1, none with num_layers=2",
    cases=named("smallest", "two-layers", "gru-smallest", "rnn-smallest"),
    about=TORCH,
    dtypes=("float32",),
)
def test_torch_warns_of_dropout_of_one_layer(adapter, experiment):
    found = [words.partition(",")[0] for words in adapter.warnings_of_dropout(experiment)]
    warning = "dropout option adds dropout after all but last recurrent layer"
    assert_structure(found, [warning] if experiment.layers == 1 else [])


@claim(
    kind="structure",
    statement="torch draws a mask for every row of the batch and every step.",
    formula="mask[0, t] != mask[0, 0]; mask[b, 0] != mask[0, 0]",
    cases=named("two-layers", "gru-two-layers", "rnn-two-layers"),
    about=TORCH,
    recipe="dropout",
    dtypes=("float32",),
)
def test_torch_draws_a_mask_for_every_step(adapter, experiment):
    found = masks(adapter, experiment)
    assert_structure(
        {"the same for all rows": the_same(found, 0), "for all steps": the_same(found, 1)},
        {"the same for all rows": False, "for all steps": False},
    )


@claim(
    kind="rounding",
    statement="Gradients go through what was kept, doubled, and not through what was dropped.",
    formula="d loss / d layer_0(x) = 2 * mask * d loss / d layer_1's inputs",
    cases=some(forward_of_two, "two-layers", "gru-two-layers", "rnn-two-layers"),
    about=TORCH,
    recipe="dropped_gradients",
)
def test_torch_gradients_go_through_what_is_kept(adapter, recipe, experiment):
    experiment = replace(experiment, dense=None)
    mask = masks(adapter, experiment)

    def alone(layer, inputs, by_output):
        states = experiment.upstream.states.only_layer(layer)
        upstream = Upstream(output=by_output, h=states.h, c=states.c)
        return replace(experiment.only_layer(layer, inputs), upstream=upstream)

    below = adapter.run(experiment.only_layer(0, experiment.inputs)).output
    upper = alone(1, doubled(below, mask), experiment.upstream.output)
    by_its_inputs = adapter.gradients(upper).gradients.inputs
    lower = alone(0, experiment.inputs, doubled(by_its_inputs, mask))
    found = dict(recipe("dropped_gradients").gradients.tensors())

    def of_layer(layer):
        return {
            name.replace(f"[{layer}, ", "[0, "): array
            for name, array in found.items()
            if f"[{layer}, " in name or (name == "inputs" and layer == 0)
        }

    of_upper = gradients_of(upper)
    del of_upper["inputs"]
    assert_each_within_rounding(
        {"lower layer": (of_layer(0), gradients_of(lower)), "upper layer": (of_layer(1), of_upper)}
    )


# Keras


@claim(
    kind="rounding",
    statement="Keras's `dropout` drops and doubles the inputs, the same for all gates, and is no "
    "other layer beyond that.",
    formula="layer(x; dropout=0.5, training=True) == layer(2 * mask * x)",
    cases=ONE_LAYER,
    about=KERAS,
    recipe="dropout",
    dtypes=("float32",),
)
def test_keras_dropout_is_of_the_inputs(adapter, recipe, experiment):
    mask = input_masks(adapter, experiment, dropout=0.5)
    expected = oracle_of(with_input_mask(experiment, mask))
    assert_within_rounding(dict(recipe("dropout").tensors()), dict(expected.tensors()))


@claim(
    kind="rounding",
    statement="Keras's `recurrent_dropout` drops and doubles the state on its way into the gates, "
    "with `dropout` left at 0: the same elements at every step, unrolled or not.",
    formula="gate = x @ kernel + (2 * mask[gate] * h) @ recurrent_kernel + bias",
    cases=READABLE,
    about=KERAS,
    recipe="recurrent_dropout",
    dtypes=("float32",),
)
def test_keras_recurrent_dropout_is_of_the_state(adapter, recipe, experiment):
    rate = {"recurrent_dropout": 0.5}
    found = masks_of_gates(adapter, experiment, "recurrent_kernel", **rate)
    runs = {"loop": recipe("recurrent_dropout")}
    runs["unrolled"] = adapter.dropped(experiment, unroll=True, **rate)
    assert_each_within_rounding(
        {
            f"{way}, {row}": pair
            for way, run in runs.items()
            for row, pair in with_gate_masks(run, experiment, recurrent_kernel=found).items()
        }
    )


@claim(
    kind="rounding",
    statement="A GRU that resets before drops the state on its way into each gate, too: it resets "
    "what `recurrent_dropout` keeps for the candidate.",
    formula="n = tanh(x @ kernel + (r * 2 * mask[n] * h) @ recurrent_kernel + bias)",
    cases=some(resets_before, "gru-reset-before-smallest"),
    about=KERAS,
    recipe="recurrent_dropout",
    dtypes=("float32",),
)
def test_keras_recurrent_dropout_comes_before_the_reset(adapter, recipe, experiment):
    found = masks_reset_before(adapter, experiment, recurrent_dropout=0.5)
    run = recipe("recurrent_dropout")
    assert_each_within_rounding(with_gate_masks(run, experiment, recurrent_kernel=found))


@claim(
    kind="rounding",
    statement="With both, Keras drops the same inputs and the same elements of the state at every "
    "step.",
    formula="gate = (2 * mask_x[gate] * x) @ kernel + (2 * mask_h[gate] * h) @ recurrent_kernel "
    "+ bias",
    cases=READABLE,
    about=KERAS,
    recipe="dropout",
    dtypes=("float32",),
)
def test_keras_both_dropouts_do_their_own_work(adapter, experiment):
    rates = {"dropout": 0.5, "recurrent_dropout": 0.5}
    found = {
        kernel: masks_of_gates(adapter, experiment, kernel, **rates)
        for kernel in ("kernel", "recurrent_kernel")
    }
    run = adapter.dropped(experiment, **rates)
    assert_each_within_rounding(with_gate_masks(run, experiment, **found))


@claim(
    kind="structure",
    statement="Each of Keras's two rates is its own: a quarter of the inputs and three quarters of "
    "the state, as far as chance goes.",
    formula="dropped inputs: Binomial(100 * features, 1/4); of the state: Binomial(100 * units, "
    "3/4); false alarms below 1e-9",
    cases=READABLE,
    about=KERAS,
    recipe="recurrent_dropout",
    dtypes=("float32",),
)
def test_keras_each_rate_is_its_own(adapter, experiment):
    many, rates = many_rows(experiment), {"dropout": 0.25, "recurrent_dropout": 0.75}
    found = {
        1: input_masks(adapter, many, **rates)[:, 0],
        3: masks(adapter, many, "recurrent_kernel", **rates)[:, 0],
    }
    dropped = {quarters: int((~mask).sum()) for quarters, mask in found.items()}
    likely = {
        quarters: nearest_likely(dropped[quarters], mask.size, quarters)
        for quarters, mask in found.items()
    }
    assert_structure(dropped, likely)


@claim(
    kind="structure",
    statement="Keras's `recurrent_dropout` has a mask for each gate, and each row of the batch.",
    formula="mask[i] != mask[c]; mask[r] != mask[h]",
    cases=WITH_GATES,
    about=KERAS,
    recipe="recurrent_dropout",
    dtypes=("float32",),
)
def test_keras_recurrent_dropout_has_a_mask_for_each_gate(adapter, experiment):
    found = masks_of_gates(
        adapter, experiment, "recurrent_kernel", two_gates(experiment), recurrent_dropout=0.5
    )
    assert_structure(
        {"rows": the_same(found, 0), "gates": the_same(found, 1)}, {"rows": False, "gates": False}
    )


@claim(
    kind="structure",
    statement="With `recurrent_dropout` Keras drops other inputs for each gate, too.",
    formula="mask_x[i] != mask_x[c]; mask_x[r] != mask_x[h]",
    cases=WITH_GATES,
    about=KERAS,
    recipe="recurrent_dropout",
    dtypes=("float32",),
)
def test_keras_both_dropouts_have_a_mask_for_each_gate(adapter, experiment):
    rates = {"dropout": 0.5, "recurrent_dropout": 0.5}
    found = masks_of_gates(adapter, experiment, "kernel", two_gates(experiment), **rates)
    assert_structure(
        {"rows": the_same(found, 0), "gates": the_same(found, 1)}, {"rows": False, "gates": False}
    )


@claim(
    kind="structure",
    statement="Keras 3 drops the same inputs at every step.",
    formula="mask[:, t] == mask[:, 0]",
    cases=ONE_LAYER,
    about=KEEPS_MASKS,
    recipe="dropout",
    dtypes=("float32",),
)
def test_keras_3_drops_the_same_inputs_at_every_step(adapter, experiment):
    found = input_masks(adapter, experiment, dropout=0.5)
    assert_structure(
        {"rows": the_same(found, 0), "steps": the_same(found, 1)}, {"rows": False, "steps": True}
    )


@claim(
    kind="structure",
    statement="Keras 2's LSTM and GRU drop other inputs at every step, if that is all they drop.",
    formula="mask[:, t] != mask[:, 0]",
    cases=WITH_GATES,
    about=DRAWS_MASKS,
    recipe="dropout",
    dtypes=("float32",),
)
def test_keras_2_lstm_and_gru_drop_others_at_every_step(adapter, experiment):
    found = input_masks(adapter, experiment, dropout=0.5)
    assert_structure(
        {"rows": the_same(found, 0), "steps": the_same(found, 1)}, {"rows": False, "steps": False}
    )


@claim(
    kind="structure",
    statement="Keras 2's SimpleRNN, its GRU that resets before, and its LSTM and GRU unrolled drop "
    "the same inputs at every step.",
    formula="mask[:, t] == mask[:, 0]",
    cases=ONE_LAYER,
    about=DRAWS_MASKS,
    recipe="dropout",
    dtypes=("float32",),
)
def test_keras_2_drops_the_same_inputs_in_a_loop_of_cells(adapter, case, experiment):
    unrolled = {"unroll": True} if WITH_GATES(case) else {}
    found = input_masks(adapter, experiment, dropout=0.5, **unrolled)
    assert_structure(
        {"rows": the_same(found, 0), "steps": the_same(found, 1)}, {"rows": False, "steps": True}
    )


@claim(
    kind="rounding",
    statement="At inference a layer with `recurrent_dropout` computes what the one without "
    "does, even after a call in training.",
    formula="layer(x; recurrent_dropout=0.5) == layer(x)",
    cases=READABLE,
    about=KERAS,
    recipe="recurrent_dropout_at_inference",
    dtypes=("float32",),
)
def test_keras_recurrent_dropout_is_off_at_inference(recipe, oracle):
    found = recipe("recurrent_dropout_at_inference")
    assert_within_rounding(dict(found.tensors()), dict(oracle.tensors()))


@claim(
    kind="different",
    statement="Every call in training drops other elements of the state.",
    formula="layer(x; recurrent_dropout=0.5, training=True) != the same a second time",
    cases=READABLE,
    about=KERAS,
    recipe="recurrent_dropout_second_call",
    dtypes=("float32",),
)
def test_keras_recurrent_dropout_draws_new_masks(recipe, oracle):
    first, second = recipe("recurrent_dropout"), recipe("recurrent_dropout_second_call")
    assert_different(second.output, first.output, oracle.output)


@claim(
    kind="exact",
    statement="From the same seed the same elements of the state are dropped.",
    formula="layer(x; recurrent_dropout=0.5, seed=s) == the same built anew",
    cases=READABLE,
    about=KERAS,
    recipe="recurrent_dropout_again",
    dtypes=("float32",),
)
def test_keras_recurrent_dropout_is_repeated_by_a_seed(recipe):
    once, again = recipe("recurrent_dropout"), recipe("recurrent_dropout_again")
    assert_same_bits(dict(again.tensors()), dict(once.tensors()))


def masks_of_directions(adapter, experiment, **options):
    """Masks of the inputs and of the state at the step that each direction begins with,
    `[batch, directions, elements]`."""
    units = experiment.units[0]
    found = {}
    for kernel, wide, rate in (
        ("kernel", experiment.features, "dropout"),
        ("recurrent_kernel", units, "recurrent_dropout"),
    ):
        both = masks(adapter, experiment, kernel, **options, **{rate: 0.5})
        halves = [both[:, 0, :units], both[:, -1, units:]]
        found[rate] = np.stack(halves, axis=1)[..., :wide]
    return found


@claim(
    kind="structure",
    statement="The two directions of `Bidirectional` draw masks of their own.",
    formula="forward mask != backward mask",
    cases=named("bidirectional"),
    about=KERAS,
    recipe="dropout",
    dtypes=("float32",),
)
def test_keras_directions_drop_by_themselves(adapter, experiment):
    found = masks_of_directions(adapter, experiment, seed_by_layer=False)
    assert_structure(
        {rate: the_same(both, 1) for rate, both in found.items()},
        {"dropout": False, "recurrent_dropout": False},
    )


@claim(
    kind="structure",
    statement="With a `seed` of the layer's own both directions of Keras 3's `Bidirectional` drop "
    "the same, as the backward layer is made with the same seed.",
    formula="forward mask == backward mask",
    cases=named("bidirectional"),
    about=KEEPS_MASKS,
    recipe="dropout",
    dtypes=("float32",),
)
def test_keras_3_directions_of_one_seed_drop_the_same(adapter, experiment):
    found = masks_of_directions(adapter, experiment)
    assert_structure(
        {rate: (the_same(both, 0), the_same(both, 1)) for rate, both in found.items()},
        {"dropout": (False, True), "recurrent_dropout": (False, True)},
    )


# Keras, in other hands than a layer's own call

IN_GRAPHS = About(
    lambda one: (
        one.interface == "keras" and one.versions().get(BACKEND, "tensorflow") == "tensorflow"
    ),
    because="it is about Keras on TensorFlow, whose tf.function is",
)
BOTH_RATES = ("dropout", "recurrent_dropout")


def changes(call, experiment):
    """What a second call in training changes of the output, at each of Keras's two rates alone."""
    found = {}
    for rate in BOTH_RATES:
        first, second = call(experiment, calls=2, **{rate: 0.5})
        found[rate] = second.output - first.output
    return found


@claim(
    kind="different",
    statement="Step layers in one loop draw new masks in every call, too: of their inputs, and of "
    "their states.",
    formula="RNN([cell, cell])(x, training=True) != the same a second time",
    cases=named("two-layers", "gru-two-layers"),
    about=KERAS,
    recipe="dropped_in_one_loop",
    dtypes=("float32",),
)
def test_keras_cells_in_one_loop_draw_new_masks(adapter, experiment, oracle):
    found = changes(adapter.dropped_in_one_loop, experiment)
    assert_different(found, np.zeros_like(found["dropout"]), oracle.output)


@claim(
    kind="rounding",
    statement="A GRU's step layer in a loop drops the same elements of inputs and state at every "
    "step, a mask for each gate.",
    formula="RNN(cell)(x): gate = (2 * mask_x[gate] * x) @ kernel + (2 * mask_h[gate] * h) @ "
    "recurrent_kernel + bias",
    cases=some(lambda case: shows_masks(case) and case.cell == GRU(), "gru-smallest"),
    about=KERAS,
    recipe="dropped_in_one_loop",
    dtypes=("float32",),
)
def test_keras_cells_in_one_loop_drop_as_layers_do(adapter, experiment):
    rates = {"dropout": 0.5, "recurrent_dropout": 0.5}

    def dropped(experiment, **rates):
        (run,) = adapter.dropped_in_one_loop(experiment, **rates)
        return run

    in_one_loop = SimpleNamespace(run=adapter.run, dropped=dropped)
    found = {
        kernel: masks_of_gates(in_one_loop, experiment, kernel, **rates)
        for kernel in ("kernel", "recurrent_kernel")
    }
    run = dropped(experiment, **rates)
    assert_each_within_rounding(with_gate_masks(run, experiment, **found))


@claim(
    kind="different",
    statement="A function that is traced once draws new masks in every call.",
    formula="f = tf.function(layer); f(x, training=True) != f(x, training=True)",
    cases=WITH_GATES,
    about=IN_GRAPHS,
    recipe="dropped_in_a_graph",
    dtypes=("float32",),
)
def test_keras_graphs_draw_new_masks(adapter, experiment, oracle):
    found = changes(adapter.dropped_in_a_graph, experiment)
    assert_different(found, np.zeros_like(found["dropout"]), oracle.output)


@claim(
    kind="structure",
    statement="Every step of a `fit` draws a new mask of the state: where nothing is learned, the "
    "losses differ all the same.",
    formula="model.compile(SGD(0.0), 'mse'); losses of three epochs of model.fit: three",
    cases=named("smallest-from-zero"),
    about=KERAS,
    recipe="losses_of_a_fit",
    dtypes=("float32",),
)
def test_keras_fit_draws_new_masks(adapter, experiment):
    losses = adapter.losses_of_a_fit(experiment, recurrent_dropout=0.5)
    assert_structure(len(set(losses)), 3)


@claim(
    kind="rounding",
    statement="Beside a mask Keras's LSTM drops the same elements at every step that counts, and "
    "leaves the state of the others alone.",
    formula="h, c after layer(x, mask, training=True) == those of each row cut short",
    cases=some(kinds.all_of(shows_masks, every), "smallest"),
    about=KERAS,
    recipe="recurrent_dropout",
    dtypes=("float32",),
)
def test_keras_dropout_beside_a_mask_is_what_it_is_alone(adapter, experiment):
    short = replace(experiment, dense=None).short_rows()
    rates = {"dropout": 0.5, "recurrent_dropout": 0.5}
    found = {
        kernel: masks_of_gates(adapter, experiment, kernel, **rates)
        for kernel in ("kernel", "recurrent_kernel")
    }
    run, ways = adapter.dropped(short, **rates), {}
    for row in range(experiment.batch):
        of_row = {kernel: mask[row] for kernel, mask in found.items()}
        whole = row_with_masks(replace(short, mask=None), row, **of_row)
        expected = oracle_of(replace(whole, inputs=whole.inputs[:, short.mask[row]]))
        ends = {name: array[row : row + 1] for name, array in run.state.tensors()}
        ways[f"row {row}"] = (ends, dict(expected.states()))
    assert_each_within_rounding(ways)


def of_one_pixel(adapter):
    """`ConvLSTM2D` in the place of the layer."""
    return SimpleNamespace(run=adapter.on_one_pixel, dropped=adapter.dropped_on_one_pixel)


RATES = {"kernel": {"dropout": 0.5}, "recurrent_kernel": {"recurrent_dropout": 0.5}}
"""Which of Keras's rates is of what goes through which kernel."""


@claim(
    kind="rounding",
    statement="ConvLSTM2D drops and doubles in training what LSTM does, on its way into the gates: "
    "inputs with `dropout`, the state with `recurrent_dropout`.",
    formula="gate = x @ kernel + (2 * mask[gate] * h) @ recurrent_kernel + bias, on images of one "
    "pixel",
    cases=named("smallest"),
    about=KERAS,
    recipe="dropout",
    dtypes=("float32",),
)
def test_keras_conv_lstm_drops_what_the_lstm_drops(adapter, experiment):
    layer, ways = of_one_pixel(adapter), {}
    for kernel, rate in RATES.items():
        found = masks_of_gates(layer, experiment, kernel, **rate)
        dropped = with_gate_masks(layer.dropped(experiment, **rate), experiment, **{kernel: found})
        ways |= {f"{kernel}, {row}": one for row, one in dropped.items()}
    assert_each_within_rounding(ways)


@claim(
    kind="different",
    statement="Every call of ConvLSTM2D in training draws new masks of its inputs.",
    formula="conv_lstm(x; training=True) != conv_lstm(x; training=True) a second time",
    cases=named("smallest"),
    about=KERAS,
    recipe="dropout",
    dtypes=("float32",),
)
def test_keras_conv_lstm_draws_new_masks(adapter, experiment, oracle):
    first, second = (
        adapter.dropped_on_one_pixel(experiment, calls, dropout=0.5) for calls in (1, 2)
    )
    assert_different(second.output, first.output, oracle.output)


@claim(
    kind="exact",
    statement="At inference ConvLSTM2D drops nothing, even after a call in training.",
    formula="conv_lstm(x; dropout=0.5, recurrent_dropout=0.5) == conv_lstm(x)",
    cases=named("smallest"),
    about=KERAS,
    recipe="dropout",
    dtypes=("float32",),
)
def test_keras_conv_lstm_drops_nothing_at_inference(adapter, experiment):
    rates = {"dropout": 0.5, "recurrent_dropout": 0.5}
    after = adapter.on_one_pixel_after_training(experiment, **rates)
    assert_same_bits(dict(after.tensors()), dict(adapter.on_one_pixel(experiment).tensors()))


# TensorFlow 1

TF1_CELLS = some(shows_inputs, "smallest", "gru-reset-before-smallest", "rnn-smallest")


def step_by_step(case):
    """From a state that is given, and of so few steps that the oracle can be asked for each."""
    return shows_inputs(case) and kinds.given(case) and kinds.in_parts(case)


WITHOUT_C = some(
    lambda case: step_by_step(case) and not every(case),
    "gru-reset-before-smallest", "rnn-smallest",
)  # fmt: skip


@claim(
    kind="rounding",
    statement="DropoutWrapper's input_keep_prob=0.5 drops and doubles the inputs of the cell.",
    formula="DropoutWrapper(cell, input_keep_prob=0.5)(x) == cell(2 * mask * x)",
    sources=["B5"],
    cases=TF1_CELLS,
    about=TF1,
    recipe="dropout",
    dtypes=("float32",),
)
def test_tf1_input_dropout_is_of_the_inputs(adapter, recipe, experiment):
    mask = input_masks(adapter, experiment, input_keep_prob=0.5)
    expected = oracle_of(with_input_mask(experiment, mask))
    assert_within_rounding(dict(recipe("dropout").tensors()), dict(expected.tensors()))


def each_step_after_dropped(experiment, output, mask):
    """The output of every step of a cell without c, and what the oracle says of it where that of
    the step before came in dropped and doubled."""
    state, ways = experiment.initial, {}
    for t in range(experiment.time):
        if t > 0:
            state = State(PerLayer(((doubled(output[:, t - 1], mask[:, t]),),)))
        step = replace(experiment, dense=None).only_step(t, state)
        ways[f"step {t}"] = (output[:, t : t + 1], oracle_of(step).output)
    return ways


@claim(
    kind="rounding",
    statement="With state_keep_prob=0.5 the next step sees the dropped and doubled h in all of the "
    "cell, and not in its gates alone as in Keras; the first step sees h as it was given.",
    formula="h[t] = cell(x[t], 2 * mask[t] * h[t - 1]); output[t] == h[t]",
    cases=WITHOUT_C,
    about=TF1,
    recipe="dropout_state_half",
    dtypes=("float32",),
)
def test_tf1_state_dropout_is_what_the_next_step_sees(adapter, recipe, experiment):
    mask = masks(adapter, experiment, "recurrent_kernel", state_keep_prob=0.5)
    output = recipe("dropout_state_half").output
    assert_each_within_rounding(each_step_after_dropped(experiment, output, mask))


@claim(
    kind="rounding",
    statement="With state_keep_prob=0.5 an LSTM goes on from h dropped and doubled, other elements "
    "at every step, and from c as it is.",
    formula="h[t], c[t] = cell(x[t], 2 * mask[t] * h[t - 1], c[t - 1]); output[t] == h[t]",
    cases=some(kinds.all_of(step_by_step, every), "smallest"),
    about=TF1,
    recipe="dropout_state_half",
    dtypes=("float32",),
)
def test_tf1_state_dropout_leaves_c_alone(adapter, experiment):
    mask = masks(adapter, experiment, "recurrent_kernel", state_keep_prob=0.5)
    run = adapter.c_of_every_step_dropped(experiment, state_keep_prob=0.5)
    state, ways = experiment.initial, {}
    for t in range(experiment.time):
        step = replace(experiment, dense=None).only_step(t, state)
        expected, c = oracle_of(step), run.c_steps[0, 0][:, t]
        found = {"output": run.output[:, t : t + 1], "c": c}
        ways[f"step {t}"] = (found, {"output": expected.output, "c": expected.c[0, 0]})
        if t + 1 < experiment.time:
            h = doubled(run.output[:, t], mask[:, t + 1])
            state = State(h=PerLayer(((h,),)), c=PerLayer(((c,),)))
    assert_each_within_rounding(ways)


@claim(
    kind="rounding",
    statement="With variational_recurrent an LSTM goes on with the same elements of h dropped and "
    "doubled at every step, and with c as it is.",
    formula="gates = x @ kernel + (2 * mask * h) @ recurrent_kernel + bias",
    cases=some(
        lambda case: (
            shows_masks(case) and every(case) and kinds.from_zero(case) and kinds.in_parts(case)
        ),
        "smallest-from-zero",
    ),
    about=TF1,
    dtypes=("float32",),
)
def test_tf1_variational_dropout_is_of_h_at_every_step(adapter, experiment):
    found = masks(
        adapter, experiment, "recurrent_kernel", state_keep_prob=0.5, variational_recurrent=True
    )
    gates = len(experiment.cell.gates)
    of_gates = np.repeat(found[:, 1:2], gates, axis=1)
    run = adapter.dropped(experiment, state_keep_prob=0.5, variational_recurrent=True)
    ways = with_gate_masks(run, experiment, recurrent_kernel=of_gates)
    without_h = {  # which is dropped as for a next step
        row: tuple({name: one for name, one in part.items() if name[0] != "h"} for part in pair)
        for row, pair in ways.items()
    }
    assert_each_within_rounding(without_h)


@claim(
    kind="rounding",
    statement="With variational_recurrent a cell without c goes on with h dropped and doubled, the "
    "same elements at every step and of every row.",
    formula="h[t] = cell(x[t], 2 * mask * h[t - 1]); output[t] == h[t]",
    cases=WITHOUT_C,
    about=TF1,
    dtypes=("float32",),
)
def test_tf1_variational_dropout_is_of_the_state(adapter, experiment):
    keep = {"state_keep_prob": 0.5, "variational_recurrent": True}
    found = masks(adapter, experiment, "recurrent_kernel", **keep)
    mask = np.broadcast_to(found[:1, 1:2], found.shape)
    output = adapter.dropped(experiment, **keep).output
    assert_each_within_rounding(each_step_after_dropped(experiment, output, mask))


@claim(
    kind="exact",
    statement="With variational_recurrent the same elements of the output are dropped, and the "
    "others doubled, at every step and of every row; the state is left alone.",
    formula="DropoutWrapper(cell, output_keep_prob=0.5, variational_recurrent=True)(x) == "
    "2 * mask * cell(x), state",
    cases=some(
        kinds.all_of(kinds.layers, kinds.single),
        "smallest", "gru-reset-before-smallest", "rnn-smallest",
    ),
    about=TF1,
    dtypes=("float32",),
)  # fmt: skip
def test_tf1_variational_dropout_is_of_the_outputs(run, adapter, experiment):
    dropped = adapter.dropped(experiment, output_keep_prob=0.5, variational_recurrent=True)
    mask = dropped.output[0, 0] != 0
    expected = dict(run.tensors()) | {"output": 2 * run.output * mask}  # -0 of what is below 0
    assert_same_bits(dict(dropped.tensors()), expected)


@claim(
    kind="rounding",
    statement="With variational_recurrent a cell sees the same inputs dropped and doubled at every "
    "step.",
    formula="DropoutWrapper(cell, input_keep_prob=0.5, variational_recurrent=True)(x) == "
    "cell(2 * mask * x), one mask for all rows and steps",
    cases=TF1_CELLS,
    about=TF1,
    dtypes=("float32",),
)
def test_tf1_variational_dropout_is_of_the_inputs(adapter, experiment):
    keep = {"input_keep_prob": 0.5, "variational_recurrent": True}
    mask = input_masks(adapter, experiment, **keep)
    expected = oracle_of(with_input_mask(experiment, mask))
    run = adapter.dropped(experiment, **keep)
    assert_within_rounding(dict(run.tensors()), dict(expected.tensors()))


@claim(
    kind="structure",
    statement="DropoutWrapper keeps as much of the output and of the state as each keep_prob says, "
    "as far as chance goes.",
    formula="output_keep_prob=3/4: dropped of 100 rows Binomial(100 * units, 1/4); "
    "state_keep_prob=1/4: Binomial(100 * units, 3/4); false alarms below 1e-9",
    cases=TF1_CELLS,
    about=TF1,
    dtypes=("float32",),
)
def test_tf1_each_keep_prob_is_its_own(adapter, experiment):
    many = many_rows(experiment)
    found = {
        1: adapter.dropped(many, output_keep_prob=0.75).output[:, 0] != 0,
        3: masks(adapter, many, "recurrent_kernel", state_keep_prob=0.25)[:, 1],
    }
    dropped = {quarters: int((~mask).sum()) for quarters, mask in found.items()}
    likely = {
        quarters: nearest_likely(dropped[quarters], mask.size, quarters)
        for quarters, mask in found.items()
    }
    assert_structure(dropped, likely)


@claim(
    kind="structure",
    statement="DropoutWrapper draws masks for every row and step; with variational_recurrent one "
    "mask for all steps, and for all rows of the batch.",
    formula="mask[b, t] != mask[0, 0]; variational: mask[b, t] == mask[0, 0]",
    cases=named("smallest"),
    about=TF1,
    recipe="dropout",
    dtypes=("float32",),
)
def test_tf1_variational_dropout_has_one_mask(adapter, experiment):
    found = {
        variational: input_masks(
            adapter, experiment, input_keep_prob=0.5, variational_recurrent=variational
        )
        for variational in (False, True)
    }
    same = {which: (the_same(mask, 0), the_same(mask, 1)) for which, mask in found.items()}
    assert_structure(same, {False: (False, False), True: (True, True)})


@claim(
    kind="different",
    statement="With variational_recurrent, too, every run of the session draws another mask.",
    formula="session.run(outputs) != session.run(outputs) a second time",
    cases=named("smallest"),
    about=TF1,
    dtypes=("float32",),
)
def test_tf1_variational_dropout_draws_new_masks(adapter, experiment, oracle):
    keep = {"input_keep_prob": 0.5, "variational_recurrent": True}
    first, second = (adapter.dropped(experiment, calls=calls, **keep) for calls in (1, 2))
    assert_different(second.output, first.output, oracle.output)
