"""Keras 3 on other backends, wrong on purpose: the loop over the steps, which each has its own of;
what fuses the steps; and the operations by which the layers draw, turn, join and fill.

Most imitate what was wrong in a release once; the upstream report stands beside them.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.meta.mutants import Catalogue

JAX, TORCH, NUMPY, OPENVINO = CATALOGUES = tuple(
    Catalogue(f"keras3@{backend}") for backend in ("jax", "torch", "numpy", "openvino")
)
WITHOUT_ANOTHER = (JAX, NUMPY, OPENVINO)
"""Those whose frameworks' own layers no other mutants are of: torch's have hundreds."""

VALUES = "every-value-is-the-oracles"
CELLS = "other-cells-values-are-the-oracles"
MASKED = "masked-values-are-the-oracles"
TURNED = "keras-go-backwards-is-the-reversed-input"
OUTPUTS_TURNED = "keras-go-backwards-is-not-in-the-inputs-order"
STARTS = "a-given-initial-state-is-used"
SINGLE = "keras-single-output-is-the-last-step"
STACKED = "keras-stacked-cells-stand-still-together"
ZEROED = "keras-zeros-masked-outputs-where-told"
GRADIENTS = "every-gradient-is-the-oracles"
GATES = "keras-gates-are-i-f-c-o"
GRU_GATES = "keras-gru-gates-are-z-r-h"
LAST_IS_H = "output-last-step-is-h"
RETURNS = "keras-returns-output-h-c"
STATEFUL = "keras-stateful-layers-carry-on"
RESET = "keras-reset-leads-to-zeros"
UNROLLED = "keras-unrolled-is-the-loop"
REPEATED = "keras-other-cells-output-under-a-mask-repeats"
CUT_SHORT = "a-short-row-is-the-row-cut-short"
TWO_LSTMS = "a-bidirectional-layer-is-two-lstms"
FOUR = "keras-bidirectional-states-are-fh-fc-bh-bc"
MERGED = "keras-merge-modes-combine-both-directions"
FORGETS = "keras-forget-bias-is-in-the-bias"
RATE = "dropout-drops-as-many-as-it-says"
DROPPED = "keras-dropout-is-of-the-inputs"
OTHERS = "a-second-training-call-drops-others"
SAME = "keras-3-drops-the-same-inputs-at-every-step"
TRAINED = "sgd-trains-every-weight-alike"

HOLES = ("masked-holes-gru", "masked-right-rnn")
BACKWARDS = ("masked-right-rnn-from-zero-backwards",)
GRUS = ("gru-smallest", "gru-one-step")
DROPPING = ("smallest", "two-layers")
BOTH = ("bidirectional",)


def replace_loop(
    patch: Any,
    before: Callable[[dict[str, Any]], dict[str, Any]] = lambda given: given,
    after: Callable[..., tuple[Any, Any, Any]] = lambda _, *results: results,
) -> None:
    """`backend.rnn` between `before(what it is given)` and `after(that, last output, outputs,
    states)`; what fuses the steps of LSTM or GRU is left out, so that they come to it."""
    from keras.src import backend

    names = ("step_function", "inputs", "initial_states")
    loop = backend.rnn

    def wrong(*args, **kwargs):
        given = before(dict(zip(names, args, strict=False)) | kwargs)
        return after(given, *loop(**given))

    def not_fused(*_, **__):
        raise NotImplementedError

    patch.setattr(backend, "rnn", wrong)
    for fused in ("lstm", "gru"):
        patch.setattr(backend, fused, not_fused)


def everywhere(
    family: str,
    *caught_by: str,
    cases: tuple[str, ...] = (),
    of: tuple[Catalogue, ...] = CATALOGUES,
) -> Callable[..., Any]:
    """A mutant of each of these backends."""

    def add(make: Any) -> Any:
        for catalogue in of:
            catalogue.mutant(family, *caught_by, cases=cases)(make)
        return make

    return add


@everywhere("mask ignored", MASKED, cases=HOLES)
def the_loop_ignores_the_mask(patch):
    replace_loop(patch, before=lambda given: given | {"mask": None})


# <https://github.com/keras-team/keras/pull/1934>
@everywhere("mask not turned", MASKED, cases=BACKWARDS)
def the_loop_goes_backwards_under_the_mask_as_it_is(patch):
    def before(given):
        mask = given.get("mask")
        if mask is not None and given.get("go_backwards"):
            from keras import ops

            given = given | {"mask": ops.flip(mask, 0 if given.get("time_major") else 1)}
        return given

    replace_loop(patch, before=before)


@everywhere("backward half not reversed", TURNED)
def the_loop_goes_forward_always(patch):
    replace_loop(patch, before=lambda given: given | {"go_backwards": False})


# As lax.scan leaves them, which puts every step's output where its input was.
@everywhere("backward outputs in the inputs' order", OUTPUTS_TURNED)
def outputs_of_the_backward_loop_are_where_their_inputs_were(patch):
    def after(given, last, outputs, states):
        if given.get("go_backwards"):
            from keras import ops

            outputs = ops.flip(outputs, 0 if given.get("time_major") else 1)
        return last, outputs, states

    replace_loop(patch, after=after)


@everywhere("initial state ignored", STARTS, CELLS)
def the_loop_starts_from_zeros(patch):
    def before(given):
        from keras import ops, tree

        return given | {
            "initial_states": tree.map_structure(ops.zeros_like, given["initial_states"])
        }

    replace_loop(patch, before=before)


@everywhere("the first output for the last", SINGLE)
def the_last_output_is_the_first(patch):
    def before(given):
        return given | {"return_all_outputs": True}

    def after(given, last, outputs, states):
        return outputs[0] if given.get("time_major") else outputs[:, 0], outputs, states

    replace_loop(patch, before, after)


# <https://github.com/keras-team/keras/pull/21224>: on JAX and NumPy a stack of cells raised there.
@everywhere("masked steps of a stack move its lower cells", STACKED)
def under_a_mask_only_the_top_cell_of_a_stack_stands_still(patch):
    def before(given):
        from keras import ops

        states, step, mask = given["initial_states"], given["step_function"], given.get("mask")
        if mask is None or not isinstance(states[0], list | tuple):
            return given

        def moves(inputs, now):
            output, new = step(inputs, now)
            lower = [[one + 0.125 * ops.ones_like(one) for one in cell] for cell in new[:-1]]
            return output, type(new)([*map(type(new[0]), lower), new[-1]])

        return given | {"step_function": moves}

    replace_loop(patch, before=before)


@everywhere("no zeros where a mask takes the output", ZEROED)
def the_loop_repeats_where_zeros_were_asked_for(patch):
    replace_loop(patch, before=lambda given: given | {"zero_output_for_mask": False})


@everywhere("past a row's end the output is zero", REPEATED, cases=HOLES, of=WITHOUT_ANOTHER)
def the_loop_puts_out_zeros_unasked(patch):
    replace_loop(patch, before=lambda given: given | {"zero_output_for_mask": True})


@everywhere("masked steps move the state", MASKED, CUT_SHORT, of=WITHOUT_ANOTHER,
            cases=(*HOLES, "masked-right-lstm-two-layers"))  # fmt: skip
def states_go_on_under_the_mask(patch):
    from keras.src import backend

    loop = backend.rnn

    def after(given, last, outputs, states):
        return last, outputs, loop(**given | {"mask": None})[2]

    replace_loop(patch, after=after)


@everywhere("(h, c) returned as (c, h)", VALUES, RETURNS, of=WITHOUT_ANOTHER)
def the_loop_returns_its_states_in_the_other_order(patch):
    replace_loop(patch, after=lambda _, last, outputs, states: (last, outputs, states[::-1]))


# As from the carry of the step before, of which the last step's output is made.
@everywhere("a state saved at T - 1", VALUES, LAST_IS_H, of=WITHOUT_ANOTHER)
def the_loop_returns_the_states_of_the_step_before(patch):
    def after(given, last, outputs, states):
        axis = 0 if given.get("time_major") else 1
        if outputs.shape[axis] > 1:
            states = [outputs[-2] if axis == 0 else outputs[:, -2], *states[1:]]
        return last, outputs, states

    replace_loop(patch, before=lambda given: given | {"return_all_outputs": True}, after=after)


@everywhere("initial state ignored", UNROLLED, cases=GRUS, of=WITHOUT_ANOTHER)
def unrolled_steps_start_from_zeros(patch):
    def before(given):
        from keras import ops, tree

        if not given.get("unroll"):
            return given
        zeros = tree.map_structure(ops.zeros_like, given["initial_states"])
        return given | {"initial_states": zeros}

    replace_loop(patch, before=before)


# As a model does on JAX: docs/upstream/keras-jax-stateful-model-forgets.md.
@everywhere("the kept state lost", STATEFUL, of=WITHOUT_ANOTHER)
def stateful_layers_keep_nothing(patch):
    from keras.src.layers.rnn.rnn import RNN

    def after(self):
        self.reset_state()

    around_call(patch, RNN, after)


@everywhere("a reset that resets nothing", RESET, of=WITHOUT_ANOTHER)
def reset_leaves_the_kept_state(patch):
    from keras.src.layers.rnn.rnn import RNN

    patch.setattr(RNN, "reset_state", lambda self: None)


def around_call(patch: Any, layer: Any, after: Callable[[Any], None]) -> None:
    """`after(layer)` once it was called."""
    call = layer.call

    @functools.wraps(call)  # Keras knows arguments by their names
    def wrong(self, *args, **kwargs):
        found = call(self, *args, **kwargs)
        after(self)
        return found

    patch.setattr(layer, "call", wrong)


# What the layers ask of a backend beside the loop


def replace_dropout(patch: Any, wrong: Callable[..., Any]) -> None:
    """`wrong(healthy, ones, rate, seed)` for what makes a mask."""
    from keras.src.backend import random

    healthy = random.dropout
    patch.setattr(
        random, "dropout", lambda ones, rate, seed: wrong(healthy, ones, rate=rate, seed=seed)
    )


@everywhere("dropout not scaled", DROPPED, cases=DROPPING, of=WITHOUT_ANOTHER)
def masks_are_ones_and_zeros(patch):
    replace_dropout(
        patch, lambda healthy, ones, rate, seed: (1 - rate) * healthy(ones, rate, seed=seed)
    )


@everywhere("keeps at the rate", RATE, cases=DROPPING, of=WITHOUT_ANOTHER)
def masks_keep_at_the_rate(patch):
    replace_dropout(patch, lambda healthy, ones, rate, seed: healthy(ones, 1 - rate, seed=seed))


# As on OpenVINO, where a seed's second mask is its first again, and the claim fails anyway.
@everywhere("masks that never change", OTHERS, cases=DROPPING, of=(JAX, NUMPY))
def every_mask_is_the_seeds_first(patch):
    replace_dropout(patch, lambda healthy, ones, rate, seed: healthy(ones, rate, seed=7))


@everywhere("backward outputs not put back in order", VALUES, TWO_LSTMS, cases=BOTH,
            of=WITHOUT_ANOTHER)  # fmt: skip
def flip_turns_nothing(patch):
    from keras.src.backend import numpy

    patch.setattr(numpy, "flip", lambda x, axis=None: numpy.multiply(x, 1))


@everywhere("directions exchanged", VALUES, MERGED, cases=BOTH, of=WITHOUT_ANOTHER)
def what_is_joined_is_joined_from_behind(patch):
    from keras.src.backend import numpy

    healthy = numpy.concatenate
    patch.setattr(numpy, "concatenate", lambda xs, axis=0: healthy(list(xs)[::-1], axis=axis))


@everywhere("directions' final states exchanged", VALUES, FOUR, cases=BOTH, of=WITHOUT_ANOTHER)
def bidirectional_returns_the_backward_states_first(patch):
    from keras.layers import Bidirectional

    call = Bidirectional.call

    @functools.wraps(call)
    def wrong(self, *args, **kwargs):
        found = call(self, *args, **kwargs)
        if not self.return_state:
            return found
        output, fh, fc, bh, bc = found
        return output, bh, bc, fh, fc

    patch.setattr(Bidirectional, "call", wrong)


@everywhere("no forget bias", FORGETS, of=WITHOUT_ANOTHER)
def ones_are_zeros(patch):
    from keras.src.backend import numpy

    patch.setattr(numpy, "ones", numpy.zeros)


# A device's own way with float32: TensorFloat-32, bfloat16.
@JAX.mutant("products of 16 bits", VALUES, "step-by-step-is-the-whole")
def products_are_of_halves(patch):
    from keras.src import backend

    healthy = backend.numpy.matmul

    def matmul(x1, x2):
        one, other = (backend.cast(backend.cast(x, "bfloat16"), x.dtype) for x in (x1, x2))
        return healthy(one, other)

    patch.setattr(backend.numpy, "matmul", matmul)


@everywhere("another activation", VALUES, of=(JAX, NUMPY))
def sigmoid_is_hard(patch):
    from keras.src.backend import nn

    patch.setattr(nn, "sigmoid", nn.hard_sigmoid)


@JAX.mutant("gradient cut at a step", GRADIENTS, TRAINED)
def no_gradient_goes_through_the_scan(patch):
    import jax
    from keras import tree

    def before(given):
        step = given["step_function"]
        return given | {
            "step_function": lambda inputs, states: step(
                inputs, tree.map_structure(jax.lax.stop_gradient, states)
            )
        }

    replace_loop(patch, before=before)


def replace_fused(patch: Any, name: str, change: Callable[..., tuple[Any, ...]]) -> None:
    """What the torch backend computes LSTM or GRU by on a CPU, of what `change` makes of inputs,
    states and weights."""
    # The package has a function of the same name.
    rnn = importlib.import_module("keras.src.backend.torch.rnn")
    healthy = getattr(rnn, name)
    patch.setattr(rnn, name, lambda *args: healthy(*change(*args)))


def with_gates(weight: Any, order: tuple[int, ...]) -> Any:
    import torch

    parts = weight.chunk(len(order), dim=-1)
    return torch.cat([parts[place] for place in order], dim=-1)


@TORCH.mutant("gates in another order", VALUES, "keras-gates-are-i-f-c-o")
def fused_lstm_has_the_gates_of_tf1(patch):
    def change(x, h, c, kernel, recurrent_kernel, bias, *options):
        weights = (kernel, recurrent_kernel, bias)
        turned = [one if one is None else with_gates(one, (0, 2, 1, 3)) for one in weights]
        return x, h, c, *turned, *options

    replace_fused(patch, "_fallback_lstm", change)


@TORCH.mutant("gates in another order", CELLS, cases=("gru-smallest",))
def fused_gru_has_the_gates_of_torch(patch):
    def change(x, h, kernel, recurrent_kernel, bias, *options):
        weights = (kernel, recurrent_kernel, bias)
        turned = [one if one is None else with_gates(one, (1, 0, 2)) for one in weights]
        return x, h, *turned, *options

    replace_fused(patch, "_fallback_gru", change)


@TORCH.mutant("states exchanged", VALUES)
def fused_lstm_takes_c_for_h(patch):
    replace_fused(patch, "_fallback_lstm", lambda x, h, c, *rest: (x, c, h, *rest))


@TORCH.mutant("bias missing", VALUES)
def fused_lstm_has_no_bias(patch):
    def change(x, h, c, kernel, recurrent_kernel, bias, *options):
        return x, h, c, kernel, recurrent_kernel, None, *options

    replace_fused(patch, "_fallback_lstm", change)


@TORCH.mutant("gradient cut at a step", GRADIENTS, TRAINED)
def fused_lstm_is_not_differentiated_by_its_recurrent_kernel(patch):
    def change(x, h, c, kernel, recurrent_kernel, *rest):
        return x, h, c, kernel, recurrent_kernel.detach(), *rest

    replace_fused(patch, "_fallback_lstm", change)


# The loop of JAX's GRU


def replace_jax_gru(patch: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """What JAX computes a GRU by that resets after, of what `change` makes of its weights."""
    from keras.src import backend

    healthy = backend.gru
    patch.setattr(backend, "gru", lambda *args, **given: healthy(*args, **change(given)))


@JAX.mutant("gates r and z exchanged", CELLS, GRU_GATES, cases=GRUS)
def scanned_gru_has_the_gates_of_torch(patch):
    import jax.numpy as jnp

    def turned(weight):
        z, r, n = jnp.split(jnp.asarray(weight), 3, axis=-1)
        return jnp.concatenate([r, z, n], axis=-1)

    names = ("kernel", "recurrent_kernel", "bias")
    replace_jax_gru(
        patch,
        lambda given: given | {name: turned(given[name]) for name in names if name in given},
    )


@JAX.mutant("one of two biases for the other", CELLS, GRU_GATES, cases=GRUS)
def scanned_gru_takes_its_biases_for_one_another(patch):
    import jax.numpy as jnp

    replace_jax_gru(patch, lambda given: given | {"bias": jnp.asarray(given["bias"])[::-1]})


# What OpenVINO has of LSTM and GRU in one node


def openvino_rnn() -> Any:
    # The package has a function of the same name.
    return importlib.import_module("keras.src.backend.openvino.rnn")


@OPENVINO.mutant("gates in another framework's order", VALUES, GATES)
def lstm_node_has_keras_own_gates(patch):
    """LSTMSequence takes f, i, c, o."""
    patch.setattr(openvino_rnn(), "_reorder_np", lambda array, *_, **__: array)


def replace_node(patch: Any, name: str, change: Callable[..., Any]) -> None:
    """`change(node, *inputs)` for an operator that computes a sequence: x, its states, lengths, W,
    R and B, the units, and the direction."""
    ops = openvino_rnn().ov_opset
    node = getattr(ops, name)
    patch.setattr(
        ops, name, lambda *given, **options: change(functools.partial(node, **options), *given)
    )


@OPENVINO.mutant("h0 and c0 exchanged", VALUES, GATES)
def lstm_node_starts_from_the_other_state(patch):
    replace_node(patch, "lstm_sequence", lambda node, x, h, c, *rest: node(x, c, h, *rest))


@OPENVINO.mutant("recurrent kernel transposed", VALUES, GATES)
def lstm_node_multiplies_by_the_transposed(patch):
    def change(node, x, h, c, lengths, w, r, *rest):
        return node(x, h, c, lengths, w, constant(transposed, r), *rest)

    def transposed(one):
        blocks = [block.swapaxes(-1, -2) for block in np.split(one, 4, axis=-2)]
        return np.concatenate(blocks, axis=-2)

    replace_node(patch, "lstm_sequence", change)


@OPENVINO.mutant("weights rounded to float16", VALUES, TWO_LSTMS)
def lstm_node_has_its_kernel_in_halves(patch):
    def change(node, x, h, c, lengths, w, *rest):
        w = constant(lambda one: one.astype(np.float16).astype(one.dtype), w)
        return node(x, h, c, lengths, w, *rest)

    replace_node(patch, "lstm_sequence", change)


@OPENVINO.mutant("backward half not reversed", TURNED, TWO_LSTMS, cases=BOTH)
def lstm_node_goes_forward_always(patch):
    replace_node(patch, "lstm_sequence", lambda node, *given: node(*given[:-1], "forward"))


# The node gives its output in the order of time.
@OPENVINO.mutant("backward outputs in the inputs' order", OUTPUTS_TURNED, TWO_LSTMS, cases=BOTH)
def what_counts_down_counts_up(patch):
    ops = openvino_rnn().ov_opset
    healthy = ops.range

    def wrong(start, stop, step, **options):
        if step.get_node().data >= 0:
            return healthy(start, stop, step, **options)
        up = ops.multiply(step, step).output(0)
        return healthy(ops.add(stop, up).output(0), ops.add(start, up).output(0), up, **options)

    patch.setattr(ops, "range", wrong)


def constant(change: Callable[[Any], Any], weight: Any) -> Any:
    """A node of weights, changed."""
    array = np.ascontiguousarray(change(np.array(weight.get_node().data)))
    return openvino_rnn().ov_opset.constant(array).output(0)


@OPENVINO.mutant("gates r and z exchanged", CELLS, GRU_GATES, cases=GRUS)
def gru_node_has_the_gates_of_torch(patch):
    def turned(blocks, one):
        z, r, *rest = np.split(one, blocks, axis=1)
        return np.concatenate([r, z, *rest], axis=1)

    def change(node, x, h, lengths, w, r, b, *rest):
        w, r = (constant(functools.partial(turned, 3), one) for one in (w, r))
        return node(x, h, lengths, w, r, constant(functools.partial(turned, 4), b), *rest)

    replace_node(patch, "gru_sequence", change)


@OPENVINO.mutant("one of two biases for the other", CELLS, GRU_GATES, cases=GRUS)
def gru_node_resets_the_inputs_bias(patch):
    """The candidate's two, one for the other."""

    def change(node, x, h, lengths, w, r, b, *rest):
        def exchanged(one):
            z, r, of_x, of_h = np.split(one, 4, axis=1)
            return np.concatenate([z, r, of_h, of_x], axis=1)

        return node(x, h, lengths, w, r, constant(exchanged, b), *rest)

    replace_node(patch, "gru_sequence", change)
