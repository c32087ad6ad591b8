"""Training, wrong on purpose in every framework; several as a release once had it."""

from __future__ import annotations

import functools
import importlib
import math
import subprocess
from collections.abc import Callable
from typing import Any

from fixtures.adapters import adapters
from tests.meta.mutants import Catalogue
from tests.meta.mutants.models import around, with_other_default

TORCH, KERAS3, KERAS2, TF1 = (Catalogue(name) for name in ("torch", "keras3", "keras2", "tf1"))
CATALOGUES = (TORCH, KERAS3, KERAS2, TF1)

CASES = ("trained", "trained-rows", "trained-bidirectional")

SGD = "sgd-trains-every-weight-alike"
MOMENTUM = "momentum-trains-every-weight-alike"
NESTEROV = "nesterov-momentum-trains-every-weight-alike"
ADAM = "adam-set-alike-trains-every-weight-alike"
CLIPPED = "clipping-by-the-global-norm-is-the-same"
BY_A_GENERATOR = "torch-clips-by-a-generator-as-by-a-list"
DIRECTIONS = "both-directions-are-trained"
ROWS = "three-layers-on-rows-of-images-train-alike"
EPSILON, SAME_EPSILON = (
    "adam-adds-epsilon-where-it-says",
    "adam-with-the-same-epsilon-is-not-the-same",
)
DEFAULTS, BY_DEFAULT = "adam-has-its-own-defaults", "adam-by-default-is-not-the-same"
ROUNDED = "rates-are-rounded-to-float32"
ON_BATCH = "keras-train-on-batch-returns-the-batchs-loss"
EACH, NOT_GLOBAL = "keras-clipnorm-is-for-each-variable", "keras-clipnorm-is-not-the-global-norm"

SCALED = "scaled-losses-move-no-bit"
BAD_STEPS = "steps-that-are-not-finite-move-nothing"
NOT_COUNTED = "steps-that-are-not-finite-are-not-counted"
COUNTED = "keras-2-counts-steps-that-are-not-finite"
SCALES = "scales-of-losses-halve-and-double"
COMPILED = "keras-compile-scales-losses-of-mixed-float16"

UNSCALED = "gradients are not divided by what the loss was multiplied by"
TAKEN = "a step that is not finite is taken"
STALE = "gradients of the step before are still there"
COUNT = "a loss averaged over another count"
SIGN = "momentum with the wrong sign"
NO_NESTEROV = "Nesterov's momentum is the usual one"
UNCORRECTED = "Adam without its bias correction"
PLACE = "Adam's epsilon added where another framework adds it"
INSIDE = "Adam's epsilon inside the root"
UNTRAINED = "a weight that no optimizer is given"
BACKWARD = "the backward direction is not trained"
TOP = "a layer of a stack is not trained"
NORM = "one norm for another where gradients are cut"
DEFAULT = "another default of Adam"
PRECISION = "hyperparameters in another precision"
LOSS = "the loss that is reported is not that of the batch"
DESCENT = "steps uphill"


# torch


def stepped(change: Callable[[Any], None], name: str = "SGD") -> Callable[[Any], None]:
    """`change(optimizer)` before every step."""

    def make(patch: Any) -> None:
        import torch

        def wrong(healthy: Any, self: Any, *args: Any, **options: Any) -> Any:
            change(self)
            return healthy(self, *args, **options)

        around(patch, getattr(torch.optim, name), "step", wrong)

    return make


def groups(**changed: Callable[[Any], Any]) -> Callable[[Any], None]:
    """Options of every group of parameters, changed once, before the first step."""

    def change(optimizer: Any) -> None:
        for group in optimizer.param_groups:
            if not group.get("is_changed"):
                group |= {name: of(group[name]) for name, of in changed.items()}
                group["is_changed"] = True

    return change


def divisor(spread: Any, root: float, epsilon: float, where: str) -> Any:
    """What Adam divides by; torch's epsilon is added to what is `corrected`."""
    if where == "corrected":
        return spread / root + epsilon
    if where == "as it is":
        return (spread + epsilon) / root
    return ((spread / root) ** 2 + epsilon).sqrt()


