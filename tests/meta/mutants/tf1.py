"""TensorFlow 1's cells, wrong on purpose."""

from __future__ import annotations

from tests.meta.mutants import Catalogue

CATALOGUE = Catalogue("tf1")


def _v1_nn():
    from fixtures.adapters.tf1 import import_tensorflow

    return import_tensorflow().compat.v1.nn


@CATALOGUE.mutant("forget bias added twice", "tf1-gates-are-i-j-f-o")
def forget_bias_added_twice(patch):
    cell = _v1_nn().rnn_cell.BasicLSTMCell
    call = cell.call

    def wrong(self, inputs, state):
        once = self._forget_bias
        self._forget_bias = 2 * once
        try:
            return call(self, inputs, state)
        finally:
            self._forget_bias = once

    patch.setattr(cell, "call", wrong)


@CATALOGUE.mutant("states of the layers reversed", "tf1-last-output-is-the-last-states-h")
def states_of_the_layers_reversed(patch):
    nn = _v1_nn()
    dynamic_rnn = nn.dynamic_rnn

    def wrong(*args, **kwargs):
        outputs, state = dynamic_rnn(*args, **kwargs)
        return outputs, state[::-1]

    patch.setattr(nn, "dynamic_rnn", wrong)


@CATALOGUE.mutant("sequence length ignored", "a-short-row-is-the-row-cut-short")
def sequence_length_ignored(patch):
    nn = _v1_nn()
    dynamic_rnn = nn.dynamic_rnn

    def wrong(*args, **kwargs):
        return dynamic_rnn(*args, **(kwargs | {"sequence_length": None}))

    patch.setattr(nn, "dynamic_rnn", wrong)


@CATALOGUE.mutant("output dropout drops the state", "tf1-output-dropout-leaves-the-state-alone")
def output_dropout_drops_the_state(patch):
    rnn_cell = _v1_nn().rnn_cell
    wrapper = rnn_cell.DropoutWrapper

    def wrong(cell, output_keep_prob=1.0, **kwargs):
        return wrapper(cell, **(kwargs | {"state_keep_prob": output_keep_prob}))

    patch.setattr(rnn_cell, "DropoutWrapper", wrong)


@CATALOGUE.mutant("state array is h beside c", "tf1-state-not-a-tuple-is-c-beside-h")
def state_array_is_h_beside_c(patch):
    import tensorflow as tf

    nn = _v1_nn()
    dynamic_rnn = nn.dynamic_rnn

    def wrong(*args, **kwargs):
        outputs, state = dynamic_rnn(*args, **kwargs)
        if isinstance(state, tf.Tensor):
            state = tf.concat(tf.split(state, 2, axis=-1)[::-1], axis=-1)
        return outputs, state

    patch.setattr(nn, "dynamic_rnn", wrong)
