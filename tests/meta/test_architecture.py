"""Imports go one way, and a framework is imported in its own adapter and nowhere else."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.meta.conftest import ROOT

FRAMEWORKS = {"torch", "tensorflow", "keras", "tf_keras"}
FIXTURES = sorted((ROOT / "fixtures").rglob("*.py"))
ADAPTERS = sorted((ROOT / "fixtures" / "adapters").glob("*.py"))
WAY = (
    "model",
    "cells",
    "cases",
    "oracle",
    "adapters",
    "claims",
    "checks",
    "records",
    "pages",
    "plugin",
)
"""The folders of `fixtures` along the way of the data: each may import from those before it."""

UNKNOWN_TO = {"adapters": {"oracle"}, "oracle": {"cases", "cells"}}
"""But an adapter knows nothing of what is right, nor the oracle of what is tried: it knows a cell
by the weights that it is handed."""

CLAIMS = sorted((ROOT / "tests").glob("test_*.py"))


def imported(path: Path, for_type_checkers: bool = False) -> set[str]:
    """Every module that a file imports, anywhere in it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = node.body if for_type_checkers else []
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", FIXTURES + CLAIMS, ids=named)
def test_frameworks_are_imported_in_adapters_only(path):
    imports = {name.partition(".")[0] for name in imported(path)} & FRAMEWORKS
    assert not imports or path in ADAPTERS


def folder_of(path: Path) -> str:
    """The folder of `fixtures` that a file is in; empty for one that is in none."""
    parts = path.relative_to(ROOT / "fixtures").parts
    return parts[0] if len(parts) > 1 else ""


def folders_imported(path: Path) -> set[str]:
    """The other folders of `fixtures` from which a file imports, for type checkers too."""
    modules = [name.split(".") for name in imported(path, for_type_checkers=True)]
    ours = {parts[1] for parts in modules if parts[0] == "fixtures" and len(parts) > 1}
    return (ours & set(WAY)) - {folder_of(path)}


def test_every_folder_has_its_place_on_the_way():
    folders = {folder_of(path) for path in FIXTURES} - {""}
    assert folders == set(WAY)


@pytest.mark.parametrize("path", FIXTURES, ids=named)
def test_imports_go_one_way(path):
    """Files in no folder are what everything stands on, and `__main__`, which nothing imports."""
    folder = folder_of(path)
    if path.name == "__main__.py":
        return
    before = set(WAY[: WAY.index(folder)]) if folder else set()
    assert folders_imported(path) <= before - UNKNOWN_TO.get(folder, set())


@pytest.mark.parametrize("path", FIXTURES, ids=named)
def test_no_file_of_fixtures_imports_a_test(path):
    assert not {name for name in imported(path) if name.split(".")[0] == "tests"}


def test_no_module_imports_itself_by_way_of_others():
    """Inside a folder, too, there is no circle."""
    modules = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in FIXTURES
    }
    edges = {
        name: {other for other in imported(path, for_type_checkers=True) if other in modules}
        - {name}
        for name, path in modules.items()
    }
    # A package's own front door gathers what its modules hold, and they do not go through it.
    while leaves := {name for name, others in edges.items() if not others}:
        edges = {name: others - leaves for name, others in edges.items() if name not in leaves}
    assert edges == {}


@pytest.mark.parametrize("path", ADAPTERS, ids=named)
def test_no_adapter_takes_a_step_of_the_suites_own_cells(path):
    """It knows which kinds there are and what their options are, and not their equations. The steps
    of torch's optimizers, and of what scales their losses, are others."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    steps = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    found = {ast.unparse(node.value) for node in steps if node.attr == "step"}
    assert found <= {"optimizer", "scaler"}


def test_the_oracle_shares_nothing_with_the_numpy_adapter_but_its_inputs():
    def ours(module: str) -> set[str]:
        path = ROOT / "fixtures" / f"{module}.py"
        return {name for name in imported(path) if name.count(".") == 2 and "fixtures" in name}

    shared = ours("oracle/reference") & ours("adapters/numpy")
    assert shared == {"fixtures.model.perlayer", "fixtures.model.weights"}
