"""Each mutant is caught by the claims that must catch it, and each claim catches one."""

from __future__ import annotations

import functools
import importlib
import json
from dataclasses import asdict

import pytest

from fixtures.adapters import core, every_adapter
from fixtures.claims import all_claims
from fixtures.pages.strength import FILE
from tests.meta import strength
from tests.meta.apart import tried_apart
from tests.meta.conftest import WHOLE, need
from tests.meta.kill_matrix import (
    PROPERTY,
    fails_anyway,
    first_of_each_claim,
    not_on_this_machine,
    report,
    row,
    row_of,
    tries,
    worth_trying,
)
from tests.meta.mutants import FILES, Mutant, keras_cells, keras_layers, layer_norm, mutants
from tests.meta.mutants.cell import EVERY, GRADIENTS, Fault


def leave_graphs_as_they_are(patch: pytest.MonkeyPatch) -> None:
    """TensorFlow optimizes every graph before it runs it first, and ours run once: a third of the
    time, a hundred graphs for each mutant. What is wrong with a graph stays wrong."""
    import tensorflow as tf

    options = tf.compat.v1.ConfigProto()
    options.graph_options.rewrite_options.disable_meta_optimizer = True
    options.graph_options.optimizer_options.opt_level = -1
    patch.setattr(tf.compat.v1, "Session", functools.partial(tf.compat.v1.Session, config=options))


@pytest.mark.parametrize("mutant", mutants(), ids=lambda mutant: mutant.name)
def test_mutant_is_caught(
    mutant: Mutant, monkeypatch: pytest.MonkeyPatch, record_property, pytestconfig: pytest.Config
) -> None:
    need(mutant.adapter)
    missing = {
        claim: why for claim in mutant.caught_by if (why := not_on_this_machine(claim, mutant))
    }
    if len(missing) == len(mutant.caught_by):
        pytest.skip("; ".join(missing.values()))
    if every_adapter()[mutant.adapter].process:
        tried = tried_apart(mutant, others=pytestconfig.getoption(WHOLE))
    else:
        with monkeypatch.context() as patch:
            if mutant.adapter == "tf1":
                leave_graphs_as_they_are(patch)
            mutant.make(patch)
            tried = tries(mutant, others=pytestconfig.getoption(WHOLE))
    fates = row_of(tried)
    told = [(*key, failure and asdict(failure)) for key, failure in tried.items()]
    record_property(PROPERTY, {"mutant": mutant.name, "fates": fates, "tries": told})
    let_pass = {claim: fates.get(claim) for claim in mutant.caught_by if claim not in missing}
    assert let_pass == dict.fromkeys(let_pass, "caught")


def test_every_mutant_names_a_claim() -> None:
    assert [mutant.name for mutant in mutants() if not mutant.caught_by] == []


@pytest.fixture
def frameworks() -> None:
    """Those of the README: without one nobody can tell which claims it fails by itself."""
    for name in core():
        need(name)


def test_with_once_every_claim_is_seen_to_catch_a_mutant() -> None:
    tried = [one for one in mutants() if every_adapter()[one.adapter].cannot_run() is None]
    chosen = first_of_each_claim(mutants())
    assert len(chosen) < len(tried) / 2
    missed = {claim for one in tried for claim in one.caught_by} - {
        claim for one in chosen for claim in one.caught_by
    }
    assert all(
        not_on_this_machine(claim, one) for one in tried for claim in missed & {*one.caught_by}
    )


@pytest.mark.usefixtures("frameworks")
def test_no_claim_is_idle() -> None:
    """A claim that no mutant names has never been seen to fail, but of a framework itself."""
    named = {claim for mutant in mutants() for claim in mutant.caught_by}
    assert [claim for claim in all_claims() if claim not in named and not fails_anyway(claim)] == []


@pytest.mark.parametrize("adapter", core())
def test_no_mutant_names_a_claim_that_fails_anyway(adapter) -> None:
    need(adapter)
    assert [
        (mutant.name, claim)
        for mutant in mutants()
        if mutant.adapter == adapter
        for claim in mutant.caught_by
        if not worth_trying(all_claims()[claim], adapter) and not not_on_this_machine(claim, mutant)
    ] == []


