"""Mutants of adapters that need a process of their own are tried in one, each after the other."""

from __future__ import annotations

import functools
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import pytest

from fixtures.adapters import every_adapter
from tests.meta.kill_matrix import Tries, tries
from tests.meta.mutants import Mutant, mutants


@functools.cache
def host(process: str) -> ProcessPoolExecutor:  # noqa: ARG001  # one for each
    return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))


def tried_apart(mutant: Mutant, others: bool) -> Tries:
    """What `tries` gives of this mutant in a process of its adapter's."""
    pool = host(every_adapter()[mutant.adapter].process)
    return pool.submit(_tried, mutant.name, others).result()


def _tried(name: str, others: bool) -> Tries:
    [mutant] = [one for one in mutants() if one.name == name]
    every_adapter()[mutant.adapter].load()
    with pytest.MonkeyPatch.context() as patch:
        mutant.make(patch)
        return tries(mutant, others=others)
