"""A fault of the machine is never a verdict about a framework: killed, full, interrupted, slow."""

from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
import sys
import time

import pytest

import fixtures.__main__
from fixtures.errors import NotRun, not_run_because
from fixtures.records.diff import diff
from fixtures.records.record import NOT_REACHED, Record, read
from tests.meta.conftest import Project

MINUTES_TWO = 120
CRASHED = "the process crashed in which it ran"
HEAD = """
import os
import signal
import time
from pathlib import Path

import pytest
from fixtures.cases import named
from fixtures.checks.compare import assert_refused, assert_same_bits
from fixtures.claims import claim

every = named("smallest", "one-unit", "two-layers", "two-widths", "bidirectional", "zero-bias")
"""
DYING = """
def die_once(name, case, dtype):
    if name == f"{case.name}-{dtype}":
        try:
            Path("died-of-" + name).touch(exist_ok=False)
        except FileExistsError:
            return
        os.kill(os.getpid(), signal.SIGKILL)


@claim(kind="exact", statement="s", formula="f", cases=every)
def test_one(run, case, check):
    for name in DEATHS:
        die_once(name, case, check.dtype)
    assert_same_bits(run.output, run.output)


@claim(kind="exact", statement="s", formula="f", cases=every)
def test_two(run):
    assert_same_bits(run.output, run.output)
"""


def run_within_two_minutes(project: Project, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "-m", "pytest", *project.without(), "--adapters", "numpy",
               "-p", "no:cacheprovider", "--record=run.json", *arguments)  # fmt: skip
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return subprocess.run(
        command, cwd=project.path, env=clean, capture_output=True, encoding="utf-8", check=False,
        timeout=MINUTES_TWO,
    )  # fmt: skip


def record(project: Project) -> Record:
    return read(project.path / "run.json")


def not_run(stored: Record) -> dict[str, str]:
    """The reasons by the claim, case and dtype of the checks."""
    return {
        f"{one.claim}-{one.case}-{one.dtype}": one.reason
        for one in stored.checks.values()
        if one.outcome == "not run"
    }


@pytest.mark.parametrize(
    "deaths",
    [
        ["smallest-float32"],
        ["two-layers-float64"],
        ["zero-bias-float64"],
        ["smallest-float32", "one-unit-float32"],
        ["two-layers-float32", "two-layers-float64", "bidirectional-float32", "zero-bias-float64"],
    ],
    ids=["first", "middle", "last", "both-workers", "four-deaths"],
)
def test_a_killed_worker_costs_the_check_that_was_running_and_no_more(project: Project, deaths):
    project.write("tests/test_small.py", HEAD + f"DEATHS = {deaths}\n" + DYING)
    result = run_within_two_minutes(project, "-n", "2")
    assert result.returncode == pytest.ExitCode.TESTS_FAILED
    stored = record(project)
    assert not_run(stored) == {f"one-{name}": CRASHED for name in deaths}
    assert not stored.complete
    assert {one.outcome for one in stored.checks.values()} == {"proven", "not run"}
    total = len(stored.checks)
    sentence = f"it says nothing about {len(deaths)} of {total} selected checks"
    assert sentence in result.stdout
    assert stored.gaps == [
        f"{project.path / 'run.json'} is incomplete: {sentence}: {CRASHED} ({len(deaths)})."
    ]
    assert f"{len(deaths)} not run" in result.stdout.splitlines()[-1]


def test_a_check_that_always_kills_its_worker_is_run_once(project: Project):
    text = DYING.replace('Path("died-of-" + name).touch(exist_ok=False)', "pass")
    project.write("tests/test_small.py", HEAD + "DEATHS = ['smallest-float32']\n" + text)
    result = run_within_two_minutes(project, "-n", "2")
    assert result.returncode == pytest.ExitCode.TESTS_FAILED
    assert not_run(record(project)) == {"one-smallest-float32": CRASHED}
    assert result.stdout.count("replacing crashed worker") == 1