def adam_written_out(
    patch: Any,
    corrects: bool = True,
    epsilon: str = "corrected",
) -> None:
    """torch's Adam by hand, with a fault."""
    import torch

    @torch.no_grad()
    def step(self: Any) -> None:
        for group in self.param_groups:
            beta_1, beta_2 = group["betas"]
            for one in group["params"]:
                state = self.state[one]
                if not state:
                    state |= {"t": 0, "m": torch.zeros_like(one), "v": torch.zeros_like(one)}
                state["t"] += 1
                state["m"] += (1 - beta_1) * (one.grad - state["m"])
                state["v"] += (1 - beta_2) * (one.grad**2 - state["v"])
                power_1, power_2 = (
                    beta ** state["t"] if corrects else 0.0 for beta in group["betas"]
                )
                root = math.sqrt(1 - power_2)
                below = divisor(state["v"].sqrt(), root, group["eps"], epsilon)
                one -= group["lr"] / (1 - power_1) * state["m"] / below

    patch.setattr(torch.optim.Adam, "step", step)


for name, family, caught_by, fault in (
    ("adam-does-not-correct", UNCORRECTED, (ADAM, EPSILON), {"corrects": False}),
    ("adam-adds-epsilon-as-keras-does", PLACE, (EPSILON, SAME_EPSILON), {"epsilon": "as it is"}),
    ("adam-adds-epsilon-inside-the-root", INSIDE, (ADAM, EPSILON), {"epsilon": "inside"}),
):  # fmt: skip
    TORCH.add(
        name,
        family,
        caught_by,
        functools.partial(adam_written_out, **fault),
        CASES,  # type: ignore[arg-type]
    )

TORCH.add(
    "sgd-remembers-with-the-wrong-sign", SIGN, (MOMENTUM,),
    stepped(groups(momentum=lambda momentum: -momentum)), CASES,
)  # fmt: skip
TORCH.add(
    "sgd-dampens", "momentum that is dampened", (MOMENTUM,),
    stepped(groups(dampening=lambda _: 0.125)), CASES,
)  # fmt: skip
TORCH.add(
    "sgd-has-no-nesterov", NO_NESTEROV, (NESTEROV,),
    stepped(groups(nesterov=lambda _: False)), CASES,
)  # fmt: skip


@TORCH.mutant(STALE, SGD, cases=CASES)
def zero_grad_does_nothing(patch):
    import torch

    patch.setattr(torch.optim.Optimizer, "zero_grad", lambda *_, **__: None)


@TORCH.mutant(COUNT, SGD, cases=CASES)
def cross_entropy_counts_one_row_more(patch):
    import torch

    def wrong(healthy, self, logits, labels):
        return healthy(self, logits, labels) * len(labels) / (len(labels) + 1)

    around(patch, torch.nn.CrossEntropyLoss, "forward", wrong)


def frozen(patch: Any, *ends: str) -> None:
    """torch.nn.LSTM made with parameters whose names end so not to be trained."""
    import torch

    def wrong(healthy: Any, self: Any, *args: Any, **options: Any) -> None:
        healthy(self, *args, **options)
        for name, one in self.named_parameters():
            if name.endswith(ends):
                one.requires_grad_(False)

    around(patch, torch.nn.LSTM, "__init__", wrong)


for name, family, caught_by, ends in (
    ("recurrent-kernel-is-not-trained", UNTRAINED, (SGD,), ("weight_hh_l0",)),
    ("backward-direction-is-not-trained", BACKWARD, (DIRECTIONS,), ("_reverse",)),
    ("third-layer-is-not-trained", TOP, (ROWS,), ("_l2",)),
    ("second-bias-is-not-trained", UNTRAINED,
     ("torch-trains-two-biases", "torch-two-biases-train-faster-than-one"), ("bias_hh_l0",)),
):  # fmt: skip
    TORCH.add(
        name, family, caught_by,
        lambda patch, ends=ends: frozen(patch, *ends), CASES,
    )  # fmt: skip


@TORCH.mutant(NORM, CLIPPED, cases=CASES)
def clip_grad_norm_is_for_each(patch):
    import torch

    clip = torch.nn.utils.clip_grad_norm_
    patch.setattr(
        torch.nn.utils, "clip_grad_norm_",
        lambda parameters, norm: [clip([one], norm) for one in parameters],
    )  # fmt: skip


