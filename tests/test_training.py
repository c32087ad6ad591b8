"""Training: the losses, and every weight after 1, 2 and 20 steps, from the same start.

The oracle goes through the whole of a training run, with replicas that are perturbed wherever
arithmetic rounds, the optimizer's included, and that go on with what their own steps made of the
weights. So the bounds grow with the steps as honest rounding does. Of an Adam most elements stay
informative only as long as epsilon is not small beside what rounding does to a gradient.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace

import numpy as np

from fixtures.cases import named
from fixtures.cases.training import (
    PENALTY,
    PLAIN_ADAM,
    RATE_OF_A_BIAS,
    ROWS,
    TO_LEARN,
    trainings,
)
from fixtures.checks.compare import (
    assert_different,
    assert_each_within_rounding,
    assert_same_bits,
    assert_structure,
    assert_within_rounding,
)
from fixtures.claims import KERAS, TF1, TORCH, About, claim
from fixtures.model.training import SGD, Training, weights_by_name
from fixtures.model.weights import Dense
from fixtures.oracle.training import training_of

KERAS_3 = About(
    lambda one: one.interface == "keras" and hasattr(one, "trained_by_parts"),
    because="it is about Keras 3's optimizers",
)
KERAS_2 = About(
    lambda one: one.interface == "keras" and hasattr(one, "trained_by_legacy"),
    because="it is about Keras 2, which has optimizers of two kinds",
)
HAS_A_REMAT_SCOPE = About(
    lambda one: hasattr(one, "trained_recomputed"),
    because="it is about Keras 3's RematScope",
)
AVERAGES_LATER = About(
    lambda one: one.interface == "torch" or KERAS_3.picks(one),
    because="it is about torch's and Keras 3's moving averages of weights",
)
AVERAGES_FROM_THE_START = About(
    lambda one: one.interface == "tf1" or KERAS_2.picks(one),
    because="it is about Keras 2's and TensorFlow 1's moving averages of weights",
)
SCALES_LOSSES = About(
    lambda one: one.interface in ("torch", "keras"),
    because="it is about torch's and Keras's scaling of losses",
)
COUNTS_GOOD_STEPS = About(
    lambda one: SCALES_LOSSES.picks(one) and not KERAS_2.picks(one),
    because="Keras 2 counts every step (keras-2-counts-steps-that-are-not-finite)",
)
BRINGS_ADAM = About(
    lambda one: one.interface != "numpy",
    because="it is about an Adam that a framework brings, and NumPy brings none",
)
ROUNDS_CONSTANTS = About(
    lambda one: one.interface in ("keras", "tf1"),
    because="it is about Keras and TensorFlow 1, which make float32 of a learning rate",
)


def contents_of(experiment):
    """A hash of all that training begins with."""
    digest = hashlib.sha256()
    trained = weights_by_name(experiment.weights, experiment.dense).values()
    for array in (experiment.inputs, experiment.labels, *trained):
        digest.update(array.tobytes())
    return digest.hexdigest()


def expected_of(experiment, training, run_cache):
    """The oracle's training, worked out once for all adapters."""
    key = ("oracle of training", repr(training), experiment.dtype, contents_of(experiment))
    return run_cache.once(key, lambda: training_of(experiment, training, run_cache.seed))


def pairs(found, expected):
    """After each mark, what was found and what was expected."""
    marks = zip(found.marks(), expected.marks(), strict=True)
    return {mark: (actual, oracle) for (mark, actual), (_, oracle) in marks}


def judged(found, name, adapter, experiment, run_cache):
    """One of the trainings that all frameworks go through, and what the oracle says of it."""
    training = trainings(experiment.dtype, adapter.own_adam)[name]
    if training.clip is not None:
        clip = replace(training.clip, added=adapter.added_to_the_norm)
        training = replace(training, clip=clip)
    return pairs(found[name], expected_of(experiment, training, run_cache))


# The same everywhere


@claim(
    kind="rounding",
    statement="Plain gradient descent gives the same losses and weights after 1, 2 and 20 steps.",
    formula="w -= rate * d loss / d w",
    sources=["B6"],
    cases=named("trained"),
    recipe="trained",
    dtypes=("float32",),
)
def test_sgd_trains_every_weight_alike(recipe, adapter, experiment, run_cache):
    assert_each_within_rounding(judged(recipe("trained"), "sgd", adapter, experiment, run_cache))


@claim(
    kind="rounding",
    statement="Gradient descent with momentum, too: that Keras multiplies by the rate before it "
    "remembers, and torch and TensorFlow 1 after, makes no difference while the rate stays.",
    formula="u = momentum * u + d loss / d w; w -= rate * u",
    cases=named("trained"),
    recipe="trained",
    dtypes=("float32",),
)
def test_momentum_trains_every_weight_alike(recipe, adapter, experiment, run_cache):
    ways = judged(recipe("trained"), "momentum", adapter, experiment, run_cache)
    assert_each_within_rounding(ways)


@claim(
    kind="rounding",
    statement="Nesterov's momentum, too.",
    formula="u = momentum * u + g; w -= rate * (g + momentum * u), with g = d loss / d w",
    cases=named("trained"),
    recipe="trained",
    dtypes=("float32",),
)
def test_nesterov_momentum_trains_every_weight_alike(recipe, adapter, experiment, run_cache):
    ways = judged(recipe("trained"), "nesterov", adapter, experiment, run_cache)
    assert_each_within_rounding(ways)