def test_names_are_unique_and_claims_exist() -> None:
    names = [mutant.name for mutant in mutants()]
    assert len(set(names)) == len(names)
    assert {claim for mutant in mutants() for claim in mutant.caught_by} <= set(all_claims())


def test_the_table_of_strength_is_what_the_mutants_say() -> None:
    """`python -m tests.meta.strength` brings it up to date."""
    assert FILE.read_text(encoding="utf-8") == strength.text()


# The machine itself: what it calls caught must be the fault's doing.


def without_a_fault(adapter: str, patch: pytest.MonkeyPatch) -> None:
    """The framework taken apart and put together as for its mutants, and nothing wrong."""
    module = importlib.import_module(f"tests.meta.mutants.{adapter}")
    if adapter == "torch":
        module.written_out(patch)
    elif adapter == "tf1":
        module.replace_cell(patch, Fault())
        module.replace_loop(patch)
        module.replace_loop(patch, loop="bidirectional_dynamic_rnn")
    else:
        module.cell(patch, module.SEAMS, Fault())
        module.SEAMS.lstm(patch)
        module.SEAMS.bidirectional(patch)


@pytest.mark.parametrize("adapter", FILES)
def test_a_mutant_without_a_fault_survives(adapter, monkeypatch) -> None:
    need(adapter)
    with monkeypatch.context() as patch:
        if adapter == "tf1":
            leave_graphs_as_they_are(patch)
        without_a_fault(adapter, patch)
        healthy = Mutant("healthy", adapter, "", (EVERY, GRADIENTS), (), lambda _: None)
        fates = row(healthy, everything=True)
    # The cell in the place of Keras's drops nothing.
    fates = {one: fate for one, fate in fates.items() if all_claims()[one].family != "dropout"}
    assert set(fates) > {EVERY, GRADIENTS}
    assert {claim: fate for claim, fate in fates.items() if fate != "holds"} == {}


@pytest.mark.parametrize("adapter", ["keras3", "keras2"])
def test_other_cells_of_keras_without_a_fault_survive(adapter, monkeypatch) -> None:
    need(adapter)
    seams = importlib.import_module(f"tests.meta.mutants.{adapter}").SEAMS
    cases = (*keras_cells.GRUS, *keras_cells.RNNS)
    named = {
        claim
        for mutant in importlib.import_module(f"tests.meta.mutants.{adapter}").CATALOGUE.mutants
        if {"gru-smallest", "rnn-smallest"}.intersection(mutant.cases)
        for claim in mutant.caught_by
    }
    with monkeypatch.context() as patch:
        keras_layers.without_a_fault(patch, seams)
        fates = row(Mutant("healthy", adapter, "", tuple(named), cases, lambda _: None))
    assert set(fates) > named > {keras_cells.VALUES, keras_cells.GRADIENTS}
    assert {claim: fate for claim, fate in fates.items() if fate != "holds"} == {}


@pytest.mark.parametrize("adapter", ["keras3", "keras2"])
def test_layer_norm_without_a_fault_survives(adapter, monkeypatch) -> None:
    need(adapter)
    seams = importlib.import_module(f"tests.meta.mutants.{adapter}").SEAMS
    [own] = [catalogue for catalogue in layer_norm.CATALOGUES if catalogue.adapter == adapter]
    named = {claim for mutant in own.mutants for claim in mutant.caught_by}
    for written_out in (layer_norm.norm_written_out, layer_norm.loop_written_out):
        with monkeypatch.context() as patch:
            written_out(patch, seams)
            healthy = Mutant("healthy", adapter, "", tuple(named), layer_norm.CASES, lambda _: None)
            fates = row(healthy)
        assert set(fates) >= named > {keras_cells.VALUES, keras_cells.GRADIENTS}
        assert {claim: fate for claim, fate in fates.items() if fate != "holds"} == {}