@TORCH.mutant(NORM, CLIPPED, cases=CASES)
def clip_grad_norm_makes_small_gradients_larger(patch):
    import torch

    def scaled(parameters, norm):
        gradients = [one.grad for one in parameters]
        total = torch.nn.utils.get_total_norm(gradients)
        for one in gradients:
            one.mul_(norm / (total + 1e-6))

    patch.setattr(torch.nn.utils, "clip_grad_norm_", scaled)


@TORCH.mutant("a loop over all parameters of its own", "torch-optimizers-of-both-loops-agree",
              cases=CASES)  # fmt: skip
def sgd_for_each_forgets_momentum(patch):
    sgd = importlib.import_module("torch.optim.sgd")
    healthy = sgd._multi_tensor_sgd

    def wrong(*args, momentum, **options):
        return healthy(*args, momentum=momentum / 2, **options)

    patch.setattr(sgd, "_multi_tensor_sgd", wrong)


@TORCH.mutant("a kernel of its own for a whole step", "torch-fused-optimizers-train-alike",
              cases=CASES)  # fmt: skip
def fused_sgd_forgets_momentum(patch):
    sgd = importlib.import_module("torch.optim.sgd")
    healthy = sgd._fused_sgd

    def wrong(*args, momentum, **options):
        return healthy(*args, momentum=momentum / 2, **options)

    patch.setattr(sgd, "_fused_sgd", wrong)


def going_through_the_parameters_first(patch: Any, name: str) -> None:
    """<https://github.com/pytorch/torchtitan/pull/1258>"""
    import torch

    clip = getattr(torch.nn.utils, name)

    def wrong(parameters, *args):
        sum(one.grad.abs().sum() for one in parameters)
        left = list(parameters)
        return clip(left, *args) if left else None

    patch.setattr(torch.nn.utils, name, wrong)


@TORCH.mutant("no gradient clipped in silence", BY_A_GENERATOR, cases=("smallest", "gru-smallest"))
def clipping_by_norm_goes_through_the_parameters_twice(patch):
    going_through_the_parameters_first(patch, "clip_grad_norm_")


@TORCH.mutant("no gradient clipped in silence", BY_A_GENERATOR, cases=("smallest", "gru-smallest"))
def clipping_by_value_goes_through_the_parameters_twice(patch):
    going_through_the_parameters_first(patch, "clip_grad_value_")


@TORCH.mutant("trained parameters that no kernel reads", "torch-a-parametrized-kernel-is-trained",
              cases=CASES)  # fmt: skip
def lstm_keeps_the_list_of_its_weights(patch):
    """As torch had it: <https://github.com/pytorch/pytorch/issues/65688>."""
    import torch

    def wrong(healthy, self, x, hx=None):
        was = self._flat_weights
        if torch.is_grad_enabled() and hasattr(self, "parametrizations"):
            self._flat_weights = self.__dict__.setdefault("_kept", [w.clone() for w in was])
        try:
            return healthy(self, x, hx)
        finally:
            self._flat_weights = was

    around(patch, torch.nn.LSTM, "forward", wrong)


@TORCH.mutant(DEFAULT, DEFAULTS, BY_DEFAULT, cases=CASES)
def adam_has_the_epsilon_of_keras(patch):
    import torch

    def wrong(healthy, self, parameters, *args):
        healthy(self, parameters, *args)
        if not args:
            self.param_groups[0]["eps"] = 1e-7

    adam_written_out(patch, epsilon="as it is")
    around(patch, torch.optim.Adam, "__init__", wrong)


# Keras


def unless_told(patch: Any, made: Any, **options: Any) -> None:
    """A class with other options where its constructor is called with nothing."""

    def wrong(healthy: Any, self: Any, *args: Any, **given: Any) -> None:
        healthy(self, *args, **(given if args or given else options))

    around(patch, made, "__init__", wrong)