@claim(
    kind="rounding",
    statement="Adam, set alike, gives the same losses and weights after 1, 2 and 20 steps: for "
    "that, torch's epsilon is divided by sqrt(1 - beta_2^t) at every step t.",
    formula="w -= rate * sqrt(1 - beta_2^t) / (1 - beta_1^t) * m / (sqrt(v) + epsilon)",
    sources=["B6"],
    cases=named("trained"),
    recipe="trained",
)
def test_adam_set_alike_trains_every_weight_alike(recipe, adapter, experiment, run_cache):
    assert_each_within_rounding(judged(recipe("trained"), "adam", adapter, experiment, run_cache))


@claim(
    kind="rounding",
    statement="Gradients cut to a norm of all of them together give the same: torch's "
    "clip_grad_norm_, which adds 1e-6 to the norm, Keras's global_clipnorm, TensorFlow's "
    "clip_by_global_norm.",
    formula="g *= min(1, limit / |all g|)",
    cases=named("trained"),
    recipe="trained",
    dtypes=("float32",),
)
def test_clipping_by_the_global_norm_is_the_same(recipe, adapter, experiment, run_cache):
    ways = judged(recipe("trained"), "clipped", adapter, experiment, run_cache)
    assert_each_within_rounding(ways)


def both_ends(dense):
    """A dense layer for the last h of both directions."""
    return Dense(np.concatenate([dense.kernel, -dense.kernel[::-1]]), dense.bias)


@claim(
    kind="rounding",
    statement="Both directions are trained, each by what its own last h does.",
    formula="w -= rate * u, for the weights of both directions",
    cases=named("trained-bidirectional"),
    recipe="trained",
)
def test_both_directions_are_trained(adapter, experiment, run_cache):
    experiment = replace(experiment, dense=both_ends(experiment.dense))
    training = Training(SGD(2.0**-3, momentum=0.875), steps=2, batch=2)
    found = adapter.train(experiment, training)
    assert_each_within_rounding(pairs(found, expected_of(experiment, training, run_cache)))


@claim(
    kind="rounding",
    statement="Source B's network, 12 units wide, trained by Adam on images row by row gives the "
    "same losses and weights.",
    formula="three LSTMs on 28 rows of 28 pixels, then logits == h[-1] @ kernel + bias",
    sources=["B1", "B6"],
    cases=named("trained-rows"),
    recipe="trained",
)
def test_three_layers_on_rows_of_images_train_alike(adapter, experiment, run_cache):
    training = Training(PLAIN_ADAM, steps=2, batch=4)
    found = adapter.train(experiment, training)
    assert_each_within_rounding(pairs(found, expected_of(experiment, training, run_cache)))


# Where frameworks differ


@claim(
    kind="rounding",
    statement="torch's Adam adds epsilon to the corrected root, Keras's and TensorFlow 1's to the "
    "root as it is.",
    formula="torch: m' / (sqrt(v / (1 - beta_2^t)) + epsilon); others: m'' / (sqrt(v) + epsilon)",
    cases=named("trained"),
    recipe="trained",
    dtypes=("float32",),
)
def test_adam_adds_epsilon_where_it_says(recipe, adapter, experiment, run_cache):
    ways = judged(recipe("trained"), "large epsilon", adapter, experiment, run_cache)
    assert_each_within_rounding(ways)


def last_weights(found):
    """The weights after the last mark."""
    *_, last = found.weights.values()
    return last


def moved_apart(found, training, other, experiment, run_cache, of):
    """One array of weights after training, what another training would have made of it, and the
    spread of the first."""
    own = last_weights(expected_of(experiment, training, run_cache))[of]
    others = last_weights(expected_of(experiment, other, run_cache))[of]
    return {of: last_weights(found)[of]}, others.value, own


@claim(
    kind="different",
    statement="With the same epsilon the two are not the same.",
    formula="sqrt(v / (1 - beta_2^t)) + epsilon != (sqrt(v) + epsilon) / sqrt(1 - beta_2^t)",
    cases=named("trained"),
    recipe="trained",
    dtypes=("float32",),
)
def test_adam_with_the_same_epsilon_is_not_the_same(recipe, adapter, experiment, run_cache):
    training = trainings(experiment.dtype, adapter.own_adam)["large epsilon"]
    corrected = not training.optimizer.corrected
    other = replace(training, optimizer=replace(training.optimizer, corrected=corrected))
    found = recipe("trained")["large epsilon"]
    compared = moved_apart(found, training, other, experiment, run_cache, "kernel[1, 0]")
    assert_apart(*compared)


def assert_apart(found, other, own):
    """The values of `other` are rounded to the precision of what was found."""
    dtype = next(iter(found.values())).dtype
    assert_different(found, other.astype(dtype), own)


@claim(
    kind="rounding",
    statement="By default Adam has rate 0.001, betas 0.9 and 0.999, and an epsilon of 1e-8 in "
    "torch, TensorFlow 1 and MLX, where the rate has to be said, and of 1e-7 in Keras. Keras makes "
    "float32 of the rate, and of the betas where it corrects; TensorFlow 1 of all four, and of the "
    "powers of the betas.",
    formula="Adam() == Adam(0.001, 0.9, 0.999, 1e-8 or 1e-7)",
    cases=named("trained"),
    about=BRINGS_ADAM,
    recipe="trained",
)
def test_adam_has_its_own_defaults(recipe, adapter, experiment, run_cache):
    ways = judged(recipe("trained"), "default", adapter, experiment, run_cache)
    assert_each_within_rounding(ways)