def test_an_error_is_not_a_catch(monkeypatch) -> None:
    need("torch")
    import torch

    def broken(*_):
        raise RuntimeError("out of order")

    with monkeypatch.context() as patch:
        patch.setattr(torch.nn.LSTM, "forward", broken)
        fates = row(Mutant("broken", "torch", "", (EVERY,), (), lambda _: None))
    assert fates[EVERY] == "error"


class Watched(pytest.MonkeyPatch):
    """Remembers what it replaces."""

    def __init__(self) -> None:
        super().__init__()
        self.replaced: list[tuple[object, str, object]] = []

    def setattr(self, target, name, value, raising=True) -> None:
        self.replaced.append((target, name, getattr(target, name, None)))
        super().setattr(target, name, value, raising)


@pytest.mark.parametrize("adapter", FILES)
def test_every_mutant_changes_the_framework_and_leaves_it_as_it_was(adapter) -> None:
    need(adapter)
    for mutant in mutants():
        if mutant.adapter == adapter:
            patch = Watched()
            mutant.make(patch)
            changed = [getattr(target, name) is not was for target, name, was in patch.replaced]
            patch.undo()
            restored = [getattr(t, name, None) is was for t, name, was in patch.replaced]
            assert (mutant.name, any(changed), all(restored)) == (mutant.name, True, True)


# The kill matrix as a file.


@pytest.fixture
def rows(frameworks):  # noqa: ARG001  # it is asked whether they are there
    """All as it should be."""
    return {one.name: dict.fromkeys(one.caught_by, "caught") for one in mutants()}


def test_the_matrix_says_what_became_of_every_mutant(rows, tmp_path) -> None:
    told = report(rows, tmp_path / "report")
    path = tmp_path / "report" / "kill-matrix.json"
    claims = len(all_claims())
    assert told == (
        f"kill matrix: {len(rows)} mutants, 0 survivors, {claims} claims, 0 idle -> {path}"
    )
    matrix = json.loads(path.read_text())
    assert (matrix["survivors"], matrix["idle claims"]) == ([], [])
    one = matrix["mutants"]["torch-h-n-one-ulp-off"]
    assert one["fates"]["output-last-step-is-h"] == "caught"
    assert one["fates"]["mnist-logits-are-the-oracles"] == "not tried"
    assert len(one["fates"]) == claims
    assert "| torch-h-n-one-ulp-off |" in path.with_suffix(".md").read_text()


def test_the_matrix_names_survivors_and_idle_claims(rows, tmp_path) -> None:
    idle = "tf1-coupled-gates-are-gone"
    rows = {name: {claim: "holds" if claim == idle else fate for claim, fate in fates.items()}
            for name, fates in rows.items()}  # fmt: skip
    assert "1 survivors" in report(rows, tmp_path)
    matrix = json.loads((tmp_path / "kill-matrix.json").read_text())
    assert matrix["survivors"] == ["tf1-coupled-gates-are-back"]
    assert matrix["idle claims"] == [idle]
    assert f"{idle} (DID NOT)" in (tmp_path / "kill-matrix.md").read_text()


def test_only_the_whole_matrix_is_written(rows) -> None:
    claims = len(all_claims())
    told = report(rows, None)
    assert told == f"kill matrix: {len(rows)} mutants, 0 survivors, {claims} claims, 0 idle"
    rows.popitem()
    assert report(rows, None).startswith("kill matrix: not written")


def test_without_the_others_a_mutant_meets_the_claims_that_must_catch_it(monkeypatch) -> None:
    need("torch")
    one = next(one for one in mutants() if one.name == "torch-h-n-one-ulp-off")
    with monkeypatch.context() as patch:
        one.make(patch)
        alone, with_others = row(one, others=False), row(one)
    assert alone == dict.fromkeys(one.caught_by, "caught")
    assert set(with_others) > set(alone)


def test_part_of_a_matrix_is_not_written(rows, tmp_path) -> None:
    rows.popitem()
    told = report(rows, tmp_path)
    assert told.startswith(f"kill matrix: not written, as 1 of {len(mutants())} mutants")
    assert list(tmp_path.iterdir()) == []
