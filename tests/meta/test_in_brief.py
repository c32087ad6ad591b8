"""`--once`: every claim on one telling case of every adapter and mode; `--quick`: in no mode, and
without what takes long."""

from __future__ import annotations

import json
import re

import pytest

from fixtures.adapters import core, every_adapter, in_a_mode
from fixtures.cases import DTYPES, named_cases
from fixtures.claims import (
    Claim,
    all_claims,
    cases_of,
    checked_in_every_mode,
    not_applicable_on,
    not_checked_here,
    telling,
)
from fixtures.plugin.scheduling import parts_of
from fixtures.records.seconds import slow_claims
from tests.meta.conftest import CLAIMS, ROOT, Project
from tests.meta.kill_matrix import first_of_each_claim
from tests.meta.mutants import mutants

CASES = {case.name: case for case in named_cases()}

KNOWN = """
[[failure]]
adapter = "numpy"
claim = "output-last-step-is-h"
versions = "numpy >=1"
reason = "it does not"
link = "https://example.org"
case = "one-unit"
dtype = "float32"
"""


def pairs(*names: str) -> list[tuple]:
    every = [(CASES[name], dtype) for name in names for dtype in CASES[name].dtypes]
    return [(case, dtype) for case, dtype in every if dtype in DTYPES]


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (CASES, ("bidirectional-two-layers", "two-layers")),
        (("square", "smallest", "two-layers"), ("two-layers", "smallest")),
        (("bidirectional", "bidirectional-one-step"), ("bidirectional", "bidirectional-one-step")),
        (("four-layers", "three-widths", "one-unit"), ("one-unit", "four-layers")),
        (("one-step",), ("one-step", "one-step")),
        (("mnist", "mnist-digits"), ("mnist",)),
        ((), ()),
    ],
    ids=lambda value: "-or-".join(value) if len(value) < 4 else "every",
)
def test_telling_cases_come_before_simple_ones(names, chosen):
    found = telling(pairs(*names))
    expected = zip(chosen, ("float32", "float64"), strict=False)
    assert [(case.name, dtype) for case, dtype in found] == list(expected)


def collected(*arguments: str) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """What pytest collects of the real checkout: cases and dtypes by test and adapter."""
    result = Project(ROOT).pytest(
        "-all", "--collect-only", "-q", "-p", "no:cacheprovider", *arguments
    )
    assert result.returncode == 0, result.stdout
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for nodeid in re.findall(r"^tests/\S+::\S+\[\S+\]$", result.stdout, re.MULTILINE):
        test, adapter, case, dtype = parts_of(nodeid)
        found.setdefault((test.rpartition("::")[2], adapter), []).append((case, dtype))
    return found


def applicable(one: Claim, name: str) -> set[tuple[str, str]]:
    return {
        (case.name, dtype)
        for case, dtype in cases_of(one)
        if not (not_checked_here(one, name) or not_applicable_on(one, name, case, dtype))
    }


def test_every_claim_that_is_not_slow_is_checked_wherever_it_applies():
    found = collected("--quick")
    assert not [adapter for _, adapter in found if in_a_mode(adapter)], "a mode takes long to enter"
    running = [name for name, one in core().items() if not one.cannot_run()]
    for one in all_claims().values():
        for name in running:
            if (one.id, name) in slow_claims():
                assert (one.test, name) not in found
                continue
            chosen = found[one.test, name]
            assert len(chosen) == 1
            assert set(chosen) <= (applicable(one, name) or set(chosen))


def test_once_checks_every_claim_once_wherever_it_applies_in_modes_too():
    found = collected("--once")
    checked = {
        (one.test, name): applicable(one, name)
        for one in all_claims().values()
        for name, adapter in every_adapter().items()
        if not adapter.cannot_run() and not adapter.left_out()
        if not in_a_mode(name)
        or any(checked_in_every_mode(one, name, *pair) for pair in cases_of(one))
    }
    tests = {one.test for one in all_claims().values()}
    assert {key for key in found if key[0] in tests} == checked.keys()
    for key, cases in checked.items():
        [chosen] = found[key]
        assert chosen in cases or not cases


