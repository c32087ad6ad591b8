"""Derivatives wrong on purpose: right at first and cut off the second time, forward mode that is
off, rows in each other's place, and layers that are computed again of something else.

A kernel has a formula of its own for each of these. torch's LSTM of oneDNN had no second derivative
for a release (<https://github.com/pytorch/pytorch/issues/99413>).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from fixtures.adapters.tf1 import import_tensorflow
from tests.meta.mutants import Catalogue, keras2, keras3
from tests.meta.mutants.keras_layers import around
from tests.meta.mutants.tf1 import nn
from tests.meta.mutants.torch_cells import around as around_torch

TWICE = "second-gradients-are-the-oracles"
FORWARD = "directional-derivatives-are-the-oracles"
EACH_ROW = "gradients-of-each-row-are-those-of-it-alone"
RECOMPUTED = "recomputed-gradients-are-the-oracles"
REACH_THE_STATES = "recomputed-gradients-reach-the-states"
JACOBIANS = "torch-jacobians-are-gradients-row-by-row"
REENTRANT = "torch-reentrant-checkpoints-lose-the-states"
CHANGED = "torch-what-was-changed-makes-no-gradient"
KEPT_TAPE = "keras-a-kept-tape-repeats-its-gradients"
GATHER = "keras-gradients-go-through-gather"
BESIDE, BESIDE_BACK = (
    "nan-in-one-row-reaches-no-other-row",
    "nan-in-one-row-reaches-no-other-rows-gradient",
)

TORCH, KERAS3, KERAS2, TF1 = (Catalogue(name) for name in ("torch", "keras3", "keras2", "tf1"))
JAX = tuple(Catalogue(name) for name in ("linen", "nnx", "equinox", "haiku", "jax"))
CATALOGUES = (TORCH, KERAS3, KERAS2, TF1, *JAX)

ONCE = "gradient that has no gradient"
FORWARD_OFF = "forward mode off"
ROWS = "gradients of rows in each other's place"
ANEW = "computed again of other inputs"
STATES_LEFT = "computed again without gradients by states"


# torch


@TORCH.mutant(ONCE, TWICE)
def the_lstm_is_differentiated_once(patch):
    import torch

    class Once(torch.autograd.Function):
        @staticmethod
        def forward(_, x):
            return x.view_as(x)

        @staticmethod
        def backward(_, gradient):
            return gradient.detach()

    around_torch(patch, "LSTM", before=lambda _, x, hx: (Once.apply(x), hx))


@TORCH.mutant(FORWARD_OFF, FORWARD)
def forward_mode_is_off(patch):
    import torch

    healthy = torch.func.jvp

    @functools.wraps(healthy)
    def jvp(function, primals, tangents, **options):
        # The inputs stand behind the parameters.
        own, x, *rest = tangents
        return healthy(function, primals, (own, 1.001 * x, *rest), **options)

    patch.setattr(torch.func, "jvp", jvp)


@TORCH.mutant(ROWS, EACH_ROW)
def vmapped_gradients_are_rolled(patch):
    import torch
    from torch.utils._pytree import tree_map

    healthy = torch.func.vmap

    def vmap(function, *args, **options):
        of = healthy(function, *args, **options)
        return lambda *given: tree_map(lambda one: one.roll(1, dims=0), of(*given))

    patch.setattr(torch.func, "vmap", vmap)


@TORCH.mutant(ROWS, JACOBIANS)
def jacobians_are_rolled(patch):
    import torch
    from torch.utils._pytree import tree_map

    healthy = torch.func.jacrev

    def jacrev(function, *args, **options):
        of = healthy(function, *args, **options)
        return lambda *given: tree_map(lambda one: one.roll(1, dims=0), of(*given))

    patch.setattr(torch.func, "jacrev", jacrev)


@TORCH.mutant(ROWS, JACOBIANS)
def batched_gradients_are_rolled(patch):
    import torch

    healthy = torch.autograd.grad

    def grad(*args, is_grads_batched=False, **options):
        found = healthy(*args, is_grads_batched=is_grads_batched, **options)
        return tuple(one.roll(1, dims=0) for one in found) if is_grads_batched else found

    patch.setattr(torch.autograd, "grad", grad)


@TORCH.mutant("a gradient of what was changed since", CHANGED)
def gradients_read_what_is_there_by_then(patch):
    """As where a kernel keeps its arguments itself, and torch does not see that they changed."""
    import torch

    class Kept(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.kept, ctx.was = x.detach(), x.detach().clone()
            return x.clone()

        @staticmethod
        def backward(ctx, gradient):
            return torch.where(ctx.kept == ctx.was, gradient, 2 * gradient)

    around_torch(patch, "LSTM", before=lambda _, x, hx: (Kept.apply(x), hx))


@TORCH.mutant("a gradient changed by a hook that looks on",
              "torch-hooks-that-look-on-change-no-bit")  # fmt: skip
def hooks_change_a_little(patch):
    import torch

    healthy = torch.nn.Module.register_full_backward_hook

    def wrong(self, hook, *args, **options):
        def changes(module, by_inputs, by_outputs):
            hook(module, by_inputs, by_outputs)
            return tuple(None if one is None else one * (1 + 1e-6) for one in by_inputs)

        return healthy(self, changes, *args, **options)

    patch.setattr(torch.nn.Module, "register_full_backward_hook", wrong)


@TORCH.mutant("a hook that looks into pairs", "torch-backward-hooks-hear-of-no-pair")
def hooks_look_into_pairs(patch):
    """As <https://github.com/pytorch/pytorch/issues/87540> asks for."""
    from torch.utils.hooks import BackwardHook

    healthy = BackwardHook.setup_output_hook

    def wrong(self, results):
        if not (isinstance(results, tuple) and isinstance(results[-1], tuple)):
            return healthy(self, results)
        output, *states = healthy(self, (results[0], *results[1]))
        return output, tuple(states)

    patch.setattr(BackwardHook, "setup_output_hook", wrong)


