"""A copy of the suite to run pytest on, with tests of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest

from fixtures.adapters import every_adapter

ROOT = Path(__file__).parents[2]

# Before torch is imported: two workers with two threads each wait for one another, twenty times as
# long as they compute.
os.environ.setdefault("OMP_NUM_THREADS", "1")

CLAIMS = """
import numpy as np
from fixtures.cases import named
from fixtures.checks.compare import assert_same_bits, assert_structure, assert_within_rounding
from fixtures.claims import TORCH, claim
from fixtures.oracle.rounding import oracle_of


@claim(kind="exact", statement="It holds.", formula="h == h", cases=named("smallest", "one-unit"))
def test_it_holds(run):
    assert_same_bits(run.h[-1, 0], run.h[-1, 0])


@claim(kind="rounding", statement="It is so.", formula="h == h", cases=named("smallest"))
def test_it_is_rounded(run, oracle):
    assert_within_rounding(dict(run.tensors()), dict(oracle.tensors()))


@claim(kind="structure", statement="It is torch's.", formula="1 == 1", cases=named("smallest"),
       about=TORCH)
def test_it_is_torchs(run):
    assert_structure(1, 1)
"""
FAILING = """
import numpy as np
from fixtures.cases import named
from fixtures.checks.compare import assert_same_bits
from fixtures.claims import claim


@claim(kind="exact", statement="It fails.", formula="h == 2 h", cases=named("smallest"))
def test_it_fails(run):
    assert_same_bits(2 * run.h[-1, 0], run.h[-1, 0])
"""


WHOLE = "--kill-matrix"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        WHOLE,
        action="store_true",
        help="try the mutants on the claims that need not catch them, too, and write which do to "
        "report/",
    )


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With `--once` one mutant stands for all that a claim must catch, of those that every other
    option has selected, in whichever order."""
    if not config.option.once:
        return
    from tests.meta.kill_matrix import first_of_each_claim
    from tests.meta.mutants import Mutant, mutants

    def mutant_of(item: pytest.Item) -> object:
        callspec = getattr(item, "callspec", None)
        return callspec.params.get("mutant") if callspec else None

    given = {one.name for one in map(mutant_of, items) if isinstance(one, Mutant)}
    chosen = first_of_each_claim(one for one in mutants() if one.name in given)
    left_out = given - {one.name for one in chosen}
    kept, left = [], []
    for item in items:
        (left if getattr(mutant_of(item), "name", "") in left_out else kept).append(item)
    config.hook.pytest_deselected(items=left)
    items[:] = kept


def need(adapter: str) -> None:
    """Skips the test, with the reason, where this adapter cannot run."""
    if reason := every_adapter()[adapter].cannot_run():
        pytest.skip(reason)


def need_reports() -> None:
    """Skips the test, or the module, where what reports are made with is not installed."""
    for module in ("jinja2", "matplotlib"):
        pytest.importorskip(module, reason=f"{module} is not installed: no reports")


@dataclass(frozen=True)
class Project:
    """A checkout of the suite whose claims are the test's own."""

    path: Path

    def write(self, name: str, text: str) -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    def python(
        self, *arguments: str, cwd: Path | None = None, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Runs Python with these arguments; the variables come on top of a clean environment.

        tox's variables stay out: where they are set pytest keeps one cache for the whole
        environment, and tests that run beside each other would overwrite each other's.
        """
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("GITHUB_", "PYTEST_", "TOX_"))
        }
        for name in ("TF_USE_LEGACY_KERAS", "KERAS_BACKEND"):
            inherited.pop(name, None)
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=cwd or self.path,
            env=inherited | variables,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )

    def pytest(
        self, *arguments: str, cwd: Path | None = None, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Runs pytest on the project, on the numpy adapter unless the arguments say otherwise."""
        adapters = (
            () if "--adapters" in arguments or "-all" in arguments else ("--adapters", "numpy")
        )
        rest = [argument for argument in arguments if argument != "-all"]
        return self.python("-m", "pytest", *self.without(), *adapters, *rest, cwd=cwd, **variables)

    def without(self) -> tuple[str, ...]:
        """The plugin that is left out, as it shuffles."""
        return ("-p", "no:randomly")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with three claims: one exact, one of rounding, one about torch alone."""
    path = tmp_path / "checkout"
    (path / "report").mkdir(parents=True)
    for name in ("conftest.py", "pyproject.toml"):
        shutil.copy(ROOT / name, path)
    # With what is compiled of it, as to compile it anew takes longer than most tests that follow;
    # but for what another worker is just writing.
    shutil.copytree(ROOT / "fixtures", path / "fixtures", ignore=shutil.ignore_patterns("*.pyc.*"))
    made = Project(path)
    made.write("tests/test_small.py", CLAIMS)
    return made


@pytest.fixture
def failing(project: Project) -> Project:
    """The same, with a claim that fails."""
    project.write("tests/test_failing.py", FAILING)
    return project


@pytest.fixture(scope="module")
def chromium():
    """Chromium or Chrome, and its driver, as the machine has them."""
    pytest.importorskip("selenium", reason="selenium is not installed")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    browsers = filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome")))
    browser, chromedriver = next(browsers, None), shutil.which("chromedriver")
    if browser is None or chromedriver is None:
        pytest.skip("there is no browser: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for argument in (
        "headless=new", "no-sandbox", "disable-gpu", "no-first-run", "disable-sync",
        "disable-background-networking", "disable-component-update", "disable-dev-shm-usage",
    ):  # fmt: skip
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(chromedriver))
    yield driver
    driver.quit()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says what became of the mutants, whose rows may come from several workers, and writes the
    kill matrix if it was asked for."""
    from tests.meta import patterns
    from tests.meta.kill_matrix import PROPERTY, REPORT, report

    told = [
        value
        for reports in terminalreporter.stats.values()
        for one in reports
        for name, value in getattr(one, "user_properties", ())
        if name == PROPERTY
    ]
    if told:
        folder = REPORT if terminalreporter.config.getoption(WHOLE) else None
        terminalreporter.write_line(report({one["mutant"]: one["fates"] for one in told}, folder))
        if folder:
            patterns.tried({one["mutant"]: one["tries"] for one in told})