@pytest.mark.parametrize("words", [(), ("torch", "scaled")], ids=["all", "some"])
def test_once_tries_one_mutant_for_each_claim(words):
    result = Project(ROOT).pytest(
        "-all", "--once", "--collect-only", "-q", "-p", "no:cacheprovider",
        "tests/meta/test_mutants.py", "-k", " and ".join(words),
    )  # fmt: skip
    found = re.findall(r"test_mutant_is_caught\[(\S+)\]", result.stdout)
    of = [one for one in mutants() if all(word in one.name for word in words)]
    assert found == [one.name for one in first_of_each_claim(of)] != []


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "workers"])
@pytest.mark.parametrize("option", ["--once", "--quick"])
def test_a_run_in_brief_says_so_and_what_it_left_out(project: Project, option, workers):
    result = project.pytest(option, "--record=run.json", *workers)
    assert result.returncode == 0, result.stdout
    run = json.loads((project.path / "run.json").read_text())
    assert option in run["options"]
    assert (run["selected"], run["deselected"], run["complete"]) == (3, 4, True)
    assert sorted((one["claim"], one["case"], one["dtype"]) for one in run["checks"]) == [
        ("it-holds", "smallest", "float32"),
        ("it-is-rounded", "smallest", "float32"),
        ("it-is-torchs", "smallest", "float32"),
    ]
    assert f"{option} checks each claim once on an adapter" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "checked"),
    [
        (("--quick",), ["it-is-rounded", "it-is-torchs"]),
        (("--quick", "--claim", "it-*"), ["it-holds", "it-is-rounded", "it-is-torchs"]),
        (("--once",), ["it-holds", "it-is-rounded", "it-is-torchs"]),
    ],
    ids=["quick", "named", "once"],
)
def test_a_slow_claim_is_left_out_unless_it_is_named(project: Project, arguments, checked):
    project.write("fixtures/data/slow-claims.json", '{"it-holds": ["numpy"]}')
    assert project.pytest("--record=run.json", *arguments).returncode == 0
    run = json.loads((project.path / "run.json").read_text())
    assert sorted(one["claim"] for one in run["checks"]) == checked


def test_the_verdict_takes_nothing_that_was_left_out_for_gone(project: Project):
    project.pytest("--record=whole.json")
    project.pytest("--quick", "--record=quick.json")
    verdict = project.python("-m", "fixtures", "diff", "whole.json", "quick.json")
    assert "No verdict: 4 checks not selected; of 2 checks compared none regressed." in (
        verdict.stdout
    )
    assert verdict.returncode == 2


def test_it_thins_what_other_options_left(project: Project):
    result = project.pytest("--quick", "-k", "one-unit and float64")
    assert " 1 passed, 6 deselected in" in result.stdout


def test_a_known_failure_that_was_left_out_is_not_missed(project: Project):
    """The claim holds there, so the entry fails a run that checks it."""
    project.write("fixtures/data/known-failures.toml", KNOWN)
    project.write("tests/test_small.py", CLAIMS.replace("it_holds", "output_last_step_is_h"))
    assert project.pytest().returncode == pytest.ExitCode.TESTS_FAILED
    assert project.pytest("--quick").returncode == 0


@pytest.mark.parametrize(("arguments", "count"), [((), 4), (("--quick",), 1), (("--once",), 1),
                                                  (("--quick", "--fuzz", "1"), 4)])  # fmt: skip
def test_one_part_of_the_random_cases_is_drawn(project: Project, arguments, count):
    project.write("tests/test_random.py", (ROOT / "tests/test_random.py").read_text())
    result = project.pytest("--collect-only", "-q", *arguments)
    assert result.stdout.count("test_claims_hold_on_random_cases[") == count
