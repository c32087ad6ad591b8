"""Adapters that cannot live in one process: workers for them, and Keras 3 on several backends."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path

import pytest

from fixtures.adapters import every_adapter
from fixtures.records.record import read
from tests.meta.conftest import ROOT, Project, need

APART = '''
import os
from pathlib import Path

from fixtures.adapters.numpy_training import NumpyTraining


class Apart(NumpyTraining):
    """NumPy, but not in one process with an adapter of another."""

    def __init__(self, name, process):
        self.name, self.process = name, process

    def load(self):
        if os.environ.setdefault("TAKEN_BY", self.process) != self.process:
            raise RuntimeError("another adapter has been in this process")
        deadly = Path(os.environ.get("DEADLY", "nowhere"), self.name)
        if deadly.exists():
            deadly.unlink()
            os._exit(1)


def named():
    pairs = {"together": "", "first": "1", "second": "2", "third": "1"}
    return {name: Apart(name, process) for name, process in pairs.items()}
'''
ALL = "together,first,second,third"


@pytest.fixture
def apart(project: Project) -> Project:
    """A project with adapters that need three processes in all, two of them the same."""
    project.write("fixtures/adapters/apart.py", APART)
    file = project.path / "fixtures" / "adapters" / "__init__.py"
    before = "return {**core(), **further()"
    text = file.read_text()
    assert text.count(before) == 1
    file.write_text(text.replace(before, f"{before}, **apart.named()"))
    with file.open("a") as more:
        more.write("\n\nfrom fixtures.adapters import apart  # noqa: E402\n")
    return project


def proven(path: Path) -> list[tuple[str, str]]:
    checks = read(path).checks.values()
    return sorted((one.claim, one.adapter) for one in checks if one.outcome == "proven")


def workers(said: str) -> set[str]:
    return set(re.findall(r"^\[(gw\d+)\]", said, re.MULTILINE))


@pytest.mark.parametrize(("n", "number"), [("", 3), ("-n0", 3), ("-n2", 3), ("-n4", 4)])
def test_every_process_has_a_worker(apart: Project, n, number) -> None:
    result = apart.pytest("--adapters", ALL, *filter(None, [n]), "-v", "--record=report/run.json")
    assert result.returncode == 0, result.stdout
    assert len(workers(result.stdout)) == number
    claims = ("it-holds", "it-holds", "it-is-rounded")
    assert proven(apart.path / "report/run.json") == sorted(
        (claim, adapter)
        for claim in claims
        for adapter in ALL.split(",")
        for _ in ("float32", "float64")
    )


def test_one_process_needs_no_worker(apart: Project) -> None:
    result = apart.pytest("--adapters", "first,third", "-v")
    assert (result.returncode, workers(result.stdout)) == (0, set())


def test_a_selection_of_them_is_run_and_what_failed_is_run_again(apart: Project) -> None:
    one = apart.pytest("--adapters", ALL, "--claim", "it-holds", "-k", "smallest and float32", "-v")
    assert (one.returncode, len(re.findall("PASSED", one.stdout))) == (0, 4)
    alone = apart.pytest("--adapters", ALL, "-k", "second and rounded", "-v")
    assert (alone.returncode, len(re.findall("PASSED", alone.stdout))) == (0, 2)
    apart.write("tests/test_more.py", FAILS_ON_SECOND)
    failing = apart.pytest("--adapters", ALL)
    assert failing.returncode == 1
    assert re.search(r"\b1 failed, \d+ passed", failing.stdout)
    again = apart.pytest("--adapters", ALL, "--lf", "-v")
    assert re.findall(r"FAILED \S+\[(\w+)-", again.stdout)[0] == "second"
    assert not re.search("PASSED", again.stdout)
    first = apart.pytest("--adapters", ALL, "-x")
    assert "stopping after 1 failures" in first.stdout


FAILS_ON_SECOND = """
from fixtures.cases import named
from fixtures.checks.compare import assert_structure
from fixtures.claims import claim


@claim(kind="structure", statement="It is not the second.", formula="1 == 1",
       cases=named("smallest"), dtypes=("float32",))
def test_it_is_not_the_second(adapter):
    assert_structure(adapter.name == "second", False)
"""


def test_a_worker_that_dies_is_replaced_by_one_of_its_process(apart: Project) -> None:
    deadly = apart.path / "deadly"
    deadly.mkdir()
    (deadly / "second").touch()
    result = apart.pytest("--adapters", ALL, "--record=report/run.json", DEADLY=str(deadly))
    assert result.returncode == 1
    assert "replacing crashed worker" in result.stdout
    record = read(apart.path / "report/run.json")
    lost = [one for one in record.checks.values() if one.outcome == "not run"]
    assert [(one.adapter, one.reason) for one in lost] == [
        ("second", "the process crashed in which it ran")
    ]
    assert not record.complete


@pytest.mark.parametrize("option", ["--pdb", "--dist=loadfile", "-p=no:xdist"])
def test_what_knows_no_processes_is_refused(apart: Project, option) -> None:
    result = apart.pytest("--adapters", ALL, *option.split("=", option.startswith("-p")))
    assert result.returncode == pytest.ExitCode.USAGE_ERROR, result.stdout
    assert "first, second, third: beside other adapters" in result.stderr


# Keras 3 on its backends.

FEW = ("--claim", "output-last-step-is-h,every-value-is-the-oracles", "-k", "smallest and not gru")


def test_a_backend_beside_others_gives_what_it_gives_alone(tmp_path) -> None:
    """One run with a column for each backend, against a run under KERAS_BACKEND: to the bit."""
    for name in ("keras3@jax", "keras3@torch"):
        need(name)
    suite = Project(ROOT)
    together = suite.pytest(
        "--adapters", "keras3@jax,keras3@torch,numpy", *FEW, f"--record={tmp_path / 'all.json'}"
    )
    assert together.returncode == 0, together.stdout
    record = read(tmp_path / "all.json")
    assert list(record.adapters) == ["numpy", "keras3@jax", "keras3@torch"]
    for backend in ("jax", "torch"):
        path = tmp_path / f"{backend}.json"
        alone = suite.pytest(
            "--adapters", "keras3", *FEW, f"--record={path}", KERAS_BACKEND=backend
        )
        assert alone.returncode == 0, alone.stdout
        assert record.adapters[f"keras3@{backend}"].flags == read(path).adapters["keras3"].flags
        assert found(record, f"keras3@{backend}") == found(read(path), "keras3")


def found(record, adapter):
    """What was measured of each check, and a hash of the very bits."""
    return {
        (one.claim, one.case, one.dtype): (
            one.outcome, one.reason, one.case_hash, one.measurement and asdict(one.measurement)
        )
        for one in record.checks.values()
        if one.adapter == adapter
    }  # fmt: skip


def test_plain_runs_leave_other_backends_out() -> None:
    names = [name for name in every_adapter() if name.startswith("keras3@")]
    assert names == ["keras3@jax", "keras3@torch", "keras3@numpy", "keras3@openvino"]
    assert all(every_adapter()[name].left_out() for name in names)
    assert len({every_adapter()[name].process for name in names}) == 4