@TORCH.mutant("a gradient off the second time", "torch-a-kept-graph-repeats-its-gradients")
def a_kept_graph_loses_a_little(patch):
    """As where the way back overwrites what the way there has kept for it."""
    import torch

    class Overwritten(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.by = 1.0
            return x.view_as(x)

        @staticmethod
        def backward(ctx, gradient):
            by, ctx.by = ctx.by, ctx.by * (1 + 1e-6)
            return by * gradient

    around_torch(patch, "LSTM", after=lambda _, output, state: (Overwritten.apply(output), state))


@TORCH.mutant("half of a gradient by one weight", "torch-one-weight-of-a-frozen-layer-is-trained")
def one_weight_has_half_a_gradient(patch):
    def after(layer, output, state):
        asking = [one for one in layer.parameters() if one.requires_grad]
        return (output + output.detach()) / 2 if len(asking) == 1 else output, state

    around_torch(patch, "LSTM", after=after)


@TORCH.mutant("a row of NaN in the mean of a batch", BESIDE)
def outputs_lose_the_mean_of_the_batch(patch):
    """As where a batch is scaled by what is largest in it, and unscaled."""

    def after(layer, output, state):
        return output + 0 * output.mean(0 if layer.batch_first else 1, keepdim=True), state

    around_torch(patch, "LSTM", after=after)


@TORCH.mutant("a row of NaN in the mean of a batch", BESIDE_BACK)
def gradients_lose_the_mean_of_the_batch(patch):
    import torch

    class Scaled(torch.autograd.Function):
        @staticmethod
        def forward(_, x):
            return x.view_as(x)

        @staticmethod
        def backward(_, gradient):
            return gradient + 0 * gradient.mean(0, keepdim=True)

    around_torch(patch, "LSTM", before=lambda _, x, hx: (Scaled.apply(x), hx))


def checkpoints(patch: Any, change: Callable[[Any, Any, bool], tuple[Any, Any]]) -> None:
    """torch.utils.checkpoint with `change(x, state, again)` of what a layer is handed."""
    import torch.utils.checkpoint as module

    healthy = module.checkpoint

    def checkpoint(function, layer, x, state, *args, **options):
        calls: list[None] = []

        def wrong(x, state):
            calls.append(None)
            return function(layer, *change(x, state, len(calls) > 1), *args)

        return healthy(wrong, x, state, **options)

    patch.setattr(module, "checkpoint", checkpoint)


@TORCH.mutant(ANEW, RECOMPUTED)
def a_checkpoint_recomputes_of_other_inputs(patch):
    checkpoints(patch, lambda x, state, again: (x * (1.001 if again else 1), state))


@TORCH.mutant(STATES_LEFT, REACH_THE_STATES)
def a_checkpoint_leaves_the_states(patch):
    def change(x, state, _):
        return x, tuple(one.detach() for one in state)

    checkpoints(patch, change)


@TORCH.mutant("a reentrant checkpoint that looks into pairs", REENTRANT)
def reentrant_checkpoints_keep_the_states(patch):
    import torch.utils.checkpoint as module

    healthy = module.checkpoint
    patch.setattr(
        module, "checkpoint",
        lambda *args, use_reentrant, **options: healthy(*args, use_reentrant=False, **options),
    )  # fmt: skip


# Keras and TensorFlow 1


def once(x: Any) -> Any:
    """The same, and its gradient is not differentiated again."""
    tf = import_tensorflow()

    @tf.custom_gradient
    def identity(x):
        return tf.identity(x), tf.stop_gradient

    return identity(x)


def recomputes(patch: Any, change: Callable[[list[Any], bool], list[Any]]) -> None:
    """tf.recompute_grad with `change(arguments, again)` of what a function is handed."""
    tf = import_tensorflow()
    healthy = tf.recompute_grad

    def recompute_grad(function):
        calls: list[None] = []

        def wrong(*args, **options):
            calls.append(None)
            return function(*change([*args], len(calls) > 1), **options)

        return healthy(wrong)

    patch.setattr(tf, "recompute_grad", recompute_grad)


def _add_to_keras(catalogue: Catalogue, seams: Any) -> None:
    @catalogue.mutant(ONCE, TWICE)
    def the_lstm_is_differentiated_once(patch):
        around(patch, seams, "LSTM", before=lambda _, x, initial, mask: (once(x), initial, mask))

    @catalogue.mutant(FORWARD_OFF, FORWARD)
    def forward_mode_is_off(patch):
        accumulator = import_tensorflow().autodiff.ForwardAccumulator
        healthy = accumulator.jvp
        patch.setattr(accumulator, "jvp", lambda self, one: 1.001 * healthy(self, one))

    @catalogue.mutant(ROWS, EACH_ROW)
    def jacobians_are_rolled(patch):
        tf = import_tensorflow()
        healthy = tf.GradientTape.jacobian

        def jacobian(self, target, sources, **options):
            return [tf.roll(one, 1, axis=0) for one in healthy(self, target, sources, **options)]

        patch.setattr(tf.GradientTape, "jacobian", jacobian)

    @catalogue.mutant(ANEW, RECOMPUTED)
    def layers_are_recomputed_of_other_inputs(patch):
        def change(args, again):
            x, *states = args
            return [x * (1.001 if again else 1), *states]

        recomputes(patch, change)

    @catalogue.mutant("a gradient off the second time", KEPT_TAPE)
    def a_kept_tape_loses_a_little(patch):
        """As where a loop's way back pops what another way back needs."""
        tf = import_tensorflow()

        def popped(x: Any) -> Any:
            ways = []

            @tf.custom_gradient
            def identity(x):
                def back(gradient):
                    ways.append(None)
                    return gradient * (1 + 1e-6 * (len(ways) - 1))

                return tf.identity(x), back

            return identity(x)

        around(patch, seams, "LSTM", before=lambda _, x, initial, mask: (popped(x), initial, mask))

    @catalogue.mutant("of an index that comes twice one counts", GATHER)
    def what_is_gathered_twice_counts_once(patch):
        """As where the slices of a gradient are set in their places, and not added up."""
        tf = import_tensorflow()
        from tensorflow.python.framework.registry import Registry

        healthy = Registry.lookup

        def lookup(self, name):
            of = healthy(self, name)

            def of_a_gather(op, gradient):
                by, *rest = of(op, gradient)
                if isinstance(by, tf.IndexedSlices):
                    half = by.indices.shape[0] // 2
                    by = tf.IndexedSlices(by.values[:half], by.indices[:half], by.dense_shape)
                return by, *rest

            return of_a_gather if name == "GatherV2" else of

        patch.setattr(Registry, "lookup", lookup)


_add_to_keras(KERAS3, keras3.SEAMS)
_add_to_keras(KERAS2, keras2.SEAMS)


@KERAS2.mutant(STATES_LEFT, REACH_THE_STATES)
def recomputed_layers_leave_the_states(patch):
    tf = import_tensorflow()
    recomputes(patch, lambda args, _: [args[0], *map(tf.stop_gradient, args[1:])])


@TF1.mutant(ONCE, TWICE)
def the_loop_is_differentiated_once(patch):
    module = nn()
    healthy = module.dynamic_rnn
    patch.setattr(
        module, "dynamic_rnn", lambda cell, x, **options: healthy(cell, once(x), **options)
    )


# JAX, the same for each framework


def _add_to_jax(catalogue: Catalogue) -> None:
    @catalogue.mutant(ONCE, TWICE)
    def what_is_differentiated_twice_is_cut(patch):
        import jax

        healthy = jax.grad

        def grad(function, argnums=0, **options):
            of = healthy(function, argnums, **options)
            return lambda *given: jax.lax.stop_gradient(of(*given))

        patch.setattr(jax, "grad", grad)

    @catalogue.mutant(FORWARD_OFF, FORWARD)
    def forward_mode_is_off(patch):
        import jax

        healthy = jax.jvp

        def jvp(function, primals, tangents):
            own, x, states = tangents
            return healthy(function, primals, (own, 1.001 * x, states))

        patch.setattr(jax, "jvp", jvp)

    @catalogue.mutant(ROWS, EACH_ROW)
    def vmapped_gradients_are_rolled(patch):
        import jax

        healthy = jax.vmap

        def vmap(function, *args, **options):
            of = healthy(function, *args, **options)
            return lambda *given: jax.tree.map(lambda one: jax.numpy.roll(one, 1, 0), of(*given))

        patch.setattr(jax, "vmap", vmap)

    @catalogue.mutant(STATES_LEFT, REACH_THE_STATES)
    def a_checkpoint_leaves_the_states(patch):
        import jax

        healthy = jax.checkpoint

        def checkpoint(function):
            return healthy(
                lambda own, x, states, *more: function(own, x, jax.lax.stop_gradient(states), *more)
            )

        patch.setattr(jax, "checkpoint", checkpoint)


for _catalogue in JAX:
    _add_to_jax(_catalogue)