def add_to_keras(catalogue: Catalogue) -> None:
    def keras() -> Any:
        return adapters()[catalogue.adapter].keras()  # type: ignore[attr-defined]

    def made(name: str, change: Callable[[Any], None]) -> Callable[[Any], None]:
        """An optimizer changed by `change` once it is made."""

        def make(patch: Any) -> None:
            def wrong(healthy: Any, self: Any, *args: Any, **options: Any) -> None:
                healthy(self, *args, **options)
                change(self)

            around(patch, getattr(keras().optimizers, name), "__init__", wrong)

        return make

    def each(optimizer: Any) -> None:
        optimizer.clipnorm, optimizer.global_clipnorm = optimizer.global_clipnorm, None

    def together(optimizer: Any) -> None:
        if optimizer.clipnorm:
            optimizer.clipnorm, optimizer.global_clipnorm = None, optimizer.clipnorm

    def negative(optimizer: Any) -> None:
        optimizer.momentum = -optimizer.momentum

    def plain(optimizer: Any) -> None:
        optimizer.nesterov = False

    table: dict[str, tuple[str, tuple[str, ...], Callable[[Any], None]]] = {
        "sgd-remembers-with-the-wrong-sign": (SIGN, (MOMENTUM,), made("SGD", negative)),
        "sgd-has-no-nesterov": (NO_NESTEROV, (NESTEROV,), made("SGD", plain)),
        "global-clipnorm-is-for-each": (NORM, (CLIPPED,), made("SGD", each)),
        "clipnorm-is-global": (NORM, (EACH, NOT_GLOBAL), made("SGD", together)),
        "adam-has-the-epsilon-of-tensorflow": (
            DEFAULT, (DEFAULTS, BY_DEFAULT),
            lambda patch: unless_told(patch, keras().optimizers.Adam, epsilon=1e-8)),
    }  # fmt: skip
    for name, (family, caught_by, make) in table.items():
        catalogue.add(name, family, caught_by, make, CASES)

    @catalogue.mutant(LOSS, ON_BATCH, cases=CASES)
    def train_on_batch_returns_a_running_mean(patch):
        """As Keras 3 had it: <https://github.com/keras-team/keras/pull/22617>."""
        patch.setattr(keras().Model, "reset_metrics", lambda _: None)

    @catalogue.mutant(COUNT, SGD, cases=CASES)
    def cross_entropy_counts_one_row_more(patch):
        def wrong(healthy, self, labels, logits, **options):
            rows = labels.shape[0]
            return healthy(self, labels, logits, **options) * (rows / (rows + 1))

        around(patch, keras().losses.SparseCategoricalCrossentropy, "__call__", wrong)

    @catalogue.mutant(BACKWARD, DIRECTIONS, cases=CASES)
    def bidirectional_stops_backward_gradients(patch):
        layers = keras().layers

        def wrong(healthy, self, *args, **options):
            result = healthy(self, *args, **options)
            units = result.shape[-1] // 2
            import tensorflow as tf

            return tf.concat([result[..., :units], tf.stop_gradient(result[..., units:])], axis=-1)

        around(patch, layers.Bidirectional, "call", wrong)


add_to_keras(KERAS3)
add_to_keras(KERAS2)


@KERAS3.mutant(PRECISION, ROUNDED, cases=CASES)
def adam_has_the_rate_as_given(patch):
    import keras
    import tensorflow as tf

    def wrong(healthy, self, gradient, variable, learning_rate):
        wide = tf.constant(1e-3, tf.float64) if gradient.dtype == tf.float64 else learning_rate
        return healthy(self, gradient, variable, wide)

    around(patch, keras.optimizers.Adam, "update_step", wrong)


@KERAS3.mutant(PRECISION, "keras-3-losses-are-float32", cases=CASES)
def losses_compute_in_float64(patch):
    import keras

    with_other_default(patch, keras.losses.SparseCategoricalCrossentropy, dtype="float64")


@KERAS3.mutant("Adam counts the parts of a batch", "keras-3-accumulated-gradients-are-those-of-all",
               cases=CASES)  # fmt: skip
def adam_counts_every_part_of_a_step(patch):
    """As Keras 3 had it: <https://github.com/keras-team/keras/issues/19990>."""
    import keras

    patch.setattr(keras.optimizers.Optimizer, "iterations", property(lambda self: self._iterations))


@KERAS2.mutant("another default of a legacy Adam", "keras-2-legacy-optimizers-train-alike",
               cases=CASES)  # fmt: skip
