"""Deliberately wrong LSTMs, made by patching the framework and never the adapter.

An adapter that repaired a fault on the way out would hide it, so each mutant patches what the
framework's users call. It names the adapter it lives in and the claim that must catch it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest


@dataclass(frozen=True)
class Mutant:
    """One fault: the adapter it lives in, the claim that must catch it, the patch that makes it."""

    name: str
    adapter: str
    caught_by: str
    make: Callable[[pytest.MonkeyPatch], None]


MUTANTS: list[Mutant] = []


def mutant(adapter: str, caught_by: str):
    """Adds a patch to the catalogue under the function's name."""

    def add(make):
        MUTANTS.append(Mutant(make.__name__.replace("_", "-"), adapter, caught_by, make))
        return make

    return add


# torch.nn.LSTM


def _wrap_torch(patch, before=lambda weight: weight, after=lambda *result: result):
    """A forward that computes with `before(weight)` and returns `after(output, h_n, c_n)`."""
    import torch

    forward = torch.nn.LSTM.forward

    def wrong(self, x, hx=None):
        own = self._flat_weights
        self._flat_weights = [before(weight) for weight in own]
        try:
            output, (h_n, c_n) = forward(self, x, hx)
        finally:
            self._flat_weights = own
        output, h_n, c_n = after(output, h_n, c_n)
        return output, (h_n, c_n)

    patch.setattr(torch.nn.LSTM, "forward", wrong)


@mutant("torch", "torch-gates-are-i-f-g-o")
def torch_f_and_g_exchanged(patch):
    import torch

    def exchange(weight):
        i, f, g, o = weight.chunk(4)
        return torch.cat([i, g, f, o])

    _wrap_torch(patch, before=exchange)


@mutant("torch", "every-value-is-the-oracles")
def torch_weights_off_by_3e_6(patch):
    _wrap_torch(patch, before=lambda weight: weight * (1 + 3e-6))


@mutant("torch", "torch-h-n-goes-by-layer-then-direction")
def torch_h_n_layers_reversed(patch):
    _wrap_torch(patch, after=lambda output, h_n, c_n: (output, h_n.flip(0), c_n))


@mutant("torch", "torch-h-n-goes-by-layer-then-direction")
def torch_c_n_directions_exchanged(patch):
    def exchange(output, h_n, c_n):
        if output.data.shape[-1] == 2 * c_n.shape[-1]:
            c_n = c_n.unflatten(0, (-1, 2)).flip(1).flatten(0, 1)
        return output, h_n, c_n

    _wrap_torch(patch, after=exchange)


@mutant("torch", "output-last-step-is-h")
def torch_h_n_one_ulp_off(patch):
    import torch

    def nudge(output, h_n, c_n):
        return output, torch.nextafter(h_n, torch.ones_like(h_n)), c_n

    _wrap_torch(patch, after=nudge)


@mutant("torch", "default-initial-state-is-zeros")
def torch_default_state_is_not_zeros(patch):
    import torch

    forward = torch.nn.LSTM.forward

    def wrong(self, x, hx=None):
        if hx is None and isinstance(x, torch.Tensor):
            batch = x.shape[0 if self.batch_first else 1]
            rows = self.num_layers * (2 if self.bidirectional else 1)
            hx = 2 * (torch.full((rows, batch, self.hidden_size), 1e-3, dtype=x.dtype),)
        return forward(self, x, hx)

    patch.setattr(torch.nn.LSTM, "forward", wrong)


# Keras 3


@mutant("keras3", "keras-gates-are-i-f-c-o")
def keras3_candidate_and_output_gate_exchanged(patch):
    import keras

    fused = keras.layers.LSTMCell._compute_carry_and_output_fused

    def wrong(self, z, c_tm1):
        i, f, c, o = z
        return fused(self, (i, f, o, c), c_tm1)

    patch.setattr(keras.layers.LSTMCell, "_compute_carry_and_output_fused", wrong)