@claim(
    kind="different",
    statement="So Adam by default is not the same in any two of torch, Keras and TensorFlow 1, nor "
    "in MLX, which corrects no bias unless it is told to: its first step goes 3.2 times as far.",
    formula="Adam() != Adam(another's epsilon, where another adds it)",
    cases=named("trained"),
    about=BRINGS_ADAM,
    recipe="trained",
    dtypes=("float64",),
)
def test_adam_by_default_is_not_the_same(recipe, adapter, experiment, run_cache):
    own = adapter.own_adam
    training = trainings(experiment.dtype, own)["default"]
    another = {
        "torch": replace(own, epsilon=1e-7, corrected=False),
        "keras": replace(own, epsilon=1e-8),
        "tf1": replace(own, corrected=True),
        "mlx": replace(own, bias_correction=True),
    }[adapter.interface]
    other = replace(training, optimizer=another)
    found = recipe("trained")["default"]
    assert_apart(*moved_apart(found, training, other, experiment, run_cache, "kernel[1, 0]"))


@claim(
    kind="different",
    statement="In float64 Keras and TensorFlow 1 do not train at the rate of 0.001 that they are "
    "given, but at the number that float32 has for it.",
    formula="w(rate=float32(0.001)) != w(rate=0.001)",
    cases=named("trained"),
    about=ROUNDS_CONSTANTS,
    recipe="trained",
    dtypes=("float64",),
)
def test_rates_are_rounded_to_float32(recipe, adapter, experiment, run_cache):
    own = adapter.own_adam
    training = trainings(experiment.dtype, own)["default"]
    other = replace(training, optimizer=replace(own, learning_rate=1e-3))
    found = recipe("trained")["default"]
    assert_apart(*moved_apart(found, training, other, experiment, run_cache, "dense kernel"))


@claim(
    kind="rounding",
    statement="torch trains both of its biases, so that their sum goes twice as far in a step.",
    formula="bias_ih -= rate * u; bias_hh -= rate * u",
    cases=named("trained"),
    about=TORCH,
    recipe="trained_with_two_biases",
    dtypes=("float32",),
)
def test_torch_trains_two_biases(recipe, adapter, experiment, run_cache):
    expected = expected_of(experiment, adapter.two_biases(experiment.dtype), run_cache)
    assert_each_within_rounding(pairs(recipe("trained_with_two_biases"), expected))


@claim(
    kind="different",
    statement="So out of the box torch does not train as the others do: in the claims above its "
    "second bias stands still.",
    formula="w(two biases) != w(one bias)",
    cases=named("trained"),
    about=TORCH,
    recipe="trained_with_two_biases",
    dtypes=("float32",),
)
def test_torch_two_biases_train_faster_than_one(recipe, adapter, experiment, run_cache):
    training = adapter.two_biases(experiment.dtype)
    found = recipe("trained_with_two_biases")
    other = replace(training, biases=1)
    assert_apart(*moved_apart(found, training, other, experiment, run_cache, "bias[0, 0]"))


@claim(
    kind="rounding",
    statement="torch's optimizers give the same whether they go over the parameters one by one or "
    "over all of them at once.",
    formula="foreach=True == foreach=False",
    cases=named("trained"),
    about=TORCH,
    recipe="trained_for_each",
    dtypes=("float32",),
)
def test_torch_optimizers_of_both_loops_agree(recipe, adapter, experiment, run_cache):
    settings = trainings(experiment.dtype, adapter.own_adam)
    ways = {}
    for name, both in recipe("trained_for_each").items():
        expected = expected_of(experiment, replace(settings[name], steps=2), run_cache)
        for way, found in both.items():
            ways |= {f"{name}, {way}, {mark}": one for mark, one in pairs(found, expected).items()}
    assert_each_within_rounding(ways)


@claim(
    kind="rounding",
    statement="torch's fused optimizers, which make a step in one kernel, give the same.",
    formula="SGD(..., fused=True), Adam(..., fused=True): w -= rate * u",
    cases=named("trained"),
    about=TORCH,
    recipe="trained_fused",
    dtypes=("float32",),
)
def test_torch_fused_optimizers_train_alike(recipe, adapter, experiment, run_cache):
    settings = trainings(experiment.dtype, adapter.own_adam)
    ways = {}
    for name, found in recipe("trained_fused").items():
        expected = expected_of(experiment, replace(settings[name], steps=2), run_cache)
        ways |= {f"{name}, {mark}": one for mark, one in pairs(found, expected).items()}
    assert_each_within_rounding(ways)


@claim(
    kind="exact",
    statement="Gradients are clipped alike by a list of the parameters and by "
    "`lstm.parameters()`, which can be gone through once.",
    formula="clip_grad_norm_(lstm.parameters(), limit) == clip_grad_norm_([*parameters], limit)",
    cases=named("smallest", "gru-smallest", "rnn-smallest", "bidirectional-two-layers"),
    about=TORCH,
    recipe="clipped_gradients",
)
def test_torch_clips_by_a_generator_as_by_a_list(recipe):
    found = recipe("clipped_gradients")
    by_list = {way: found[f"{way}, list"] for way in ("norm", "value")}
    by_generator = {way: found[f"{way}, generator"] for way in by_list}
    assert_same_bits(one_by_one(by_generator), one_by_one(by_list))


