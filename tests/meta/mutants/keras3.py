"""Keras 3, wrong on purpose."""

from __future__ import annotations

from tests.meta.mutants import Catalogue
from tests.meta.mutants.cell import Fault, Ops, step
from tests.meta.mutants.keras import Seams, add_common
from tests.meta.mutants.keras_cells import add_cells
from tests.meta.mutants.keras_layers import add_layers


def ops() -> Ops:
    import keras

    return Ops(
        matmul=keras.ops.matmul,
        split=lambda value: keras.ops.split(value, 4, axis=-1),
        concat=lambda values: keras.ops.concatenate(values, axis=-1),
        sigmoid=keras.ops.sigmoid,
        tanh=keras.ops.tanh,
        clip=lambda value: keras.ops.clip(value, 0, 1),
        cast=lambda value, dtype: keras.ops.cast(value, keras.backend.standardize_dtype(dtype)),
        transpose=keras.ops.transpose,
        stop_gradient=keras.ops.stop_gradient,
    )


def cell(patch, seams: Seams, fault: Fault) -> None:
    """LSTMCell.call, which every LSTM of Keras 3 goes through on a CPU."""

    def wrong(self, inputs, states, training=False):
        bias = self.bias if self.use_bias else None
        h, c = step(ops(), fault, inputs, *states[:2], self.kernel, self.recurrent_kernel, bias)
        return h, [h, c]

    patch.setattr(seams.layers.LSTMCell, "call", wrong)


CATALOGUE = Catalogue("keras3")
SEAMS = Seams("keras3", ops, cell)
add_common(CATALOGUE, SEAMS)
add_cells(CATALOGUE, SEAMS)
add_layers(CATALOGUE, SEAMS)
