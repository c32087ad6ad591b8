"""Keras 2, wrong on purpose."""

from __future__ import annotations

from tests.meta.mutants import Catalogue

CATALOGUE = Catalogue("keras2")


def _keras2():
    from fixtures.adapters import adapters

    return adapters()["keras2"].keras()


@CATALOGUE.mutant("initial state ignored", "a-given-initial-state-is-used")
def initial_state_ignored(patch):
    layer = _keras2().layers.LSTM
    call = layer.call

    def wrong(self, inputs, mask=None, training=None, initial_state=None):
        del initial_state
        return call(self, inputs, mask=mask, training=training)

    patch.setattr(layer, "call", wrong)


@CATALOGUE.mutant("bidirectional halves exchanged", "a-bidirectional-layer-is-two-lstms")
def bidirectional_halves_exchanged(patch):
    import tensorflow as tf

    layer = _keras2().layers.Bidirectional
    call = layer.call

    def wrong(self, *args, **kwargs):
        output, *states = call(self, *args, **kwargs)
        return [tf.concat(tf.split(output, 2, axis=-1)[::-1], axis=-1), *states]

    patch.setattr(layer, "call", wrong)