@mutant("keras3", "keras-returns-output-h-c")
def keras3_states_exchanged(patch):
    import keras

    call = keras.layers.LSTM.call

    def wrong(self, *args, **kwargs):
        output, h, c = call(self, *args, **kwargs)
        return output, c, h

    patch.setattr(keras.layers.LSTM, "call", wrong)


@mutant("keras3", "backward-half-ends-at-step-zero")
def keras3_backward_half_not_reversed_back(patch):
    import keras

    call = keras.layers.Bidirectional.call

    def wrong(self, *args, **kwargs):
        output, *states = call(self, *args, **kwargs)
        units = output.shape[-1] // 2
        backward = keras.ops.flip(output[..., units:], axis=1)
        return (keras.ops.concatenate([output[..., :units], backward], axis=-1), *states)

    patch.setattr(keras.layers.Bidirectional, "call", wrong)


# Keras 2


def _keras2():
    from fixtures.adapters import adapters

    return adapters()["keras2"].keras()


@mutant("keras2", "a-given-initial-state-is-used")
def keras2_initial_state_ignored(patch):
    layer = _keras2().layers.LSTM
    call = layer.call

    def wrong(self, inputs, mask=None, training=None, initial_state=None):
        del initial_state
        return call(self, inputs, mask=mask, training=training)

    patch.setattr(layer, "call", wrong)


@mutant("keras2", "a-bidirectional-layer-is-two-lstms")
def keras2_bidirectional_halves_exchanged(patch):
    import tensorflow as tf

    layer = _keras2().layers.Bidirectional
    call = layer.call

    def wrong(self, *args, **kwargs):
        output, *states = call(self, *args, **kwargs)
        return [tf.concat(tf.split(output, 2, axis=-1)[::-1], axis=-1), *states]

    patch.setattr(layer, "call", wrong)


# TensorFlow 1's cells


def _v1_nn():
    from fixtures.adapters.tf1 import import_tensorflow

    return import_tensorflow().compat.v1.nn


@mutant("tf1", "tf1-gates-are-i-j-f-o")
def tf1_forget_bias_added_twice(patch):
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


@mutant("tf1", "tf1-last-output-is-the-last-states-h")
def tf1_states_of_the_layers_reversed(patch):
    nn = _v1_nn()
    dynamic_rnn = nn.dynamic_rnn

    def wrong(*args, **kwargs):
        outputs, state = dynamic_rnn(*args, **kwargs)
        return outputs, state[::-1]

    patch.setattr(nn, "dynamic_rnn", wrong)


@mutant("tf1", "a-short-row-is-the-row-cut-short")
def tf1_sequence_length_ignored(patch):
    nn = _v1_nn()
    dynamic_rnn = nn.dynamic_rnn

    def wrong(*args, **kwargs):
        return dynamic_rnn(*args, **(kwargs | {"sequence_length": None}))

    patch.setattr(nn, "dynamic_rnn", wrong)


@mutant("tf1", "tf1-output-dropout-leaves-the-state-alone")
def tf1_output_dropout_drops_the_state(patch):
    rnn_cell = _v1_nn().rnn_cell
    wrapper = rnn_cell.DropoutWrapper

    def wrong(cell, output_keep_prob=1.0, **kwargs):
        return wrapper(cell, **(kwargs | {"state_keep_prob": output_keep_prob}))

    patch.setattr(rnn_cell, "DropoutWrapper", wrong)


@mutant("tf1", "tf1-state-not-a-tuple-is-c-beside-h")
def tf1_state_array_is_h_beside_c(patch):
    import tensorflow as tf

    nn = _v1_nn()
    dynamic_rnn = nn.dynamic_rnn

    def wrong(*args, **kwargs):
        outputs, state = dynamic_rnn(*args, **kwargs)
        if isinstance(state, tf.Tensor):
            state = tf.concat(tf.split(state, 2, axis=-1)[::-1], axis=-1)
        return outputs, state

    patch.setattr(nn, "dynamic_rnn", wrong)