def legacy_adam_has_the_epsilon_of_tensorflow(patch):
    keras = adapters()["keras2"].keras()  # type: ignore[attr-defined]
    unless_told(patch, keras.optimizers.legacy.Adam, epsilon=1e-8)


# Losses that are scaled


@TORCH.mutant("gradients unscaled after they are cut", SCALED, cases=CASES)
def gradients_are_cut_before_they_are_unscaled(patch):
    """As in a loop without `unscale_`, where `step` does it:
    <https://docs.pytorch.org/docs/stable/notes/amp_examples.html>."""
    import torch

    own, scaler = torch.nn.utils.clip_grad_norm_, torch.amp.GradScaler
    factors: list[float] = []

    def unscale(healthy, self, optimizer):
        factors.append(self.get_scale())
        healthy(self, optimizer)

    def clip(parameters, norm):
        for one in parameters:
            one.grad *= factors[-1]
        own(parameters, norm)
        for one in parameters:
            one.grad /= factors[-1]

    around(patch, scaler, "unscale_", unscale)
    patch.setattr(torch.nn.utils, "clip_grad_norm_", clip)


@TORCH.mutant(TAKEN, BAD_STEPS, NOT_COUNTED, cases=CASES)
def a_scaler_steps_over_everything(patch):
    import torch

    patch.setattr(
        torch.amp.GradScaler, "_maybe_opt_step",
        lambda self, optimizer, _, *args, **options: optimizer.step(*args, **options),
    )  # fmt: skip


@TORCH.mutant("the scale of losses falls to a quarter", SCALES, cases=CASES)
def a_scaler_backs_off_too_far(patch):
    import torch

    def wrong(healthy, self, *args, **options):
        healthy(self, *args, **options)
        self._backoff_factor = 0.25

    around(patch, torch.amp.GradScaler, "__init__", wrong)


@KERAS3.mutant(UNSCALED, SCALED, cases=CASES)
def losses_are_scaled_by_the_first_scale(patch):
    """And gradients divided by the one that grew."""
    import keras

    patch.setattr(
        keras.optimizers.LossScaleOptimizer, "scale_loss",
        lambda self, loss: loss * self.initial_scale,
    )  # fmt: skip


@KERAS3.mutant(TAKEN, BAD_STEPS, NOT_COUNTED, SCALES, cases=CASES)
def every_gradient_is_finite(patch):
    import keras

    patch.setattr(
        keras.optimizers.LossScaleOptimizer, "check_finite", lambda *_: keras.ops.array(True)
    )


@KERAS3.mutant("a step that is left out is counted", NOT_COUNTED, cases=CASES)
def left_out_steps_are_counted(patch):
    """As Keras 2 does it, on purpose."""
    import keras

    def wrong(healthy, self):
        healthy(self)
        self.inner_optimizer.iterations.assign_add(1)

    around(patch, keras.optimizers.LossScaleOptimizer, "_stateful_handle_non_finite_grads", wrong)


@KERAS3.mutant("gradients cut before they are unscaled", SCALED, cases=CASES)
def the_inner_optimizer_is_given_scaled_gradients_to_cut(patch):
    import keras

    def wrong(healthy, self, gradients, variables=None):
        inner = self.inner_optimizer
        norm, inner.global_clipnorm = inner.global_clipnorm, None
        whole = keras.ops.sqrt(sum(keras.ops.sum(one**2) for one in gradients))
        share = norm / keras.ops.maximum(whole, norm) if norm else 1.0
        healthy(self, [one * share for one in gradients], variables)
        inner.global_clipnorm = norm

    around(patch, keras.optimizers.LossScaleOptimizer, "_stateful_handle_finite_grads", wrong)


@KERAS3.mutant("losses of mixed_float16 are not scaled", COMPILED, cases=("one-step",))
def nothing_is_scaled_by_itself(patch):
    import keras

    def wrong(healthy, self, *args, **options):
        healthy(self, *args, **{"auto_scale_loss": False, **options})

    around(patch, keras.Sequential, "compile", wrong)


def loss_scales() -> Any:
    keras = adapters()["keras2"].keras()  # type: ignore[attr-defined]
    return importlib.import_module(keras.mixed_precision.LossScaleOptimizer.__module__)


