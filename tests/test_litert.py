"""LiteRT, which was TensorFlow Lite: what its converter makes of Keras's layers.

In the mode `litert` every other claim about values is put to converted models, too.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fixtures.cases import named
from fixtures.checks.compare import (
    assert_beyond_rounding,
    assert_different,
    assert_structure,
    assert_within_rounding,
)
from fixtures.claims import About, claim
from fixtures.oracle.rounding import oracle_of

LITERT = About(
    lambda one: one.mode is not None and one.mode.name == "litert",
    "it is about models that were converted for LiteRT",
)
OF_KERAS2 = About(
    lambda one: LITERT.picks(one) and "tf-keras" in one.distributions,
    "it is about what is converted of Keras 2",
)
OF_KERAS3 = About(
    lambda one: LITERT.picks(one) and "keras" in one.distributions,
    "it is about what is converted of Keras 3",
)

IN_FLOAT32 = ("float32",)


@claim(
    kind="structure",
    statement="An LSTM of Keras 2 that returns its output alone becomes one operator of LiteRT's.",
    formula="from_keras_model(Model(x, LSTM(units, return_sequences=True)(x))): "
    "UNIDIRECTIONAL_SEQUENCE_LSTM",
    cases=named("smallest-from-zero"),
    about=OF_KERAS2,
    dtypes=IN_FLOAT32,
    recipe="one_operator",
)
def test_litert_has_an_operator_for_keras_2s_lstm(recipe):
    assert_structure(recipe("one_operator").native, {"in one operator": True})


@claim(
    kind="structure",
    statement="The same LSTM of Keras 3 does not: it becomes a loop of steps.",
    formula="from_keras_model(Model(x, LSTM(units, return_sequences=True)(x))): WHILE",
    cases=named("smallest-from-zero"),
    about=OF_KERAS3,
    dtypes=IN_FLOAT32,
    recipe="one_operator",
)
def test_litert_makes_a_loop_of_keras_3s_lstm(recipe):
    assert_structure(recipe("one_operator").native, {"in one operator": False})


@claim(
    kind="rounding",
    statement="LiteRT's operator for a whole LSTM computes what Keras 2's layer does.",
    formula="UNIDIRECTIONAL_SEQUENCE_LSTM(x) == LSTM(x)",
    cases=named("smallest-from-zero", "one-feature"),
    about=OF_KERAS2,
    dtypes=IN_FLOAT32,
    recipe="one_operator",
)
def test_litert_operator_is_keras_2s_lstm(recipe, oracle):
    assert_within_rounding(recipe("one_operator").output, oracle.output)


@claim(
    kind="rounding",
    statement="LiteRT's operator for a whole LSTM begins each call where the call before has "
    "ended, and at zero only after `reset_all_variables`.",
    formula="invoke(x); invoke(x) == LSTM([x; x])[:, time:]; reset_all_variables(); invoke(x)",
    cases=named("smallest-from-zero", "one-feature"),
    about=OF_KERAS2,
    dtypes=IN_FLOAT32,
    recipe="one_operator_called_again",
)
def test_litert_operator_goes_on_from_the_last_call(recipe, experiment, oracle):
    twice = replace(experiment, inputs=np.concatenate(2 * [experiment.inputs], axis=1))
    on = oracle_of(twice).output[:, experiment.time :]
    expected = {"at once": oracle.output, "again": on, "reset": oracle.output}
    assert_within_rounding(recipe("one_operator_called_again").native, expected)


@claim(
    kind="different",
    statement="`tf.lite.Optimize.DEFAULT` makes 8 bits of the numbers of every kernel of 1,024 or "
    "more: a smaller layer stays as it is, a larger one is another.",
    formula="converter.optimizations = [tf.lite.Optimize.DEFAULT]: converted(x) != LSTM(x)",
    cases=named("one-feature"),
    about=LITERT,
    dtypes=IN_FLOAT32,
    recipe="quantised",
)
def test_litert_optimized_layers_are_others(recipe, oracle):
    found, expected = recipe("quantised").output, oracle.output
    assert_different(found, expected.value.astype(found.dtype), expected)


@claim(
    kind="rounding",
    statement="Of a layer of fewer numbers the same option leaves all as it is.",
    formula="converter.optimizations = [tf.lite.Optimize.DEFAULT]: converted(x) == LSTM(x)",
    cases=named("smallest", "two-layers"),
    about=LITERT,
    dtypes=IN_FLOAT32,
    recipe="quantised",
)
def test_litert_small_layers_are_not_optimized(recipe, oracle):
    assert_within_rounding(dict(recipe("quantised").tensors()), dict(oracle.tensors()))


@claim(
    kind="different",
    statement="With float16 among the supported types it rounds the weights of every layer to it.",
    formula="target_spec.supported_types = [tf.float16]: converted(x) != LSTM(x)",
    cases=named("one-feature"),
    about=LITERT,
    dtypes=IN_FLOAT32,
    recipe="halved",
)
def test_litert_float16_weights_make_another_layer(recipe, oracle):
    assert_beyond_rounding(dict(recipe("halved").tensors()), dict(oracle.tensors()))
