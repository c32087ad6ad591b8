"""Adapters that live outside of the repository: found, checked, refused, and told about."""

from __future__ import annotations

import inspect
import json
import re
import shutil
import subprocess
import sys
import types
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from fixtures.adapters import RECIPES, Adapter, adapters
from fixtures.adapters.base import COMES_WITH
from fixtures.cases import experiments, named_cases
from fixtures.claims import all_claims, registry
from tests.meta.conftest import ROOT, Project, need_reports
from tests.meta.test_options import refused

SPECIMEN = Path(__file__).parent / "specimen"
CLASS = "plain_lstm.adapter:PlainLSTM"
FAULT = "PLAIN_LSTM_FORGETS_LESS"
VALUES = ("--quick", "--claim", "every-value-is-the-oracles,output-last-step-is-h")
PAGE = (ROOT / "docs" / "own-adapter.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of an environment into which the specimen was installed."""
    if missing := [name for name in ("pip", "setuptools") if find_spec(name) is None]:
        pytest.skip(f"{missing[0]} is not installed")
    folder = tmp_path_factory.mktemp("environment")
    source = shutil.copytree(SPECIMEN, folder / "source")
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation",
         "--no-index", "--disable-pip-version-check", "--target", str(folder / "site"),
         str(source)],
        check=True,
    )  # fmt: skip
    return folder / "site"


def suite(site: Path, *arguments: str, cwd: Path | None = None, **variables: str):
    """pytest on the real claims, where the specimen is installed."""
    return Project(ROOT).pytest(
        str(ROOT), "-p", "no:cacheprovider", *arguments, cwd=cwd, PYTHONPATH=str(site), **variables
    )


@pytest.mark.parametrize("name", ["plain", CLASS])
def test_the_specimen_is_sound_without_its_fault_and_is_caught_with_it(site, tmp_path, name):
    sound = suite(site, "--adapters", name, *VALUES, cwd=tmp_path)
    assert sound.returncode == 0, sound.stdout + sound.stderr
    assert re.search(r"^  every-value-is-the-oracles +\d+ \d\.\d\d$", sound.stdout, re.MULTILINE)
    faulty = suite(site, "--adapters", name, *VALUES, cwd=tmp_path, **{FAULT: "1"})
    assert faulty.returncode == pytest.ExitCode.TESTS_FAILED
    assert re.search(r"^  every-value-is-the-oracles +FAIL \d+/\d+ .* spreads$", faulty.stdout,
                     re.MULTILINE)  # fmt: skip
    assert re.search(r"^  output-last-step-is-h +\d+ =$", faulty.stdout, re.MULTILINE)


def test_the_command_in_a_failure_message_finds_the_class_again(project, site):
    arguments = ("--adapters", CLASS, "-k", "rounded and float32")
    faulty = project.pytest(*arguments, PYTHONPATH=str(site), **{FAULT: "1"})
    node, options = re.search(r"rerun +pytest '(.*?)' (.*)", faulty.stdout).groups()
    again = project.pytest(node, *options.split(), PYTHONPATH=str(site), **{FAULT: "1"})
    assert "1 failed in" in again.stdout


