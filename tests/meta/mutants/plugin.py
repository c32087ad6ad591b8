"""pytest plugin: the mutant that MUTANT names is in place for the whole run."""

from __future__ import annotations

import os

import pytest

from tests.meta.mutants import mutants


@pytest.fixture(scope="session", autouse=True)
def mutant():
    (one,) = (one for one in mutants() if one.name == os.environ["MUTANT"])
    with pytest.MonkeyPatch.context() as patch:
        one.make(patch)
        yield
