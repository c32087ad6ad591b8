"""CONTRIBUTING.md's examples, each taken at its word."""

from __future__ import annotations

import re

import pytest

from fixtures.adapters import adapters
from fixtures.claims import known
from tests.meta.conftest import ROOT, need
from tests.meta.kill_matrix import row
from tests.meta.mutants import Catalogue

TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
SECTIONS = dict(part.split("\n", 1) for part in re.split(r"^## ", TEXT, flags=re.MULTILINE)[1:])
EXAMPLES = {
    heading: example
    for heading, text in SECTIONS.items()
    for example in re.findall(r"```(?:python|toml)\n(.*?)```", text, re.DOTALL)
}


IN_NUMPY = """
def mgu(layer, x, h):
    x_f, x_n = layer.from_x(x)
    f = activated("sigmoid", x_f + layer.from_h(h)[0])
    n = activated("tanh", x_n + layer.from_h(f * h)[1])
    return ((f.dtype.type(1) - f) * h + f * n,)


"""


def test_each_section_has_one_example_of_ten_lines_or_less():
    assert list(EXAMPLES) == list(SECTIONS)
    assert TEXT.count("```") == 2 * len(SECTIONS)
    assert [heading for heading, text in EXAMPLES.items() if len(text.splitlines()) > 10] == []


def test_a_case(project):
    path = project.path / "fixtures" / "cases" / "named.py"
    table = "    lstms = (\n        *given,\n"
    source = path.read_text()
    assert table in source
    path.write_text(source.replace(table, f"{table}{EXAMPLES['A case'].rstrip()},\n"))
    project.write(
        "tests/test_wide.py",
        """
        from fixtures.cases import named
        from fixtures.checks.compare import assert_structure
        from fixtures.claims import claim


        @claim(kind="structure", statement="It is wide.", formula="1 == 1", cases=named("wide"))
        def test_it_is_wide(run):
            assert_structure(run.output.shape, (2, 3, 50))
        """,
    )
    ran = project.pytest("-k", "wide")
    assert "2 passed" in ran.stdout


def test_a_claim(project):
    head = (
        "from fixtures.cases import named\nfrom fixtures.checks.compare import assert_same_bits\n"
        "from fixtures.claims import claim\n\n\n"
    )
    project.write("tests/test_new.py", head + EXAMPLES["A claim"])
    ran = project.pytest("tests/test_new.py")
    assert "4 passed" in ran.stdout
    assert "h-is-between-minus-one-and-one" in ran.stdout


def test_a_kind_of_cell(project):
    head = (
        "from dataclasses import dataclass\nfrom typing import ClassVar\n"
        "from fixtures.model.cell import Cell\n"
    )
    project.write("fixtures/cells/mgu.py", head + EXAMPLES["A kind of cell"])
    for file, before, after in (
        ("cells/__init__.py", "from fixtures.cells.rnn", "from fixtures.cells.mgu import MGU\n"),
        ("cases/named.py", '    "gru": GRU(),\n', '    "mgu": MGU(),\n'),
        ("cases/named.py", "from fixtures.cells import", "from fixtures.cells import MGU\n"),
        ("adapters/numpy.py", "from fixtures.cells import", "from fixtures.cells import MGU\n"),
        ("adapters/numpy.py", "STEPS: dict", IN_NUMPY),
        ("adapters/numpy.py", "RNN: rnn}", ""),
    ):
        path = project.path / "fixtures" / file
        source = path.read_text()
        assert source.count(before) == 1
        made = after + before if after else "RNN: rnn, MGU: mgu}"
        path.write_text(source.replace(before, made))
    claims = (ROOT / "tests" / "test_cells.py").read_text(encoding="utf-8")
    project.write("tests/test_cells.py", claims)
    ran = project.pytest("tests/test_cells.py", "-k", "mgu")
    assert ran.returncode == 0, ran.stdout
    assert re.search(r"other-cells-values-are-the-oracles +4 \d", ran.stdout)
    assert re.search(r"other-cells-short-row-is-the-row-cut-short +2 \d", ran.stdout)


def test_a_mutant(monkeypatch):
    need("torch")
    from tests.meta.mutants import torch as module

    catalogue = Catalogue("torch")
    names = vars(module) | {"mutant": catalogue.mutant}
    exec(EXAMPLES["A mutant"], names)  # noqa: S102
    (made,) = catalogue.mutants
    assert "late" in made.name
    with monkeypatch.context() as patch:
        made.make(patch)
        fates = row(made)
    assert {fates[claim] for claim in made.caught_by} == {"caught"}


def test_an_adapter(project):
    need("torch")
    head = (
        "from __future__ import annotations\nfrom typing import TYPE_CHECKING, Any\n"
        "from fixtures.adapters.torch import Torch\n"
        "from fixtures.model.experiment import Experiment\n"
        "if TYPE_CHECKING:\n    import torch\n"
    )
    project.write("fixtures/adapters/training.py", head + EXAMPLES["An adapter"])
    path = project.path / "fixtures" / "adapters" / "__init__.py"
    source = path.read_text()
    known_ones = "known = ("
    assert known_ones in source
    path.write_text(
        source.replace(
            known_ones,
            "from fixtures.adapters.training import TrainingTorch\n"
            f"    {known_ones}TrainingTorch(), ",
        )
    )
    ran = project.pytest("--adapters", "torch_training")
    assert ran.returncode == 0, ran.stdout
    assert re.search(r"it-is-rounded +2 \d", ran.stdout)


@pytest.mark.parametrize(("version", "applies"), [("3.0.5", True), ("3.1.0", False)])
def test_a_known_failure(tmp_path, monkeypatch, version, applies):
    path = tmp_path / "known-failures.toml"
    path.write_text(EXAMPLES["A known failure"])
    (entry,) = known.known_failures(path)
    keras3 = adapters()["keras3"]
    monkeypatch.setattr(type(keras3), "versions", lambda _: {"keras": version})
    assert entry.applies(keras3, "output-last-step-is-h", "smallest", "float32") is applies
