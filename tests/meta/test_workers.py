"""What xdist's workers are given, and what of theirs reaches the record."""

from __future__ import annotations

import json
import os
import re

import pytest

from tests.meta.conftest import Project

PRETEND = """
import os
from pathlib import Path

threads = {n: os.environ.get(n) for n in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")}

from fixtures.adapters.numpy import Numpy

Numpy.surface = lambda self: {"numpy.layer": "(x, units=4)"}
Numpy.flags = lambda self: {"threads": "1"}


def pytest_sessionfinish(session):
    if name := os.environ.get("PYTEST_XDIST_WORKER"):
        Path(f"threads-{name}.txt").write_text(str(threads))
"""


def record(project: Project) -> dict:
    return json.loads((project.path / "run.json").read_text())


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "workers"])
def test_the_public_surface_is_recorded(project: Project, workers):
    project.write("pretend.py", PRETEND)
    project.pytest("-p", "pretend", "--record=run.json", *workers, PYTHONPATH=".")
    assert record(project)["adapters"]["numpy"]["surface"] == {"numpy.layer": "(x, units=4)"}
    assert record(project)["adapters"]["numpy"]["flags"] == {"threads": "1"}


@pytest.mark.parametrize("given", [{}, {"OMP_NUM_THREADS": "7"}], ids=["shared", "the-users"])
def test_workers_share_the_cores_unless_the_user_has_decided(project, monkeypatch, given):
    """From their start, before NumPy is imported."""
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):
        monkeypatch.delenv(name, raising=False)
    project.write("pretend.py", PRETEND)
    project.pytest("-p", "pretend", "-n", "2", PYTHONPATH=".", **given)
    share = str(max(1, os.cpu_count() // 2))
    expected = {"OMP_NUM_THREADS": share, "TF_NUM_INTRAOP_THREADS": share} | given
    told = [path.read_text() for path in project.path.glob("threads-gw*.txt")]
    assert told == [str(expected)] * 2


def test_a_run_that_workers_stop_early_is_not_complete(failing: Project):
    everywhere = failing.path / "tests" / "test_failing.py"
    everywhere.write_text(everywhere.read_text().replace(', cases=named("smallest")', ""))
    failing.pytest("-n", "2", "-x", "-k", "fails", "--record=run.json")
    run = record(failing)
    outcomes = [check["outcome"] for check in run["checks"]]
    assert len(outcomes) == run["selected"]
    assert 1 <= outcomes.count("failed") < len(outcomes)
    assert outcomes.count("failed") + outcomes.count("not run") == len(outcomes)
    assert run["complete"] is False


def test_a_check_that_took_its_worker_down_was_not_run(project: Project):
    project.write(
        "tests/test_small.py",
        """
        import os
        from fixtures.cases import named
        from fixtures.checks.compare import assert_structure
        from fixtures.claims import claim

        @claim(kind="structure", statement="s", formula="f", cases=named("smallest", "one-unit"),
               dtypes=("float32",))
        def test_lost(run, case):
            if case.name == "smallest":
                os._exit(3)
            assert_structure(1, 1)
        """,
    )
    result = project.pytest("-n", "2", "--max-worker-restart=0", "--record=run.json")
    assert result.returncode != 0
    assert re.search(r"^what was not run\n  lost +NOT RUN 1/2 *$", result.stdout, re.MULTILINE)
    lost = {check["case"]: check for check in record(project)["checks"]}["smallest"]
    assert (lost["outcome"], lost["line"]) == ("not run", 7)
    assert lost["reason"] == "the process crashed in which it ran"
