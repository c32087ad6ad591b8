"""Keras 3 on other backends, wrong on purpose: the loop over the steps, which each has its own of.

Most imitate what was wrong in a release once; the upstream report stands beside them.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from tests.meta.mutants import Catalogue

JAX, TORCH, NUMPY = CATALOGUES = tuple(
    Catalogue(f"keras3@{backend}") for backend in ("jax", "torch", "numpy")
)

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
STATEFUL = "keras-stateful-layers-carry-on"
TRAINED = "sgd-trains-every-weight-alike"

HOLES = ("masked-holes-gru", "masked-right-rnn")
BACKWARDS = ("masked-right-rnn-from-zero-backwards",)


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


def everywhere(family: str, *caught_by: str, cases: tuple[str, ...] = ()) -> Callable[..., Any]:
    """A mutant of each of these backends."""

    def add(make: Any) -> Any:
        for catalogue in CATALOGUES:
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


@JAX.mutant("no zeros where a mask takes the output", ZEROED)
@TORCH.mutant("no zeros where a mask takes the output", ZEROED)
@NUMPY.mutant("no zeros where a mask takes the output", ZEROED)
def the_loop_repeats_where_zeros_were_asked_for(patch):
    replace_loop(patch, before=lambda given: given | {"zero_output_for_mask": False})


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
