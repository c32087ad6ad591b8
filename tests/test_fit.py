"""Keras's `fit`, `evaluate` and `predict`: batches that come in another way, or are smaller, what a
mask or weights of steps do to a loss and to metrics, what is asked of weights beside a loss, and
the ways in which `compile` has a step run."""

from __future__ import annotations

import numpy as np

from fixtures.cases import named
from fixtures.checks.compare import (
    assert_each_within_rounding,
    assert_same_bits,
    assert_structure,
    assert_within_rounding,
)
from fixtures.claims import KERAS, About, claim

HAS_CTC = About(
    lambda adapter: adapter.interface == "keras" and adapter.backends,
    because="it is about a loss that Keras 3 alone has",
)

# How batches are fed


@claim(
    kind="rounding",
    statement="A stateful model is fit on a `tf.data.Dataset`, and predicts one: it carries its "
    "states from batch to batch, though the dataset does not say how many rows a batch has.",
    formula="model.fit(Dataset of x[:, :1]); model.predict(Dataset of x[:, 1:]) == lstm(x)[:, 1:]",
    cases=named("smallest-from-zero"),
    about=KERAS,
    recipe="stateful_model_of_datasets",
    dtypes=("float32",),
)
def test_keras_stateful_models_take_datasets(recipe, oracle):
    expected = dict(oracle.tensors()) | {"output": oracle.output[:, 1:]}
    assert_within_rounding(dict(recipe("stateful_model_of_datasets").tensors()), expected)


@claim(
    kind="exact",
    statement="`fit` trains on a last batch of fewer rows, through Embedding(mask_zero=True), a "
    "Bidirectional SimpleRNN and a TimeDistributed Dense, and on the steps that count alone.",
    formula="fit(x, y, batch_size=4) of 6 rows: twice bias += mean(y - bias where steps count) / 2",
    cases=named("rnn-bidirectional-two-layers"),
    about=KERAS,
    recipe="fit_with_a_smaller_last_batch",
    dtypes=("float32",),
)
def test_keras_fit_takes_a_smaller_last_batch(adapter, experiment):
    mask = np.array([[1, 1, 1, 0], [1, 0, 0, 0], [1, 1, 0, 1], [0, 0, 1, 0],
                     [1, 1, 0, 0], [0, 1, 1, 0]], bool)  # fmt: skip
    y, bias = 32.0 * np.arange(24).reshape(6, 4), 0.0
    for rows in (slice(4), slice(4, 6)):
        bias += (y[rows] - bias)[mask[rows]].mean() / 2
    y = y[..., None].astype(experiment.dtype)
    found = adapter.fit_with_a_smaller_last_batch(experiment, mask, y, rows=4)
    others = np.zeros_like(found["others"])
    assert_same_bits(found, {"bias": np.array([bias], experiment.dtype), "others": others})


@claim(
    kind="structure",
    statement="An epoch of `fit` of a generator counts as many steps as there are batches.",
    formula="fit(generator of 2 batches); optimizer.iterations == 2",
    cases=named("rnn-smallest"),
    about=KERAS,
    recipe="steps_of_an_epoch",
    dtypes=("float32",),
)
def test_keras_fit_counts_a_step_for_each_batch(adapter, experiment):
    assert_structure(adapter.steps_of_an_epoch(experiment, batches=2), 2)


# What a mask does to a loss and to metrics

MASK = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [1, 1, 0, 0], [1, 0, 1, 0]], bool)
"""Of batches of two rows the first has two steps that count, and the second has four."""

ERRORS = 24.0 * np.arange(16).reshape(4, 4)
"""Any mean that can be meant is a whole number, and no two are the same."""


def evaluated(adapter, experiment):
    y = np.repeat(ERRORS[:, :, None], experiment.units[0], axis=2).astype(experiment.dtype)
    return adapter.evaluated_under_a_mask(experiment, MASK, y, rows=2)


def whole(number, like):
    return np.array(number, like.dtype)


@claim(
    kind="exact",
    statement="Under a mask Keras's loss is the mean of a batch over the steps that count; that of "
    "`evaluate` is the mean of the batches', and not over all steps that count.",
    formula="loss == mean(sum(error * mask) / sum(mask), batch by batch)",
    cases=named("square"),
    about=KERAS,
    dtypes=("float32",),
)
def test_keras_loss_is_the_mean_of_a_batchs_counted_steps(adapter, experiment):
    found = evaluated(adapter, experiment)["loss"]
    batches = [ERRORS[rows][MASK[rows]].mean() for rows in (slice(2), slice(2, 4))]
    assert_same_bits(found, whole(np.mean(batches), found))


