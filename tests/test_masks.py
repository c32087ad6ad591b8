"""Masks: which steps of which rows count, and what becomes of the others.

Every kind of mask meets every option of a layer in `fixtures/cases/masked.py`.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import product

import numpy as np

from fixtures.cases import kinds, masked, named, some
from fixtures.cells import Mixed
from fixtures.checks.compare import (
    assert_different,
    assert_each_refused,
    assert_each_within_rounding,
    assert_refused,
    assert_same_bits,
    assert_structure,
    assert_ways_agree,
    assert_within_rounding,
)
from fixtures.claims import KERAS, TORCH, About, claim
from fixtures.model.experiment import Upstream
from fixtures.model.perlayer import PerLayer
from fixtures.oracle.rounding import concatenated, gradients_of, oracle_of

ZEROS = About(
    lambda adapter: adapter.masked_output == "zeros",
    because="Keras repeats the last output unless it is told otherwise "
    "(keras-repeats-the-output-before-a-masked-step), and flax goes on over the padding "
    "(flax-goes-on-past-a-rows-end)",
)

KERAS_3 = About(
    lambda adapter: adapter.interface == "keras" and adapter.backends,
    because="it is about Keras 3",
)
KERAS_2 = About(
    lambda adapter: adapter.interface == "keras" and not adapter.backends,
    because="it is about Keras 2",
)


def whole_output(case):
    """Cases whose output is there for every step."""
    return masked(case) and case.loop.return_sequences


def last_output(case):
    """Cases whose output is that of the last step alone."""
    return masked(case) and not case.loop.return_sequences


def repeated(case):
    """What Keras does if nothing tells it otherwise, and Bidirectional does."""
    zeros = case.loop.zero_output_for_mask or case.directions == 2
    return whole_output(case) and not zeros


def zeros(case):
    return whole_output(case) and not repeated(case)


def whole_rows(case):
    return case.mask == "rows"


OF_EACH_MASK = (
    "masked-right-lstm-bidirectional", "masked-left-rnn", "masked-holes-gru", "masked-rows-gru",
    "masked-right-lstm-two-layers", "masked-rows-rnn-bidirectional",
)  # fmt: skip
A_FEW = some(kinds.all_of(kinds.masked_alone, kinds.few_steps), *OF_EACH_MASK)
"""Each kind of mask, for claims that run a layer several times."""


def row_by_row(case):
    return kinds.masked_alone(case) and kinds.few_steps(case) and kinds.few_rows(case)


def model_under_a_mask(case):
    """Layers one on the other in a model, which begin in zeros."""
    return kinds.masked_alone(case) and kinds.from_zero(case) and kinds.few_steps(case)


def alike_under_a_mask(case):
    """The same of layers as wide as each other, so that another goes between any two."""
    one_width = len(set(case.widths)) == 1 and not isinstance(case.cell, Mixed)
    return model_under_a_mask(case) and kinds.several_layers(case) and one_width


def two_alike_under_a_mask(case):
    return alike_under_a_mask(case) and kinds.two_layers(case)


def parts_under_a_mask(case):
    """One layer, and rows that are two parts each of half as many."""
    return model_under_a_mask(case) and kinds.one_layer(case) and case.batch % 2 == 0


def padded(experiment, by):
    """The same with so many masked steps more at the end."""
    shape = (experiment.batch, by)
    inputs = np.full((*shape, experiment.features), 16, experiment.dtype)
    return replace(
        experiment,
        inputs=np.concatenate([experiment.inputs, inputs], axis=1),
        mask=np.concatenate([experiment.mask, np.zeros(shape, bool)], axis=1),
        upstream=None,
    )


def nan_where_masked(experiment):
    inputs = np.where(experiment.mask[..., None], experiment.inputs, np.float32(np.nan))
    return replace(experiment, inputs=inputs)


# Values


@claim(
    kind="rounding",
    statement="A row under a mask ends in the state that its own steps alone lead to, and where a "
    "step counts the output is that step's h: whichever steps are masked and whatever the layer is "
    "told beside it.",
    formula="layer(x, mask) == layer(x[mask]), row by row",
    sources=["D8"],
    cases=masked,
)
def test_masked_values_are_the_oracles(run, experiment, oracle):
    found, expected = dict(run.tensors()), dict(oracle.tensors())
    output, right = found.pop("output"), expected.pop("output")
    if experiment.loop.return_sequences:
        counts = experiment.output_mask
        found["output where steps count"] = output[counts]
        expected["output where steps count"] = right[counts]
    assert_within_rounding(found, expected)


@claim(
    kind="rounding",
    statement="Gradients go through the steps that count and past those that are masked; by the "
    "input of a masked step the gradient is zero.",
    formula="dL/dx[row, t] == 0 where t is masked; every other gradient is that of layer(x[mask])",
    cases=whole_output,
    recipe="gradients",
    dtypes=("float32",),
)
def test_masked_gradients_are_the_oracles(gradients, oracle_gradients):
    assert_within_rounding(gradients, oracle_gradients)


@claim(
    kind="exact",
    statement="What stands in the input at a masked step changes no bit of the result, but for "
    "the output of that very step in flax, which goes on over the padding.",
    formula="layer(x where mask else 16, mask) == layer(x, mask)",
    sources=["D8"],
    cases=masked,
    dtypes=("float32",),
)
def test_masked_inputs_change_nothing(adapter, run, experiment):
    padding = np.asarray(16, experiment.dtype)
    inputs = np.where(experiment.mask[..., None], experiment.inputs, padding)
    other = adapter.run(replace(experiment, inputs=inputs))
    found, expected = dict(other.tensors()), dict(run.tensors())
    if adapter.masked_output == "computed":
        counts = experiment.output_mask
        found["output"], expected["output"] = found["output"][counts], expected["output"][counts]
    assert_same_bits(found, expected)


@claim(
    kind="exact",
    statement="NaN in the input at a masked step, as where a measurement is missing, reaches no "
    "result, but for the output of that very step in flax.",
    formula="layer(x where mask else NaN, mask) == layer(x, mask)",
    sources=["D8"],
    cases=A_FEW,
    dtypes=("float32",),
)
def test_nan_at_a_masked_step_reaches_no_result(adapter, run, experiment):
    other = adapter.run(nan_where_masked(experiment))
    found, expected = dict(other.tensors()), dict(run.tensors())
    if adapter.masked_output == "computed":
        counts = experiment.output_mask
        found["output"], expected["output"] = found["output"][counts], expected["output"][counts]
    assert_same_bits(found, expected)


@claim(
    kind="exact",
    statement="NaN in the input at a masked step reaches no gradient: what was not used on the way "
    "forward takes no part in the way back.",
    formula="d loss(layer(x where mask else NaN, mask)) == d loss(layer(x, mask))",
    sources=["D8"],
    cases=named(*OF_EACH_MASK),
    recipe="gradients",
    dtypes=("float32",),
)
def test_nan_at_a_masked_step_reaches_no_gradient(adapter, gradients, experiment):
    found = adapter.gradients(nan_where_masked(experiment)).gradients
    assert_same_bits(dict(found.tensors()), gradients)


@claim(
    kind="exact",
    statement="A batch that is padded further ends in the same bits, however far.",
    formula="layer(x beside padding, mask beside False) ends layer(x, mask)",
    sources=["D8"],
    cases=A_FEW,
    dtypes=("float32",),
)
def test_padding_to_any_length_changes_nothing(adapter, run, experiment):
    found = {by: adapter.run(padded(experiment, by)).state for by in (1, 7)}
    assert_same_bits(
        {(by, name): array for by, state in found.items() for name, array in state.tensors()},
        {(by, name): array for by in found for name, array in run.state.tensors()},
    )


@claim(
    kind="rounding",
    statement="A batch under a mask is its rows one by one, each without its masked steps.",
    formula="layer(x, mask)[row] == layer(x[row, mask[row]])",
    sources=["D8"],
    cases=some(row_by_row, *OF_EACH_MASK),
    dtypes=("float32",),
)
def test_a_masked_batch_is_its_rows_one_by_one(adapter, run, experiment, oracle):
    rows = [int(row) for row in np.flatnonzero(experiment.mask.any(axis=1))]
    alone = {row: dict(adapter.run(experiment.only_row(row)).state.tensors()) for row in rows}
    expected = dict(oracle.states())
    ways = {
        "batch": {(name, row): array[row] for name, array in run.state.tensors() for row in rows},
        "alone": {(name, row): alone[row][name][0] for name in expected for row in rows},
    }
    assert_ways_agree(ways, {(name, row): expected[name][row] for name in expected for row in rows})


@claim(
    kind="rounding",
    statement="Rows of a batch know nothing of each other: in another order they give the same "
    "results in that order, h and c alike.",
    formula="layer(x[order], mask[order]) == layer(x, mask)[order]",
    cases=A_FEW,
    dtypes=("float32",),
)
def test_permuting_the_batch_permutes_the_result(adapter, experiment, oracle):
    order = np.roll(np.arange(experiment.batch), 2)
    found = adapter.run(experiment.in_order(order))
    expected = {name: one[order] for name, one in oracle.states()}
    assert_within_rounding(dict(found.state.tensors()), expected)


@claim(
    kind="exact",
    statement="A row without a step that counts ends in the state that it began in.",
    formula="h[row] == h0[row], c[row] == c0[row]",
    cases=whole_rows,
)
def test_a_row_without_a_step_keeps_its_state(run, experiment):
    empty = ~experiment.mask.any(axis=1)
    began = experiment.initial or experiment.zero_state()
    assert_same_bits(
        {name: array[empty] for name, array in run.state.tensors()},
        {name: array[empty] for name, array in began.tensors()},
    )


# Outputs of masked steps


@claim(
    kind="exact",
    statement="The output of a masked step is zero.",
    formula="output[row, t] == 0 where t is masked",
    sources=["A2"],
    cases=masked,
    about=ZEROS,
)
def test_masked_output_is_zero(run, experiment):
    output = run.output[~experiment.output_mask]
    assert_same_bits(output, np.zeros_like(output))


@claim(
    kind="exact",
    statement="Keras puts zeros out at masked steps with `zero_output_for_mask`, and in "
    "`Bidirectional` unasked.",
    formula="output[row, t] == 0 where t is masked",
    cases=zeros,
    about=KERAS,
)
def test_keras_zeros_masked_outputs_where_told(run, experiment):
    output = run.output[~experiment.output_mask]
    assert_same_bits(output, np.zeros_like(output))


@claim(
    kind="exact",
    statement="Else Keras repeats at a masked step the output of the step before, and puts out "
    "zeros, not h0, until the first step that counts.",
    formula="output[row, t] == output[row, t - 1] where t is masked, and 0 where t = 0",
    cases=repeated,
    about=KERAS,
)
def test_keras_repeats_the_output_before_a_masked_step(run, experiment):
    expected, before = run.output.copy(), np.zeros_like(run.output[:, 0])
    for t, counts in enumerate(experiment.output_mask.T):
        before = expected[:, t] = np.where(counts[:, None], expected[:, t], before)
    assert_same_bits(run.output, expected)


@claim(
    kind="exact",
    statement="Without `return_sequences` Keras returns each row's h, and zeros, not h0, for a row "
    "without a step that counts; with `zero_output_for_mask` and one direction zeros for every row "
    "whose last step is masked, too.",
    formula="output[row] == h[row], or 0",
    cases=last_output,
    about=KERAS,
)
def test_keras_last_output_under_a_mask_is_h_or_zero(run, experiment):
    h = np.concatenate(run.h.rows[-1], axis=-1)
    kept = experiment.mask.any(axis=1)
    if experiment.loop.zero_output_for_mask and experiment.directions == 1:
        kept = experiment.output_mask[:, -1]
    assert_same_bits(run.output[:, 0], np.where(kept[:, None], h, 0).astype(h.dtype))


@claim(
    kind="different",
    statement="Where a mask has holes, output[:, -1] with zeros at masked steps is not h: the row "
    "that ends in a masked step has its h at its own last step that counts.",
    formula="output[row, -1] != h[row] where the last step is masked",
    sources=["A2"],
    cases=named("masked-holes-lstm-bidirectional", "masked-holes-rnn-two-layers-unrolled-zeros",
                "masked-right-lstm-two-layers", "masked-right-rnn"),
    about=About(lambda adapter: adapter.masked_output == "zeros", because=ZEROS.because),
)  # fmt: skip
def test_last_step_under_a_mask_is_not_h(run, experiment, oracle):
    late = ~experiment.mask[:, -1]
    units = run.h[-1, 0].shape[-1]
    assert_different(run.output[late, -1, :units], run.h[-1, 0][late], oracle.h[-1, 0][late])


# How a mask comes


@claim(
    kind="exact",
    statement="Packed by `pack_padded_sequence` or `pack_sequence`, batch or time first, sorted by "
    "torch or by hand, a batch gives the same bits; what torch sorts it puts back, h and c alike.",
    formula="lstm(pack(x)) == lstm(pack(x[order]))[back]",
    cases=lambda case: case.mask == "right" and case.loop.return_sequences,
    about=TORCH,
)
def test_torch_packs_in_many_ways_to_the_same_bits(adapter, run, experiment):
    ways = adapter.packed_in_every_way(experiment)
    found = {(way, name): one for way, other in ways.items() for name, one in other.tensors()}
    expected = {(way, name): one for way in ways for name, one in run.tensors()}
    assert_same_bits(found, expected)


@claim(
    kind="structure",
    statement="torch packs no row without a step: a length of 0 is refused.",
    formula="pack_padded_sequence(x, lengths with a 0) raises RuntimeError",
    cases=named("masked-right-lstm-two-layers"),
    about=TORCH,
    dtypes=("float32",),
)
def test_torch_refuses_a_length_of_zero(adapter, experiment):
    mask = experiment.mask.copy()
    mask[0] = False
    assert_refused(
        lambda: adapter.run(replace(experiment, mask=mask)),
        RuntimeError,
        "Length of all samples has to be greater than 0",
    )


@claim(
    kind="structure",
    statement="A pack whose sizes are not those of what is in it is refused, and the process goes "
    "on: by packing, or by what is handed it, a layer or what pads it again.",
    formula="lstm(pack_padded_sequence(x, [time + 1, ...])), lstm(PackedSequence(data, [1, 2])) "
    "raise",
    cases=named("smallest", "gru-smallest", "rnn-smallest"),
    about=TORCH,
    recipe="packs_that_do_not_fit",
    dtypes=("float32",),
)
def test_torch_refuses_packs_that_do_not_fit(adapter, experiment):
    calls = adapter.packs_that_do_not_fit(experiment)
    for fits in [name for name in calls if name.startswith("fits")]:
        calls.pop(fits)()
    assert_each_refused(calls, (RuntimeError, ValueError))


@claim(
    kind="structure",
    statement="Lengths for fewer rows than the batch has, or for more, are refused, whether torch "
    "is to sort them or not: no row is left out.",
    formula="pack_padded_sequence(x, lengths[:-1], enforce_sorted=False) raises",
    cases=named("smallest"),
    about=TORCH,
    recipe="packs_of_other_rows",
    dtypes=("float32",),
)
def test_torch_refuses_lengths_of_other_rows(adapter, experiment):
    calls = adapter.packs_of_other_rows(experiment)
    for fits in [name for name in calls if name.startswith("all")]:
        calls.pop(fits)()
    assert_each_refused(calls, (RuntimeError, IndexError, ValueError))


@claim(
    kind="exact",
    statement="The rows that `unpack_sequence` and `unpad_sequence` return are those of the padded "
    "output, each as long as it is and in the batch's order.",
    formula="unpack_sequence(lstm(packed)[0])[b] == output[b, :lengths[b]]",
    cases=lambda case: case.mask == "right" and case.loop.return_sequences,
    about=TORCH,
    recipe="rows_out_of_a_pack",
)
def test_torch_unpacked_rows_are_those_of_the_output(recipe, run, experiment):
    lengths = experiment.mask.sum(axis=1)
    cut = [row[:length] for row, length in zip(run.output, lengths, strict=True)]
    ways = recipe("rows_out_of_a_pack")
    assert_same_bits(
        {f"{way}, row {row}": one for way, rows in ways.items() for row, one in enumerate(rows)},
        {f"{way}, row {row}": one for way in ways for row, one in enumerate(cut)},
    )


@claim(
    kind="exact",
    statement="A `PackedSequence` made of another one's data and sizes alone has forgotten the "
    "order of the batch: outputs and states come with the longest row first.",
    formula="lstm(PackedSequence(packed.data, packed.batch_sizes)) == lstm(packed)[longest first]",
    cases=named("masked-right-lstm-two-layers", "masked-right-gru-two-layers-from-zero"),
    about=TORCH,
    recipe="packed_anew",
)
def test_torch_a_pack_made_anew_forgets_the_order(recipe):
    packed, anew, longest_first = recipe("packed_anew")
    assert_same_bits(
        dict(anew.tensors()), {name: one[longest_first] for name, one in packed.tensors()}
    )


@claim(
    kind="structure",
    statement="A packed batch in a file is read by `torch.load` as it reads by default.",
    formula="lstm(torch.load(file of packed, weights_only=True)) == lstm(packed)",
    cases=named("masked-right-lstm-two-layers"),
    about=TORCH,
    recipe="packs_from_files",
    dtypes=("float32",),
)
def test_torch_packed_files_are_read_by_default(recipe):
    assert_structure(recipe("packs_from_files"), "the same")


@claim(
    kind="structure",
    statement="A packed batch that is to be copied on its device is copied.",
    formula="lstm(packed.to('cpu', copy=True)) == lstm(packed)",
    cases=named("masked-right-lstm-two-layers"),
    about=TORCH,
    recipe="packs_copied",
    dtypes=("float32",),
)
def test_torch_packs_are_copied_where_asked(recipe):
    assert_structure(recipe("packs_copied"), "the same")


@claim(
    kind="exact",
    statement="`unpad_sequence` leaves the batch out of which it takes rows as it was.",
    formula="unpad_sequence(x, lengths); x is unchanged",
    cases=named("smallest"),
    about=TORCH,
    recipe="unpadded",
    dtypes=("float32",),
)
def test_torch_unpadding_leaves_the_batch_as_it_was(recipe):
    found = recipe("unpadded")
    assert_same_bits(
        {way: after for way, (_, after) in found.items()},
        {way: before for way, (before, _) in found.items()},
    )


@claim(
    kind="structure",
    statement="Rows on the CPU are packed there, also where another device is the default.",
    formula="torch.set_default_device('meta'); pack_sequence(rows)",
    cases=named("smallest"),
    about=TORCH,
    recipe="packed_by_default",
    dtypes=("float32",),
)
def test_torch_packs_rows_under_another_default_device(recipe):
    found = recipe("packed_by_default")
    assert_structure(found, dict.fromkeys(found, "packed"))


def final_h(oracle):
    """The top layer's h in both directions side by side, as Keras returns it."""
    return concatenated(*oracle.h.rows[-1])


