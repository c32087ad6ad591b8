"""Diagnoses: what failures look like, told from the patterns of known faults."""

from __future__ import annotations

import math

import pytest

from fixtures.checks.check import Measurement
from fixtures.errors import BadInput
from fixtures.pages import diagnosis as words
from fixtures.records.diagnosis import NEAR, diagnose, diagnoses, nearest, seen_by
from fixtures.records.patterns import Failure, Pattern, failure_of, patterns, text_of
from tests.meta.records import FAILED, checked

VALUES, STATES, SHAPES = "values", "states", "shapes"
ALL = Failure(("output", "h"), 4.0e6, 1.0e6)
STATE_ALONE = Failure(("h",), 2.5e6, 0.8e6)


def pattern(fault, adapter="torch", **failures):
    """A fault that fails the claims named, in the one check of each, and holds the others."""
    tries = {(name, "smallest", "float32"): failures.get(name) for name in (VALUES, STATES, SHAPES)}
    return Pattern(f"{adapter}-{fault}", adapter, fault, "0", tries)


def seen(**failures):
    return pattern("", **failures).tries


KNOWN = [
    pattern("gates exchanged", values=ALL),
    pattern("states exchanged", values=STATE_ALONE, states=STATE_ALONE),
    pattern("another shape", shapes=Failure(("shape",))),
]


@pytest.mark.parametrize("known", KNOWN, ids=lambda one: one.fault)
def test_a_fault_is_nearest_to_itself(known):
    first, *others = nearest(known.tries, KNOWN)
    assert (first.fault, first.score) == (known.fault, 1.0)
    assert first.alike == first.tried == sum(one is not None for one in known.tries.values())
    assert all(other.score < 0.7 for other in others)


def test_wrong_numbers_tell_faults_apart_that_fail_the_same_claims():
    other = pattern("gates left out", values=Failure(("output", "h"), 9.0e6, 3.0e6))
    rounded = Failure(("output", "h"), 4.01e6, 1.0e6)
    first, second = nearest(seen(values=rounded), [other, KNOWN[0]])[:2]
    assert (first.fault, second.fault) == ("gates exchanged", "gates left out")
    assert first.score > 0.99 > 0.75 > second.score


def test_wrong_tensors_tell_faults_apart_where_sizes_do_not():
    one, other = (pattern(name, values=Failure((name,), 5.0)) for name in ("h", "c"))
    assert nearest(seen(values=Failure(("c",), 5.0)), [one, other])[0].fault == "c"


def test_nothing_is_said_where_nothing_is_near_and_where_nothing_fails():
    other = Failure(("c",), 7.0)
    far = seen(values=other, states=other, shapes=other)
    assert nearest(far, KNOWN)[0].score < NEAR
    assert diagnose(far, KNOWN) is None
    assert diagnose(seen(), KNOWN) is None


def test_what_was_not_tried_is_not_held():
    """A fault on which a failing claim was never tried is nearer than one on which it holds."""
    tried = {key: one for key, one in KNOWN[0].tries.items() if key[0] != STATES}
    untried = Pattern("keras3-x", "keras3", "never tried", "0", tried)
    first, second = nearest(seen(values=ALL, states=ALL), [KNOWN[0], untried])
    assert (first.fault, first.alike, first.tried) == ("never tried", 1, 1)
    assert (second.fault, second.alike, second.tried) == ("gates exchanged", 1, 2)
    assert second.score < first.score < 1


def test_a_check_that_was_not_made_says_nothing():
    """Part of a run is compared on that part."""
    part = {key: one for key, one in KNOWN[1].tries.items() if key[0] == STATES}
    assert nearest(part, KNOWN)[0].score == 1.0


def test_a_claim_that_few_faults_fail_says_more():
    common = [pattern(f"{n}", values=ALL) for n in range(20)]
    rare = pattern("rare", values=Failure(("h",), 9.0), shapes=Failure(("shape",)))
    both = seen(values=ALL, shapes=Failure(("shape",)))
    assert nearest(both, [*common, rare])[0].fault == "rare"


def test_errors_are_like_errors_and_unlike_wrong_numbers():
    raising = pattern("raising", values=Failure(raised="TypeError"))
    found = nearest(seen(values=Failure(raised="TypeError")), [*KNOWN, raising])
    assert [(one.fault, one.score) for one in found] == [("raising", 1.0)]


def test_two_frameworks_with_one_fault_are_one_guess():
    kin = pattern("gates exchanged", "keras3", values=Failure(("output",), 9.0))
    assert [one.mutant for one in nearest(seen(values=ALL), [kin, KNOWN[0]])] == [
        "torch-gates exchanged"
    ]