@claim(
    kind="exact",
    statement="Under a mask Keras's metrics, weighted or not, are the mean over all steps that "
    "count, whichever batch they are in.",
    formula="metric == sum(error * mask) / sum(mask)",
    cases=named("rnn-square"),
    about=KERAS,
    dtypes=("float32",),
)
def test_keras_metrics_are_the_mean_of_all_counted_steps(adapter, experiment):
    found = evaluated(adapter, experiment)
    del found["loss"]
    mean = whole(ERRORS[MASK].mean(), next(iter(found.values())))
    assert_same_bits(found, {"metric": mean, "weighted_metric": mean})


EIGHT = np.array([[1, 1, 0, 0], [1, 0, 0, 0], [1, 1, 1, 1], [1, 0, 0, 0]], bool)
"""So many steps count."""

LABELS = np.array([[1, 0, 1, 1], [0, 1, 1, 1], [0, 0, 0, 1], [0, 1, 1, 1]], "float32")
"""Two of the steps that count, and all others, are ones."""


@claim(
    kind="exact",
    statement="Under a mask Keras's metrics that count, or that are no plain mean, leave out the "
    "steps that do not count.",
    formula="FalseNegatives == sum(missed * mask); rmse == sqrt(sum(error**2 * mask) / sum(mask))",
    cases=named("square"),
    about=KERAS,
    dtypes=("float32",),
)
def test_keras_metrics_of_all_kinds_heed_the_mask(adapter, experiment):
    units, counted = experiment.units[0], LABELS[EIGHT]
    y = np.repeat(LABELS[:, :, None], units, axis=2)
    found = adapter.metrics_under_a_mask(experiment, EIGHT, y)
    expected = {"misses": counted.sum() * units, "rmse": np.sqrt(counted.mean())}
    expected |= {f"weighted_{name}": value for name, value in expected.items()}
    assert_same_bits(found, {name: whole(one, found["rmse"]) for name, one in expected.items()})


@claim(
    kind="structure",
    statement="A layer under a mask is trained by Keras's CTC loss: every weight moves.",
    formula="train_on_batch(x, labels) with losses.CTC() moves every weight",
    cases=named("smallest"),
    about=HAS_CTC,
    recipe="trained_by_ctc",
    dtypes=("float32",),
)
def test_keras_ctc_loss_trains_under_a_mask(recipe):
    assert_structure(recipe("trained_by_ctc"), "moved")


WEIGHTS = np.array([[2, 0, 1, 0], [0, 4, 0, 1], [1, 0, 0, 2], [0, 3, 0, 2]], "float32")
"""They sum up to 16, of two batches of two rows to 8 each."""


@claim(
    kind="exact",
    statement="Weights of steps weigh Keras's loss, which is a mean over all steps of a batch; "
    "weighted metrics are a mean over the weights, and other metrics never see them.",
    formula="loss == mean(error * weight); weighted == sum(error * weight) / sum(weight)",
    cases=named("square", "gru-square"),
    about=KERAS,
    recipe="evaluated_with_weights_of_steps",
    dtypes=("float32",),
)
def test_keras_steps_have_weights_of_their_own(adapter, experiment):
    y = np.repeat(ERRORS[:, :, None], experiment.units[0], axis=2).astype(experiment.dtype)
    found = adapter.evaluated_with_weights_of_steps(experiment, WEIGHTS, y, rows=2)
    means = {
        "loss": (ERRORS * WEIGHTS).mean(),
        "metric": ERRORS.mean(),
        "weighted_metric": (ERRORS * WEIGHTS).sum() / WEIGHTS.sum(),
    }
    assert_same_bits(found, {name: whole(mean, found["loss"]) for name, mean in means.items()})


OF_ROWS = np.array([2, 0, 4, 2], "float32")
"""As many as there are steps: taken for weights of steps they fit, and make another mean."""


