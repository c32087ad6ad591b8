"""What a CI server reads of a run: JUnit's properties and GitHub's annotations."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path
from types import SimpleNamespace

import pytest

from fixtures.plugin import fuzzing
from fixtures.plugin.ci import ANNOTATIONS, properties, told_to_github
from fixtures.plugin.reporting import PROPERTY
from tests.meta.conftest import Project


def a_report(claim="it-fails", adapter="torch", case="smallest", message="no", **changed):
    told = {"claim": claim, "kind": "exact", "adapter": adapter, "case": case, "dtype": "float32",
            "claim_hash": "c1"}  # fmt: skip
    return SimpleNamespace(
        **{
            "nodeid": f"tests/test_x.py::{claim}", "location": ("tests/test_x.py", 6, claim),
            "user_properties": [(PROPERTY, told)], "longrepr": None, "longreprtext": message,
        }
        | changed
    )  # fmt: skip


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "workers"])
def test_junit_says_what_was_measured(failing: Project, workers):
    failing.pytest("--junit-xml=junit.xml", *workers)
    tests = {
        one.get("name"): {each.get("name"): each.get("value") for each in one.iter("property")}
        for one in ET.parse(failing.path / "junit.xml").iter("testcase")  # noqa: S314
    }
    one = tests["test_it_is_rounded[numpy-smallest-float32]"]
    named = {name: one.pop(name) for name in ("claim", "kind", "adapter", "case", "dtype")}
    assert list(named.values()) == ["it-is-rounded", "rounding", "numpy", "smallest", "float32"]
    assert list(one) == [
        "worst", "bound", "rms", "rms_bound", "spread", "informative", "elements",
    ]  # fmt: skip
    assert 0 < float(one["worst"]) <= float(one["bound"]) == 5.0
    assert tests["test_it_fails[numpy-smallest-float32]"]["worst"] == "10.0"
    left_out = tests["test_it_is_torchs[numpy-not-applicable]"]
    assert (left_out["claim"], "worst" in left_out) == ("it-is-torchs", False)


def test_random_cases_say_how_many_were_drawn():
    told = {"drawn": 3, "alarm": {}, "adapters": {}}
    assert properties(a_report(user_properties=[(fuzzing.PROPERTY, told)])) == [("drawn", 3)]


def test_github_is_told_of_each_claim_once(failing: Project):
    """On the simplest of its cases, at the claim's own line; and nobody else is."""
    shown = failing.pytest(GITHUB_ACTIONS="true", GITHUB_WORKSPACE=str(failing.path.parent)).stdout
    told = [line for line in shown.splitlines() if line.startswith("::")]
    assert len(told) == 1
    place = r"file=checkout/tests/test_failing\.py,line=8,title=it-fails on numpy%3A 2 failures"
    assert re.match(rf"::error {place}::claim it-fails .*%0A.*float32", told[0])
    assert "\n::" not in failing.pytest().stdout


def test_the_simplest_case_is_the_one_that_is_shown():
    reports = [a_report(case=case, message=case) for case in ("thousand-steps", "smallest", "new")]
    assert list(told_to_github(reports, Path())) == [
        "::error file=tests/test_x.py,line=7,title=it-fails on torch%3A 3 failures::smallest"
    ]


def test_what_is_no_check_is_told_by_itself():
    report = a_report(user_properties=[], message="a: 100%\nb,\r")
    assert list(told_to_github([report], None)) == [
        "::error title=tests/test_x.py%3A%3Ait-fails::a: 100%25%0Ab,"
    ]


def test_more_than_github_shows_are_counted():
    reports = [a_report(claim=f"claim-{number}") for number in range(ANNOTATIONS + 3)]
    *shown, last = told_to_github(reports, Path())
    assert len(shown) == ANNOTATIONS
    assert last == "::notice title=lstm-equivalence::3 more like these are in the log"
    assert len(list(told_to_github(reports[:ANNOTATIONS], Path()))) == ANNOTATIONS
