"""The run record: whole, the same with workers as without, and never half written."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from fixtures.checks.check import Measurement
from fixtures.claims import TORCH
from fixtures.errors import BadInput
from fixtures.records import record
from fixtures.records.environment import cpu
from fixtures.records.record import NOT_REACHED
from tests.meta.conftest import Project
from tests.meta.records import EARLIER, FAILED, a_check, a_record

CHECK_FIELDS = {
    "nodeid", "line", "claim", "kind", "family", "claim_hash", "case", "case_hash", "adapter",
    "dtype", "outcome", "reason", "seconds", "measurement",
}  # fmt: skip


def recorded(project: Project, *arguments: str) -> dict:
    project.pytest("--record=run.json", *arguments)
    return json.loads((project.path / "run.json").read_text())


def checks(run: dict) -> dict[str, dict]:
    return {check["nodeid"]: check for check in run["checks"]}


def test_a_record_says_what_ran_on_what(project: Project):
    run = recorded(project, "--seed", "7")
    assert run["schema"] == record.SCHEMA
    assert run["complete"] is True
    assert run["seed"] == 7
    assert run["options"] == [*project.without(), "--adapters", "numpy", "--record=run.json",
                              "--seed", "7"]  # fmt: skip
    assert (run["selected"], run["deselected"], len(run["checks"])) == (7, 0, 7)
    assert run["environment"]["cpu"] == cpu()
    assert set(run["adapters"]) == {"numpy"}
    assert run["adapters"]["numpy"]["cannot_run"] is None


def test_a_check_says_all_there_is_to_know(project: Project):
    run = recorded(project)
    by_id = checks(run)
    one = by_id["tests/test_small.py::test_it_is_rounded[numpy-smallest-float32]"]
    assert set(one) == CHECK_FIELDS
    assert (one["claim"], one["kind"], one["adapter"]) == ("it-is-rounded", "rounding", "numpy")
    assert (one["case"], one["dtype"], one["outcome"]) == ("smallest", "float32", "proven")
    measured = one["measurement"]
    assert 0 < measured["worst"] <= measured["bound"] == 5.0
    assert 0 < measured["rms"] <= measured["rms_bound"] == 0.9
    assert 0 < measured["spread"] < 2**-10
    assert (measured["informative"], measured["elements"]) == (1.0, 2 * 3 * 5 + 2 * 2 * 5)
    left_out = by_id["tests/test_small.py::test_it_is_torchs[numpy-not-applicable]"]
    assert (left_out["outcome"], left_out["reason"]) == ("not applicable", TORCH.because)


def test_workers_record_what_one_process_records(project: Project):
    def without_time(run: dict) -> dict[str, dict]:
        return {name: check | {"seconds": 0} for name, check in checks(run).items()}

    alone, workers = recorded(project), recorded(project, "-n", "2")
    assert without_time(alone) == without_time(workers)
    assert (alone["selected"], alone["complete"]) == (workers["selected"], workers["complete"])


def test_a_second_run_repeats_every_output(project: Project):
    outputs = [
        [check["measurement"] and check["measurement"]["output"] for check in run["checks"]]
        for run in (recorded(project), recorded(project))
    ]
    assert outputs[0] == outputs[1]


def test_a_failure_is_recorded_with_its_report(failing: Project):
    run = recorded(failing, "-k", "fails")
    one = checks(run)["tests/test_failing.py::test_it_fails[numpy-smallest-float32]"]
    assert one["outcome"] == "failed"
    assert "claim it-fails (exact) does not hold" in one["reason"]
    assert one["measurement"]["worst"] == 10.0
    assert run["deselected"] == 7


def test_a_run_stopped_early_is_not_complete(failing: Project):
    run = recorded(failing, "-x", "tests/test_failing.py", "tests/test_small.py")
    assert run["complete"] is False
    assert len(run["checks"]) == run["selected"] == 9
    assert [check["outcome"] for check in run["checks"]].count("failed") == 1
    assert [check["reason"] for check in run["checks"]].count(NOT_REACHED) == 7
    assert [check["outcome"] for check in run["checks"]].count("not applicable") == 1


def test_a_run_that_is_killed_leaves_no_earlier_runs_record(project: Project):
    """Nor does one that is told to end, by whatever sends a signal to a job that takes too long."""
    project.write("run.json", EARLIER)
    project.write(
        "killed.py",
        """
        import os

        def pytest_runtest_logreport(report):
            if report.when == "teardown":
                os.kill(os.getpid(), 9)
        """,
    )
    assert project.pytest("-p", "killed", "--record=run.json", PYTHONPATH=".").returncode == -9
    run = json.loads((project.path / "run.json").read_text())
    assert run["complete"] is False
    assert {check["outcome"] for check in run["checks"]} <= {"not run", "not applicable"}


def test_warnings_are_recorded(project: Project):
    project.write(
        "tests/test_small.py",
        """
        import warnings
        from fixtures.cases import named
        from fixtures.checks.compare import assert_structure
        from fixtures.claims import claim

        @claim(kind="structure", statement="s", formula="f", cases=named("smallest"))
        def test_warns(run):
            with warnings.catch_warnings():
                warnings.simplefilter("default")
            warnings.warn_explicit("old", FutureWarning, "framework.py", 1, module="framework")
            assert_structure(1, 1)
        """,
    )
    assert recorded(project)["warnings"] == {"FutureWarning: old": 2}


def test_collecting_only_writes_no_record(project: Project):
    project.pytest("--collect-only", "--record=run.json")
    assert not (project.path / "run.json").exists()


def test_an_interrupted_write_leaves_the_earlier_record(tmp_path, monkeypatch):
    path = tmp_path / "run.json"
    path.write_text(json.dumps(a_record()))
    earlier, new = path.read_text(), replace(record.read(path), seed=7)

    def fail(*_, **__):
        raise OSError("no space left")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(BadInput, match=r"run\.json: it could not be written \(no space left\)\."):
        record.write(new)
    assert path.read_text() == earlier
    assert list(tmp_path.iterdir()) == [path]


def test_numbers_that_json_has_not_become_null(tmp_path):
    path = tmp_path / "run.json"
    path.write_text(json.dumps(a_record()))
    found = record.read(path)
    ((key, one),) = found.checks.items()
    odd = replace(one, measurement=Measurement("rounding", worst=math.nan, rms=math.inf, bound=1.5))
    record.write(replace(found, checks={key: odd}))
    told = json.loads(path.read_text())["checks"][0]["measurement"]
    assert (told["worst"], told["rms"], told["bound"]) == (None, None, 1.5)


def test_what_was_written_is_read_back_as_it_was(tmp_path):
    path = tmp_path / "run.json"
    path.write_text(
        json.dumps(a_record(a_check(), a_check("it-fails", **FAILED), outputs="values"))
    )
    found = record.read(path)
    record.write(replace(found, path=tmp_path / "again.json"))
    assert record.read(tmp_path / "again.json") == replace(found, path=tmp_path / "again.json")