@claim(
    kind="rounding",
    statement="The mask of a `Masking` layer reaches every recurrent layer of a model above it: "
    "padded rows end where the rows alone would.",
    formula="model(Masking(x)) == layer(layer(layer(x, mask), mask), mask)",
    cases=some(
        model_under_a_mask,
        "masked-holes-lstm-three-layers-from-zero",
        "masked-holes-rnn-two-layers-bidirectional-from-zero",
        "masked-right-gru-two-layers-from-zero",
    ),
    about=KERAS,
    dtypes=("float32",),
)  # fmt: skip
def test_keras_masking_reaches_every_layer_of_a_model(adapter, experiment, oracle):
    assert_within_rounding(adapter.masked_model(experiment), final_h(oracle))


@claim(
    kind="rounding",
    statement="It does so in a Sequential model, called or in `predict`.",
    formula="Sequential([Masking(), layer, layer])(x) == layer(layer(x, mask), mask)",
    cases=some(model_under_a_mask, "masked-holes-rnn-two-layers-bidirectional-from-zero"),
    about=KERAS,
    dtypes=("float32",),
)
def test_keras_masking_reaches_every_layer_of_a_sequential(adapter, experiment, oracle):
    assert_ways_agree(adapter.masked_sequential(experiment), final_h(oracle))


