"""Keras's `fit`, and masks in models, in `TimeDistributed` and of another shape, that go wrong."""

from __future__ import annotations

import contextlib
import functools
import sys
from typing import Any

from fixtures.adapters import adapters
from tests.meta.mutants import Catalogue
from tests.meta.mutants.masks import around, mask_of
from tests.meta.mutants.models import around as wrapped

KERAS3, KERAS2 = CATALOGUES = tuple(Catalogue(adapter) for adapter in ("keras3", "keras2"))

DATASETS = "keras-stateful-models-take-datasets"
SMALLER = "keras-fit-takes-a-smaller-last-batch"
LOSS = "keras-loss-is-the-mean-of-a-batchs-counted-steps"
METRICS = "keras-metrics-are-the-mean-of-all-counted-steps"
ALL_KINDS = "keras-metrics-of-all-kinds-heed-the-mask"
OF_ROWS = "keras-weights-of-rows-weigh-all-their-steps"
CLASSES = "keras-class-weights-weigh-each-step"
PENALTIES = "keras-penalties-of-outputs-are-means-of-rows"
NESTED = "keras-nested-models-pass-the-mask-on"
EACH_PART = "keras-time-distributed-hands-each-part-its-mask"
MAKES_A_MASK = "keras-2-time-distributed-masking-makes-a-mask"
MASKS_NOTHING = "keras-3-time-distributed-masking-masks-nothing"
OTHER_ROWS = "keras-refuses-a-mask-of-other-rows"
OTHER_STEPS = "keras-refuses-a-mask-of-other-steps"
DISTRIBUTED = "keras-time-distributed-refuses-an-unfit-mask"
ONE_ROW = "keras-takes-a-mask-of-one-row-for-all"
LONGER = "keras-unrolled-layers-take-a-longer-mask"
ONE_CLASS = "keras-weights-files-are-of-one-class"
BETWEEN = "keras-layers-between-pass-the-mask-on"
ANY_TIME = "keras-predict-distributes-over-any-time"

RIGHT = ("masked-right-lstm-from-zero",)


def keras_of(adapter: str) -> Any:
    return adapters()[adapter].keras()


