"""Keras 2, wrong on purpose."""

from __future__ import annotations

import sys
import threading

import numpy as np

from tests.meta.mutants import Catalogue
from tests.meta.mutants.cell import Fault, Ops, step
from tests.meta.mutants.keras import Seams, add_common
from tests.meta.mutants.keras_cells import add_cells
from tests.meta.mutants.keras_layers import add_layers, around


def ops() -> Ops:
    import tensorflow as tf

    return Ops(
        matmul=tf.matmul,
        split=lambda value: tf.split(value, 4, axis=-1),
        concat=lambda values: tf.concat(values, axis=-1),
        sigmoid=tf.sigmoid,
        tanh=tf.tanh,
        clip=lambda value: tf.clip_by_value(value, 0, 1),
        cast=tf.cast,
        transpose=tf.transpose,
        stop_gradient=tf.stop_gradient,
    )


def cell(patch, seams: Seams, fault: Fault) -> None:
    """Its LSTM goes through a function of its own, and through LSTMCell where it has no bias."""
    module = sys.modules[seams.layers.LSTM.__module__]
    healthy, rnn = module.standard_lstm, module.backend.rnn
    # Layers are called in several threads at once, too.
    here = threading.local()

    def wrong(inputs, init_h, init_c, kernel, recurrent_kernel, bias, **options):
        def one_step(x, states):
            h, c = step(ops(), fault, x, *states, kernel, recurrent_kernel, bias)
            return h, [h, c]

        here.step = one_step
        try:
            return healthy(inputs, init_h, init_c, kernel, recurrent_kernel, bias, **options)
        finally:
            del here.step

    def wrong_loop(own, *args, **options):
        return rnn(getattr(here, "step", own), *args, **options)

    def wrong_cell(self, inputs, states, training=None):
        bias = self.bias if self.use_bias else None
        h, c = step(ops(), fault, inputs, *states[:2], self.kernel, self.recurrent_kernel, bias)
        return h, [h, c]

    patch.setattr(module, "standard_lstm", wrong)
    patch.setattr(module.backend, "rnn", wrong_loop)
    patch.setattr(seams.layers.LSTMCell, "call", wrong_cell)


CATALOGUE = Catalogue("keras2")
SEAMS = Seams("keras2", ops, cell)
add_common(CATALOGUE, SEAMS)
add_cells(CATALOGUE, SEAMS)
add_layers(CATALOGUE, SEAMS)


@CATALOGUE.mutant(
    "time_major leaves batch in front", "time-major-is-a-transposition", cases=["square"]
)
def time_major_ignored_when_batch_is_time(patch):
    call = SEAMS.layers.LSTM.call

    def wrong(self, x, **kwargs):
        if self.time_major and x.shape[0] == x.shape[1]:
            x = SEAMS.array(lambda value: value.swapaxes(0, 1), x)
        return call(self, x, **kwargs)

    patch.setattr(SEAMS.layers.LSTM, "call", wrong)


@CATALOGUE.mutant(
    "time_major leaves a step out", "keras-time-major-is-a-transposition-of-every-layer",
    cases=["gru-smallest", "rnn-smallest"],
)  # fmt: skip
def gru_time_major_starts_a_step_late(patch):
    def before(layer, x, initial, mask):
        if layer.time_major:
            x = SEAMS.array(lambda value: np.concatenate([0 * value[:1], value[1:]]), x)
        return x, initial, mask

    around(patch, SEAMS, "GRU", before=before)