@claim(
    kind="exact",
    statement="It masks layers of another precision, too, though they cast what they are given: "
    "called on its output, and in a model.",
    formula="layer(Masking(x in float32)) == layer(x in float64, mask)",
    cases=some(
        kinds.all_of(model_under_a_mask, kinds.masked_alone),
        "masked-right-lstm-two-layers", "masked-holes-gru", "masked-rows-rnn-bidirectional",
    ),
    about=KERAS,
    dtypes=("float64",),
)  # fmt: skip
def test_keras_masking_reaches_layers_of_another_precision(adapter, experiment):
    found = adapter.masked_in_another_precision(experiment)
    assert_same_bits(found, dict.fromkeys(found, found["handed the mask"]))


@claim(
    kind="rounding",
    statement="`Embedding(mask_zero=True)` masks index 0 for every recurrent layer above it.",
    formula="model(Embedding(indices)) == layers(vectors[indices], indices != 0)",
    cases=some(model_under_a_mask, "masked-holes-rnn-two-layers-bidirectional-from-zero"),
    about=KERAS,
    dtypes=("float32",),
)
def test_keras_embedding_masks_index_zero(adapter, experiment, oracle):
    assert_within_rounding(adapter.embedded_model(experiment), final_h(oracle))


@claim(
    kind="rounding",
    statement="Layers that change no step's place pass a mask on, called or in `predict`: Dropout, "
    "SpatialDropout1D, Activation, Dense, TimeDistributed.",
    formula="layer(between(layer(x, mask))) == layer(layer(x, mask), mask) where between is the "
    "identity",
    cases=some(alike_under_a_mask, "masked-holes-rnn-two-layers-bidirectional-from-zero"),
    about=KERAS,
    dtypes=("float32",),
)
def test_keras_layers_between_pass_the_mask_on(adapter, experiment, oracle):
    assert_ways_agree(adapter.model_with_layers_between(experiment), final_h(oracle))