def test_workers_find_it_and_its_record_needs_it_no_more(site, tmp_path):
    need_reports()
    ran = suite(
        site, "--adapters", f"{CLASS},numpy", "-n", "2", "--require-all", "--record=run.json",
        *VALUES, cwd=tmp_path,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    record = json.loads((tmp_path / "run.json").read_text())
    assert set(record["adapters"]) == {"plain", "numpy"}
    assert record["adapters"]["plain"]["versions"] == {"numpy": np.__version__}
    for command, wanted in (
        (("matrix", "run.json", "--full"), r"every-value-is-the-oracles +\d \d\.\d\d +\d \d"),
        (("matrix", "run.json", "--columns", "plain"), r"every-value-is-the-oracles +\d \d\.\d\d$"),
        (("diff", "run.json", "run.json", "--selected"), r"^same \(4 checks\)"),
        (("report", "run.json", "-o", "run.html"), ""),
        (("report", "run.json", "run.json", "-o", "both.html"), ""),
        (("history", "run.json", "-o", "history.html"), ""),
        (("merge", "a=run.json", "-o", "all.json"), "plain"),
    ):
        told = Project(ROOT).python(
            "-m", "fixtures", *command, cwd=tmp_path, PYTHONPATH=str(ROOT)
        )  # fmt: skip
        assert told.returncode == 0, told.stderr
        assert re.search(wanted, told.stdout, re.MULTILINE)
    assert "plain" in (tmp_path / "run.html").read_text(encoding="utf-8")


# Installed adapters


def announce(folder: Path, package: str, **entries: str) -> Path:
    """A package that announces these adapters, and need not have them."""
    info = folder / f"{package}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    lines = [f"{name} = {value}" for name, value in entries.items()]
    (info / "entry_points.txt").write_text("\n".join(["[lstm_equivalence.adapters]", *lines]))
    return folder


def test_a_plain_run_takes_what_is_installed(project: Project, site):
    ran = project.pytest("-all", "--collect-only", PYTHONPATH=str(site))
    assert re.search(r"^  plain: +numpy \d", ran.stdout, re.MULTILINE)


def test_a_broken_one_is_said_to_be_so_where_it_is_not_named(project: Project, tmp_path):
    site = announce(tmp_path / "site", "shaky", shaky="shaky_module:Adapter")
    reason = "of shaky, shaky_module:Adapter cannot be imported .*No module named 'shaky_module'"
    plain = project.pytest("-all", "--collect-only", PYTHONPATH=str(site))
    assert re.search(rf"^  shaky: +cannot run: {reason}", plain.stdout, re.MULTILINE)
    refused(
        project.pytest("-all", "--require-all", PYTHONPATH=str(site)),
        rf"--require-all: shaky cannot run here: {reason}",
    )
    refused(
        project.pytest("--adapters", "shaky", PYTHONPATH=str(site)),
        rf"--adapters: shaky cannot run here: {reason}",
    )


def test_what_is_not_named_is_not_imported(project: Project, tmp_path):
    site = announce(tmp_path / "site", "loud", loud="loud_module:Adapter")
    (site / "loud_module.py").write_text("raise SystemExit('it was imported')")
    assert project.pytest("--adapters", "numpy", PYTHONPATH=str(site)).returncode == 0


@pytest.mark.parametrize(
    ("entries", "sentence"),
    [
        ({"of_one": {"mine": CLASS}}, "calls itself 'plain'; let both names be one"),
        ({"one": {"mine": "a:B"}, "other": {"mine": "c:D"}}, "one and other are installed, and"),
        ({"one": {"mine": "json:dumps"}}, "json:dumps is no subclass of fixtures.adapters.Adapter"),
    ],
)
def test_an_installed_one_that_is_none_cannot_run(project, site, tmp_path, entries, sentence):
    found = [str(announce(tmp_path / name, name, **one)) for name, one in entries.items()]
    path = ":".join([*found, str(site)])
    refused(project.pytest("--adapters", "mine", PYTHONPATH=path), f"mine cannot run.*{sentence}")


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("numpy", CLASS, "numpy"),
        ("my-lstm", CLASS, "has the name 'my-lstm'; make it one of letters"),
    ],
)
def test_an_installed_one_has_a_name_of_its_own(project, site, tmp_path, name, value, sentence):
    folder = announce(tmp_path / "other", "other", **{name: value})
    path = f"{folder}:{site}"
    refused(project.pytest("--adapters", name, PYTHONPATH=path), f"--adapters: .*{sentence}")


# Classes

GOOD = """
from fixtures.adapters.modes import InMode, Mode
from fixtures.adapters.numpy import Numpy
from dataclasses import replace


class Mine(Numpy):
    name = "mine"

    def modes(self):
        return [Twice(Mode(name="twice", about="called twice", in_effect={"calls": 2}))]


class Twice(InMode, Mine):
    outside = "mine"
    calls = 2

    def run(self, experiment):
        for _ in range(self.calls):
            run = super().run(experiment)
        return replace(run, seen={"calls": self.calls})
"""