@KERAS2.mutant(UNSCALED, SCALED, cases=CASES)
def gradients_are_divided_by_the_first_scale(patch):
    optimizer = loss_scales().LossScaleOptimizerV3
    patch.setattr(
        optimizer, "get_unscaled_gradients",
        lambda self, gradients: [one / self.initial_scale for one in gradients],
    )  # fmt: skip


@KERAS2.mutant("gradients of a repeated index squared one by one",
               "keras-adam-sums-gradients-of-a-repeated-index",
               cases=("rnn-smallest-from-zero",))  # fmt: skip
def gradients_of_an_index_are_not_summed(patch):
    """What Keras 3 does: docs/upstream/keras-embedding-gradients-are-not-summed.md."""
    optimizer = adapters()["keras2"].keras().optimizers.Optimizer
    patch.setattr(optimizer, "_deduplicate_sparse_grad", lambda self, gradients: gradients)


@KERAS2.mutant(TAKEN, BAD_STEPS, COUNTED, SCALES, cases=CASES)
def no_gradient_is_infinite(patch):
    import tensorflow as tf

    patch.setattr(loss_scales(), "_is_all_finite", lambda _: tf.constant(True))


@KERAS2.mutant("a step that is left out is not counted", COUNTED, cases=CASES)
def left_out_steps_are_not_counted(patch):
    """As Keras 3 does it."""
    import tensorflow as tf

    def wrong(healthy, self, *args, **options):
        before = tf.identity(self._optimizer.iterations)
        scale = tf.identity(self.loss_scale)
        result = healthy(self, *args, **options)
        if self.loss_scale < scale:
            self._optimizer.iterations.assign(before)
        return result

    around(patch, loss_scales().LossScaleOptimizerV3, "apply_gradients", wrong)


@KERAS2.mutant("losses of mixed_float16 are not scaled", COMPILED, cases=("one-step",))
def no_optimizer_is_wrapped(patch):
    keras = adapters()["keras2"].keras()  # type: ignore[attr-defined]
    patch.setattr(
        keras.Model, "_get_optimizer", lambda _, optimizer: keras.optimizers.get(optimizer)
    )


# TensorFlow 1


def train_of() -> Any:
    import tensorflow as tf

    return tf.compat.v1.train


@TF1.mutant(UNCORRECTED, ADAM, cases=CASES)
def adam_corrects_as_in_the_first_step(patch):
    import tensorflow as tf

    patch.setattr(
        train_of().AdamOptimizer, "_finish",
        lambda _, updates, name_scope: tf.group(*updates, name=name_scope),
    )  # fmt: skip


@TF1.mutant(SIGN, MOMENTUM, cases=CASES)
def momentum_has_the_wrong_sign(patch):
    def wrong(healthy, self, rate, momentum, **options):
        healthy(self, rate, -momentum, **options)

    around(patch, train_of().MomentumOptimizer, "__init__", wrong)


@TF1.mutant(NO_NESTEROV, NESTEROV, cases=CASES)
def momentum_has_no_nesterov(patch):
    def wrong(healthy, self, rate, momentum, **_):
        healthy(self, rate, momentum)

    around(patch, train_of().MomentumOptimizer, "__init__", wrong)


@TF1.mutant(UNTRAINED, SGD, cases=CASES)
def first_variable_gets_no_gradient(patch):
    def wrong(healthy, self, gradients, **options):
        return healthy(self, gradients[1:], **options)

    around(patch, train_of().Optimizer, "apply_gradients", wrong)


@TF1.mutant(NORM, CLIPPED, cases=CASES)
def clip_by_global_norm_is_for_each(patch):
    import tensorflow as tf

    patch.setattr(
        tf, "clip_by_global_norm",
        lambda values, norm: ([tf.clip_by_norm(one, norm) for one in values], None),
    )  # fmt: skip


@TF1.mutant(NORM, CLIPPED, cases=CASES)
def clip_by_global_norm_makes_small_gradients_larger(patch):
    import tensorflow as tf

    def scaled(values, norm):
        share = norm / tf.linalg.global_norm(values)
        return [one * share for one in values], None

    patch.setattr(tf, "clip_by_global_norm", scaled)