def by_final_h(experiment):
    """A loss of the top layer's h alone."""
    upstream, top = experiment.upstream, experiment.layers - 1
    below = experiment.upstream.h.rows[:top]
    h = PerLayer((*(tuple(map(np.zeros_like, row)) for row in below), upstream.h.rows[top]))
    nothing = upstream.c.map(np.zeros_like)
    return replace(experiment, upstream=Upstream(np.zeros_like(upstream.output), h, nothing))


@claim(
    kind="rounding",
    statement="They do so in `fit`: each weight is trained by the steps that count.",
    formula="gradients in fit == d loss(h) / d weights of layer(layer(x, mask), mask)",
    cases=some(alike_under_a_mask, "masked-holes-rnn-two-layers-bidirectional-from-zero"),
    about=KERAS,
    recipe="fit_with_layers_between",
    dtypes=("float32",),
)
def test_keras_layers_between_pass_the_mask_on_in_fit(adapter, experiment):
    experiment = by_final_h(experiment)
    found, expected = adapter.fit_with_layers_between(experiment), gradients_of(experiment)
    assert_within_rounding(found, {name: expected[name] for name in found})


@claim(
    kind="rounding",
    statement="Stacked cells inside one `RNN` stand still together where a step is masked.",
    formula="RNN([cell, cell])(x, mask) == layer(layer(x, mask), mask)",
    cases=some(
        kinds.all_of(kinds.masked_alone, kinds.forward, kinds.several_layers),
        "masked-right-lstm-two-layers",
        "masked-rows-lstm-two-layers-from-zero",
        "masked-right-gru-two-layers-from-zero",
    ),
    about=KERAS,
    recipe="stacked_cells",
    dtypes=("float32",),
)  # fmt: skip
def test_keras_stacked_cells_stand_still_together(recipe, oracle):
    expected = dict(oracle.states())
    assert_within_rounding(dict(recipe("stacked_cells").state.tensors()), expected)