@pytest.mark.parametrize(
    ("wanted", "change", "sentence"),
    [
        ("nowhere:Mine", (), r"nowhere:Mine: there is no module nowhere in .* or on Python's path"),
        ("mine.deep:Mine", (), "mine.deep:Mine: there is no module mine.deep in"),
        ("mine:Nobody", (), "mine:Nobody: the module mine has no class Nobody"),
        ("mine:replace", (), "mine:replace is no subclass of fixtures.adapters.Adapter; make it"),
        ("mine:Mine", ('"mine"', '"numpy"'), "'numpy', which is that of fixtures.adapters.numpy"),
        ("mine:Mine", ('"mine"', '"my-lstm"'), "the name 'my-lstm'; make it one of letters, dig"),
        ("mine:Mine", ('"mine"', '"my:lstm"'), "the name 'my:lstm'; make it one of letters, dig"),
        ("mine:Mine", ('"mine"', "3"), "the name 3; make it one of letters, digits"),
        ("mine:Mine", ('"twice"', '"two-fold"'), "a mode 'mine:two-fold'; call it mine: and one"),
        ("mine:Mine", ("    name =", "    def __init__(self, size):\n        pass\n    name ="),
         r"mine:Mine cannot be used \(TypeError: .*'size'"),
        ("mine:Mine", ("class Mine", "import no_such_thing\n\n\nclass Mine"),
         r"cannot be imported \(ModuleNotFoundError: No module named 'no_such_thing'"),
        ("mine:Mine", ("class Mine", "None.x\n\n\nclass Mine"), r"imported \(AttributeError: '"),
        ("mine:Mine", ("class Mine", "class Mine(\n"), r"cannot be imported \(SyntaxError: "),
        ("fixtures.adapters:Adapter", (), r"cannot be used \(TypeError: .*abstract.*load"),
    ],
)  # fmt: skip
def test_what_is_no_adapter_ends_in_one_sentence(project, tmp_path, wanted, change, sentence):
    (tmp_path / "mine.py").write_text(GOOD.replace(*change) if change else GOOD)
    ran = project.pytest("--adapters", wanted, PYTHONPATH=str(tmp_path))
    refused(ran, f"--adapters: .*{sentence}")


def test_a_module_in_the_folder_is_found_and_hides_nothing(project: Project, tmp_path):
    (tmp_path / "mine.py").write_text(GOOD)
    (tmp_path / "numpy.py").write_text("raise RuntimeError('the wrong one')")
    command = (str(project.path), "--adapters", "mine:Mine", "--record=run.json")
    ran = project.python(
        "-c", "import pytest, sys; sys.path.pop(0); sys.exit(pytest.main(sys.argv[1:]))",
        *project.without(), *command, cwd=tmp_path,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert set(json.loads((tmp_path / "run.json").read_text())["adapters"]) == {"mine"}


def test_its_modes_are_run_by_name_and_must_be_in_effect(project: Project, tmp_path):
    (tmp_path / "mine.py").write_text(GOOD)
    arguments = ("--adapters", "mine:Mine,mine:*", "-n", "2")
    ran = project.pytest(*arguments, PYTHONPATH=str(tmp_path))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert re.search(r"^ +mine +mine:twice$", ran.stdout, re.MULTILINE)
    (tmp_path / "mine.py").write_text(GOOD.replace("calls = 2", "calls = 1"))
    ran = project.pytest("--adapters", "mine:Mine,mine:*", PYTHONPATH=str(tmp_path))
    assert ran.returncode == pytest.ExitCode.TESTS_FAILED
    assert re.search(r"^  it-holds +4 = +FAIL 4/4", ran.stdout, re.MULTILINE)


# Known failures beside it

KNOWN = """
[[failure]]
adapter = "plain"
claim = "every-value-is-the-oracles"
versions = "numpy >=1"
reason = "it forgets less than it should"
link = "https://example.org/1"
"""


def test_known_failures_stand_beside_it_and_are_as_strict(site, tmp_path):
    (tmp_path / "known.toml").write_text(KNOWN)
    arguments = ("--adapters", CLASS, "--known", "known.toml", *VALUES)
    faulty = suite(site, *arguments, cwd=tmp_path, **{FAULT: "1"})
    assert faulty.returncode == 0, faulty.stdout + faulty.stderr
    assert re.search(r"^  every-value-is-the-oracles +KNOWN ", faulty.stdout, re.MULTILINE)
    sound = suite(site, *arguments, cwd=tmp_path)
    assert sound.returncode == pytest.ExitCode.TESTS_FAILED
    assert "[XPASS(strict)] it forgets less than it should" in sound.stdout


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (('"plain"', '"plian"'), "known.toml, entry 1: there is no adapter 'plian'"),
        (("numpy >=1", "nunpy >=1"), "known.toml, entry 1: no adapter runs 'nunpy'"),
        (("reason", "raison"), "known.toml, entry 1: raison, reason missing or unknown"),
    ],
)
def test_known_failures_that_are_malformed_are_refused(site, tmp_path, change, sentence):
    (tmp_path / "known.toml").write_text(KNOWN.replace(*change))
    ran = suite(site, "--adapters", CLASS, "--known", "known.toml", *VALUES, cwd=tmp_path)
    refused(ran, sentence)


