"""Imports go one way, and a framework is imported in its own adapter and nowhere else."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.meta.conftest import ROOT

FRAMEWORKS = {"torch", "tensorflow", "keras", "tf_keras"}
FIXTURES = sorted((ROOT / "fixtures").rglob("*.py"))
ADAPTERS = sorted((ROOT / "fixtures" / "adapters").glob("*.py"))
CLAIMS = sorted((ROOT / "tests").glob("test_*.py"))


def imported(path: Path) -> set[str]:
    """Every module that a file imports, anywhere in it, but for type checkers only."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
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


@pytest.mark.parametrize("path", ADAPTERS, ids=named)
def test_adapters_know_nothing_of_oracle_comparator_or_evidence(path):
    forbidden = ("fixtures.reference", "fixtures.rounding", "fixtures.compare", "fixtures.evidence")
    assert [name for name in imported(path) if name.startswith(forbidden)] == []


@pytest.mark.parametrize("module", ["reference", "weights", "inputs", "cases", "streams"])
def test_the_oracle_and_what_it_stands_on_know_no_adapter(module):
    imports = imported(ROOT / "fixtures" / f"{module}.py")
    assert [name for name in imports if name.startswith("fixtures.adapters")] == []


def test_the_oracle_shares_nothing_with_the_numpy_adapter_but_its_inputs():
    def ours(module: str) -> set[str]:
        path = ROOT / "fixtures" / f"{module}.py"
        return {name for name in imported(path) if name.count(".") == 1 and "fixtures" in name}

    shared = ours("reference") & ours("adapters/numpy")
    assert shared == {"fixtures.perlayer", "fixtures.weights"}