@claim(
    kind="rounding",
    statement="A stack of one cell inside an `RNN` takes a mask as its layer does.",
    formula="RNN(StackedRNNCells([cell]))(x, mask) == layer(x, mask)",
    cases=named("masked-right-lstm-from-zero", "masked-holes-gru", "masked-right-rnn"),
    about=KERAS,
    recipe="stacked_cells",
    dtypes=("float32",),
)
def test_keras_a_stack_of_one_cell_takes_a_mask(recipe, oracle):
    expected = dict(oracle.states())
    assert_within_rounding(dict(recipe("stacked_cells").state.tensors()), expected)


@claim(
    kind="rounding",
    statement="A stateful layer that returns its states takes a mask.",
    formula="layer(x, mask; stateful=True) == layer(x, mask)",
    cases=some(
        kinds.all_of(kinds.masked_alone, kinds.forward),
        "masked-right-lstm-from-zero",
        "masked-right-gru-two-layers-from-zero",
    ),
    about=KERAS,
    recipe="stateful_under_a_mask",
    dtypes=("float32",),
)
def test_keras_stateful_layers_take_a_mask(recipe, oracle):
    expected = dict(oracle.states())
    assert_within_rounding(dict(recipe("stateful_under_a_mask").state.tensors()), expected)


@claim(
    kind="structure",
    statement="A layer with `return_sequences` passes its input's mask on, without it none; a "
    "Bidirectional one that does not merge passes it on with the outputs of either direction. A "
    "state has no mask.",
    formula="compute_mask == mask, or None; [mask, None, None] with states",
    cases=named("masked-holes-gru", "masked-right-lstm-two-layers", "masked-right-rnn",
                "masked-holes-lstm-bidirectional"),
    about=KERAS,
    dtypes=("float32",),
)  # fmt: skip
def test_keras_passes_a_mask_on_with_sequences_alone(adapter, experiment, case):
    def told(mask):
        if mask is None:
            return "none"
        return "its own" if np.array_equal(mask, experiment.mask) else "another"

    found, expected = {}, {}
    modes = ("concat", None) if case.directions == 2 else ("concat",)
    for sequences, state, mode in product((True, False), (True, False), modes):
        at = {"return_sequences": sequences, "return_state": state, "merge_mode": mode}
        outputs = 2 if mode is None else 1
        masks = [told(mask) for mask in adapter.masks_of(experiment, **at)]
        found[str(at)] = masks[:outputs], set(masks[outputs:]) - {"none"}
        expected[str(at)] = ["its own" if sequences else "none"] * outputs, set()
    assert_structure(found, expected)


