"""Every way in which a check can end reaches the record and the matrix under its own name."""

from __future__ import annotations

import json
import os
import re

import pytest

from tests.meta.conftest import Project
from tests.meta.records import EARLIER

ODD = """
import numpy as np
import pytest
from fixtures.cases import named
from fixtures.checks.compare import assert_same_bits
from fixtures.claims import claim


def odd(**options):
    one = {"kind": "exact", "statement": "s", "formula": "f", "cases": named("smallest")}
    return claim(**one | {"dtypes": ("float32",)} | options)


@pytest.fixture
def broken_before():
    raise RuntimeError("broken before")


@pytest.fixture
def broken_after():
    yield
    raise RuntimeError("broken after")


@odd()
def test_holds(run):
    assert_same_bits(run.output, run.output)


@odd()
def test_nan(run):
    wrong = np.where(run.output == run.output[1, 2, 3], np.nan, run.output)
    assert_same_bits(wrong.astype("float32"), wrong.astype("float32"))


@odd()
def test_crash(run):
    raise RuntimeError("broken within")


@odd()
def test_before(run, broken_before):
    assert_same_bits(run.output, run.output)


@odd()
def test_after(run, broken_after):
    assert_same_bits(run.output, run.output)


@odd(cases=named("two-widths"), recipe="time_major")
def test_lacks(run):
    assert_same_bits(run.output, run.output)
"""
KNOWN = """
[[failure]]
adapter = "numpy"
claim = "nan"
versions = "numpy"
reason = "it is not a number"
link = "https://example.org/1"
"""


def outcomes(project: Project) -> dict[str, tuple[str, str]]:
    checks = json.loads((project.path / "run.json").read_text())["checks"]
    return {check["claim"]: (check["outcome"], check["reason"]) for check in checks}


def test_every_outcome_has_its_name_and_its_reason(project: Project):
    project.write("tests/test_small.py", ODD)
    result = project.pytest("--record=run.json")
    assert result.returncode == pytest.ExitCode.TESTS_FAILED
    found = outcomes(project)
    assert {claim: outcome for claim, (outcome, _) in found.items()} == {
        "holds": "proven",
        "nan": "failed",
        "crash": "failed",
        "before": "error",
        "after": "error",
        "lacks": "not applicable",
    }
    assert found["holds"] == ("proven", "")
    assert "1 of 30 elements are NaN or infinite, the first at [1, 2, 3]" in found["nan"][1]
    assert "broken within" in found["crash"][1]
    assert "broken before" in found["before"][1]
    assert "broken after" in found["after"][1]
    assert found["lacks"][1] == "NumPy arrays have no layout option to test"
    for claim in ("nan", "crash", "before", "after"):
        assert re.search(rf"^  {claim} +FAIL 1/1", result.stdout, re.MULTILINE)


def test_a_known_failure_is_recorded_as_such(project: Project):
    project.write("tests/test_small.py", ODD)
    project.write("fixtures/data/claim-ids.txt", "nan 0.1.0\n")
    project.write("fixtures/data/known-failures.toml", KNOWN)
    assert project.pytest("--record=run.json", "-k", "nan or holds").returncode == 0
    reason = "it is not a number <https://example.org/1>"
    assert outcomes(project) == {"holds": ("proven", ""), "nan": ("known failure", reason)}


def test_an_interrupted_run_is_recorded_as_not_complete(project: Project):
    text = ODD.replace('RuntimeError("broken within")', "KeyboardInterrupt")
    project.write("tests/test_small.py", text)
    assert project.pytest("--record=run.json").returncode == pytest.ExitCode.INTERRUPTED
    assert json.loads((project.path / "run.json").read_text())["complete"] is False
    assert outcomes(project)["holds"] == ("proven", "")


def test_a_run_interrupted_after_its_last_check_is_not_complete(project: Project):
    project.write(
        "tests/test_small.py", ODD.replace('RuntimeError("broken after")', "KeyboardInterrupt")
    )
    project.pytest("--record=run.json", "-k", "after")
    assert outcomes(project) == {"after": ("proven", "")}
    assert json.loads((project.path / "run.json").read_text())["complete"] is False


def test_an_adapter_that_cannot_run_is_recorded_with_the_reason(project: Project):
    project.write(
        "hide_torch.py",
        """
        import fixtures.adapters.torch as torch_adapter

        torch_adapter.installed = lambda *distributions, module: None
        """,
    )
    project.pytest("-p", "hide_torch", "-all", "-k", "numpy", "--record=run.json", PYTHONPATH=".")
    adapters = json.loads((project.path / "run.json").read_text())["adapters"]
    assert adapters["torch"]["cannot_run"] == (
        "torch is not installed: python -m pip install torch"
    )
    assert adapters["numpy"]["cannot_run"] is None


def test_a_skipped_check_is_not_shown_as_proven(project: Project):
    text = ODD.replace('raise RuntimeError("broken within")', 'pytest.skip("not today")')
    project.write("tests/test_small.py", text)
    result = project.pytest("-k", "holds or crash", "--record=run.json")
    assert outcomes(project)["crash"] == ("skipped", "not today")
    assert re.search(r"^  holds +1 =", result.stdout, re.MULTILINE)
    assert re.search(r"^  crash +SKIP 1/1$", result.stdout, re.MULTILINE)
    assert "  skipped, crash on numpy: not today" in result.stdout
    assert result.returncode == pytest.ExitCode.TESTS_FAILED
    assert "A claim was skipped, and not because it is not applicable" in result.stdout


