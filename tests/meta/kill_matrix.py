"""Tries every claim on a mutant: the rows of the kill matrix (mutant by claim)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from fixtures.adapters import adapters
from fixtures.cases import Case
from fixtures.compare import Disagreement
from fixtures.evidence.check import Check
from fixtures.evidence.claims import (
    Claim,
    all_claims,
    cases_of,
    not_applicable,
    not_applicable_on,
    test_of,
)
from fixtures.run import Lab
from fixtures.subject import Subject, ask
from tests.meta.mutants import Mutant

SAMPLE = (
    "smallest", "one-step", "two-layers", "two-widths", "bidirectional", "bidirectional-two-layers",
)  # fmt: skip
"""Every mutant is tried on these in float32, and the claims that must catch it in both precisions.
Claims about none of these, and those that start a process of their own, are tried on the mutants
that name them."""

SLOW = ("tf1-basic-lstm-cell-needs-keras-2",)

Fate = Literal["caught", "error", "holds"]
LAB = Lab(0)


def row(mutant: Mutant) -> dict[str, Fate]:
    """What becomes of each claim while the mutant's patch is in place.

    `caught` if its assertion fails on a case, `error` if nothing but errors stopped it.
    """
    LAB.forget_runs()
    try:
        return {
            one.id: _fate(one, mutant.adapter, checks)
            for one in all_claims().values()
            if (checks := list(_checks(one, mutant)))
        }
    finally:
        LAB.forget_runs()


def baseline(claim: str, adapter: str, cases: tuple[str, ...] = ()) -> Fate:
    """What becomes of a claim on the healthy framework."""
    one = all_claims()[claim]
    healthy = Mutant("healthy", adapter, "", (claim,), cases, lambda _: None)
    return _fate(one, adapter, list(_checks(one, healthy)))


def _checks(one: Claim, mutant: Mutant) -> Iterator[tuple[Case, str]]:
    if not_applicable(one, mutant.adapter):
        return
    named = one.id in mutant.caught_by
    applicable = [
        (case, dtype)
        for case, dtype in cases_of(one)
        if not not_applicable_on(one, mutant.adapter, case, dtype)
    ]
    sample = [pair for pair in applicable if pair[0].name in (*SAMPLE, *mutant.cases)]
    if named:
        yield from sample or applicable[:2]
    elif one.id not in SLOW:
        yield from (pair for pair in sample if pair[1] == "float32")


def _fate(one: Claim, adapter: str, checks: list[tuple[Case, str]]) -> Fate:
    versions = ", ".join(f"{name} {v}" for name, v in adapters()[adapter].versions().items())
    fate: Fate = "holds"
    for case, dtype in checks:
        check = Check(
            claim=one.id,
            kind=one.kind,
            statement=one.statement,
            formula=one.formula,
            adapter=adapter,
            versions=versions,
            case=case,
            dtype=dtype,
            seed=LAB.seed,
        )
        try:
            ask(test_of(one), Subject(check, LAB))
        except Disagreement:
            return "caught"
        except Exception:  # whatever a broken framework raises
            fate = "error"
    return fate