@claim(
    kind="different",
    statement="A layer with `go_backwards` turns its output round and not the mask that it passes "
    "on: the next layer of a model takes the wrong steps.",
    formula="model(Masking(x)) != layer(layer(x, mask), mask[:, ::-1])",
    cases=named("masked-holes-gru-two-layers-from-zero-backwards"),
    about=KERAS,
)
def test_keras_mask_is_not_turned_with_the_output(adapter, run, experiment, oracle):
    assert_different(adapter.masked_model(experiment), run.h[-1, 0], oracle.h[-1, 0])


# Models in models


@claim(
    kind="rounding",
    statement="A mask goes into a model inside a model, and comes out of it: functional or "
    "Sequential, whichever of them holds the `Masking` layer.",
    formula="Model(Masking -> Model(layer) -> layer)(x) == layer(layer(x, mask), mask)",
    cases=some(two_alike_under_a_mask, "masked-holes-rnn-two-layers-bidirectional-from-zero"),
    about=KERAS,
    dtypes=("float32",),
)
def test_keras_nested_models_pass_the_mask_on(adapter, experiment, oracle):
    assert_ways_agree(adapter.nested_models(experiment), final_h(oracle))


@claim(
    kind="rounding",
    statement="A recurrent layer inside TimeDistributed is given, of a mask with an axis more, the "
    "part of each part that it is called for: sentences of words, each of its own length.",
    formula="TimeDistributed(layer)(x, mask)[:, n] == layer(x[:, n], mask[:, n])",
    cases=some(parts_under_a_mask, "masked-right-lstm-from-zero"),
    about=KERAS,
    dtypes=("float32",),
)
def test_keras_time_distributed_hands_each_part_its_mask(adapter, experiment, oracle):
    found = adapter.distributed_over_parts(experiment, masking_too=False)
    assert_within_rounding(found, final_h(oracle))


@claim(
    kind="rounding",
    statement="In Keras 2 a `Masking` layer inside TimeDistributed makes the same mask.",
    formula="TimeDistributed(layer)(TimeDistributed(Masking())(x))[:, n] == layer(x[:, n], mask)",
    cases=some(parts_under_a_mask, "masked-right-rnn-bidirectional-from-zero"),
    about=KERAS_2,
    dtypes=("float32",),
)
def test_keras_2_time_distributed_masking_makes_a_mask(adapter, experiment, oracle):
    found = adapter.distributed_over_parts(experiment, masking_too=True)
    assert_within_rounding(found, final_h(oracle))


@claim(
    kind="different",
    statement="In Keras 3 the mask that a layer makes inside TimeDistributed is lost: the layer "
    "above it does not end where the mask says.",
    formula="TimeDistributed(layer)(TimeDistributed(Masking())(x))[:, n] != layer(x[:, n], mask)",
    cases=named("masked-right-rnn-bidirectional-from-zero"),
    about=KERAS_3,
    dtypes=("float32",),
)
def test_keras_3_time_distributed_masking_masks_nothing(adapter, run, experiment, oracle):
    found = adapter.distributed_over_parts(experiment, masking_too=True)
    under_the_mask = np.concatenate(run.h.rows[-1], axis=-1)
    assert_different(found, under_the_mask, final_h(oracle))


