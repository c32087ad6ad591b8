"""What a CI server reads of a run: JUnit's properties and GitHub's annotations."""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import subprocess
import textwrap
import xml.etree.ElementTree as ET
from pathlib import Path
from types import SimpleNamespace

import pytest

from fixtures.plugin import fuzzing
from fixtures.plugin.ci import ANNOTATIONS, properties, told_to_github
from fixtures.plugin.reporting import PROPERTY
from tests.meta.conftest import ROOT, Project, need_reports
from tests.meta.records import a_check, a_record


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


def test_junit_says_what_was_measured(failing: Project):
    """In a worker, from which it comes by the same way."""
    failing.pytest("--junit-xml=junit.xml", "-n", "1")
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


def test_of_random_cases_the_simplest_is_shown_after_every_named_one():
    def at_random(numbers):
        alarm = {"claim": "it-fails", "adapter": "torch", "case": f"random-{numbers}",
                 "dtype": "float32", "numbers": numbers}  # fmt: skip
        return a_report(
            message=f"{numbers}", user_properties=[(fuzzing.PROPERTY, {"alarm": alarm})]
        )

    reports = [at_random(500), at_random(20)]
    (told,) = told_to_github(reports, Path())
    assert told.endswith("2 failures::20")
    (told,) = told_to_github([*reports, a_report(case="thousand-steps", message="named")], Path())
    assert told.endswith("3 failures::named")


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


# The workflow's own scripts, as they stand in it.

WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"
GH = """#!/bin/bash
# Writes down how it is called; `state` holds the ids of the comments that are there.
echo "$@" >> called
case "$*" in *--paginate*) cat state ;; esac
"""


def script(name: str) -> str:
    """What the workflow's step of this name runs."""
    step = WORKFLOW.read_text().partition(f"- name: {name}\n")[2].partition("\n      - ")[0]
    return textwrap.dedent(step.partition("run: |\n")[2])