def test_where_every_check_kills_its_worker_the_run_ends(project: Project):
    text = HEAD + DYING.replace(
        "    for name in DEATHS:", "    os.kill(os.getpid(), 9)\n    for _ in ():"
    )
    project.write("tests/test_small.py", text)
    result = run_within_two_minutes(project, "-n", "2")
    assert result.returncode != 0
    stored = record(project)
    assert not stored.complete
    reasons = set(not_run(stored).values())
    assert reasons == {CRASHED, NOT_REACHED}
    assert all(one.outcome != "failed" for one in stored.checks.values())


def test_workers_that_are_not_replaced_leave_no_whole_record(project: Project):
    project.write("tests/test_small.py", HEAD + "DEATHS = ['smallest-float32']\n" + DYING)
    result = run_within_two_minutes(project, "-n", "2", "--max-worker-restart=0")
    assert result.returncode != 0
    assert not record(project).complete


def test_a_worker_that_dies_of_random_cases_leaves_no_whole_record(project: Project):
    """They are no checks of the record, and what they would have said is missing all the same."""
    project.write(
        "tests/test_other.py", "import os\n\ndef test_dies():\n    os.kill(os.getpid(), 9)\n"
    )
    result = run_within_two_minutes(project, "-n", "2")
    assert result.returncode == pytest.ExitCode.TESTS_FAILED
    assert not not_run(record(project))
    assert not record(project).complete


INTERRUPTED = """
@claim(kind="exact", statement="s", formula="f", cases=every)
def test_one(run, case):
    if case.name == "two-layers" and Path("wait").exists():
        Path(f"reached-{os.getpid()}").touch()
        time.sleep(60)
    assert_same_bits(run.output, run.output)
"""


@pytest.mark.parametrize("workers", ["0", "2"])
def test_an_interrupted_run_has_neither_regressed_nor_lost_anything(project: Project, workers):
    project.write("tests/test_small.py", HEAD + INTERRUPTED)
    assert run_within_two_minutes(project, "-n", workers).returncode == 0
    whole = project.path / "whole.json"
    (project.path / "run.json").rename(whole)
    project.write("wait", "")
    with subprocess.Popen(
        (sys.executable, "-m", "pytest", *project.without(), "-n", workers, "--adapters", "numpy",
         "--record=run.json"),
        cwd=project.path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8",
    ) as process:  # fmt: skip
        while not list(project.path.glob("reached-*")):
            time.sleep(0.1)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        words = process.communicate(timeout=MINUTES_TWO)[0]
    assert process.returncode == pytest.ExitCode.INTERRUPTED, words
    stored, before = record(project), read(whole)
    assert not stored.complete
    assert stored.checks.keys() == before.checks.keys()
    assert set(not_run(stored).values()) == {NOT_REACHED}
    assert any(one.outcome == "proven" for one in stored.checks.values())
    found = diff(before, stored)
    assert {one.kind for one in found.changes} == {"same", "not run"}
    assert not [one for one in found.around if one.kind in ("surface", "adapter")]
    assert found.exit_status == 2
    assert "of 0 selected" not in " ".join(found.gaps)


class ResourceExhaustedError(Exception):
    """As TensorFlow calls it, whose class is known by its name alone."""


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (FULL, "OSError: No space left on device"),
        (TimeoutError("60 s"), "TimeoutError: 60 s"),
        (MemoryError("no more"), "MemoryError: out of memory"),
        (ResourceExhaustedError("OOM when\nallocating"), "ResourceExhaustedError: out of memory"),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
            "RuntimeError: out of memory",
        ),
        (
            pytest.fail.Exception("Timeout (>60.0s) from pytest-timeout."),
            "Failed: Timeout (>60.0s) from pytest-timeout.",
        ),
        (NotRun("torch cannot be imported"), "torch cannot be imported"),
        (
            caused(ValueError("it cannot be saved"), FULL),
            "OSError: No space left on device",
        ),
        (ValueError("shapes differ"), None),
        (RuntimeError("allocate"), None),
        (AssertionError("[Errno 28]"), None),
        (ImportError("no module named keras.src.x"), None),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)  # fmt: skip
def test_files_memory_and_time_are_the_machines(error, why):
    assert not_run_because(error) == why