@claim(
    kind="rounding",
    statement="A kernel of torch.nn.LSTM with a parametrization is trained as it is without.",
    formula="register_parametrization(lstm, 'weight_ih_l0', Identity()); w -= rate * u",
    cases=named("trained"),
    about=TORCH,
    recipe="trained_parametrized",
    dtypes=("float32",),
)
def test_torch_a_parametrized_kernel_is_trained(recipe, adapter, experiment, run_cache):
    momentum = trainings(experiment.dtype, adapter.own_adam)["momentum"]
    expected = expected_of(experiment, replace(momentum, steps=2), run_cache)
    assert_each_within_rounding(pairs(recipe("trained_parametrized"), expected))


@claim(
    kind="rounding",
    statement="Keras's clipnorm cuts each variable's gradient by its own norm.",
    formula="g *= min(1, limit / |g|)",
    cases=named("trained"),
    about=KERAS,
    recipe="trained_with_clipnorm",
    dtypes=("float32",),
)
def test_keras_clipnorm_is_for_each_variable(recipe, adapter, experiment, run_cache):
    expected = expected_of(experiment, adapter.clipped_each(experiment.dtype), run_cache)
    assert_each_within_rounding(pairs(recipe("trained_with_clipnorm"), expected))


@claim(
    kind="different",
    statement="So clipnorm is not global_clipnorm, nor what torch's clip_grad_norm_ does.",
    formula="w(clipnorm) != w(global_clipnorm)",
    cases=named("trained"),
    about=KERAS,
    recipe="trained_with_clipnorm",
    dtypes=("float32",),
)
def test_keras_clipnorm_is_not_the_global_norm(recipe, adapter, experiment, run_cache):
    each = adapter.clipped_each(experiment.dtype)
    together = replace(each, clip=replace(each.clip, of="all"))
    found = recipe("trained_with_clipnorm")
    assert_apart(*moved_apart(found, each, together, experiment, run_cache, "kernel[1, 0]"))


@claim(
    kind="rounding",
    statement="Keras's train_on_batch trains, and returns the loss of this batch alone, from "
    "before the update.",
    formula="train_on_batch(x, y) == loss(x, y); then w -= rate * u",
    cases=named("trained"),
    about=KERAS,
    recipe="trained_on_batches",
    dtypes=("float32",),
)
def test_keras_train_on_batch_returns_the_batchs_loss(recipe, adapter, experiment, run_cache):
    found = recipe("trained_on_batches")
    momentum = trainings(experiment.dtype, adapter.own_adam)["momentum"]
    whole = expected_of(experiment, momentum, run_cache)
    expected = replace(
        whole,
        losses=whole.losses[: len(found.losses)],
        weights={steps: whole.weights[steps] for steps in found.weights},
    )
    every = {"every loss": ({"losses": found.losses}, {"losses": expected.losses})}
    assert_each_within_rounding(pairs(found, expected) | every)


@claim(
    kind="structure",
    statement="A loss of Keras 3 computes in float32 whatever the model does, unless it is told "
    "another dtype.",
    formula="SparseCategoricalCrossentropy()(y, float64 logits).dtype == float32",
    cases=named("trained"),
    about=KERAS_3,
    recipe="dtype_of_a_loss",
    dtypes=("float64",),
)
def test_keras_3_losses_are_float32(recipe):
    assert_structure(recipe("dtype_of_a_loss"), "float32")


@claim(
    kind="rounding",
    statement="Keras 3's Adam over two halves of a batch, with gradient_accumulation_steps=2, "
    "makes the one step that it makes of the whole.",
    formula="w(two batches of n) == w(one batch of 2 * n)",
    cases=named("trained"),
    about=KERAS_3,
    recipe="trained_by_parts",
    dtypes=("float32",),
)
def test_keras_3_accumulated_gradients_are_those_of_all(recipe, adapter, experiment, run_cache):
    adam = trainings(experiment.dtype, adapter.own_adam)["adam"]
    expected = expected_of(experiment, adam, run_cache)
    assert_within_rounding(recipe("trained_by_parts"), expected.weights[1])


@claim(
    kind="exact",
    statement="Moving averages of weights, torch's `AveragedModel` and Keras 3's `use_ema`, begin "
    "with the weights after the first step.",
    formula="a[1] = w[1]; a[k] = m * a[k - 1] + (1 - m) * w[k]",
    cases=named("smallest"),
    about=AVERAGES_LATER,
    recipe="averages_of_training",
    dtypes=("float32",),
)
def test_averages_begin_after_the_first_step(adapter, experiment):
    y, steps = weights_of_a_bias(experiment)
    found = adapter.averages_of_training(experiment, y)
    assert_same_bits(found, {"predicted": halfway(steps[0], steps[1:], experiment)})


@claim(
    kind="exact",
    statement="Keras 2's and TensorFlow 1's moving averages of weights begin with the weights "
    "before the first step.",
    formula="a[0] = w[0]; a[k] = m * a[k - 1] + (1 - m) * w[k]",
    cases=named("smallest"),
    about=AVERAGES_FROM_THE_START,
    recipe="averages_of_training",
    dtypes=("float32",),
)
def test_averages_begin_before_the_first_step(adapter, experiment):
    y, steps = weights_of_a_bias(experiment)
    found = adapter.averages_of_training(experiment, y)
    assert_same_bits(found, {"predicted": halfway(0.0, steps, experiment)})