# Where masks meet other layers


@claim(
    kind="exact",
    statement="A way around a layer passes a mask on: what `Add` makes of a layer's input and its "
    "output is masked as they are.",
    formula="layer(Add([y, layer(y)])) == layer(y + layer(y, mask), mask), y = layer(Masking(x))",
    cases=some(
        two_alike_under_a_mask,
        "masked-right-lstm-two-layers-bidirectional-from-zero",
        "masked-holes-rnn-two-layers-bidirectional-from-zero",
    ),
    about=KERAS,
    dtypes=("float32",),
)  # fmt: skip
def test_keras_a_way_around_a_layer_passes_the_mask_on(adapter, experiment):
    found = adapter.residual_under_a_mask(experiment)
    assert_same_bits(found["model"], found["handed the mask"])


def merged(adapter, experiment, counts):
    """A layer upon two inputs that are merged, and its h by the equations if a step counts where
    `counts(mask of the first, mask of the second)` says: each under a mask, and the first alone."""
    x, mask = experiment.inputs, experiment.mask
    parts = {
        "Add": (x, x[::-1], np.add),
        "Concatenate": (x[..., :3], x[..., 3:], lambda *both: np.concatenate(both, axis=-1)),
    }
    # The second input is masked at other steps: of some rows earlier, of others later.
    others = {"two masks": np.roll(mask, 2, axis=0), "a mask and none": np.ones_like(mask)}
    found = {}
    for (merge, (first, second, put)), (what, other) in product(parts.items(), others.items()):
        fed = first * mask[..., None], second * other[..., None]
        h = adapter.merged_under_masks(experiment, merge, fed, both=what == "two masks")
        alike = replace(experiment, inputs=put(*fed), mask=counts(mask, other))
        found[f"{merge}, {what}"] = h, final_h(oracle_of(alike))
    return found


@claim(
    kind="rounding",
    statement="In Keras 2 a step of inputs that are added or concatenated counts if it does in "
    "each of them; in one without a mask every step does.",
    formula="layer(Add([Masking(x), Masking(y)])) == layer(x + y, mask of x & mask of y)",
    cases=named("masked-right-lstm-from-zero", "masked-right-rnn-bidirectional-from-zero"),
    about=KERAS_2,
    dtypes=("float32",),
)
def test_keras_2_merged_steps_count_in_each_input(adapter, experiment):
    assert_each_within_rounding(merged(adapter, experiment, np.logical_and))


@claim(
    kind="rounding",
    statement="In Keras 3 a step of inputs that are added or concatenated counts if it does in any "
    "of them: beside one without a mask every step does.",
    formula="layer(Add([Masking(x), Masking(y)])) == layer(x + y, mask of x | mask of y)",
    cases=named("masked-right-lstm-from-zero", "masked-right-rnn-bidirectional-from-zero"),
    about=KERAS_3,
    dtypes=("float32",),
)
def test_keras_3_merged_steps_count_in_any_input(adapter, experiment):
    assert_each_within_rounding(merged(adapter, experiment, np.logical_or))


@claim(
    kind="rounding",
    statement="A mask that is handed to the first of several layers reaches the others, which are "
    "called on its output and not told: one after another, and in a model.",
    formula="layer(layer(x, mask=mask)) == layer(layer(x, mask=mask), mask=mask)",
    cases=some(
        kinds.all_of(model_under_a_mask, kinds.several_layers),
        "masked-right-lstm-two-layers-bidirectional-from-zero",
        "masked-holes-rnn-two-layers-bidirectional-from-zero",
    ),
    about=KERAS,
    dtypes=("float32",),
)  # fmt: skip
def test_keras_a_mask_of_the_first_layer_goes_on(adapter, experiment, oracle):
    assert_ways_agree(adapter.mask_of_the_first(experiment), final_h(oracle))


@claim(
    kind="exact",
    statement="Layers above that look at every step pass over the masked ones: Attention and "
    "AdditiveAttention, GlobalAveragePooling1D and, in training, BatchNormalization give the same "
    "whatever stands there.",
    formula="Attention()([query, output]) == Attention()([query, output + 4 where it is masked])",
    cases=named("masked-right-lstm-from-zero", "masked-holes-lstm-bidirectional"),
    about=KERAS,
    dtypes=("float32",),
)
def test_keras_layers_above_pass_over_masked_steps(adapter, experiment):
    found = adapter.upon_masked_steps(experiment, number=4.0)
    assert_same_bits(found, adapter.upon_masked_steps(experiment, number=0.0))


# Masks of another shape