def add_both(catalogue: Catalogue) -> None:
    """The faults that both versions can have."""
    mutant, adapter = catalogue.mutant, catalogue.adapter

    # Batches

    @mutant("stale state not carried on", DATASETS, cases=("smallest-from-zero",))
    def predict_of_a_dataset_resets_states(patch):
        model, (reset, *_) = keras_of(adapter).Model, adapters()[adapter].resets
        predict = model.predict

        def wrong(self, x, **options):
            if hasattr(x, "element_spec"):
                for layer in self.layers:
                    if getattr(layer, "stateful", False):
                        getattr(layer, reset)()
            return predict(self, x, **options)

        patch.setattr(model, "predict", wrong)

    @mutant("a smaller batch left out", SMALLER, cases=("rnn-bidirectional-two-layers",))
    def fit_drops_the_remainder(patch):
        model = keras_of(adapter).Model
        fit = model.fit

        def wrong(self, x, y, batch_size=32, **options):
            whole = len(x) // batch_size * batch_size
            return fit(self, x[:whole], y[:whole], batch_size=batch_size, **options)

        patch.setattr(model, "fit", wrong)

    # Losses and metrics, as they were in <https://github.com/tensorflow/tensorflow/issues/34158>
    # and <https://github.com/tensorflow/tensorflow/issues/40002>

    @mutant("a metric that ignores the mask", METRICS, cases=("rnn-square",))
    def metrics_ignore_the_mask(patch):
        metric = keras_of(adapter).metrics.MeanMetricWrapper
        update = metric.update_state
        patch.setattr(
            metric, "update_state",
            lambda self, y, predicted, sample_weight=None: update(self, y, predicted + 0),
        )  # fmt: skip

    # Masks of other shapes

    @mutant("a mask that does not fit is repeated", OTHER_ROWS, cases=RIGHT)
    def masks_of_fewer_rows_are_repeated(patch):
        import tensorflow as tf

        def before(_, x, initial, mask):
            if mask.shape[0] < x.shape[0]:
                mask = tf.concat([mask, mask], axis=0)[: x.shape[0]]
            return x, initial, mask

        around(patch, adapter, before)

    @mutant("a mask that does not fit is cut", OTHER_STEPS, cases=RIGHT)
    def longer_masks_are_cut(patch):
        around(patch, adapter, lambda _, x, initial, mask: (x, initial, mask[:, : x.shape[1]]))

    @mutant("a mask that does not fit is taken", DISTRIBUTED, cases=("masked-right-rnn",))
    def time_distributed_takes_any_mask(patch):
        """<https://github.com/keras-team/keras/issues/22037>"""
        layer = keras_of(adapter).layers.TimeDistributed
        call = layer.call

        @functools.wraps(call)
        def wrong(self, inputs, training=None, mask=None):
            fits = mask is not None and mask.shape[1] == inputs.shape[1]
            return call(self, inputs, training=training, mask=mask if fits else None)

        patch.setattr(layer, "call", wrong)

    @mutant("one row's mask for the first row alone", ONE_ROW, cases=RIGHT)
    def a_mask_of_one_row_is_for_the_first(patch):
        import tensorflow as tf

        def before(_, x, initial, mask):
            if mask.shape[0] == 1:
                others = tf.ones([x.shape[0] - 1, mask.shape[1]], mask.dtype)
                mask = tf.concat([mask, others], axis=0)
            return x, initial, mask

        around(patch, adapter, before)

    @mutant("the end of a longer mask", LONGER, cases=RIGHT)
    def unrolled_layers_take_the_end_of_a_mask(patch):
        def before(layer, x, initial, mask):
            return x, initial, mask[:, -x.shape[1] :] if layer.unroll else mask

        around(patch, adapter, before)

    # Masks in models

    @mutant("mask lost on the way", NESTED)
    def a_nested_sequential_loses_the_mask(patch):
        model = keras_of(adapter).Sequential
        call = model.call

        @functools.wraps(call)
        def wrong(self, inputs, training=None, mask=None):
            return call(self, inputs + 0, training=training)

        patch.setattr(model, "call", wrong)

    @mutant("the first part's mask for every part", EACH_PART, cases=RIGHT)
    def time_distributed_takes_the_first_mask(patch):
        import tensorflow as tf

        layer = keras_of(adapter).layers.TimeDistributed
        call = layer.call

        @functools.wraps(call)
        def wrong(self, inputs, training=None, mask=None):
            mask = mask_of(mask)
            if mask is not None and len(mask.shape) > 2:
                mask = tf.repeat(mask[:, :1], mask.shape[1], axis=1)
            return call(self, inputs, training=training, mask=mask)

        patch.setattr(layer, "call", wrong)

    # Files

    @mutant("what does not fit is passed over in silence", ONE_CLASS)
    def load_weights_skips_what_it_cannot_load(patch):
        model = keras_of(adapter).Model
        load = model.load_weights

        def wrong(self, path, **options):
            with contextlib.suppress(ValueError):
                load(self, path, **options)

        patch.setattr(model, "load_weights", wrong)


for one in CATALOGUES:
    add_both(one)


@KERAS3.mutant("a loss divided by all steps", LOSS, SMALLER,
               cases=("square", "rnn-bidirectional-two-layers"))  # fmt: skip
def a_loss_is_divided_by_all_steps(patch):
    """<https://github.com/keras-team/keras/issues/15323>"""
    module = sys.modules[keras_of("keras3").Loss.__module__]
    apply = module.apply_mask

    def wrong(sample_weight, mask, dtype, reduction):
        return apply(sample_weight, mask, dtype, "sum")

    patch.setattr(module, "apply_mask", wrong)


@KERAS2.mutant("a loss divided by all steps", LOSS, SMALLER,
               cases=("square", "rnn-bidirectional-two-layers"))  # fmt: skip
def a_batchs_loss_is_divided_by_all_steps(patch):
    """<https://github.com/keras-team/keras/issues/15323>"""
    losses = sys.modules[keras_of("keras2").losses.Loss.__module__]
    utils = losses.losses_utils
    patch.setattr(
        utils, "apply_valid_mask",
        lambda losses, weights, mask, _: utils.apply_mask(losses, weights, mask),
    )  # fmt: skip