@claim(
    kind="exact",
    statement="A `sample_weight` of one number for each row weighs all steps of that row, in "
    "Keras's loss and metrics.",
    formula="evaluate(x, y, sample_weight=w): loss == mean(error * w[:, None])",
    cases=named("square"),
    about=KERAS,
    recipe="evaluated_with_weights_of_rows",
    dtypes=("float32",),
)
def test_keras_weights_of_rows_weigh_all_their_steps(adapter, experiment):
    y = np.repeat(ERRORS[:, :, None], experiment.units[0], axis=2).astype(experiment.dtype)
    found = adapter.evaluated_with_weights_of_rows(experiment, OF_ROWS, y)
    weighed = ERRORS.mean(axis=1) * OF_ROWS
    means = {
        "loss": weighed.mean(),
        "metric": ERRORS.mean(),
        "weighted_metric": weighed.sum() / OF_ROWS.sum(),
    }
    assert_same_bits(found, {name: whole(mean, found["loss"]) for name, mean in means.items()})


@claim(
    kind="exact",
    statement="A `class_weight` weighs each step by the weight of its own class.",
    formula="fit(x, y, class_weight=weights): loss == mean(error * weights[class])",
    cases=named("one-unit"),
    about=KERAS,
    recipe="fit_with_weights_of_classes",
    dtypes=("float32",),
)
def test_keras_class_weights_weigh_each_step(adapter, experiment):
    y = np.array([[1, 2, 2, 0], [2, 1, 0, 1]], experiment.dtype)
    weights = {0: 1.0, 1: 2.0, 2: 4.0}
    mean = np.mean([one * weights[one] for one in y.ravel()])
    found = adapter.fit_with_weights_of_classes(experiment, weights, y[..., None])
    assert_same_bits(found, np.array([mean], found.dtype))


# What is asked of weights and outputs beside a loss

ONE_OF_EACH = named(
    "smallest", "gru-smallest", "gru-reset-before-smallest", "rnn-smallest", "bidirectional"
)


@claim(
    kind="exact",
    statement="Regularizers are of every weight: of both directions, of a step layer inside "
    "`RNN`, of a layer inside TimeDistributed, and in a model.",
    formula="layer.losses == L1(kernel), 2 L1(recurrent kernel), 4 L1(bias) of each direction",
    cases=ONE_OF_EACH,
    about=KERAS,
    dtypes=("float32",),
)
def test_keras_regularizers_are_of_every_weight(adapter, experiment):
    factors = {"kernel": 1, "recurrent_kernel": 2, "bias": 4, "recurrent_bias": 4}
    penalty = sum(
        factors[name] * array.size / 2
        for one in experiment.weights.rows[0]
        for name, array in one.canonical()
    )
    found = adapter.penalties(experiment)
    assert_same_bits(np.array(list(found.values())), np.full(len(found), penalty))


@claim(
    kind="structure",
    statement="A layer that is told to penalise its output does so, in each direction.",
    formula="layer = LSTM(units, activity_regularizer='l1'); layer(x); len(layer.losses) == 1",
    cases=ONE_OF_EACH,
    about=KERAS,
    dtypes=("float32",),
)
def test_keras_layers_penalise_their_outputs(adapter, experiment):
    assert_structure(adapter.penalised_outputs(experiment), experiment.directions)


@claim(
    kind="exact",
    statement="The penalty of a layer's outputs is the mean over rows: a larger batch does not "
    "weigh more.",
    formula="LSTM(units, activity_regularizer=L1(1)): layer.losses == [sum(abs(h)) / batch]",
    cases=named("smallest", "gru-smallest"),
    about=KERAS,
    dtypes=("float32",),
)
def test_keras_penalties_of_outputs_are_means_of_rows(adapter, experiment):
    penalty, output = adapter.penalty_of_outputs(experiment, rows=4)
    assert_same_bits(whole(penalty, output), whole(np.abs(output).sum() / 4, output))


@claim(
    kind="structure",
    statement="After a step of training every weight is as its constraint says: of both "
    "directions, and of a step layer inside `RNN`.",
    formula="train_on_batch(x, y) with NonNeg() of everything: every weight >= 0",
    cases=ONE_OF_EACH,
    about=KERAS,
    recipe="constrained",
    dtypes=("float32",),
)
def test_keras_constraints_hold_after_training(recipe):
    found = recipe("constrained")
    assert_structure(found, dict.fromkeys(found, "held"))


# Every way to run a step


@claim(
    kind="rounding",
    statement="`predict` computes the same, of masks and states too, whether `compile` has a step "
    "run eagerly, as a graph, compiled with jit_compile=True, or several steps at a time.",
    formula="compile(run_eagerly=, jit_compile=, steps_per_execution=); predict(x) == oracle(x)",
    cases=named("masked-right-lstm-bidirectional"),
    about=KERAS,
    recipe="predicted_in_every_way",
    dtypes=("float32",),
)
def test_keras_predict_computes_alike_however_compiled(recipe, oracle):
    expected = dict(oracle.tensors())
    found = recipe("predicted_in_every_way")
    assert_each_within_rounding(
        {way: (dict(run.tensors()), expected) for way, run in found.items()}
    )