@TF1.mutant(DEFAULT, DEFAULTS, BY_DEFAULT, EPSILON, SAME_EPSILON, cases=CASES)
def adam_adds_epsilon_as_torch_does(patch):
    """In the first two steps at once: its epsilon times the root that corrects."""
    import tensorflow as tf

    def wrong(healthy, self, gradient, variable):
        was = self._epsilon_t
        _, power_2 = self._get_beta_accumulators()
        self._epsilon_t = tf.cast(was, gradient.dtype) * tf.sqrt(
            1 - tf.cast(power_2, gradient.dtype)
        )
        try:
            return healthy(self, gradient, variable)
        finally:
            self._epsilon_t = was

    around(patch, train_of().AdamOptimizer, "_resource_apply_dense", wrong)


@TF1.mutant(PRECISION, ROUNDED, cases=CASES)
def adam_has_the_rate_in_float64(patch):
    import tensorflow as tf

    def wrong(healthy, self, gradient, variable):
        was = self._lr_t
        self._lr_t = tf.constant(self._lr, tf.float64)
        try:
            return healthy(self, gradient, variable)
        finally:
            self._lr_t = was

    around(patch, train_of().AdamOptimizer, "_resource_apply_dense", wrong)


@TF1.mutant(DESCENT, "tf1-program-learns")
def adam_goes_uphill(patch):
    def wrong(healthy, self, gradients, **options):
        return healthy(self, [(-of, by) for of, by in gradients], **options)

    around(patch, train_of().AdamOptimizer, "apply_gradients", wrong)


@TF1.mutant("the state of another layer", "tf1-program-ends-in-h")
def multi_rnn_cell_returns_its_states_in_reverse(patch):
    import tensorflow as tf

    def wrong(healthy, *args, **options):
        outputs, state = healthy(*args, **options)
        return outputs, tuple(state[::-1])

    around(patch, tf.compat.v1.nn, "dynamic_rnn", wrong)


@TF1.mutant("dropout that does not drop", "tf1-program-drops-outputs-and-not-h")
def dropout_wrapper_keeps_all_outputs(patch):
    import tensorflow as tf

    def wrong(healthy, self, cell, output_keep_prob=1.0, **options):
        del output_keep_prob
        healthy(self, cell, **options)

    around(patch, tf.compat.v1.nn.rnn_cell.DropoutWrapper, "__init__", wrong)


# What a file holds of an optimizer


@TORCH.mutant("a count of steps lost", "training-goes-on-from-a-file", cases=CASES)
def a_loaded_adam_counts_from_zero(patch):
    import torch

    healthy = torch.optim.Optimizer.load_state_dict

    def wrong(self, state_dict):
        healthy(self, state_dict)
        for state in self.state.values():
            state["step"] *= 0

    patch.setattr(torch.optim.Optimizer, "load_state_dict", wrong)


def add_files(catalogue: Catalogue, adapter: str) -> None:
    @catalogue.mutant("moments lost", "training-goes-on-from-a-file", cases=CASES)
    def a_loaded_optimizer_starts_anew(patch):
        """<https://github.com/keras-team/tf-keras/issues/70>"""
        from fixtures.adapters import adapters

        optimizer = adapters()[adapter].keras().optimizers.Optimizer
        patch.setattr(optimizer, "load_own_variables", lambda *_: None)


for catalogue in (KERAS3, KERAS2):
    add_files(catalogue, catalogue.adapter)


@KERAS2.mutant("moments lost", "keras-training-goes-on-from-an-h5-file", cases=CASES)
def an_optimizer_from_an_h5_file_starts_anew(patch):
    from fixtures.adapters import adapters

    optimizer = adapters()["keras2"].keras().optimizers.Optimizer
    patch.setattr(optimizer, "set_weights", lambda *_: None)


# Moving averages of weights

AFTER, BEFORE = "averages-begin-after-the-first-step", "averages-begin-before-the-first-step"
OVERWRITTEN = "keras-averages-overwrite-the-weights"
AVERAGED = "a moving average that moves otherwise"


@TORCH.mutant("a moving average that begins with the start", AFTER)
def averages_leave_out_the_first_step(patch):
    from torch.optim import swa_utils

    def wrong(healthy: Any, self: Any, model: Any) -> None:
        if int(self.n_averaged) == 0:
            self.n_averaged += 1
        healthy(self, model)

    around(patch, swa_utils.AveragedModel, "update_parameters", wrong)