# conformance


def conformance(site, tmp_path, *arguments, **variables):
    path = f"{ROOT}:{site}"
    return Project(ROOT).python(
        "-m", "fixtures", "conformance", *arguments, cwd=tmp_path, PYTHONPATH=path, **variables
    )


def test_conformance_says_what_there_is_and_what_to_look_at(site, tmp_path):
    only = "--pytest=--claim every-value-is-the-oracles,output-last-step-is-h"
    sound = conformance(site, tmp_path, "plain", only)
    assert sound.returncode == 0, sound.stdout + sound.stderr
    assert "  recipes  run, repeated\n" in sound.stdout
    assert "  recipes  lengths: plain_lstm has no lengths\n" in sound.stdout
    assert re.search(r"^  agreement +1 ", sound.stdout, re.MULTILINE)
    assert "it conforms" in sound.stdout
    assert "- run: python -m pytest lstm-equivalence -n auto --adapters plain " in sound.stdout
    (tmp_path / "known.toml").write_text(KNOWN)
    faulty = conformance(site, tmp_path, CLASS, only, **{FAULT: "1"})
    assert faulty.returncode == 1, faulty.stderr
    assert "  every-value-is-the-oracles, on " in faulty.stdout
    assert f"    pytest --claim every-value-is-the-oracles --adapters {CLASS}\n" in faulty.stdout
    assert "1 claim of 2 to look at" in faulty.stdout
    known = conformance(site, tmp_path, CLASS, only, "--known", "known.toml", **{FAULT: "1"})
    assert known.returncode == 0, known.stdout
    assert f"--adapters {CLASS} --known known.toml --record=run.json" in known.stdout


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("output=below[1:].swapaxes(0, 1)", "run returns output of float32 [2, 2, 5]; make it fl"),
        ("output=below.swapaxes(0, 1) * 1.0j", "run returns output of complex64"),
        ("output=list(below)", "run returns output of list []; make it float32 [2, 3, 5]"),
    ],
)
def test_conformance_begins_with_shapes(site, tmp_path, change, sentence):
    source = (site / "plain_lstm" / "adapter.py").read_text()
    (tmp_path / "mine.py").write_text(source.replace("output=below.swapaxes(0, 1)", change))
    told = conformance(site, tmp_path, "mine:PlainLSTM")
    assert told.returncode == 1, told.stderr
    assert f"not as it should be: on smallest in float32, {sentence}" in told.stdout
    assert "checked" not in told.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("nowhere:Mine",), "there is no module nowhere"),
        (("nobody",), "there is no adapter 'nobody'; there are torch, "),
        (("plain", "--known", "nothing.toml"), "nothing.toml cannot be read"),
    ],
)
def test_conformance_of_what_cannot_be_had_is_refused(site, tmp_path, arguments, sentence):
    told = conformance(site, tmp_path, *arguments)
    assert told.returncode == 2
    assert sentence in told.stderr
    assert "Traceback" not in told.stderr


