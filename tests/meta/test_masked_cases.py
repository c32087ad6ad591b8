"""The table of masks: whatever two options there are, some case has them together."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import combinations, product

import numpy as np
import pytest

from fixtures.cases import Case, masked, named_cases
from fixtures.cases.experiments import experiment_of
from fixtures.cases.inputs import mask_of
from fixtures.cases.masked import CELLS, PLAIN, WITH_OPTIONS
from fixtures.cells import RNN
from fixtures.checks.random_checks import repeat
from fixtures.errors import BadInput
from fixtures.model.loop import Loop

MASKED = [case for case in named_cases() if masked(case)]
OPTIONS = tuple(one.name for one in fields(Loop))
MASKS = ("right", "left", "holes", "rows")
VALUES = {
    "mask": MASKS,
    "cell": tuple(CELLS),
    "initial": ("given", "default"),
    "layers": (1, 2),
    "directions": (1, 2),
    **dict.fromkeys(OPTIONS, (False, True)),
}


def rows() -> list[dict[str, object]]:
    found = []
    for (mask, cell, initial, layers, directions), options in (
        *((row, ()) for row in PLAIN),
        *WITH_OPTIONS,
    ):
        row = {"mask": mask, "cell": cell, "initial": initial, "layers": layers}
        row |= {"directions": directions} | {one: one in options for one in OPTIONS}
        found.append(row)
    return found


def missing(columns: tuple[str, ...], table: list[dict[str, object]]) -> list[tuple[object, ...]]:
    """Values of these columns that no row has together, but for a Bidirectional layer that goes
    backwards, which there is not."""
    have = {tuple(row[one] for one in columns) for row in table}
    none = {("directions", 2), ("go_backwards", True)}
    return [
        values
        for values in product(*(VALUES[one] for one in columns))
        if values not in have and not none <= set(zip(columns, values, strict=True))
    ]


@pytest.mark.parametrize("pair", list(combinations(VALUES, 2)), ids="-".join)
def test_every_two_options_meet(pair):
    assert missing(pair, rows()) == []


THREE = ("mask", "directions", *OPTIONS)


@pytest.mark.parametrize("three", list(combinations(THREE, 3)), ids="-".join)
def test_every_three_options_of_the_loop_meet(three):
    assert missing(three, rows()[len(PLAIN) :]) == []


@pytest.mark.parametrize("pair", list(combinations(list(VALUES)[:5], 2)), ids="-".join)
def test_every_two_meet_without_options(pair):
    """What a framework without Keras's options is checked on."""
    assert missing(pair, rows()[: len(PLAIN)]) == []


def test_a_pair_that_no_row_has_is_missed():
    one = [row for row in rows() if not (row["mask"] == "left" and row["unroll"])]
    assert missing(("mask", "unroll"), one) == [("left", True)]


# The masks themselves.


@pytest.mark.parametrize("case", MASKED, ids=lambda case: case.name)
def test_masks_are_what_they_are_called(case):
    mask = mask_of(case, 0)
    counted = mask.any(axis=1)
    assert mask.any()
    assert not mask.all()
    early = (np.diff(mask.astype(int), axis=1) <= 0).all(axis=1)
    late = (np.diff(mask.astype(int), axis=1) >= 0).all(axis=1)
    facts = {
        "right": early.all() and counted.all() and mask[:, 0].all(),
        "left": late.all() and counted.all() and mask[:, -1].all(),
        "holes": counted.all() and not mask[0, 0] and not mask[1, -1] and not early.all(),
        "rows": early.all() and 1 < counted.sum() < len(mask) and mask.all(axis=1).any(),
    }
    assert facts[case.mask]


def test_masks_depend_on_the_seed_and_on_nothing_else():
    case = next(one for one in MASKED if one.mask == "holes")
    assert np.array_equal(mask_of(case, 0), mask_of(case, 0))
    assert not np.array_equal(mask_of(case, 0), mask_of(case, 1))


def test_the_loss_looks_at_no_output_of_a_masked_step():
    for case in MASKED:
        experiment = experiment_of(case, "float32", 0)
        counts = experiment.output_mask
        assert not experiment.upstream.output[~counts].any()
        assert experiment.upstream.output[counts].all()


def test_a_mask_of_another_shape_or_type_is_refused():
    experiment = experiment_of(MASKED[0], "float32", 0)
    for mask in (experiment.mask[:, :-1], experiment.mask.astype(int)):
        with pytest.raises(BadInput, match=r"make it bool of shape \[6, 5\]"):
            replace(experiment, mask=mask)


def test_a_case_that_masks_rows_says_so():
    with pytest.raises(BadInput, match="masks whole rows; set `empty_rows`"):
        Case(name="x", about="x", batch=2, time=2, features=2, units=(2,), mask="rows")


def test_a_mask_that_there_is_not_is_refused():
    with pytest.raises(BadInput, match="mask is 'some'"):
        Case(name="x", about="x", batch=2, time=2, features=2, units=(2,), mask="some")


def test_a_backward_stack_turns_its_output_once_for_each_layer():
    mask = np.array([[True, False, False]])
    backwards = Loop(go_backwards=True)
    assert backwards.at_the_output(mask, 1).tolist() == [[False, False, True]]
    assert backwards.at_the_output(mask, 2).tolist() == [[True, False, False]]
    assert Loop().at_the_output(mask, 1).tolist() == [[True, False, False]]
    assert repr(backwards) == "Loop(go_backwards=True)"


def test_rows_of_one_length_are_sorted_by_hand_as_torch_sorts_them():
    """With more rows than 16 torch.sort keeps no order among equal ones; of one unit the last bit
    depends on a row's place in the batch."""
    pytest.importorskip("torch", reason="torch is not installed")
    case = Case(
        name="random-108",
        about="rows of few lengths",
        batch=21,
        time=3,
        features=2,
        units=(1,),
        directions=2,
        bias="none",
        initial="default",
        scale=0.0625,
        dtypes=("float32",),
        one_dtype_because="it is the one in which the bits moved",
        cell=RNN(),
        mask="right",
    )
    repeat("torch-packs-in-many-ways-to-the-same-bits", "torch", case, "float32", seed=77)