@pytest.mark.parametrize("mark", ['skip("not today")', 'skip(reason="not today")', "skip"])
def test_a_claim_that_is_marked_as_skipped_is_recorded_as_such(project: Project, mark):
    text = ODD.replace("@odd()\ndef test_crash", f"@pytest.mark.{mark}\n@odd()\ndef test_crash")
    project.write("tests/test_small.py", text)
    result = project.pytest("-k", "holds or crash", "--record=run.json")
    assert "INTERNALERROR" not in result.stdout + result.stderr
    assert outcomes(project)["crash"][0] == "skipped"
    assert result.returncode == pytest.ExitCode.TESTS_FAILED


def test_a_file_that_cannot_be_read_makes_the_run_incomplete(project: Project):
    project.write("tests/test_unreadable.py", "import nothing_of_this_name")
    project.pytest("--continue-on-collection-errors", "--record=run.json")
    run = json.loads((project.path / "run.json").read_text())
    assert run["complete"] is False
    assert len(run["checks"]) == run["selected"] == 7


@pytest.mark.parametrize(
    "arguments",
    [("tests/no_such_file.py",), ("-k", "no_such_claim"), ("--collect-only",)],
    ids=["no-such-file", "no-such-claim", "collect-only"],
)
def test_a_run_of_nothing_leaves_an_earlier_record_alone(project: Project, arguments):
    record = project.write("run.json", EARLIER)
    project.pytest("--record=run.json", *arguments)
    assert record.read_text() == EARLIER


def test_a_file_that_cannot_be_read_leaves_an_earlier_record_alone(project: Project):
    record = project.write("run.json", EARLIER)
    project.write("tests/test_unreadable.py", "import nothing_of_this_name")
    result = project.pytest("--record=run.json")
    assert result.returncode == pytest.ExitCode.INTERRUPTED
    assert record.read_text() == EARLIER
    assert "record: none written, as nothing was run" in result.stdout


STOPPED = """
import pytest

@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session):
    raise KeyboardInterrupt
"""


def test_a_run_that_is_stopped_before_its_first_check_says_what_it_lost(project: Project):
    record = project.write("run.json", EARLIER)
    project.write("stopping.py", STOPPED)
    result = project.pytest("--record=run.json", "-p", "stopping", PYTHONPATH=".")
    assert result.returncode == pytest.ExitCode.INTERRUPTED
    found = json.loads(record.read_text())
    assert not found["complete"]
    assert {check["outcome"] for check in found["checks"]} <= {"not run", "not applicable"}
    assert "record: run.json" in result.stdout.replace(str(project.path) + "/", "")


def test_a_claim_that_picks_no_case_fails_in_one_sentence(project: Project):
    project.write("tests/test_small.py", ODD.replace('named("two-widths")', "lambda case: False"))
    result = project.pytest()
    assert result.returncode == pytest.ExitCode.INTERRUPTED
    assert "claim lacks picks no case; widen its `cases` or add one." in result.stdout
    assert "selection.py" not in result.stdout


@pytest.fixture
def broken_torch(project: Project) -> Project:
    """A project beside which a torch is installed that cannot be imported."""
    project.write("bad/torch/__init__.py", "raise ImportError('libtorch.so is missing\\nsee docs')")
    project.write("bad/torch-9.9.9.dist-info/METADATA", "Name: torch\nVersion: 9.9.9\n")
    project.write("tests/test_small.py", ODD)
    return project


def test_a_framework_that_cannot_be_imported_is_one_line(broken_torch: Project):
    project = broken_torch
    result = project.pytest(
        "--adapters", "torch,numpy", "--record=run.json", "-k", "holds", PYTHONPATH="bad"
    )
    assert result.returncode == pytest.ExitCode.TESTS_FAILED
    assert "INTERNALERROR" not in result.stdout + result.stderr
    why = "torch cannot be imported (ImportError: libtorch.so is missing)"
    told = "The run fails, as it says nothing about 1 of 2 selected checks: "
    assert [line for line in result.stdout.splitlines() if "libtorch" in line] == [
        f"{told}{why} (1)."
    ]
    run = json.loads((project.path / "run.json").read_text())
    assert run["complete"] is False
    ended = {check["adapter"]: (check["outcome"], check["reason"]) for check in run["checks"]}
    assert ended == {"torch": ("not run", why), "numpy": ("proven", "")}


def test_a_module_in_a_frameworks_place_is_named_and_lends_it_no_version(project: Project):
    project.write("site/torch-9.9.9.dist-info/METADATA", "Name: torch\nVersion: 9.9.9\n")
    project.write("site/torch/__init__.py", "")
    (project.path / "elsewhere").mkdir()
    shadow = project.write("elsewhere/torch.py", "raise ImportError")
    path = os.pathsep.join(("elsewhere", "site"))
    result = project.pytest("-all", "-k", "holds", PYTHONPATH=path)
    why = f"import torch finds {shadow}, which is not the installed torch 9.9.9: take its folder"
    assert re.search(rf"^  torch: +cannot run: {re.escape(why)}", result.stdout, re.MULTILINE)
    assert "torch 9.9.9\n" not in result.stdout
    asked = project.pytest("--adapters", "torch", PYTHONPATH=path)
    assert asked.returncode == pytest.ExitCode.USAGE_ERROR
    assert why in asked.stderr


def test_a_record_that_cannot_be_written_in_the_end_is_one_sentence(project: Project):
    project.write(
        "remove.py",
        """
        import shutil

        def pytest_runtest_logreport(report):
            shutil.rmtree("folder", ignore_errors=True)
        """,
    )
    (project.path / "folder").mkdir()
    result = project.pytest("-p", "remove", "--record=folder/run.json", PYTHONPATH=".")
    assert result.returncode == pytest.ExitCode.INTERNAL_ERROR
    assert re.search(r"^--record .*: it could not be written \(No such file", result.stdout, re.M)
    assert re.search(r"^  it-holds +4 =", result.stdout, re.MULTILINE)
    assert "Traceback" not in result.stdout + result.stderr
