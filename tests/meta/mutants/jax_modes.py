"""Ways of running flax, equinox and haiku that are not what they are called, or lose something."""

from __future__ import annotations

from typing import Any

from tests.meta.mutants import Catalogue
from tests.meta.mutants.cell import EVERY, GRADIENTS
from tests.meta.mutants.jax_layers import replace_scan, replace_unroll

IN_EFFECT = "a-mode-was-in-effect"

EAGER = Catalogue("linen:eager")
VMAP = Catalogue("linen:vmap")
LINEN = Catalogue("linen:unrolled")
NNX = Catalogue("nnx:unrolled")
EQUINOX = Catalogue("equinox:unrolled")
HAIKU = Catalogue("haiku:unrolled")

CATALOGUES = (EAGER, VMAP, LINEN, NNX, EQUINOX, HAIKU)


@LINEN.mutant("a mode that is not in effect", IN_EFFECT)
def linen_ignores_unroll(patch: Any) -> None:
    from flax import linen

    own = linen.RNN
    patch.setattr(linen, "RNN", lambda cell, unroll, **options: own(cell, **options))


@NNX.mutant("a mode that is not in effect", IN_EFFECT)
def nnx_ignores_unroll(patch: Any) -> None:
    from flax import nnx

    own = nnx.RNN
    patch.setattr(nnx, "RNN", lambda cell, unroll, **options: own(cell, **options))


@EQUINOX.mutant("a mode that is not in effect", IN_EFFECT)
def scan_ignores_unroll(patch: Any) -> None:
    replace_scan(patch, lambda scan, *given, unroll, **options: scan(*given, **options))


@HAIKU.mutant("a mode that is not in effect", IN_EFFECT)
def dynamic_unroll_ignores_unroll(patch: Any) -> None:
    replace_unroll(patch, lambda own, *given: own(*given[:-1]))


@EAGER.mutant("a mode with numbers of its own", EVERY)
def eager_numbers_are_others(patch: Any) -> None:
    import jax

    own = jax.lax.scan

    def scan(*given: Any, **options: Any) -> Any:
        carry, outputs = own(*given, **options)
        eager = not any(isinstance(one, jax.core.Tracer) for one in jax.tree.leaves(outputs))
        return carry, jax.tree.map(lambda one: one * (1 + 1e-3 * eager), outputs)

    from flax.core import axes_scan

    patch.setattr(axes_scan.lax, "scan", scan)


def cut(step: Any) -> Any:
    """A step through which no gradient goes to the state before."""
    import jax

    return lambda carry, *rest: step(jax.tree.map(jax.lax.stop_gradient, carry), *rest)


@EAGER.mutant("gradient cut at a step", GRADIENTS)
def eager_gradient_is_of_each_step(patch: Any) -> None:
    from flax.core import axes_scan

    own = axes_scan.lax.scan
    patch.setattr(axes_scan.lax, "scan", lambda step, *given, **o: own(cut(step), *given, **o))


@EQUINOX.mutant("gradient cut at a step", GRADIENTS)
def unrolled_gradient_is_of_each_step(patch: Any) -> None:
    replace_scan(patch, lambda scan, step, *given, **options: scan(cut(step), *given, **options))


@HAIKU.mutant("gradient through the output scaled", GRADIENTS)
def unrolled_gradient_is_steeper(patch: Any) -> None:
    import jax

    def steeper(one: Any) -> Any:
        return 1.001 * one - 0.001 * jax.lax.stop_gradient(one)

    def wrong(own: Any, *given: Any) -> Any:
        outputs, state = own(*given)
        return jax.tree.map(steeper, outputs), state

    replace_unroll(patch, wrong)


@VMAP.mutant("the weights of another layer", EVERY, GRADIENTS)
def vmap_gives_the_first_layer(patch: Any) -> None:
    import jax

    own = jax.vmap

    def vmap(function: Any, **options: Any) -> Any:
        mapped = own(function, **options)
        return lambda *given: jax.tree.map(lambda one: one[::-1], mapped(*given))

    patch.setattr(jax, "vmap", vmap)
