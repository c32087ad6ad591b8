"""Real text: sentences of their own lengths, byte by byte, through an embedding and every layer."""

from __future__ import annotations

import numpy as np

from fixtures.checks.compare import assert_same_bits, assert_within_rounding
from fixtures.claims import claim


def text(case):
    return case.inputs == "text"


@claim(
    kind="rounding",
    statement="Through an embedding every sentence of a padded batch ends in the state that its "
    "own bytes alone lead to, in every framework by its own means: packed, masked by index 0, or "
    "with its length.",
    formula="layers(embedding(sentences))[row] == layers(embedding(sentence))",
    sources=["D8"],
    cases=text,
    recipe="embedded",
)
def test_sentences_end_where_their_own_bytes_lead(recipe, oracle):
    expected = dict(oracle.states())
    assert_within_rounding(dict(recipe("embedded").state.tensors()), expected)


@claim(
    kind="exact",
    statement="An embedding copies: looked up by the framework or beforehand, sentences end in the "
    "same bits.",
    formula="layers(embedding(indices)) == layers(vectors[indices])",
    cases=text,
    recipe="embedded",
)
def test_an_embedding_changes_no_bit(recipe, run):
    assert_same_bits(dict(recipe("embedded").state.tensors()), dict(run.state.tensors()))


@claim(
    kind="rounding",
    statement="A sentence ends in the same state alone and in a batch of others.",
    formula="layers(x[row, :lengths[row]]) == layers(x, lengths)[row]",
    sources=["D8"],
    cases=text,
)
def test_a_sentence_alone_ends_as_among_others(adapter, experiment, oracle):
    lengths = experiment.mask.sum(axis=1)
    rows = [int(np.argmin(lengths)), int(np.argmax(lengths))]
    alone = {row: dict(adapter.run(experiment.only_row(row)).state.tensors()) for row in rows}
    expected = dict(oracle.states())
    assert_within_rounding(
        {(name, row): alone[row][name][0] for name in expected for row in rows},
        {(name, row): expected[name][row] for name in expected for row in rows},
    )