# The protocol


class Bare(Adapter):
    """Every recipe, and nothing else that a claim may ask for."""

    name = "bare"
    masked_output = "zeros"

    def load(self):
        pass

    def run(self, experiment):
        raise NotImplementedError


for recipe in RECIPES:
    setattr(Bare, recipe, Bare.run)


def asked_of(claim) -> set[str]:
    """The recipes and attributes of the adapter that a claim's test names."""
    source = inspect.getsource(registry.test_of(claim))
    return {*re.findall(r'recipe\("(\w+)"', source), *re.findall(r"\badapter\.(\w+)", source)}


@pytest.mark.parametrize("name", all_claims())
def test_a_claim_about_any_adapter_asks_for_recipes_alone(name):
    claim, bare = all_claims()[name], Bare()
    of_one_interface = claim.about is not None and not claim.about.picks(bare)
    if not of_one_interface and not bare.lacks(claim.recipe):
        allowed = {claim.recipe, *COMES_WITH.get(claim.recipe, ()), *dir(Adapter)}
        assert asked_of(claim) <= allowed


def test_what_a_recipe_comes_with_is_asked_for():
    class WithoutAnAdam(Bare):
        train, added_to_the_norm = None, 0.0

    told = "the recipe trained of bare comes without own_adam"
    assert WithoutAnAdam().lacks("trained") == told
    WithoutAnAdam.own_adam = None
    assert WithoutAnAdam().lacks("trained") is None


def test_an_adapter_needs_a_name_to_load_and_to_run():
    class Least(Adapter):
        name = "least"
        distributions = ("numpy", "no-such-distribution")

        def load(self):
            pass

        def run(self, experiment):
            raise NotImplementedError

    least = Least()
    assert least.versions() == {"numpy": np.__version__}
    assert least.cannot_run() == (
        "no-such-distribution is not installed: python -m pip install no-such-distribution"
    )
    assert least.lacks("gradients") == "nobody has written the recipe gradients for least"


def test_the_page_names_every_recipe():
    table = PAGE.partition("| recipe |")[2].partition("\n\n")[0]
    named = {name for row in table.splitlines() for name in re.findall(r"`(\w+)`", row[:140])}
    assert set(RECIPES) - {"run"} <= named


def test_the_adapter_on_the_page_runs(monkeypatch):
    """Its package is the specimen's layer, with the same arguments."""
    monkeypatch.syspath_prepend(SPECIMEN / "src")
    from plain_lstm import layer

    monkeypatch.setitem(sys.modules, "my_package", types.SimpleNamespace(LSTM=layer.LSTM))
    names = {"__name__": "on_the_page"}
    exec(re.search(r"```py\n(.*?)```", PAGE, re.DOTALL)[1], names)  # noqa: S102
    mine, numpy = names["MyLSTM"](), adapters()["numpy"]
    mine.load()
    tried = ("smallest", "two-layers", "two-widths", "no-bias", "default-state")
    taken = [case for case in named_cases() if case.name in tried]
    assert len(taken) > 3
    for case in taken:
        assert mine.leaves_out(case, "float64") is None
        experiment = experiments.experiment_of(case, "float64", 0)
        found, expected = mine.run(experiment), numpy.run(experiment)
        for (name, array), (_, other) in zip(found.tensors(), expected.tensors(), strict=True):
            np.testing.assert_allclose(array, other, 1e-9, 1e-12, err_msg=f"{case.name} {name}")


def test_the_longer_example_is_sound():
    pytest.importorskip("tinygrad", reason="tinygrad is not installed")
    arguments = ("--adapters", "tinygrad_adapter:Tinygrad", *VALUES)
    ran = suite(ROOT / "examples", *arguments)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_what_is_optional_is_missing_for_a_reason():
    for recipe in RECIPES:
        reason = Adapter.lacks(types.SimpleNamespace(absent={}, name="x"), recipe)
        assert reason == f"nobody has written the recipe {recipe} for x"