# Where Keras 2 alone has a mutant, Keras 3 fails as it is.


@KERAS2.mutant("metrics that count ignore the mask", ALL_KINDS, cases=("square",))
def metrics_that_are_no_plain_mean_ignore_the_mask(patch):
    metrics = keras_of("keras2").metrics

    def wrong(healthy, self, y, predicted, sample_weight=None):
        return healthy(self, y, predicted)

    for one in (metrics.FalseNegatives, metrics.RootMeanSquaredError):
        wrapped(patch, one, "update_state", wrong)


@KERAS2.mutant("weights of rows taken for those of steps", OF_ROWS, cases=("square",))
def a_loss_weighs_steps_by_the_weights_of_rows(patch):
    import tensorflow as tf

    utils = sys.modules[keras_of("keras2").losses.Loss.__module__].losses_utils

    def wrong(healthy, losses, sample_weight=None, **options):
        if sample_weight is not None and len(sample_weight.shape) < len(losses.shape):
            sample_weight = tf.ones_like(losses) * tf.cast(sample_weight, losses.dtype)
        return healthy(losses, sample_weight, **options)

    wrapped(patch, utils, "compute_weighted_loss", wrong)


@KERAS2.mutant("weights of classes ignored", CLASSES, cases=("one-unit",))
def fit_ignores_the_weights_of_classes(patch):
    def wrong(healthy, self, *args, class_weight=None, **options):
        return healthy(self, *args, **options)

    wrapped(patch, keras_of("keras2").Model, "fit", wrong)


@KERAS3.mutant("penalties of outputs grow with the batch", PENALTIES, cases=("gru-smallest",))
def a_penalty_is_not_divided_by_the_rows(patch):
    """<https://github.com/keras-team/keras/issues/22018>"""
    module = sys.modules[keras_of("keras3").layers.Layer.__module__]
    patch.setattr(module.ops, "divide_no_nan", lambda penalty, _: penalty)


@KERAS2.mutant("penalties of outputs grow with the batch", PENALTIES, cases=("gru-smallest",))
def a_penalty_is_a_sum_over_rows(patch):
    """<https://github.com/keras-team/keras/issues/22018>"""

    def wrong(_, self, inputs, outputs):
        if self.activity_regularizer is not None:
            self.add_loss(self.activity_regularizer(outputs))

    wrapped(patch, keras_of("keras2").layers.Layer, "_handle_activity_regularization", wrong)


@KERAS2.mutant("mask lost on the way", MAKES_A_MASK, BETWEEN,
               cases=("masked-right-rnn-bidirectional-from-zero",))  # fmt: skip
def time_distributed_passes_no_mask_on(patch):
    layer = keras_of("keras2").layers.TimeDistributed
    patch.setattr(layer, "compute_mask", lambda _, inputs, mask=None: None)


@KERAS2.mutant("fewer steps than there are", ANY_TIME, cases=("rnn-smallest-from-zero",))
def time_distributed_takes_the_batch_for_the_time(patch):
    """What Keras 3 does: docs/upstream/keras-time-distributed-cuts-an-open-time.md."""
    import tensorflow as tf

    layer = keras_of("keras2").layers.TimeDistributed
    call = layer.call

    @functools.wraps(call)
    def wrong(self, inputs, training=None, mask=None):
        if inputs.shape[1] is None:
            inputs = inputs[:, : tf.shape(inputs)[0]]
        return call(self, inputs, training=training, mask=mask)

    patch.setattr(layer, "call", wrong)


@KERAS3.mutant("a mask from inside", MASKS_NOTHING,
               cases=("masked-right-rnn-bidirectional-from-zero",))  # fmt: skip
def time_distributed_makes_a_mask(patch):
    """What Keras 2 does."""
    layer = keras_of("keras3").layers.TimeDistributed
    compute_mask = layer.compute_mask

    def right(self, inputs, mask=None):
        if hasattr(self.layer, "mask_value"):
            return self.layer.compute_mask(inputs)
        return compute_mask(self, inputs, mask)

    patch.setattr(layer, "compute_mask", right)
