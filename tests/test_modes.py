"""Ways of running a layer: compiled, exported, saved and loaded.

Each was in effect, and its numbers are the layer's own. That values are the oracle's, states where
they belong and shapes right, is said by the claims of other files, which are checked in every mode.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fixtures.cases import named
from fixtures.checks.compare import (
    assert_each_within_rounding,
    assert_same_bits,
    assert_structure,
)
from fixtures.claims import IN_A_MODE, KERAS, SAME_BITS, claim
from fixtures.oracle.rounding import oracle_of


@claim(
    kind="structure",
    statement="A layer that is to be compiled, exported or read from a file is run in that way: "
    "it is not called as it is in silence.",
    formula="what the run saw of its mode == what the mode says",
    about=IN_A_MODE,
)
def test_a_mode_was_in_effect(run, mode):
    assert_structure(dict(run.seen), dict(mode.in_effect))


@claim(
    kind="exact",
    statement="In ways of running that only carry a layer over, the numbers are those of the layer "
    "as it is, to the bit.",
    formula="run in the mode == run outside of it",
    about=SAME_BITS,
)
def test_a_mode_that_carries_over_moves_no_bit(run, called_as_it_is):
    assert_same_bits(dict(run.tensors()), dict(called_as_it_is.tensors()))


def in_other_sizes(experiment):
    """A masked case as it is, then some of its rows in another order, then fewer and more steps."""
    x, mask = experiment.inputs, experiment.mask
    return {
        "as it is": experiment,
        "fewer rows": experiment.in_order(np.array([4, 0])),
        "fewer steps": replace(experiment, inputs=x[:, :3], mask=mask[:, :3], upstream=None),
        "more steps": replace(
            experiment,
            inputs=np.concatenate([x, x[:, ::-1]], axis=1),
            mask=np.concatenate([mask, mask[:, ::-1]], axis=1),
            upstream=None,
        ),
    }


@claim(
    kind="rounding",
    statement="A function traced with batch and time left open computes batches of other sizes, of "
    "other lengths and under other masks than those it was called with first.",
    formula="tf.function(stack, input_signature=[None, None, features])(other) == oracle(other)",
    cases=named("masked-right-lstm-bidirectional"),
    about=KERAS,
    recipe="traced_for_any_size",
    dtypes=("float32",),
)
def test_keras_traced_functions_take_other_batches_and_times(adapter, experiment):
    sizes = in_other_sizes(experiment)
    runs = adapter.traced_for_any_size(list(sizes.values()))
    assert_each_within_rounding(
        {
            size: (dict(run.tensors()), dict(oracle_of(one).tensors()))
            for (size, one), run in zip(sizes.items(), runs, strict=True)
        }
    )


@claim(
    kind="structure",
    statement="A function that is traced with batch and time left open is traced once for all.",
    formula="traces after calls with other batches and times == 1",
    cases=named("masked-right-lstm-bidirectional"),
    about=KERAS,
    recipe="traced_for_any_size",
    dtypes=("float32",),
)
def test_keras_traced_functions_are_traced_once_for_all(adapter, experiment):
    runs = adapter.traced_for_any_size(list(in_other_sizes(experiment).values()))
    assert_structure([run.seen["traces"] for run in runs], [1] * len(runs))


@claim(
    kind="rounding",
    statement="`predict` of a model with batch and time left open computes batches of other sizes, "
    "of other lengths and under other masks than its first.",
    formula="model.predict(other) == oracle(other)",
    cases=named("masked-right-lstm-bidirectional"),
    about=KERAS,
    recipe="predicted_in_any_size",
    dtypes=("float32",),
)
def test_keras_predict_takes_other_batches_and_times(adapter, experiment):
    sizes = in_other_sizes(experiment)
    runs = adapter.predicted_in_any_size(list(sizes.values()))
    assert_each_within_rounding(
        {
            size: (dict(run.tensors()), dict(oracle_of(one).tensors()))
            for (size, one), run in zip(sizes.items(), runs, strict=True)
        }
    )