# What a failed check says.

HEADING = "fixtures.checks.compare.Disagreement: claim a-b (exact) does not hold\n  statement  s\n"


@pytest.mark.parametrize(
    ("reason", "wrong", "raised"),
    [
        (HEADING + "  tensor     h[0, 0] [2, 3]: 2 of 6 elements differ", ("h[0, 0]",), ""),
        (HEADING + "  tensor     c_n, row 0 [3, 5]: 1 of 15", ("c_n, row 0",), ""),
        (HEADING + "  tensor     value: shape [3, 2], expected [2, 3]", ("value",), ""),
        (
            HEADING + "  tensor     h [2]: 2 of 2\n  wrong      2 of 3 tensors: h[0, 0]; c",
            ("h[0, 0]", "c"),
            "",
        ),
        (HEADING + "  found      1\n  expected   2", (), ""),
        ("TypeError: claim it does not hold", (), "TypeError"),
        ("tensorflow.python.framework.errors_impl.InternalError: x", (), "InternalError"),
        ("", (), "an error"),
    ],
)
def test_of_a_message_its_tensors_or_its_exception_are_read(reason, wrong, raised):
    assert failure_of(reason, None) == Failure(wrong, raised=raised)


def test_numbers_that_are_none_are_not_compared():
    measured = Measurement("exact", worst=math.inf, rms=2.0)
    assert failure_of(HEADING, measured) == Failure((), None, 2.0)


def test_what_is_known_to_fail_or_was_not_checked_says_nothing():
    checks = [
        checked(),
        checked("broken", **FAILED | {"measurement": None}),
        checked("known", outcome="known failure"),
        checked("left-out", outcome="not applicable"),
        checked("lost", outcome="not run"),
    ]
    assert {key[0]: one is None for key, one in seen_by(checks)["numpy"].items()} == {
        "it-holds": True, "broken": False,
    }  # fmt: skip


# The data.


def test_patterns_are_read_as_they_were_written(tmp_path):
    path = tmp_path / "patterns.json"
    path.write_text(text_of(KNOWN, {VALUES: "v", STATES: "s", SHAPES: "x"}))
    assert patterns(path=path) == KNOWN


def test_nothing_is_known_of_a_claim_that_is_another_now(tmp_path):
    path = tmp_path / "patterns.json"
    path.write_text(text_of(KNOWN, {VALUES: "v", STATES: "s", SHAPES: "x"}))
    for one in patterns({VALUES: "another", STATES: "s"}, path):
        assert {claim for claim, _, _ in one.tries} == {STATES, SHAPES}


@pytest.mark.parametrize("cut", [0, 10, 200, -20])
def test_damaged_patterns_are_refused_in_one_sentence(tmp_path, cut):
    path = tmp_path / "patterns.json"
    whole = text_of(KNOWN, {VALUES: "v", STATES: "s", SHAPES: "x"})
    path.write_text(whole[:cut])
    with pytest.raises(BadInput, match=r"is damaged .*; restore it from") as refused:
        patterns(path=path)
    assert "\n" not in str(refused.value)


# In words.


def test_a_fault_is_told_once_with_every_adapter_that_looks_like_it():
    found = diagnose(KNOWN[1].tries, KNOWN)
    assert words.as_if({"torch": found, "torch:jit": found, "keras3": None}) == [
        "torch, torch:jit: states exchanged: 2 of 2 failing claims fail the same way "
        "(score 1.00); next nearest: gates exchanged, 0 (0.23)"
    ]


def test_what_was_not_tried_is_counted():
    one = diagnose({**KNOWN[1].tries, ("new", "smallest", "float32"): ALL}, KNOWN)
    [told] = words.as_if({"a": one})
    assert "2 of 2 failing claims tried on it (1 was not) fail the same way" in told


def test_many_faults_are_counted():
    found = {
        f"a{n}": diagnose(seen(values=ALL), [pattern(f"fault {n}", values=ALL)]) for n in range(5)
    }
    assert words.as_if(found)[words.SHOWN :] == ["and 2 other faults"]
    assert words.as_if({}) == []


def test_a_run_in_which_all_holds_is_not_compared_with_anything(monkeypatch):
    monkeypatch.setattr("fixtures.records.diagnosis.patterns", lambda _: pytest.fail("read"))
    assert diagnoses([checked()]) == {}
    assert list(words.of_run([checked()])) == []