@claim(
    kind="exact",
    statement="A loss and metrics under a mask come to the same compiled with jit_compile=True, "
    "and several steps at a time.",
    formula="compile(jit_compile=, steps_per_execution=); evaluate(x, y) == the means above",
    cases=named("square"),
    about=KERAS,
    recipe="evaluated_in_every_way",
    dtypes=("float32",),
)
def test_keras_evaluate_measures_alike_however_compiled(adapter, experiment):
    y = np.repeat(ERRORS[:, :, None], experiment.units[0], axis=2).astype(experiment.dtype)
    batches = [ERRORS[rows][MASK[rows]].mean() for rows in (slice(2), slice(2, 4))]
    mean = ERRORS[MASK].mean()
    means = {"loss": np.mean(batches), "metric": mean, "weighted_metric": mean}
    ways = adapter.evaluated_in_every_way(experiment, MASK, y, rows=2)
    found = {f"{name}, {way}": one[name] for way, one in ways.items() for name in means}
    expected = {f"{name}, {way}": whole(means[name], y) for way in ways for name in means}
    assert_same_bits(found, expected)


@claim(
    kind="structure",
    statement="As a graph or compiled, a step that was run once calls no Python code of a layer "
    "again.",
    formula="compile(jit_compile=True); predict(x); predict(x) calls no `call`",
    cases=named("smallest"),
    about=KERAS,
    recipe="steps_are",
    dtypes=("float32",),
)
def test_keras_steps_are_run_as_they_are_compiled(recipe, adapter):
    found = recipe("steps_are")
    kinds = {True: "a graph", False: "Python"}
    assert_structure(found, {way: kinds[adapter.runs_a_graph(way)] for way in found})


@claim(
    kind="exact",
    statement="A model that is built, and whose weights are drawn, by its first `predict` computes "
    "there what these weights give, as a graph and compiled.",
    formula="Sequential([LSTM(units)]).predict(x) == built, with its weights: predict(x)",
    cases=named("smallest"),
    about=KERAS,
    recipe="built_by_predict",
    dtypes=("float32",),
)
def test_keras_models_built_by_predict_use_their_weights(recipe):
    found = recipe("built_by_predict")
    new, built = ({way: pair[place] for way, pair in found.items()} for place in (0, 1))
    assert_same_bits(new, built)


@claim(
    kind="rounding",
    statement="A model whose top layer was popped after a `predict` predicts without it.",
    formula="model.predict(x); model.pop(); model.predict(x) == model(x)",
    cases=named("smallest-from-zero", "gru-smallest-from-zero"),
    about=KERAS,
    recipe="popped",
    dtypes=("float32",),
)
def test_keras_a_popped_model_predicts_without_its_top(recipe, oracle):
    found = recipe("popped")
    assert_within_rounding(found, dict.fromkeys(found, oracle.output))


def called_in_every_way(adapter, experiment, oracle, built):
    found = adapter.calls_of_a_function(experiment, built)
    return {by: ({"output": one}, {"output": oracle.output}) for by, one in found.items()}


@claim(
    kind="rounding",
    statement="A model whose `call` is a `tf.function`, and builds its layers, computes with the "
    "weights that they are given afterwards: called by itself, by another function, compiled by "
    "XLA or not, and by `predict`.",
    formula="@tf.function call(x); model(x); model.set_weights(w); model(x) == oracle(x)",
    cases=named("smallest-from-zero"),
    about=KERAS,
    recipe="calls_of_a_function",
    dtypes=("float32",),
)
def test_keras_calls_that_are_functions_see_the_weights(adapter, experiment, oracle):
    assert_each_within_rounding(called_in_every_way(adapter, experiment, oracle, built=False))


@claim(
    kind="rounding",
    statement="It does so where the layers are built before the first call.",
    formula="layer.build(shape); model(x); model.set_weights(w); model(x) == oracle(x)",
    cases=named("smallest-from-zero"),
    about=KERAS,
    recipe="calls_of_a_function",
    dtypes=("float32",),
)
def test_keras_built_calls_that_are_functions_see_them(adapter, experiment, oracle):
    assert_each_within_rounding(called_in_every_way(adapter, experiment, oracle, built=True))
