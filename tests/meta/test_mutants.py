"""Each mutant makes the suite fail, with a message that names the right claim."""

from __future__ import annotations

import pytest

from fixtures.adapters import adapters
from fixtures.evidence.claims import all_claims
from tests.meta.mutants import MUTANTS, Mutant


class Listener:
    """Collects the failure messages of a pytest run inside this one, by claim."""

    def __init__(self) -> None:
        self.failures: dict[str, str] = {}
        self.passed = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        told = dict(kv for _, part in report.user_properties for kv in part.items())
        if report.failed:
            self.failures[told["claim"]] = report.longreprtext
        self.passed += report.when == "call" and report.passed


def run_claims(adapter: str, caught_by: str) -> Listener:
    """One claim on one adapter, on all its cases."""
    listener, claim = Listener(), all_claims()[caught_by]
    pytest.main(
        [
            f"{claim.path}::{claim.test}",
            *("-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:xdist"),
            *("-q", "-W", "ignore", "--adapters", adapter),
        ],
        plugins=[listener],
    )
    return listener


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_mutant_is_caught(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    if reason := adapters()[mutant.adapter].cannot_run():
        pytest.skip(reason)
    with monkeypatch.context() as patch:
        mutant.make(patch)
        heard = run_claims(mutant.adapter, mutant.caught_by)
    assert f"claim {mutant.caught_by} (" in heard.failures.get(mutant.caught_by, "")


@pytest.mark.parametrize(
    ("adapter", "caught_by"), sorted({(one.adapter, one.caught_by) for one in MUTANTS})
)
def test_the_claim_holds_without_the_mutant(adapter: str, caught_by: str) -> None:
    if reason := adapters()[adapter].cannot_run():
        pytest.skip(reason)
    heard = run_claims(adapter, caught_by)
    assert heard.passed > 0
    assert not heard.failures