@claim(
    kind="exact",
    statement="With `ema_overwrite_frequency=2` the moving averages of Keras's `use_ema` take the "
    "place of the weights after every second step, and training goes on from them.",
    formula="w[2] = a[2]; w[3] = w[2] - rate * gradient(w[2])",
    cases=named("smallest"),
    about=KERAS,
    recipe="overwritten_by_averages",
    dtypes=("float32",),
)
def test_keras_averages_overwrite_the_weights(adapter, experiment):
    y, (first, second, _) = weights_of_a_bias(experiment)
    start = [first] if KERAS_3.picks(adapter) else [0.0, first]
    [average] = halfway(start[0], [*start[1:], second], experiment)
    third = (average + y[4:].mean()) / 2
    found = adapter.overwritten_by_averages(experiment, y)
    assert_same_bits(found, {"predicted": halfway(average, [third], experiment)})


def weights_of_a_bias(experiment):
    """Six targets, and what a bias that starts at zero is after each of three steps of two."""
    y, bias, steps = TO_LEARN[:6, None].astype(experiment.dtype), 0.0, []
    for rows in (slice(0, 2), slice(2, 4), slice(4, 6)):
        bias += (y[rows].mean() - bias) / 2
        steps.append(bias)
    return y, steps


def halfway(start, weights, experiment):
    """The moving average with a momentum of a half."""
    for one in weights:
        start = (start + one) / 2
    return np.array([start], experiment.dtype)


