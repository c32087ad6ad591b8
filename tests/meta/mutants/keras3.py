"""Keras 3, wrong on purpose."""

from __future__ import annotations

from tests.meta.mutants import Catalogue

CATALOGUE = Catalogue("keras3")


@CATALOGUE.mutant("candidate and output gate exchanged", "keras-gates-are-i-f-c-o")
def candidate_and_output_gate_exchanged(patch):
    import keras

    fused = keras.layers.LSTMCell._compute_carry_and_output_fused

    def wrong(self, z, c_tm1):
        i, f, c, o = z
        return fused(self, (i, f, o, c), c_tm1)

    patch.setattr(keras.layers.LSTMCell, "_compute_carry_and_output_fused", wrong)


@CATALOGUE.mutant("states exchanged", "keras-returns-output-h-c")
def states_exchanged(patch):
    import keras

    call = keras.layers.LSTM.call

    def wrong(self, *args, **kwargs):
        output, h, c = call(self, *args, **kwargs)
        return output, c, h

    patch.setattr(keras.layers.LSTM, "call", wrong)


@CATALOGUE.mutant("backward half not reversed back", "backward-half-ends-at-step-zero")
def backward_half_not_reversed_back(patch):
    import keras

    call = keras.layers.Bidirectional.call

    def wrong(self, *args, **kwargs):
        output, *states = call(self, *args, **kwargs)
        units = output.shape[-1] // 2
        backward = keras.ops.flip(output[..., units:], axis=1)
        return (keras.ops.concatenate([output[..., :units], backward], axis=-1), *states)

    patch.setattr(keras.layers.Bidirectional, "call", wrong)