ONE_LAYER = some(
    kinds.all_of(kinds.masked_alone, kinds.one_layer),
    "masked-right-lstm-from-zero",
    "masked-holes-gru",
    "masked-right-rnn",
    "masked-holes-lstm-bidirectional",
)
"""Each layer, and both directions."""


def longer(mask):
    """A mask with more steps, which are not masked as those before are."""
    return np.concatenate([mask, ~mask], axis=1)


def of_other_steps(mask):
    return {"a step less": mask[:, :-1], "twice as many": longer(mask)}


def of_other_rows(mask):
    return {"a row less": mask[:-1], "of no row": mask[0]}


def calls(call, masks):
    return {name: partial(call, mask) for name, mask in masks.items()}


@claim(
    kind="structure",
    statement="Keras refuses a mask of fewer rows than the input has, but for one, or of no axis "
    "of rows.",
    formula="layer(x, mask[:-1]) raises",
    cases=ONE_LAYER,
    about=KERAS,
    dtypes=("float32",),
)
def test_keras_refuses_a_mask_of_other_rows(adapter, experiment):
    masks = of_other_rows(experiment.mask)
    refused = (IndexError, *adapter.refuses_with())
    assert_each_refused(calls(partial(adapter.output_under, experiment), masks), refused)


@claim(
    kind="structure",
    statement="Keras refuses a mask of fewer or more steps than the input has.",
    formula="layer(x, mask[:, :-1]) raises",
    cases=ONE_LAYER,
    about=KERAS,
    dtypes=("float32",),
)
def test_keras_refuses_a_mask_of_other_steps(adapter, experiment):
    masks = of_other_steps(experiment.mask)
    refused = (IndexError, *adapter.refuses_with())
    assert_each_refused(calls(partial(adapter.output_under, experiment), masks), refused)


@claim(
    kind="structure",
    statement="TimeDistributed refuses a mask of fewer or more steps, or of fewer rows.",
    formula="TimeDistributed(Dense)(x, mask[:, :-1]) raises",
    cases=named("masked-right-rnn"),
    about=KERAS,
    dtypes=("float32",),
)
def test_keras_time_distributed_refuses_an_unfit_mask(adapter, experiment):
    mask = experiment.mask
    masks = of_other_steps(mask) | of_other_rows(mask) | {"one row": mask[:1]}
    call = partial(adapter.time_distributed_under, experiment)
    assert_each_refused(calls(call, masks), adapter.refuses_with())


@claim(
    kind="exact",
    statement="Keras takes a mask of one row for every row, and says nothing; and a mask of "
    "integers, or with one more axis, of one, as the same mask without.",
    formula="layer(x, mask[:1]) == layer(x, mask[:1] of every row)",
    cases=ONE_LAYER,
    about=KERAS,
    dtypes=("float32",),
)
def test_keras_takes_a_mask_of_one_row_for_all(adapter, experiment):
    row = experiment.mask[1:2]
    every = np.repeat(row, experiment.batch, axis=0)
    masks = {"one row": row, "an axis more": every[:, :, None], "numbers": every.astype("int32")}
    found = {name: adapter.output_under(experiment, mask) for name, mask in masks.items()}
    assert_same_bits(found, dict.fromkeys(masks, adapter.output_under(experiment, every)))


@claim(
    kind="exact",
    statement="An unrolled layer takes a mask of more steps than the input has, and never looks at "
    "the rest.",
    formula="layer(x, mask beside mask; unroll=True) == layer(x, mask; unroll=True)",
    cases=some(
        kinds.all_of(kinds.masked_alone, kinds.single, kinds.few_steps),
        "masked-right-lstm-from-zero",
    ),
    about=KERAS,
    dtypes=("float32",),
)
def test_keras_unrolled_layers_take_a_longer_mask(adapter, experiment):
    masks = experiment.mask, longer(experiment.mask)
    right, found = (adapter.output_under(experiment, mask, unroll=True) for mask in masks)
    assert_same_bits(found, right)


# Rows of several lengths in one tensor, which has no mask

TAKES_RAGGED_TENSORS = About(
    lambda adapter: adapter.interface == "keras" and not adapter.backends,
    because="it is about Keras 2 alone, which takes ragged tensors",
)


@claim(
    kind="rounding",
    statement="Rows in a `tf.RaggedTensor` end where they end: in each layer of a stack, and in "
    "both directions, of which the backward one begins at each row's own last step.",
    formula="layer(RaggedTensor of rows) == layer(x, mask) where steps count",
    sources=["D8"],
    cases=named("masked-right-lstm-two-layers", "masked-right-lstm-bidirectional",
                "masked-right-gru-two-layers-bidirectional", "masked-right-rnn"),
    about=TAKES_RAGGED_TENSORS,
    dtypes=("float32",),
)  # fmt: skip
def test_keras_2_ragged_rows_end_where_they_end(adapter, experiment, oracle):
    run = adapter.ragged(experiment)
    found, expected = dict(run.tensors()), dict(oracle.tensors())
    found["output"] = run.output[experiment.mask]
    expected["output"] = oracle.output[experiment.mask]
    assert_within_rounding(found, expected)