def run(text: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """As GitHub runs it."""
    shell = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", text]
    return subprocess.run(
        shell, cwd=folder, env=os.environ | variables, capture_output=True, text=True, check=False
    )


needs_bash = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")


@needs_bash
@pytest.mark.parametrize(
    ("there", "call"),
    [
        ("", "--method POST --field body=@comment.md repos/o/r/issues/7/comments"),
        ("31\n32\n", "--method PATCH --field body=@comment.md repos/o/r/issues/comments/31"),
    ],
    ids=["first", "update"],
)
def test_the_comment_of_a_pull_request_is_updated_in_place(tmp_path, there, call):
    (tmp_path / "verdict.md").write_text("**é**" + "é" * 100_000)
    (tmp_path / "state").write_text(there)
    gh = tmp_path / "gh"
    gh.write_text(GH)
    gh.chmod(0o755)
    ended = run(
        script("Say it in the one comment of the pull request"), tmp_path,
        PATH=f"{tmp_path}:{os.environ['PATH']}", GITHUB_REPOSITORY="o/r", NUMBER="7",
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    listed, told = (tmp_path / "called").read_text().splitlines()
    assert "repos/o/r/issues/7/comments" in listed
    assert told == f"api --silent {call}"
    comment = (tmp_path / "comment.md").read_text()
    assert comment.startswith("<!-- lstm-equivalence: verdict -->\n**é**")
    assert len(comment.encode()) < 65_536


@needs_bash
def test_the_last_job_merges_and_judges(project: Project):
    need_reports()

    def record(name, **changed):
        path = project.path / "records" / name / "run.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(a_record(**changed)))
        return path

    def judged():
        summary = project.path / "summary"
        summary.unlink(missing_ok=True)
        ended = run(script("Merge the records, and judge"), project.path,
                    GITHUB_STEP_SUMMARY=str(summary), COLUMNS="300")  # fmt: skip
        return ended.returncode, summary.read_text() if summary.exists() else ended.stderr

    pinned = record("record-claims-1")
    record("record-keras-backends-1", environment={"KERAS_BACKEND": "jax"})
    status, shown = judged()
    assert status == 0, shown
    assert shown.startswith("**No verdict: there is no earlier record.**\n")
    assert re.search(r"^ +numpy +numpy@keras-backends$", shown, re.MULTILINE)
    assert "<html" in (project.path / "report" / "report.html").read_text()
    (project.path / "before").mkdir()
    shutil.copy(project.path / "report" / "all.json", project.path / "before")
    failing = a_record(a_check(outcome="failed", reason="no"))
    pinned.write_text(json.dumps(failing))
    status, shown = judged()
    assert (status, shown.partition(":")[0]) == (1, "**Regressed")
    pinned.write_text("{")
    status, shown = judged()
    assert status == 2
    assert "**The records cannot be merged.**" in shown
    assert "is not whole JSON" in shown


def test_ci_runs_every_environment_that_tox_runs():
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini")
    lists = re.findall(r"^ +environment: \[(.*)\]$", WORKFLOW.read_text(), re.MULTILINE)
    run_there = {name for one in lists for name in one.split(", ")}
    assert run_there >= set(tox["tox"]["envlist"].split(", "))
    merged = re.search(r"for environment in (.*); do", WORKFLOW.read_text())
    _, sharded, frameworks = lists
    assert ["claims", *merged[1].split()] == f"{sharded}, {frameworks}".split(", ")


@needs_bash
@pytest.mark.parametrize("path", ["action.yml", ".github/workflows/ci.yml"])
def test_scripts_are_whole(path, tmp_path):
    """No quote, bracket or block is left open, and no expression of GitHub's is in them: a title
    that holds a quote would be run."""
    found = re.findall(r"^( *)run: \|\n((?:\1 +.*\n|\n)+)", (ROOT / path).read_text(), re.MULTILINE)
    assert found
    for _, text in found:
        assert "${{" not in text
        ended = run(f"bash -n <<'END_OF_SCRIPT'\n{textwrap.dedent(text)}\nEND_OF_SCRIPT", tmp_path)
        assert ended.returncode == 0, ended.stderr


def test_every_input_of_the_action_is_used():
    text = (ROOT / "action.yml").read_text()
    inputs = re.findall(r"^  (\w+):$", text.partition("inputs:")[2].partition("outputs:")[0], re.M)
    assert len(inputs) >= 5
    for name in inputs:
        variable = re.search(rf"(\w+): \${{{{ inputs\.{name} }}}}", text)
        assert variable, name
        assert f"${variable[1]}" in text.partition("run: |")[2]


PYTHON = """#!/bin/bash
# Writes down how it is called, and does what the suite would leave behind.
echo "$@" >> "$RUNNER_TEMP/called"
case "$*" in
  "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
  "-m pip "*" broken"*) exit 1 ;;
  "-m pytest "*) all="$*" && record="${all#*--record=}"; touch "${record%% *}"; exit "$FAILED" ;;
  "-m fixtures diff "*) echo "the verdict"; exit "$REGRESSED" ;;
  "-m fixtures merge "*) echo "the matrix" ;;
esac
"""


@needs_bash
@pytest.mark.parametrize(
    ("inputs", "status", "verdict"),
    [
        ({}, 0, "```text\nthe matrix\n```\n"),
        ({"FAILED": "1"}, 1, "```text\nthe matrix\n```\n"),
        ({"BEFORE": "keras==3.0"}, 0, "the verdict\n"),
        ({"BEFORE": "keras==3.0", "FAILED": "1"}, 0, "the verdict\n"),
        ({"BEFORE": "keras==3.0", "REGRESSED": "2"}, 2, "the verdict\n"),
        ({"REQUIREMENTS": "broken"}, 1, None),
        ({"BEFORE": "broken"}, 1, None),
    ],
)
def test_the_action_fails_by_the_run_or_by_the_verdict(tmp_path, inputs, status, verdict):
    """Between two runs the verdict alone decides: what failed before may fail."""
    python = tmp_path / "python"
    python.write_text(PYTHON)
    python.chmod(0o755)
    summary = tmp_path / "summary"
    text = (ROOT / "action.yml").read_text().partition("run: |\n")[2]
    variables = {
        "REQUIREMENTS": "keras==3.15.1 -r it.txt", "BEFORE": "", "ADAPTERS": "torch,keras3",
        "CLAIMS": "a-claim,torch-*", "ARGUMENTS": "--quick -x", "PYTHON3": str(python),
        "SUITE": str(tmp_path), "RUNNER_TEMP": str(tmp_path), "FAILED": "0", "REGRESSED": "0",
        "GITHUB_OUTPUT": str(tmp_path / "out"), "GITHUB_STEP_SUMMARY": str(summary),
    }  # fmt: skip
    ended = run(textwrap.dedent(text), tmp_path, **variables | inputs)
    assert ended.returncode == status, ended.stderr
    assert (summary.read_text() if summary.exists() else None) == verdict
    called = (tmp_path / "called").read_text()
    if verdict is None:
        assert "pytest" not in called.partition("broken")[2]
        return
    assert f"--quiet {tmp_path} keras==3.15.1 -r it.txt\n" in called
    assert ".json --quick -x --adapters torch,keras3 --claim a-claim,torch-*\n" in called
    named = dict(line.split("=", 1) for line in (tmp_path / "out").read_text().splitlines())
    assert Path(named["verdict"]).read_text() == verdict
    assert Path(named["record"]).name == "after.json"