@claim(
    kind="exact",
    statement="Two replicas in a `MirroredStrategy`, each given half of a batch, train as one "
    "model on the whole: the loss is the mean of all rows, and a penalty counts once.",
    formula="MirroredStrategy of 2: bias -= rate * (2 * mean(bias - y) + 2 * penalty * bias)",
    cases=named("smallest"),
    about=KERAS,
    recipe="fit_by_replicas",
    dtypes=("float32",),
)
def test_keras_replicas_train_as_one(recipe):
    bias = 0.0
    for y in np.split(TO_LEARN, len(TO_LEARN) // ROWS):
        bias -= RATE_OF_A_BIAS * 2 * ((bias - y).mean() + PENALTY * bias)
    assert_same_bits(
        {"bias": recipe("fit_by_replicas")["even"]}, {"bias": np.array([bias], "float32")}
    )


@claim(
    kind="exact",
    statement="Of a batch that two replicas cannot share evenly each replica's mean counts for a "
    "half: of three rows the third as much as the other two together.",
    formula="bias -= rate * (mean(bias - y[:2]) + mean(bias - y[2:]))",
    cases=named("smallest"),
    about=KERAS,
    recipe="fit_by_replicas",
    dtypes=("float32",),
)
def test_keras_replicas_count_alike_whatever_their_rows(recipe):
    bias = 0.0
    for first, second in (TO_LEARN[0:2], TO_LEARN[2:4]), (TO_LEARN[4:6], TO_LEARN[6:7]):
        bias -= RATE_OF_A_BIAS * ((bias - first).mean() + (bias - second).mean())
    assert_same_bits(
        {"bias": recipe("fit_by_replicas")["uneven"]}, {"bias": np.array([bias], "float32")}
    )


@claim(
    kind="exact",
    statement="Layers that are made in a `RematScope`, to be computed again on the way back, are "
    "trained as others by a step that is compiled.",
    formula="train_on_batch of layers in RematScope() == without",
    cases=named("trained"),
    about=HAS_A_REMAT_SCOPE,
    recipe="trained_recomputed",
    dtypes=("float32",),
)
def test_keras_3_recomputed_layers_are_trained(recipe):
    found = recipe("trained_recomputed")
    assert_same_bits(found["in the scope"], found["without"])


@claim(
    kind="exact",
    statement='Layers that are made in a `RematScope(mode="activations")` are trained as others.',
    formula='train_on_batch of layers in RematScope("activations") == without',
    cases=named("trained"),
    about=HAS_A_REMAT_SCOPE,
    recipe="trained_recomputing_activations",
    dtypes=("float32",),
)
def test_keras_3_recomputed_activations_are_trained(recipe):
    found = recipe("trained_recomputing_activations")
    assert_same_bits(found["in the scope"], found["without"])


@claim(
    kind="rounding",
    statement="The legacy optimizers of Keras 2 train as the others do.",
    formula="keras.optimizers.legacy.Adam == keras.optimizers.Adam",
    cases=named("trained"),
    about=KERAS_2,
    recipe="trained_by_legacy",
    dtypes=("float32",),
)
def test_keras_2_legacy_optimizers_train_alike(recipe, adapter, experiment, run_cache):
    settings = trainings(experiment.dtype, adapter.own_adam)
    ways = {}
    for name, found in recipe("trained_by_legacy").items():
        expected = expected_of(experiment, replace(settings[name], steps=2), run_cache)
        ways |= {f"{name}, {mark}": one for mark, one in pairs(found, expected).items()}
    assert_each_within_rounding(ways)


# Losses that are scaled, as gradients of 16 bits need it


@claim(
    kind="exact",
    statement="A loss that is multiplied by a power of two, and its gradients divided by it again "
    "before they are cut to a norm, trains float32 to the same bits, also when the power grows.",
    formula="w(scale * loss; g / scale) == w(loss; g)",
    cases=named("trained"),
    about=SCALES_LOSSES,
    recipe="trained_with_scaled_losses",
    dtypes=("float32",),
)
def test_scaled_losses_move_no_bit(recipe):
    found = recipe("trained_with_scaled_losses")
    assert_same_bits(found["scaled"].by_step(), found["unscaled"].by_step())


@claim(
    kind="exact",
    statement="Where losses are scaled, a step whose gradients are not finite moves no weight.",
    formula="after good, nan, good, good, inf, good: w[1] == w[0], w[4] == w[3]",
    cases=named("trained"),
    about=SCALES_LOSSES,
    recipe="trained_with_scaled_losses",
    dtypes=("float32",),
)
def test_steps_that_are_not_finite_move_nothing(recipe):
    found = recipe("trained_with_scaled_losses")["with bad steps"]
    before = tuple(found.weights[step] for step in (0, 0, 2, 3, 3, 5))
    assert_same_bits(found.by_step(), replace(found, weights=before).by_step())


@claim(
    kind="exact",
    statement="In torch and Keras 3 such a step is not counted, and nothing of it remembered: Adam "
    "goes on as if it had not been.",
    formula="w(good, nan, good, good, inf, good) == w(good, good, good, good)",
    cases=named("trained"),
    about=COUNTS_GOOD_STEPS,
    recipe="trained_with_scaled_losses",
    dtypes=("float32",),
)
def test_steps_that_are_not_finite_are_not_counted(recipe):
    found = recipe("trained_with_scaled_losses")
    unscaled = found["unscaled"].weights
    after_each = tuple(unscaled[step] for step in (0, 0, 1, 2, 2, 3))
    expected = replace(found["with bad steps"], weights=after_each)
    assert_same_bits(found["with bad steps"].by_step(), expected.by_step())


@claim(
    kind="exact",
    statement="torch's fused SGD with momentum goes on after a first step that is not finite as if "
    "it had not been.",
    formula="SGD(momentum=0.9, fused=True): w(inf, good, good) == w(good, good)",
    cases=named("trained"),
    about=TORCH,
    recipe="trained_fused_after_a_bad_step",
    dtypes=("float32",),
)
def test_torch_fused_momentum_outlives_a_bad_first_step(recipe):
    found = recipe("trained_fused_after_a_bad_step")
    after = found["a bad one first"]
    assert_same_bits(replace(after, weights=after.weights[1:]).by_step(), found["good"].by_step())


@claim(
    kind="exact",
    statement="In Keras 2 such a step is counted: Adam corrects its next step, and a schedule sets "
    "its rate, as if there had been one more.",
    formula="w(good, nan, good) == w(good, iterations += 1, good)",
    cases=named("trained"),
    about=KERAS_2,
    recipe="trained_counting_bad_steps",
    dtypes=("float32",),
)
def test_keras_2_counts_steps_that_are_not_finite(recipe):
    found = recipe("trained_with_scaled_losses")["with bad steps"]
    assert_same_bits(found.by_step(), recipe("trained_counting_bad_steps").by_step())


@claim(
    kind="structure",
    statement="The scale of losses is halved by a step that is not finite, and doubled after its "
    "number of good steps, which are counted anew after either.",
    formula="growth after 2: good, good, good, good: 1, 2, 2, 4; good, nan, good, good, inf, good: "
    "1, 1/2, 1/2, 1, 1/2, 1/2",
    cases=named("trained"),
    about=SCALES_LOSSES,
    recipe="trained_with_scaled_losses",
    dtypes=("float32",),
)
def test_scales_of_losses_halve_and_double(recipe):
    found = recipe("trained_with_scaled_losses")
    assert_structure(
        {name: found[name].scales for name in ("scaled", "with bad steps")},
        {
            "scaled": (2.0**15, 2.0**16, 2.0**16, 2.0**17),
            "with bad steps": (2.0**15, 2.0**14, 2.0**14, 2.0**15, 2.0**14, 2.0**14),
        },
    )


@claim(
    kind="structure",
    statement="Keras's compile has an optimizer scale losses where the policy of all layers is "
    "mixed_float16, and in no other case: not where it is the policy of each layer alone.",
    formula="set_dtype_policy(mixed_float16); compile(SGD()): LossScaleOptimizer; "
    "LSTM(dtype=mixed_float16): SGD",
    cases=named("one-step"),
    about=KERAS,
    recipe="optimizers_compiled",
    dtypes=("float32",),
)
def test_keras_compile_scales_losses_of_mixed_float16(recipe):
    found = recipe("optimizers_compiled")
    assert_structure(found, dict.fromkeys(found, "as it is") | {"mixed_float16": "scales"})


# Source B's program


def likely_by_chance(of, share):
    """The most of so many guesses that are right by chance, each with this probability: more are
    so in less than one of a million tries (binomial, exactly)."""
    tail = 0.0
    for right in range(of, -1, -1):
        tail += math.comb(of, right) * share**right * (1 - share) ** (of - right)
        if tail >= 1e-6:
            return right
    return 0


@claim(
    kind="structure",
    statement="Source B's program learns: the loss of the last round of batches is below that of "
    "the first, and of the images held out more are recognised than by always guessing the digit "
    "that is the most frequent among them, by a margin that chance makes once in a million times.",
    formula="mean(losses[-5:]) < mean(losses[:5]); right > Binomial(90, share of that digit)",
    sources=["B1", "B2", "B6"],
    cases=named("mnist-digits"),
    about=TF1,
    recipe="program",
)
def test_tf1_program_learns(recipe):
    found = recipe("program")
    right = int((found.logits.argmax(axis=1) == found.labels).sum())
    share = np.bincount(found.labels).max() / len(found.labels)
    learnt = {
        "its loss falls": bool(found.losses[-5:].mean() < found.losses[:5].mean()),
        "beyond chance": right > likely_by_chance(len(found.labels), share),
    }
    assert_structure(learnt, {"its loss falls": True, "beyond chance": True})


@claim(
    kind="exact",
    statement="In training and after it the top layer's h is the last output, to the bit, where "
    "DropoutWrapper keeps everything.",
    formula="state[-1].h == outputs[:, -1]",
    sources=["B3", "B4", "B5"],
    cases=named("mnist-digits"),
    about=TF1,
    recipe="program",
)
def test_tf1_program_ends_in_h(recipe):
    ends = recipe("program").ends.items()
    outputs, last = ({when: getattr(one, what) for when, one in ends} for what in ("output", "h"))
    assert_same_bits(outputs, last)


@claim(
    kind="structure",
    statement="With output_keep_prob=0.5 it is not: every output is 0 or twice its h, in training "
    "and, if the program still feeds 0.5, after it.",
    formula="outputs[:, -1] in (0, 2 * state[-1].h), and both occur",
    sources=["B5"],
    cases=named("mnist-digits"),
    about=TF1,
    recipe="program",
)
def test_tf1_program_drops_outputs_and_not_h(recipe):
    found = {
        when: {
            "dropped": bool((one.output == 0).any()),
            "doubled": bool((one.output == 2 * one.h).any()),
            "nothing else": bool(((one.output == 0) | (one.output == 2 * one.h)).all()),
        }
        for when, one in recipe("program").ends_of_half.items()
    }
    every = dict.fromkeys(("dropped", "doubled", "nothing else"), True)
    assert_structure(found, {"in training": every, "after": every})


# With weights that were pruned


@claim(
    kind="exact",
    statement="Once pruning is made permanent the layer is trained as one that had those weights "
    "from the start.",
    formula="prune.remove(lstm, 'weight_hh_l0'); optimizer.step() moves the weight that is used",
    cases=named("trained"),
    about=TORCH,
    recipe="trained_after_pruning",
    dtypes=("float32",),
)
def test_torch_a_pruned_layer_is_trained_on(recipe):
    found = recipe("trained_after_pruning")
    pruned, plain = (found[name].after(2) for name in ("pruned", "plain"))
    assert_same_bits(pruned, plain)


@claim(
    kind="exact",
    statement="Once a norm of a weight is taken off the layer is trained as one that had that "
    "weight from the start.",
    formula="remove_weight_norm(lstm, 'weight_hh_l0'); optimizer.step() moves the weight in use",
    cases=named("trained"),
    about=TORCH,
    recipe="trained_without_norms",
    dtypes=("float32",),
)
def test_torch_a_layer_without_its_norm_is_trained_on(recipe):
    found = recipe("trained_without_norms")
    made, plain = ({way: both[at].after(2) for way, both in found.items()} for at in (0, 1))
    assert_same_bits(one_by_one(made), one_by_one(plain))


@claim(
    kind="structure",
    statement="An optimizer trains weights that are copied into its parameters, and none that are "
    "assigned in their place after it was made.",
    formula="optimizer = SGD(lstm.parameters()); lstm.load_state_dict(weights, assign=True)",
    cases=named("smallest", "gru-smallest", "rnn-smallest"),
    about=TORCH,
    recipe="stepped_after_loading",
    dtypes=("float32",),
)
def test_torch_optimizers_miss_weights_assigned_later(recipe):
    found = recipe("stepped_after_loading")
    assert_structure(found, {"copied": "moves", "assigned": "stays as it is"})


# In two sittings

BRINGS_FILES = About(
    lambda adapter: hasattr(adapter, "trained_from_files"),
    because="it is about files that keep an optimizer, too",
)
BRINGS_A_FOLDER = About(
    lambda adapter: hasattr(adapter, "trained_from_a_folder"),
    because="it is about the folder that Keras 2 alone saves a model in",
)


def to_be_trained(experiment):
    """With logits of both ends, where there are two."""
    if experiment.directions == 1:
        return experiment
    return replace(experiment, dense=both_ends(experiment.dense))


def one_by_one(found):
    return {f"{way}, {name}": one for way, own in found.items() for name, one in own.items()}


@claim(
    kind="exact",
    statement="Training goes on from a file as if it had never stopped: a file that holds the "
    "optimizer, too, brings back all that Adam remembers, its count of steps included.",
    formula="train 2 steps, save, load, train 2 steps == train 4 steps",
    cases=named("trained", "trained-bidirectional"),
    about=BRINGS_FILES,
    recipe="trained_from_files",
    dtypes=("float32",),
)
def test_training_goes_on_from_a_file(adapter, experiment):
    found = adapter.trained_from_files(to_be_trained(experiment))
    assert_same_bits(one_by_one(found), one_by_one(dict.fromkeys(found, found["in one go"])))


@claim(
    kind="exact",
    statement="Training of a model goes on from an `.h5` file as if it had never stopped.",
    formula="model.save('model.h5'); load_model('model.h5') goes on where model was",
    cases=named("trained", "trained-bidirectional"),
    about=KERAS,
    recipe="trained_from_an_h5_file",
    dtypes=("float32",),
)
def test_keras_training_goes_on_from_an_h5_file(adapter, experiment):
    found = adapter.trained_from_an_h5_file(to_be_trained(experiment))
    assert_same_bits(one_by_one(found), one_by_one(dict.fromkeys(found, found["in one go"])))


@claim(
    kind="exact",
    statement="Training of a model goes on from the folder of a SavedModel as if it had never "
    "stopped.",
    formula="model.save('folder'); load_model('folder') goes on where model was",
    cases=named("trained"),
    about=BRINGS_A_FOLDER,
    recipe="trained_from_a_folder",
    dtypes=("float32",),
)
def test_keras_2_training_goes_on_from_a_folder(adapter, experiment):
    found = adapter.trained_from_a_folder(to_be_trained(experiment))
    assert_same_bits(one_by_one(found), one_by_one(dict.fromkeys(found, found["in one go"])))


# By the trainer


@claim(
    kind="rounding",
    statement="Keras's `fit` trains every weight alike whether `compile` has a step run eagerly, "
    "as a graph, compiled with jit_compile=True, or several steps at a time.",
    formula="compile(Adam(), run_eagerly=, jit_compile=, steps_per_execution=); fit(x, y)",
    cases=named("trained-bidirectional"),
    about=KERAS,
    recipe="fit_in_every_way",
    dtypes=("float32",),
)
def test_keras_fit_trains_alike_however_it_is_compiled(adapter, experiment, run_cache):
    experiment = to_be_trained(experiment)
    training = Training(PLAIN_ADAM, steps=2, batch=2)
    expected = expected_of(experiment, training, run_cache).weights[2]
    found = adapter.fit_in_every_way(experiment, training)
    assert_each_within_rounding({way: (weights, expected) for way, weights in found.items()})


@claim(
    kind="structure",
    statement="Keras trains as it was compiled last: a layer that is frozen after a `fit` stands "
    "still once the model is compiled again, and one that is thawed moves again.",
    formula="layer.trainable = False; model.compile(...); model.fit(x, y) moves no weight of it",
    cases=named("rnn-smallest"),
    about=KERAS,
    recipe="moved_after_freezing",
    dtypes=("float32",),
)
def test_keras_freezes_and_thaws_when_compiled_again(recipe):
    ways = recipe("moved_after_freezing")
    found = {
        way: {when: effects[when] for when in ("frozen, compiled", "thawed, compiled")}
        for way, effects in ways.items()
    }
    expected = {"frozen, compiled": "stayed", "thawed, compiled": "moved"}
    assert_structure(found, dict.fromkeys(found, expected))


@claim(
    kind="structure",
    statement="Not compiled again, a graph goes on to train a layer that is frozen after a `fit`; "
    "run eagerly, Keras 3 freezes it at once, and Keras 2 does not.",
    formula="fit(x, y); layer.trainable = False; fit(x, y)",
    cases=named("rnn-smallest"),
    about=KERAS,
    recipe="moved_after_freezing",
    dtypes=("float32",),
)
def test_keras_frozen_layers_wait_to_be_compiled(recipe, adapter):
    ways = recipe("moved_after_freezing")
    found = {way: effects["frozen, not compiled"] for way, effects in ways.items()}
    assert_structure(found, {way: adapter.effect_of_freezing(way) for way in found})


@claim(
    kind="exact",
    statement="Training that is interrupted goes on where it was: `fit` after a `fit` that was "
    "stopped at a batch's end gives what one that was not stopped gives.",
    formula="fit(x, y) until KeyboardInterrupt after a batch; fit(the rest) == fit(x, y)",
    cases=named("square"),
    about=KERAS,
    recipe="interrupted_fit",
    dtypes=("float32",),
)
def test_keras_goes_on_from_an_interrupted_fit(recipe):
    found = recipe("interrupted_fit")
    assert_same_bits(found["interrupted"], found["in one go"])


@claim(
    kind="structure",
    statement="A `fit` whose data raise an error leaves the weights as they were.",
    formula="fit(x, y); fit(a dataset whose first batch raises) moves nothing",
    cases=named("rnn-smallest"),
    about=KERAS,
    recipe="weights_after_broken_data",
    dtypes=("float32",),
)
def test_keras_data_that_raise_leave_the_weights(recipe):
    assert_structure(recipe("weights_after_broken_data"), "kept")


# Embeddings

TWICE = np.array([[0, 0, 1], [1, 2, 2]], "int32")
"""Of two gradients the sum is the same in either order: it moves no bit."""


@claim(
    kind="exact",
    statement="Where an index repeats in a batch, Keras's Adam and RMSprop train an `Embedding` as "
    "they train a matrix that is given one-hot rows.",
    formula="Embedding(indices) trained == Dense(use_bias=False)(one_hot(indices)) trained",
    cases=named("rnn-smallest-from-zero"),
    about=KERAS,
    recipe="trained_tables",
    dtypes=("float32",),
)
def test_keras_adam_sums_gradients_of_a_repeated_index(adapter, experiment):
    found = adapter.trained_tables(experiment, TWICE, {"Adam": {}, "RMSprop": {}})
    assert_same_bits(found["Embedding"], found["one-hot"])


@claim(
    kind="exact",
    statement="Keras's clipvalue cuts the sum of an `Embedding`'s gradients for an index, and not "
    "each of them.",
    formula="SGD(rate, clipvalue=limit): vector -= rate * clip(sum of its gradients)",
    cases=named("rnn-smallest-from-zero"),
    about=KERAS,
    recipe="trained_tables",
    dtypes=("float32",),
)
def test_keras_clips_the_sum_for_a_repeated_index(adapter, experiment):
    clipped = {"learning_rate": 2.0**18, "clipvalue": 2.0**-20}
    found = adapter.trained_tables(experiment, TWICE, {"SGD": clipped})
    assert_same_bits(found["Embedding"], found["one-hot"])
