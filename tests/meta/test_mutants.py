"""Each mutant is caught by the claims that must catch it, and each claim catches one."""

from __future__ import annotations

import pytest

from fixtures.adapters import adapters
from fixtures.evidence.claims import all_claims
from tests.meta.kill_matrix import baseline, row
from tests.meta.mutants import Mutant, mutants

PROPERTY = "kill-matrix"


@pytest.mark.parametrize("mutant", mutants(), ids=lambda mutant: mutant.name)
def test_mutant_is_caught(mutant: Mutant, monkeypatch: pytest.MonkeyPatch, record_property) -> None:
    if reason := adapters()[mutant.adapter].cannot_run():
        pytest.skip(reason)
    with monkeypatch.context() as patch:
        mutant.make(patch)
        fates = row(mutant)
    record_property(PROPERTY, {"mutant": mutant.name, "fates": fates})
    let_pass = {claim: fates.get(claim) for claim in mutant.caught_by}
    assert let_pass == dict.fromkeys(mutant.caught_by, "caught")


@pytest.mark.parametrize(
    ("adapter", "claim", "cases"),
    sorted({(m.adapter, claim, m.cases) for m in mutants() for claim in m.caught_by}),
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_the_claim_holds_without_the_mutant(adapter, claim, cases) -> None:
    if reason := adapters()[adapter].cannot_run():
        pytest.skip(reason)
    assert baseline(claim, adapter, cases) == "holds"


def test_every_mutant_names_a_claim() -> None:
    assert [mutant.name for mutant in mutants() if not mutant.caught_by] == []


def test_names_are_unique_and_claims_exist() -> None:
    names = [mutant.name for mutant in mutants()]
    assert len(set(names)) == len(names)
    assert {claim for mutant in mutants() for claim in mutant.caught_by} <= set(all_claims())