LACKING = """
def raises(error):
    raise error


@claim(kind="exact", statement="s", formula="f", cases=every)
def test_disk(run, case):
    if case.name == "smallest":
        raise OSError(28, "No space left on device")
    assert_same_bits(run.output, run.output)


@pytest.fixture
def slow():
    raise MemoryError("no more")


@claim(kind="exact", statement="s", formula="f", cases=every)
def test_memory(slow, run):
    assert_same_bits(run.output, run.output)


@claim(kind="structure", statement="s", formula="f", cases=every)
def test_refused(run):
    assert_refused(lambda: raises(MemoryError("no more")), ValueError, "no")
"""


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_check_without_disk_or_memory_was_not_run(project: Project, workers):
    project.write("tests/test_small.py", HEAD + LACKING)
    result = run_within_two_minutes(project, "-n", workers, "-k", "smallest or two-layers")
    assert result.returncode == pytest.ExitCode.TESTS_FAILED
    stored = record(project)
    ended: dict[str, set[tuple[str, str]]] = {}
    for one in stored.checks.values():
        if one.case in ("smallest", "two-layers"):
            ended.setdefault(one.claim, set()).add((one.outcome, one.reason))
    full = ("not run", "OSError: No space left on device")
    assert ended == {
        "disk": {full, ("proven", "")},
        "memory": {("not run", "MemoryError: out of memory")},
        "refused": {("not run", "MemoryError: out of memory")},
    }
    assert re.search(r"^  disk +NOT RUN 2/", result.stdout, re.MULTILINE)
    assert "FAIL" not in result.stdout
    assert "Traceback" not in result.stdout
    assert fixtures.__main__.main(["diff", *[str(project.path / "run.json")] * 2]) == 2, (
        "a run of which a part was not run is not the same as itself"
    )


FULL_DISK = """
import fixtures.records.outputs as outputs
from fixtures.errors import BadInput

save = outputs.save

def full(folder, key, arrays):
    if key[2] == "smallest":
        raise BadInput("it could not be written") from OSError(28, "No space left on device")
    save(folder, key, arrays)

outputs.save = full
"""


@pytest.mark.parametrize("workers", ["0", "2"])
def test_values_that_cannot_be_kept_fail_the_run_and_no_claim(project: Project, workers):
    project.write("full_disk.py", FULL_DISK)
    result = project.pytest(
        "-n", workers, "-p", "full_disk", "--record=run.json", "--outputs=values", PYTHONPATH="."
    )
    assert result.returncode == pytest.ExitCode.TESTS_FAILED
    stored = record(project)
    assert {one.outcome for one in stored.checks.values()} == {"proven", "not applicable"}
    assert not stored.complete
    assert stored.not_kept == 4
    said = "as --outputs could not keep the values of 4 checks: No space left on device."
    assert said in result.stdout


MISSING = """
import fixtures.adapters.torch as torch_adapter

torch_adapter.installed = torch_adapter.shadow = lambda *distributions, module: None
"""


def test_an_adapter_that_must_be_there_fails_the_run(project: Project):
    project.write("hide_torch.py", MISSING)
    arguments = ("-p", "hide_torch", "-all", "-k", "holds and numpy")
    result = project.pytest(*arguments, "--require-all", PYTHONPATH=".")
    assert result.returncode == pytest.ExitCode.USAGE_ERROR
    assert result.stderr.strip().endswith(
        "--require-all: torch cannot run here: torch is not installed: python -m pip install torch."
    )
    without = project.pytest(*arguments, PYTHONPATH=".")
    assert without.returncode == 0
    last = without.stdout.splitlines()[-2]
    assert last.startswith("Missing: torch")
    named = ("-p", "hide_torch", "--adapters", "numpy", "--require-all", "-k", "holds")
    assert project.pytest(*named, PYTHONPATH=".").returncode == 0


def test_a_backend_that_is_not_there_is_loud_where_it_is_expected(project: Project):
    result = project.pytest("-all", "--require-all", KERAS_BACKEND="nonsense")
    assert result.returncode == pytest.ExitCode.USAGE_ERROR
