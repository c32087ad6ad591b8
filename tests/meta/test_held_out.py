"""Faults that no diagnosis has seen are told by what they are of a kind with."""

from __future__ import annotations

import pytest

from fixtures.records.diagnosis import diagnose, nearest
from fixtures.records.patterns import patterns
from tests.meta import holdout
from tests.meta.conftest import need
from tests.meta.held_out import CATALOGUE
from tests.meta.kill_matrix import tries
from tests.meta.mutants import mutants
from tests.meta.patterns import hash_of

SHARE = 0.8
"""Of the faults held out, so many are told rightly in the first guess."""

UNKNOWN: tuple[str, ...] = ()
"""What is not told rightly: each is of another size than the mutants of its kind."""


@pytest.mark.parametrize("fault", CATALOGUE.mutants, ids=lambda one: one.name)
def test_a_fault_that_is_no_mutant_is_told(fault, monkeypatch):
    need("torch")
    with monkeypatch.context() as patch:
        fault.make(patch)
        seen = tries(fault)
    found = nearest(seen, patterns())
    place = [one.fault for one in found].index(fault.family) + 1
    print(fault.name, place, [(one.fault, round(one.score, 2), one.alike, one.tried) for one in found[:4]])
    assert (place == 1) == (fault.name not in UNKNOWN)
