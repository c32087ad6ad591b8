"""A fault in a framework, recorded as the new run: the verdict names a claim that must catch it,
and the fault."""

from __future__ import annotations

import pytest

from fixtures.pages import verdict as words
from fixtures.records.diff import diff
from fixtures.records.record import Record, read
from tests.meta.conftest import ROOT, Project, need
from tests.meta.mutants import mutants

CASES = "smallest-{0} or two-layers-{0} or bidirectional-two-layers-{0}"
FEW = ("agreement", "equations", "output_and_state")
FILES = {"torch": (*FEW, "directions", "gradients")}
"""Where the claims are that must catch the mutants below, for torch; FEW for what takes longer."""

BY_NAME = {one.name: one for one in mutants()}
SAMPLE = (
    "torch-i-and-f-exchanged", "torch-recurrent-kernel-1e-14-off", "torch-h-n-one-ulp-off",
    "torch-gradient-cut-at-a-step", "keras3-states-exchanged", "keras2-hard-sigmoid",
    "tf1-forget-bias-left-out",
)  # fmt: skip
"""Faults of every kind, a few in every framework."""

DTYPES = {"torch": "float"}
"""Both precisions where one of the faults is seen in float64 alone; otherwise float32."""


def record_of(adapter: str, folder, **variables: str) -> Record:
    """The record of a run of this suite on some of its cases."""
    path = folder / f"{variables.get('MUTANT', adapter)}.json"
    with_mutant = ("-p", "tests.meta.mutants.plugin") if variables else ()
    cases = CASES.format(DTYPES.get(adapter, "float32"))
    files = [f"tests/test_{name}.py" for name in FILES.get(adapter, FEW)]
    ran = Project(ROOT).pytest(
        "--adapters", adapter, f"--record={path}", "-p", "no:cacheprovider", *with_mutant,
        "-k", cases, *files, PYTHONPATH=str(ROOT), **variables,
    )  # fmt: skip
    assert ran.returncode == bool(variables), ran.stdout[-2000:]
    return read(path)


@pytest.fixture(scope="module")
def healthy(tmp_path_factory):
    """The record of an adapter as it should be, made once."""
    folder, made = tmp_path_factory.mktemp("healthy"), {}

    def healthy(adapter):
        if adapter not in made:
            made[adapter] = record_of(adapter, folder)
        return made[adapter]

    return healthy


@pytest.mark.parametrize("name", SAMPLE)
def test_a_mutant_recorded_as_new_is_a_regression_that_names_its_claim_first(
    healthy, name, tmp_path
):
    mutant = BY_NAME[name]
    need(mutant.adapter)
    old, new = healthy(mutant.adapter), record_of(mutant.adapter, tmp_path, MUTANT=name)
    found = diff(old, new)
    assert found.exit_status == 1
    assert found.changes[0].kind == "newly failing"
    assert found.changes[0].claim in mutant.caught_by
    assert words.text(found).startswith("Regressed: ")
    [told] = words.answers(found)["as if"]
    assert told.startswith(f"{mutant.adapter}: {mutant.family}: ")
