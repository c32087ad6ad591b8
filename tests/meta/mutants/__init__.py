"""Deliberately wrong LSTMs, made by patching the framework and never the adapter.

An adapter that repaired a fault on the way out would hide it, so each mutant patches what the
framework's users call. There is a file per adapter; every mutant names the claims that must catch
it, and every claim is named by one.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

CLOSE = (("float32", 3e-6), ("float64", 1e-14))
"""The relative error by precision that no weight matrix of any layer may have unnoticed."""

FILES = ("torch", "keras3", "keras2", "tf1")
"""A file for each adapter; what MORE_FILES have is about its other cells."""

MORE_FILES = ("torch_cells",)

FAMILIES = (
    "derivatives", "dropout", "files", "fit", "jax_layers", "jax_modes", "keras_backends",
    "keras_modes", "keras_modes_elsewhere", "layer_norm", "litert", "masks", "mlx", "models",
    "onnx", "openvino", "paddle", "precision", "refusals", "state", "steps", "tf1_modes",
    "torch_modes", "trainer", "training",
)  # fmt: skip
"""A file for each family of claims whose mutants, of several adapters, stand together; it has
`CATALOGUES`."""

Patch = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True)
class Mutant:
    """One fault: where it lives, the claims that must catch it, the patch that makes it.

    `family` is the fault in words, the same in every framework that has it. `cases` are those in
    which it shows, if it does not in the few on which every mutant is tried.
    """

    name: str
    adapter: str
    family: str
    caught_by: tuple[str, ...]
    cases: tuple[str, ...]
    make: Patch


class Catalogue:
    """The mutants of one adapter."""

    def __init__(self, adapter: str) -> None:
        self.adapter = adapter
        self.mutants: list[Mutant] = []

    def add(
        self,
        name: str,
        family: str,
        caught_by: Sequence[str],
        make: Patch,
        cases: Sequence[str] = (),
    ) -> None:
        name = f"{self.adapter}-{name}"
        self.mutants.append(
            Mutant(name, self.adapter, family, tuple(caught_by), tuple(cases), make)
        )

    def mutant(
        self, family: str, *caught_by: str, cases: Sequence[str] = ()
    ) -> Callable[[Patch], Patch]:
        """Adds a patch to the catalogue under the function's name."""

        def add(make: Patch) -> Patch:
            self.add(make.__name__.replace("_", "-"), family, caught_by, make, cases)
            return make

        return add


@functools.cache
def mutants() -> tuple[Mutant, ...]:
    """All mutants. Imports no framework."""
    catalogues = [_file(name).CATALOGUE for name in FILES + MORE_FILES]
    catalogues += [catalogue for name in FAMILIES for catalogue in _file(name).CATALOGUES]
    return tuple(mutant for catalogue in catalogues for mutant in catalogue.mutants)


def _file(name: str) -> Any:
    return importlib.import_module(f"tests.meta.mutants.{name}")
