"""Nothing is run twice, and nothing is imported that is not needed."""

from __future__ import annotations

import re
from typing import ClassVar

import pytest

from fixtures.adapters.numpy import Numpy
from fixtures.cases import named_cases
from fixtures.checks.run_cache import RunCache
from fixtures.plugin.scheduling import case_in
from tests.meta.conftest import ROOT, Project, need

COUNT = """
    import collections
    import os
    from pathlib import Path

    import fixtures.checks.context
    from fixtures.adapters.numpy import Numpy

    runs = collections.Counter()
    run, oracle_of = Numpy.run, fixtures.checks.context.oracle_of

    def counted_run(self, experiment):
        runs["run", experiment.dtype] += 1
        return run(self, experiment)

    def counted_oracle(experiment, seed, **options):
        runs["oracle", experiment.dtype] += 1
        return oracle_of(experiment, seed, **options)

    Numpy.run, fixtures.checks.context.oracle_of = counted_run, counted_oracle

    def pytest_sessionfinish(session):
        worker = os.environ.get("PYTEST_XDIST_WORKER", "alone")
        lines = [f"{what} {dtype} {count}" for (what, dtype), count in sorted(runs.items())]
        Path(f"runs-{worker}.txt").write_text("\\n".join(lines))
"""
IMPORTED = """
    import sys

    def pytest_sessionfinish(session):
        names = ("torch", "tensorflow", "keras", "tf_keras")
        print("imported:", [name for name in names if name in sys.modules])
"""


def test_each_case_is_run_once_however_many_claims_look_at_it(project: Project):
    """Several claims see `smallest` and `one-unit`: two runs, and one oracle, per dtype."""
    project.write("count.py", COUNT)
    small = (project.path / "tests" / "test_small.py").read_text()
    project.write("tests/test_again.py", small.replace("def test_it", "def test_again_it"))
    assert project.pytest("-p", "count", PYTHONPATH=".").returncode == 0
    counts = (project.path / "runs-alone.txt").read_text().splitlines()
    assert counts == ["oracle float32 1", "oracle float64 1", "run float32 2", "run float64 2"]


def test_with_workers_each_case_is_still_run_once(project: Project):
    project.write("count.py", COUNT)
    assert project.pytest("-p", "count", "-n", "2", PYTHONPATH=".").returncode == 0
    counts = [
        line
        for path in project.path.glob("runs-gw*.txt")
        for line in path.read_text().splitlines()
        if line.startswith("run")
    ]
    assert sum(int(line.split()[-1]) for line in counts) == 4


def test_whoever_chooses_a_distribution_gets_it(project: Project):
    by_case = project.pytest("-n", "2", "-v").stdout
    by_test = project.pytest("-n", "2", "--dist", "loadfile", "-v").stdout
    assert "scheduling tests via ByCase" in by_case
    assert "scheduling tests via LoadFileScheduling" in by_test


@pytest.mark.parametrize(
    ("nodeid", "case"),
    [
        ("tests/test_x.py::test_y[torch-two-layers-float32]", "two-layers"),
        ("tests/test_x.py::test_y[keras3-smallest-float64]", "smallest"),
        ("tests/test_x.py::test_y[tf1-not-applicable]", "tests/test_x.py::test_y[tf1"),
        ("tests/test_x.py::test_mutant[tf1-no-bias]", "tests/test_x.py::test_mutant[tf1"),
        ("tests/test_x.py::test_y", "tests/test_x.py::test_y"),
    ],
)
def test_a_checks_case_is_read_off_its_id(nodeid, case):
    assert case_in(nodeid) == case


def test_a_failed_run_is_not_tried_again():
    class Broken(Numpy):
        tries = 0

        def run(self, _):
            Broken.tries += 1
            raise RuntimeError("broken")

    run_cache, case = RunCache(0), named_cases()[0]
    for _ in range(3):
        with pytest.raises(RuntimeError, match="broken"):
            run_cache.run(Broken(), case, "float32")
    assert Broken.tries == 1


def test_every_recipe_is_a_run_of_its_own():
    run_cache, case = RunCache(0), named_cases()[0]
    assert run_cache.run(Numpy(), case, "float32") is run_cache.run(Numpy(), case, "float32")
    assert run_cache.run(Numpy(), case, "float32") is not run_cache.run(
        Numpy(), case, "float32", "lengths"
    )


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        (("--adapters", "numpy", "-k", "last_step_is_h and smallest"), []),
        (("--adapters", "torch", "-k", "last_step_is_h and smallest"), ["torch"]),
        (("-all", "--collect-only"), []),
    ],
    ids=["numpy", "torch", "collect-only"],
)
def test_no_framework_is_imported_before_a_claim_needs_it(project, arguments, allowed):
    if "torch" in arguments:
        need("torch")
    project.write("imported.py", IMPORTED)
    real = Project(ROOT)
    result = real.pytest(
        "-p", "imported", "-s", "-q", "-p", "no:cacheprovider", *arguments,
        PYTHONPATH=str(project.path),
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    assert re.search(r"imported: (\[.*?\])", result.stdout).group(1) == str(allowed)


def test_an_adapter_gives_up_a_recipe_that_it_inherits():
    class Fixed(Numpy):
        absent: ClassVar = {"lengths": "all of its rows are as long"}

    assert Numpy().lacks("lengths") is None
    assert Fixed().lacks("lengths") == "all of its rows are as long"
    assert Fixed().lacks("run") is None