@TF1.mutant(AVERAGED, BEFORE)
def averages_decay_faster(patch):
    def wrong(healthy: Any, self: Any, decay: float, **options: Any) -> None:
        healthy(self, decay / 2, **options)

    around(patch, train_of().ExponentialMovingAverage, "__init__", wrong)


def options_of_sgd(adapter: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    def make(patch: Any) -> None:
        def wrong(healthy: Any, self: Any, *args: Any, **options: Any) -> None:
            healthy(self, *args, **change(options))

        around(patch, adapters()[adapter].keras().optimizers.SGD, "__init__", wrong)

    return make


def with_other_momentum(options: dict[str, Any]) -> dict[str, Any]:
    return options | ({"ema_momentum": 0.25} if options.get("use_ema") else {})


def without_overwriting(options: dict[str, Any]) -> dict[str, Any]:
    return {name: one for name, one in options.items() if name != "ema_overwrite_frequency"}


for catalogue, claim in ((KERAS3, AFTER), (KERAS2, BEFORE)):
    catalogue.add(
        "averages-have-another-momentum",
        AVERAGED,
        (claim, OVERWRITTEN),
        options_of_sgd(catalogue.adapter, with_other_momentum),
    )
    catalogue.add(
        "averages-never-overwrite-the-weights",
        "an option of an optimizer is not heard",
        (OVERWRITTEN,),
        options_of_sgd(catalogue.adapter, without_overwriting),
    )


@KERAS3.mutant("a moving average that begins with zeros", AFTER, OVERWRITTEN)
def averages_begin_with_zeros(patch):
    """As in Keras 3.0.1."""

    def wrong(self: Any, variables: Any) -> None:
        for variable, average in zip(variables, self._model_variables_moving_average, strict=False):
            if self.use_ema and average is not None:
                m = self.ema_momentum
                average.assign(m * average.value + (1 - m) * variable.value)

    sgd = adapters()["keras3"].keras().optimizers.SGD
    patch.setattr(sgd, "_update_model_variables_moving_average", wrong)


# Replicas, in a process of their own

REPLICAS = "keras-replicas-train-as-one"
UNEVEN = "keras-replicas-count-alike-whatever-their-rows"


def where_a_process_starts(fault: str) -> Callable[[Any], None]:
    """Code that is run first in a process that is started to serve this one."""

    def make(patch: Any) -> None:
        start = subprocess.Popen

        def wrong(command: list[str], **options: Any) -> Any:
            served = f"{fault}\nfrom fixtures.adapters.another_process import main\nmain()"
            return start([command[0], "-c", served], **options)

        patch.setattr(subprocess, "Popen", wrong)

    return make


for catalogue, package in ((KERAS3, "keras"), (KERAS2, "tf_keras")):
    catalogue.add(
        "gradients-of-replicas-are-added-up",
        "gradients of replicas added up, as losses were not divided by their number",
        (REPLICAS, UNEVEN),
        where_a_process_starts(
            f"from {package} import optimizers\n"
            "sgd = optimizers.SGD\n"
            "optimizers.SGD = lambda rate: sgd(2 * rate)"
        ),
    )
    catalogue.add(
        "rows-of-all-replicas-count-alike",
        "the rows of all replicas count alike",
        (UNEVEN,),
        where_a_process_starts(
            "from tensorflow import distribute\n"
            "distribute.MirroredStrategy = lambda all: distribute.OneDeviceStrategy(all[0])"
        ),
    )


# Layers that are computed again


@KERAS3.mutant(
    "a layer that is computed again is not trained",
    "keras-3-recomputed-layers-are-trained", "keras-3-recomputed-activations-are-trained",
    cases=("trained",),
)  # fmt: skip
def recomputed_layers_are_not_trained(patch):
    keras, modes = adapters()["keras3"].keras(), []

    def without(healthy: Any, self: Any, mode: Any = "full", **options: Any) -> None:
        modes.append(mode)
        healthy(self, mode=None, **options)

    def wrong(healthy: Any, self: Any, *args: Any, **options: Any) -> Any:
        return None if modes and modes[-1] else healthy(self, *args, **options)

    around(patch, keras.RematScope, "__init__", without)
    around(patch, keras.Model, "train_on_batch", wrong)
