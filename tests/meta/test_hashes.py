"""The hashes by which two records know that they speak of the same check."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace

import pytest

from fixtures.adapters import adapters
from fixtures.cases import Case, named_cases, recorded
from fixtures.cases.experiments import experiment_of
from fixtures.cases.named import CELLS
from fixtures.cells import GRU, LSTM, RNN
from fixtures.claims import claim
from fixtures.records.hashes import case_hash
from tests.meta.conftest import need

BY_NAME = {case.name: case for case in named_cases()}
CASES = [case for case in named_cases() if case.inputs != "mnist"]


def hash_of(case, dtype="float32", seed=0):
    return case_hash(case, experiment_of(case, dtype, seed))


def test_no_two_cases_dtypes_or_seeds_have_the_same_hash():
    hashes = [
        hash_of(case, dtype, seed) for case in CASES for dtype in case.dtypes for seed in (0, 7)
    ]
    assert len(set(hashes)) == len(hashes)


def test_a_case_described_in_other_words_is_the_same_case():
    case = CASES[0]
    assert hash_of(replace(case, about="in other words")) == hash_of(case)


def test_a_recorded_case_is_the_same_in_another_checkout(tmp_path):
    """Or records of two checkouts could not be compared."""
    for file in recorded.FOLDER.glob("gru__*.npz"):
        shutil.copy(file, tmp_path)
    (there,) = recorded.recordings(tmp_path).cases
    (here,) = (one for one in recorded.recordings(recorded.FOLDER).cases if one.stem == there.stem)
    hashes = [case_hash(one, recorded.experiment_of(one, "float32", 0)) for one in (here, there)]
    assert here.folder != there.folder
    assert hashes[0] == hashes[1]


def test_a_hash_sees_every_number_of_an_experiment():
    case = CASES[0]
    experiment = experiment_of(case, "float32", 0)

    def nudged(array):
        changed = array.copy()
        changed.flat[0] += 1
        return changed

    weights, initial, upstream = experiment.weights, experiment.initial, experiment.upstream
    dense = experiment.dense
    others = [
        replace(experiment, inputs=nudged(experiment.inputs)),
        replace(experiment, initial=replace(initial, h=initial.h.map(nudged))),
        replace(experiment, initial=replace(initial, c=initial.c.map(nudged))),
        *(
            replace(
                experiment,
                weights=weights.map(
                    lambda one, name=name: replace(one, **{name: nudged(getattr(one, name))})
                ),
            )
            for name in ("kernel", "recurrent_kernel", "bias", "recurrent_bias")
        ),
        replace(experiment, lengths=(3, 3)),
        replace(experiment, dense=replace(dense, kernel=nudged(dense.kernel))),
        replace(experiment, dense=replace(dense, bias=nudged(dense.bias))),
        replace(experiment, upstream=replace(upstream, output=nudged(upstream.output))),
        replace(experiment, upstream=replace(upstream, h=upstream.h.map(nudged))),
        replace(experiment, upstream=replace(upstream, c=upstream.c.map(nudged))),
    ]
    hashes = {case_hash(case, one) for one in (experiment, *others)}
    assert len(hashes) == 1 + len(others)


@pytest.mark.parametrize("recipe", ["dropout_output_half", "dropout_state_half"])
def test_dropout_drops_the_same_elements_in_every_run(recipe):
    """Or records would differ where nothing has changed."""
    need("tf1")
    experiment = experiment_of(BY_NAME["integer-example"], "float64", 0)
    run = getattr(adapters()["tf1"], recipe)
    assert len({run(experiment).output.tobytes() for _ in range(20)}) == 1


def test_a_claims_hash_changes_with_its_source_and_not_with_its_place():
    def make(body):
        def test_same(run):
            return body(run)

        return test_same

    exact = {"kind": "exact", "statement": "s", "formula": "f"}
    one, again = (claim(**exact)(make(body)).claim for body in (min, max))
    assert one.source_hash == again.source_hash

    def test_same(run):
        return run, "but not the same"

    assert claim(**exact)(test_same).claim.source_hash != one.source_hash


@pytest.mark.parametrize("kind", [LSTM, GRU, RNN])
def test_an_option_that_a_cell_leaves_at_its_default_is_not_in_the_hash(kind):
    """So that a new one makes no old case another."""

    @dataclass(frozen=True, repr=False)
    class Later(kind):
        later: str = "as ever"

    Later.__name__ = kind.__name__
    case = replace(CASES[0], cell=kind(activation="relu"))
    experiment = experiment_of(case, "float32", 0)
    as_ever, new = (
        replace(case, cell=Later(activation="relu", **options))
        for options in ({}, {"later": "new"})
    )
    assert case_hash(as_ever, experiment) == case_hash(case, experiment)
    assert case_hash(new, experiment) != case_hash(case, experiment)


def test_cells_that_are_other_cells_have_other_hashes():
    """Of the same numbers."""
    experiment = experiment_of(CASES[0], "float32", 0)
    cells = [LSTM(), *CELLS.values()]
    hashes = {case_hash(replace(CASES[0], cell=cell), experiment) for cell in cells}
    assert len(hashes) == len(cells)


def test_a_field_that_a_case_leaves_at_its_default_is_not_in_its_hash():
    """So that a new one makes no old case another."""

    @dataclass(frozen=True, kw_only=True)
    class LaterCase(Case):
        later: str = "as ever"

    case = CASES[0]
    later = LaterCase(**vars(case))
    experiment = experiment_of(case, "float32", 0)
    assert case_hash(later, experiment) == case_hash(case, experiment)
    assert case_hash(replace(later, later="new"), experiment) != case_hash(case, experiment)
