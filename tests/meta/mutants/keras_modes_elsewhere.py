"""Ways of running Keras 3 on torch and on JAX that are not what they are called, or lose something.

`keras3` has a backend for the whole run: on another one than a mutant's there is nothing to try,
and it is skipped (`KERAS_BACKEND=torch pytest tests/meta/test_mutants.py -k on-torch`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

from fixtures.adapters import adapters
from tests.meta.mutants import Catalogue

IN_EFFECT = "a-mode-was-in-effect"
VALUES = "every-value-is-the-oracles"
MASKED = "masked-values-are-the-oracles"
GRADIENTS = "every-gradient-is-the-oracles"
EVERY_STEP = "exported-models-compute-every-step-or-refuse"

SMALLEST = "smallest"
MASKED_CASE = "masked-right-lstm-two-layers"

JIT, EXPORT, ONNX, STATELESS = CATALOGUES = tuple(
    Catalogue(f"keras3:{mode}") for mode in ("jit", "export", "onnx", "stateless")
)

Make = Callable[[Any], None]


def mutant(
    of: Catalogue, backend: str, family: str, *caught_by: str, case: str = SMALLEST
) -> Callable[[Make], Make]:
    """A mutant of this mode on this backend."""

    def add(make: Make) -> Make:
        @functools.wraps(make)
        def made(patch: Any) -> None:
            if (found := adapters()["keras3"].backend()) != backend:  # type: ignore[attr-defined]
                pytest.skip(f"it is about Keras on {backend}, which runs on {found} here")
            adapters()["keras3"].load()  # of a framework as it is
            make(patch)

        of.add(f"{make.__name__.replace('_', '-')}-on-{backend}", family, caught_by, made, (case,))
        return make

    return add


def being_compiled() -> bool:
    """Whether torch compiles, exports or traces just now."""
    import torch

    return bool(torch.compiler.is_compiling() or torch.jit.is_tracing())


def when_compiled(patch: Any, change: Callable[..., Any]) -> None:
    """LSTM called where torch compiles, exports or traces: `change(call, inputs, options)` is what
    it returns there."""
    from keras.layers import LSTM

    own = LSTM.call

    @functools.wraps(own)
    def call(self: Any, sequences: Any, *arguments: Any, **options: Any) -> Any:
        bound = functools.partial(own, self)
        if not being_compiled():
            return bound(sequences, *arguments, **options)
        return change(bound, sequences, *arguments, **options)

    patch.setattr(LSTM, "call", call)


@mutant(JIT, "torch", "a mode that is not in effect", IN_EFFECT)
def nothing_is_compiled(patch: Any) -> None:
    """As with TORCHDYNAMO_DISABLE=1, which somebody left set."""
    import torch

    patch.setattr(torch, "compile", lambda of, **_: of)


@mutant(JIT, "torch", "a mode that is not in effect", IN_EFFECT)
def half_of_it_is_compiled(patch: Any) -> None:
    """What was asked to be one graph breaks in silence."""
    import torch

    own = torch.compile
    patch.setattr(torch, "compile", lambda of, fullgraph, **options: own(of, **options))

    def change(call: Any, *arguments: Any, **options: Any) -> Any:
        torch._dynamo.graph_break()
        return call(*arguments, **options)

    when_compiled(patch, change)


@mutant(JIT, "torch", "a state that is lost", VALUES)
@mutant(EXPORT, "torch", "a state that is lost", VALUES)
@mutant(ONNX, "torch", "a state that is lost", VALUES)
def compiled_layers_start_from_zero(patch: Any) -> None:
    def change(call: Any, *arguments: Any, **options: Any) -> Any:
        options["initial_state"] = [0 * one for one in options["initial_state"]]
        return call(*arguments, **options)

    when_compiled(patch, change)


@mutant(JIT, "torch", "a gradient that is lost", GRADIENTS)
def compiled_gradients_miss_the_states(patch: Any) -> None:
    def change(call: Any, *arguments: Any, **options: Any) -> Any:
        output, h, c = call(*arguments, **options)
        return [output, h, c.detach()]

    when_compiled(patch, change)


@mutant(EXPORT, "torch", "a mask that is lost", MASKED, case=MASKED_CASE)
@mutant(ONNX, "torch", "a mask that is lost", MASKED, case=MASKED_CASE)
def exports_freeze_the_lengths(patch: Any) -> None:
    """Those of the export's example, in which every step counts."""

    def change(call: Any, *arguments: Any, **options: Any) -> Any:
        if options.get("mask") is not None:
            options["mask"] = options["mask"].logical_or(options["mask"].logical_not())
        return call(*arguments, **options)

    when_compiled(patch, change)


# As ONNX files had it: <https://github.com/keras-team/keras/pull/23058>
@mutant(EXPORT, "torch", "a graph that is frozen", EVERY_STEP)
def programs_have_the_steps_of_their_example(patch: Any) -> None:
    """One step, whatever number is asked for."""
    import torch

    own = torch.export.export

    @functools.wraps(own)  # Keras knows its options by their names
    def export(model: Any, example: Any, **options: Any) -> Any:
        if shapes := options.get("dynamic_shapes"):
            x, *others = shapes[0][0]
            time = {} if model.inputs[0].shape[1] else {1: torch.export.Dim.AUTO}
            options["dynamic_shapes"] = [([x | time, *others],)]
        return own(model, example, **options)

    patch.setattr(torch.export, "export", export)

    def change(call: Any, sequences: Any, *arguments: Any, **options: Any) -> Any:
        return call(sequences[:, :1], *arguments, **options)

    when_compiled(patch, change)


@mutant(JIT, "jax", "a mode that is not in effect", IN_EFFECT)
@mutant(STATELESS, "jax", "a mode that is not in effect", IN_EFFECT)
def nothing_is_jitted(patch: Any) -> None:
    """As with JAX_DISABLE_JIT=1, which somebody left set."""
    import jax

    own = jax.jit

    def jit(of: Any, **options: Any) -> Any:
        return of if getattr(of, "__name__", "") == "body" else own(of, **options)

    patch.setattr(jax, "jit", jit)


@mutant(STATELESS, "jax", "weights that are constants", IN_EFFECT)
def stateless_call_has_constants(patch: Any) -> None:
    """The layer's own weights, which lie in what is compiled, and are not what it is handed."""
    from keras.layers import Layer

    own = Layer.stateless_call

    def stateless_call(self: Any, trained: Any, *arguments: Any, **options: Any) -> Any:
        there = [one.value for one in self.trainable_variables]
        sums = [one + constant for one, constant in zip(trained, there, strict=True)]
        return own(self, sums, *arguments, **options)

    patch.setattr(Layer, "stateless_call", stateless_call)
