"""The assertion helpers: each made to fail in every way, and what they then say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest

from fixtures.cases import DTYPES, named_cases
from fixtures.checks import compare
from fixtures.checks.check import Check, failure, under_way
from fixtures.checks.compare import (
    Disagreement,
    assert_different,
    assert_each_refused,
    assert_refused,
    assert_same_bits,
    assert_structure,
    assert_ways_agree,
    assert_within_rounding,
)
from fixtures.model.perlayer import Array
from fixtures.model.precisions import PRECISIONS
from fixtures.oracle.rounding import Expected, no_oracle_for

WIDER = {dtype: one.wider for dtype, one in PRECISIONS.items()}
INFORMATIVE = {dtype: one.informative for dtype, one in PRECISIONS.items()}
each_dtype = pytest.mark.parametrize("dtype", DTYPES)
each_judged_dtype = pytest.mark.parametrize(
    "dtype",
    [
        pytest.param(
            dtype,
            marks=pytest.mark.skipif(
                no_oracle_for(dtype) is not None, reason=no_oracle_for(dtype) or ""
            ),
        )
        for dtype in DTYPES
    ],
)


def disagrees(call: Callable[[], None]) -> str:
    """The message with which an assertion helper fails."""
    with pytest.raises(Disagreement) as caught:
        call()
    return str(caught.value)


def check_of(kind: str) -> Check:
    return Check(
        claim="output-last-step-is-h",
        kind=kind,
        statement="The output's last step is the final hidden state.",
        formula="output[:, -1] == h[-1]",
        adapter="torch",
        versions="torch 2.13.0, numpy 2.4.6",
        case=named_cases()[0],
        dtype="float32",
        seed=7,
        nodeid="tests/test_output_and_state.py::test_output_last_step_is_h[torch-smallest-float32]",
    )


@pytest.fixture
def check() -> Iterator[Check]:
    """A check that is under way and listens to the assertion helpers."""
    one = check_of("rounding")
    with under_way(one):
        yield one


def expected_of(value: Array, spread: float | Array, dtype: str) -> Expected:
    wide = WIDER[dtype]
    return Expected(value.astype(wide), np.broadcast_to(wide(spread), value.shape).copy(), dtype)


SPREAD = {"float32": 2.0**-12, "float64": 2.0**-41}
"""Small enough to be informative, and 2^11 units of the last place of 1."""


def off_by(spreads: Array, dtype: str) -> tuple[Array, Expected]:
    """Ones, and ones that many spreads away."""
    ones = np.ones(np.shape(spreads), WIDER[dtype])
    away = ones + np.asarray(spreads) * SPREAD[dtype]
    return away.astype(dtype), expected_of(ones, SPREAD[dtype], dtype)


# Shape, dtype and finiteness come first, in all three helpers that compare values.


def same_bits(actual: Array, expected: Array) -> None:
    assert_same_bits(actual, expected)


def within_rounding(actual: Array, expected: Array) -> None:
    assert_within_rounding(actual, expected_of(expected, 1e-5, expected.dtype.name))


def different(actual: Array, expected: Array) -> None:
    assert_different(actual, expected, expected_of(np.ones_like(expected), 1e-5, "float32"))


ONES = np.ones((2, 3), np.float32)
each_helper = pytest.mark.parametrize("helper", [same_bits, within_rounding, different])


def spoiled(value: float) -> Array:
    array = ONES.copy()
    array[1, 2] = value
    return array


@each_helper
@pytest.mark.parametrize(
    ("actual", "expected", "words"),
    [
        (ONES.T, ONES, "tensor     value: shape [3, 2], expected [2, 3]"),
        (ONES[:1], ONES, "tensor     value: shape [1, 3], expected [2, 3]"),
        (ONES.astype(np.float64), ONES, "tensor     value: dtype float64, expected float32"),
        (ONES.astype(np.int32), ONES, "tensor     value: dtype int32, expected float32"),
        (ONES[:0], ONES[:0], "tensor     value: there is nothing in it to compare"),
        (
            spoiled(np.nan),
            ONES,
            "tensor     value: 1 of 6 elements are NaN or infinite, the first at [1, 2]: nan",
        ),
        (
            ONES,
            spoiled(np.nan),
            "tensor     expected value: 1 of 6 elements are NaN or infinite, "
            "the first at [1, 2]: nan",
        ),
        (spoiled(np.nan), spoiled(np.nan), "1 of 6 elements are NaN or infinite"),
        (spoiled(np.inf), spoiled(np.inf), "the first at [1, 2]: inf"),
        (spoiled(-np.inf), ONES, "the first at [1, 2]: -inf"),
    ],
    ids=["transposed", "fewer-rows", "wider", "integers", "empty", "nan", "nan-expected",
         "nan-on-both-sides", "infinity-on-both-sides", "negative-infinity"],
)  # fmt: skip
def test_form_comes_before_values(helper, actual, expected, words):
    assert words in disagrees(lambda: helper(actual, expected))


@pytest.mark.parametrize("helper", [assert_same_bits, assert_within_rounding])
@pytest.mark.parametrize(
    "names",
    [["h"], ["h", "c", "output"], ["c", "h"], []],
    ids=["one-missing", "one-more", "another-order", "none"],
)
def test_names_of_tensors_must_be_the_same(helper, names):
    expected = {name: expected_of(ONES, 1e-5, "float32") for name in ("h", "c")}
    if helper is assert_same_bits:
        expected = dict.fromkeys(expected, ONES)
    message = disagrees(lambda: helper(dict.fromkeys(names, ONES), expected))
    assert message == f"  found      {names}\n  expected   ['h', 'c']"


@pytest.mark.parametrize(
    "call",
    [
        lambda: assert_same_bits({}, {}),
        lambda: assert_within_rounding({}, {}),
        lambda: assert_ways_agree({}, expected_of(ONES, 1e-5, "float32")),
        lambda: assert_ways_agree({"one way": {}}, {}),
        lambda: assert_different({}, ONES, expected_of(ONES, 1e-5, "float32")),
    ],
    ids=["same-bits", "rounding", "no-way", "a-way-to-nothing", "different"],
)
def test_no_tensor_at_all_proves_nothing(call):
    assert disagrees(call) == "  found      nothing to compare"


@pytest.mark.parametrize(
    ("actual", "expected"), [({"h": ONES}, ONES), (ONES, {"h": ONES})], ids=["actual", "expected"]
)
def test_names_on_one_side_only_are_a_mistake_in_the_claim(actual, expected):
    with pytest.raises(TypeError, match=r"^tensors go by name on both sides or on neither$"):
        assert_same_bits(actual, expected)


# Structure.


@pytest.mark.parametrize(
    ("actual", "expected"),
    [((2, 3), (2, 3)), (["h", "c"], ["h", "c"]), (120, 120), ("LSTMStateTuple", "LSTMStateTuple")],
)
def test_same_structure_passes(check, actual, expected):
    assert_structure(actual, expected)
    assert [(one.kind, one.worst, one.elements) for one in check.measurements] == [
        ("structure", None, None)
    ]


@pytest.mark.parametrize(
    ("actual", "expected"), [((2, 3), (3, 2)), (["c", "h"], ["h", "c"]), (120, 140), ((2,), [2])]
)
def test_other_structure_fails(actual, expected):
    message = disagrees(lambda: assert_structure(actual, expected))
    assert message == f"  found      {actual!r}\n  expected   {expected!r}"


def refuses(error: Exception) -> Callable[[], object]:
    def call() -> object:
        raise error

    return call


def test_expected_refusal_passes(check):
    assert_refused(refuses(ValueError("input must be 3-D")), ValueError, "must be 3-D")
    assert [one.kind for one in check.measurements] == ["structure"]


def test_refusal_by_a_subclass_passes(check):
    assert_refused(refuses(UnicodeError("input must be 3-D")), ValueError, "must be 3-D")
    assert [one.kind for one in check.measurements] == ["structure"]


def test_no_refusal_fails():
    message = disagrees(lambda: assert_refused(lambda: 1, ValueError, "must be 3-D"))
    assert message == "  raised     nothing\n  expected   ValueError with 'must be 3-D'"


def test_refusal_in_other_words_fails():
    message = disagrees(
        lambda: assert_refused(refuses(ValueError("no")), ValueError, "must be 3-D")
    )
    assert message == ("  raised     ValueError('no')\n  expected   ValueError with 'must be 3-D'")


def test_refusal_by_another_exception_fails():
    message = disagrees(
        lambda: assert_refused(refuses(TypeError("must be 3-D")), ValueError, "must be 3-D")
    )
    assert message == (
        "  raised     TypeError('must be 3-D')\n  expected   ValueError with 'must be 3-D'"
    )


def test_calls_that_are_all_refused_pass(check):
    calls = {"one": refuses(ValueError("no")), "other": refuses(UnicodeError("no"))}
    assert_each_refused(calls, (KeyError, ValueError))
    assert [one.kind for one in check.measurements] == ["structure"]


def test_each_call_that_is_not_refused_is_told():
    calls = {
        "a": refuses(ValueError("no")),
        "b": lambda: np.zeros((2, 3)),
        "c": lambda: 7,
        "d": refuses(TypeError("no")),
    }
    message = disagrees(lambda: assert_each_refused(calls, (KeyError, ValueError)))
    assert message == (
        "  not refused, 3 of 4\n"
        "    b: taken, and gave (2, 3)\n"
        "    c: taken, and gave 7\n"
        "    d: TypeError('no')\n"
        "  expected   KeyError or ValueError"
    )


def test_nothing_to_refuse_fails():
    assert disagrees(lambda: assert_each_refused({}, (ValueError,))) == (
        "  found      nothing to call"
    )


def test_a_lack_of_memory_is_no_refusal():
    with pytest.raises(MemoryError):
        assert_each_refused({"one": refuses(MemoryError("no"))}, (ValueError,))


# Exact.


@each_dtype
def test_same_bits_pass(check, dtype):
    values = np.array([[0.0, -0.0, 1.5], [-2.0, np.finfo(dtype).max, 1e-40]], dtype)
    assert_same_bits({"h": values, "c": -values}, {"h": values.copy(), "c": -values})
    (measured,) = check.measurements
    assert (measured.kind, measured.worst, measured.bound, measured.elements) == (
        "exact", 0.0, 0.0, 12,
    )  # fmt: skip


def test_memory_layout_is_no_difference():
    values = np.arange(6.0).reshape(2, 3)
    assert_same_bits(np.asfortranarray(values), values)
    assert disagrees(lambda: assert_same_bits(np.asfortranarray(values), values + 1))


@each_dtype
def test_one_ulp_is_a_difference(check, dtype):
    values = np.ones((2, 3), dtype)
    other = values.copy()
    other[1, 0] = np.nextafter(values[1, 0], np.dtype(dtype).type(2))
    message = disagrees(lambda: assert_same_bits(other, values))
    shown = np.format_float_scientific(other[1, 0])
    assert "  tensor     value [2, 3]: 1 of 6 elements differ\n" in message
    assert f"  worst      at [1, 0]: {shown}, expected 1.e+00, 1 ULPs apart\n" in message
    assert [one.worst for one in check.measurements] == [1.0]


@each_dtype
def test_zeros_of_different_sign_are_different(dtype):
    zeros = np.zeros(3, dtype)
    message = disagrees(lambda: assert_same_bits(-zeros, zeros))
    assert "3 of 3 elements differ" in message
    assert "-0.e+00, expected 0.e+00, 0 ULPs apart" in message


@each_dtype
def test_ulps_are_counted_across_zero(dtype):
    """From one below zero to two above are three steps, whatever the sign bit does."""
    small = np.finfo(dtype).smallest_subnormal
    message = disagrees(lambda: assert_same_bits(np.array([-small]), np.array([small + small])))
    assert message.endswith(", 3 ULPs apart")


@each_dtype
def test_worst_of_differing_elements_is_named(dtype):
    values = np.ones((2, 3, 4), dtype)
    other = values.copy()
    other[0, 0, 0], other[1, 2, 3], other[0, 1, 2] = 1 + 2.0**-20, 2.0, 1 - 2.0**-20
    ulps = 2 ** np.finfo(dtype).nmant
    message = disagrees(lambda: assert_same_bits(other, values))
    assert "3 of 24 elements differ" in message
    assert f"at [1, 2, 3]: 2.e+00, expected 1.e+00, {ulps} ULPs apart" in message


def test_integers_are_compared_too():
    digits = np.array([3, 1, 4])
    assert_same_bits(digits, digits.copy())
    message = disagrees(lambda: assert_same_bits(digits, np.array([3, 1, 9])))
    assert "at [2]: 4, expected 9, 5 ULPs apart" in message


def test_single_numbers_are_compared_too():
    assert_same_bits(np.float32(1), np.float32(1))
    message = disagrees(lambda: assert_same_bits(np.float32(2), np.float32(1)))
    assert "at []: 2.e+00, expected 1.e+00" in message


def test_second_tensor_is_compared_as_well():
    message = disagrees(
        lambda: assert_same_bits({"h": ONES, "c": ONES}, {"h": ONES, "c": 2 * ONES})
    )
    assert message.startswith("  tensor     c [2, 3]: 6 of 6 elements differ")


# Rounding.


@each_judged_dtype
def test_element_within_five_spreads_passes(check, dtype):
    spreads = np.zeros(10)
    spreads[4] = -4.9
    assert_within_rounding(*off_by(spreads, dtype))
    (measured,) = check.measurements
    # A spread here is 2^11 ULPs, half of which rounding to the tested precision can cost.
    assert measured.worst == pytest.approx(4.9, abs=2.0**-11)
    assert measured.rms == pytest.approx(4.9 / np.sqrt(10), abs=2.0**-11)
    assert (measured.kind, measured.bound, measured.rms_bound) == ("rounding", 5.0, 0.9)
    assert (measured.informative, measured.elements) == (1.0, 10)
    assert measured.spread == SPREAD[dtype]


@each_judged_dtype
@pytest.mark.parametrize("sign", [1, -1])
def test_single_element_beyond_five_spreads_fails(dtype, sign):
    spreads = np.zeros((2, 5))
    spreads[1, 3] = sign * 5.1
    message = disagrees(lambda: assert_within_rounding(*off_by(spreads, dtype)))
    assert "1 of 10 elements compared are further than 5 spreads away" in message
    assert "worst      at [1, 3]: " in message
    assert " = 5.1 spreads (bound 5), " in message


@each_judged_dtype
def test_element_at_exactly_five_spreads_passes(check, dtype):
    assert_within_rounding(*off_by([5.0, -5.0, 0.0], dtype))
    assert check.measurements[0].worst == 5.0
    message = disagrees(lambda: assert_within_rounding(*off_by([5.0, 6.0, 0.0], dtype)))
    assert "1 of 3 elements compared are further than 5 spreads away" in message


@each_judged_dtype
@pytest.mark.parametrize(("elements", "passes"), [(63, True), (64, False)])
def test_many_small_errors_fail_together_from_64_elements_up(dtype, elements, passes):
    call = lambda: assert_within_rounding(*off_by(np.full(elements, 0.91), dtype))  # noqa: E731
    if passes:
        call()
    else:
        assert "0.91 spreads in root mean square (bound 0.9 from 64 elements up)" in disagrees(call)


@each_judged_dtype
@pytest.mark.parametrize(("sources", "passes"), [(63, True), (64, False), (None, False)])
def test_elements_that_err_together_count_as_what_they_come_from(dtype, sources, passes):
    """As the gradients of one step of one unit do, which are all products with one number."""
    values, expected = off_by(np.full(100, 0.91), dtype)
    few = replace(expected, sources=sources)
    call = lambda: assert_within_rounding(values, few)  # noqa: E731
    if passes:
        call()
    else:
        come_from = "" if sources is None else "; their errors come from 64"
        assert f"(bound 0.9 from 64 elements up{come_from})" in disagrees(call)


@each_judged_dtype
def test_a_single_element_is_judged_whatever_its_error_comes_from(dtype):
    values, expected = off_by(np.full(100, 5.1), dtype)
    assert "further than 5 spreads" in disagrees(
        lambda: assert_within_rounding(values, replace(expected, sources=1))
    )


@each_judged_dtype
def test_elements_that_err_by_themselves_are_counted_beside_those_that_do_not(dtype):
    values, expected = off_by(np.full(32, 0.91), dtype)
    few = replace(expected, sources=1)
    message = disagrees(
        lambda: assert_within_rounding({"h": values, "c": values}, {"h": expected, "c": few})
    )
    assert "0.91 spreads in root mean square" in message


@each_judged_dtype
def test_small_errors_below_the_common_bound_pass(check, dtype):
    assert_within_rounding(*off_by(np.full(1000, 0.89), dtype))
    assert check.measurements[0].rms == pytest.approx(0.89, abs=2.0**-11)


@each_judged_dtype
def test_tensors_by_name_are_judged_together(dtype):
    """Two of 32 elements: each would pass by itself."""
    half, expected = off_by(np.full(32, 0.91), dtype)
    assert_within_rounding({"h": half}, {"h": expected})
    message = disagrees(
        lambda: assert_within_rounding({"h": half, "c": half}, {"h": expected, "c": expected})
    )
    assert "0.91 spreads in root mean square" in message


@each_judged_dtype
@pytest.mark.parametrize("name", ["output", "h", "c"])
def test_report_is_about_the_tensor_with_the_worst_element(dtype, name):
    """Wherever it stands among others that are wrong too."""
    actual, expected = {}, {}
    for one in ("output", "h", "c"):
        spreads = np.full(3, 7.0)
        spreads[2] = 9.0 if one == name else 8.0
        actual[one], expected[one] = off_by(spreads, dtype)
    message = disagrees(lambda: assert_within_rounding(actual, expected))
    assert message.startswith(f"  tensor     {name} [3]: 3 of 3 elements")
    assert "  worst      at [2]: " in message
    assert " = 9 spreads (bound 5), " in message


@each_judged_dtype
def test_report_is_about_the_worst_tensor_even_if_no_element_is_far(dtype):
    near, expected = off_by(np.full(64, 0.91), dtype)
    far, _ = off_by(np.full(64, 0.95), dtype)
    message = disagrees(
        lambda: assert_within_rounding({"h": near, "c": far}, {"h": expected, "c": expected})
    )
    assert message.startswith("  tensor     c [64]: 0 of 64 elements")


@each_judged_dtype
def test_ways_to_the_same_thing_are_judged_each(check, dtype):
    """32 elements pass by themselves; 64 of them would not."""
    half, expected = off_by(np.full(32, 0.91), dtype)
    assert_ways_agree({"one way": half, "another": half}, expected)
    assert_ways_agree({"one way": {"h": half}, "another": {"h": half}}, {"h": expected})
    assert [one.elements for one in check.measurements] == [64, 64]


@each_judged_dtype
def test_every_way_must_agree(check, dtype):
    near, expected = off_by(np.zeros(32), dtype)
    far, _ = off_by(np.full(32, 6.0), dtype)
    message = disagrees(lambda: assert_ways_agree({"one way": near, "another": far}, expected))
    assert "  tensor     another: value [32]: 32 of 32 elements" in message
    assert round(check.measurements[0].worst) == 6


def test_every_way_must_name_the_same_tensors():
    expected = expected_of(ONES, 1e-5, "float32")
    message = disagrees(
        lambda: assert_ways_agree({"one way": {"h": ONES}, "another": {"c": ONES}}, {"h": expected})
    )
    assert message == "  found      ['c']\n  expected   ['h']"


@each_judged_dtype
def test_uninformative_elements_are_left_out_and_counted(check, dtype):
    """A wildly wrong element whose spread is above the limit does not count; the rest does."""
    spreads = np.zeros(8)
    spreads[:2] = 1e6
    actual, expected = off_by(spreads, dtype)
    wide = expected.spread.copy()
    wide[:2] = np.nextafter(WIDER[dtype](INFORMATIVE[dtype]), WIDER[dtype](1))
    assert_within_rounding(actual, Expected(expected.value, wide, dtype))
    (measured,) = check.measurements
    assert (measured.informative, measured.elements, measured.worst) == (0.75, 6, 0.0)


@each_judged_dtype
def test_element_at_the_limit_of_information_counts(dtype):
    ones = np.ones(3)
    at_limit = expected_of(ones, INFORMATIVE[dtype], dtype)
    far = (ones + 5.1 * INFORMATIVE[dtype]).astype(dtype)
    assert "3 of 3 elements" in disagrees(lambda: assert_within_rounding(far, at_limit))


@each_judged_dtype
def test_no_informative_element_fails_even_if_all_is_right(dtype):
    ones = np.ones(3, dtype)
    message = disagrees(
        lambda: assert_within_rounding(ones, expected_of(ones, 2 * INFORMATIVE[dtype], dtype))
    )
    assert message == (
        "  tensor     no element is informative: honest arithmetic goes astray everywhere"
    )


@each_judged_dtype
def test_nothing_informative_is_a_failure_of_its_own_noted_in_numbers(check, dtype):
    """A record of the failure holds no NaN, which JSON does not know."""
    ones = np.ones(3, dtype)
    expected = expected_of(ones, 2 * INFORMATIVE[dtype], dtype)
    with pytest.raises(compare.NothingInformative):
        assert_within_rounding(ones, expected)
    (measured,) = check.measurements
    assert (measured.worst, measured.rms, measured.informative, measured.elements) == (0, 0, 0, 0)


@each_judged_dtype
def test_spread_that_is_no_number_is_not_informative(dtype):
    ones = np.ones(3, dtype)
    assert "no element is informative" in disagrees(
        lambda: assert_within_rounding(ones, expected_of(ones, np.nan, dtype))
    )


@pytest.mark.skipif(no_oracle_for("float64") is not None, reason=no_oracle_for("float64") or "")
def test_distance_is_taken_before_the_oracle_is_rounded():
    """A third in float64 is a sixth of an ULP from a third; a spread of 2^-60 tells."""
    third = np.array([1 / np.longdouble(3)])
    with pytest.raises(Disagreement, match="0 ULPs"):
        assert_within_rounding(
            third.astype(np.float64),
            Expected(third, np.array([np.longdouble(2) ** -60]), "float64"),
        )


# Different.


def apart(bounds: float, dtype: str = "float32") -> tuple[Array, Array, Expected]:
    """Two tensors that many bounds of 5 spreads apart in root mean square, and the spread."""
    other = np.ones((4, 5), dtype)
    spread = 2.0 ** (-16 if dtype == "float32" else -45)
    offsets = np.where(np.arange(20) % 2, 1.0, -1.0).reshape(4, 5) * 5 * bounds * spread
    return (other + offsets).astype(dtype), other, expected_of(other, spread, dtype)


@each_dtype
def test_more_than_a_hundred_bounds_is_different(check, dtype):
    assert_different(*apart(101.0, dtype))
    (measured,) = check.measurements
    # 5 spreads are at least 2^8 ULPs here, half of one of which rounding can cost.
    assert measured.worst == pytest.approx(101, abs=2.0**-8)
    assert (measured.kind, measured.bound) == ("different", 100.0)
    assert (measured.informative, measured.elements) == (1.0, 20)
    assert measured.spread == (2.0**-16 if dtype == "float32" else 2.0**-45)


@each_dtype
def test_exactly_a_hundred_bounds_is_different(check, dtype):
    assert_different(*apart(100.0, dtype))
    assert check.measurements[0].worst == 100.0


@each_dtype
def test_less_than_a_hundred_bounds_is_not_different_enough(dtype):
    message = disagrees(lambda: assert_different(*apart(99.0, dtype)))
    assert message == (
        "  tensor     value: the two are not different enough\n"
        "  apart      99 bounds in root mean square, expected at least 100"
    )


def test_same_tensor_is_not_different():
    _, other, spread = apart(101.0)
    assert "apart      0 bounds" in disagrees(lambda: assert_different(other, other, spread))


def test_each_of_several_tensors_must_be_different(check):
    """The closest one is judged and noted."""
    far, other, spread = apart(1000.0)
    near, _, _ = apart(99.0)
    message = disagrees(lambda: assert_different({"far": far, "near": near}, other, spread))
    assert message.splitlines()[-3].startswith("  tensor     near: ")
    assert_different({"far": far, "also": apart(200.0)[0]}, other, spread)
    assert round(check.measurements[-1].worst) == 200


def test_difference_in_uninformative_elements_does_not_count(check):
    actual, other, spread = apart(1000.0)
    chaotic = np.where(np.arange(20).reshape(4, 5) < 19, 1.0, spread.spread)
    actual[3, 4] = other[3, 4]
    partly = Expected(spread.value.copy(), chaotic, "float32")
    assert "apart      0 bounds" in disagrees(lambda: assert_different(actual, other, partly))
    assert check.measurements[-1].informative == 0.05


def test_nothing_informative_is_not_different():
    actual, other, spread = apart(1000.0)
    nowhere = Expected(spread.value.copy(), np.ones((4, 5)), "float32")
    assert "apart      0 bounds" in disagrees(lambda: assert_different(actual, other, nowhere))


# What is noted, and what a failure says.


@pytest.mark.parametrize(
    "call",
    [
        lambda one: assert_same_bits(one, one),
        lambda one: assert_within_rounding(one, expected_of(ONES, 1e-5, "float32")),
        lambda one: assert_different(one, 9 * ONES, expected_of(ONES, 1e-5, "float32")),
    ],
    ids=["same-bits", "rounding", "different"],
)
def test_compared_values_are_noted_by_their_hash(check, call):
    next_to_one = np.nextafter(ONES, np.float32(2))
    for values in (ONES, ONES.copy(), next_to_one):
        call(values)
    first, again, other = (one.output for one in check.measurements)
    assert first == again != other
    assert len(first) == 16


def test_nothing_is_noted_after_the_check_is_over():
    one = check_of("structure")
    with under_way(one):
        assert_structure(1, 1)
    assert_structure(1, 1)
    assert len(one.measurements) == 1


def test_check_within_a_check_gives_way_to_the_outer_one():
    outer, inner = check_of("structure"), check_of("structure")
    with under_way(outer):
        with under_way(inner):
            pass
        assert_structure(1, 1)
    assert (len(outer.measurements), len(inner.measurements)) == (1, 0)


def heading(kind: str) -> str:
    return (
        f"claim output-last-step-is-h ({kind}) does not hold\n"
        "  statement  The output's last step is the final hidden state.\n"
        "  formula    output[:, -1] == h[-1]\n"
        "  adapter    torch (torch 2.13.0, numpy 2.4.6)\n"
        "  case       smallest (the smallest asymmetric one: batch, time, features and units all "
        "different), float32, seed 7\n"
    )


RERUN = (
    "\n  rerun      pytest 'tests/test_output_and_state.py::"
    "test_output_last_step_is_h[torch-smallest-float32]' --seed 7"
)


def message_of(kind: str, call: Callable[[], None]) -> str:
    with under_way(check_of(kind)):
        return disagrees(call)


def test_of_several_tensors_a_failure_names_all_that_are_wrong():
    pairs = {"h": ONES, "c": 2 * ONES, "output": ONES}, {"h": ONES, "c": ONES, "output": 3 * ONES}
    message = message_of("exact", lambda: assert_same_bits(*pairs))
    assert "\n  wrong      2 of 3 tensors: c; output\n" in message


def test_failure_of_a_rounding_claim_is_a_report():
    spreads = np.zeros((2, 3))
    spreads[1, 2], spreads[0, 1] = -8.0, 5.5
    actual, expected = off_by(spreads, "float32")
    right, zeros = off_by(np.zeros((2, 3)), "float32")
    message = message_of(
        "rounding",
        lambda: assert_within_rounding(
            {"output": right, "h[0, 0]": actual}, {"output": zeros, "h[0, 0]": expected}
        ),
    )
    assert message == (
        heading("rounding")
        + "  tensor     h[0, 0] [2, 3]: 2 of 6 elements compared are further than 5 spreads away\n"
        # 8 spreads of 2^-12 below 1, where an ULP is 2^-24.
        "  worst      at [1, 2]: 9.980469e-01, expected 1.e+00, 0.00195 apart = 8 spreads "
        "(bound 5), 32768 ULPs\n"
        "  together   2.8 spreads in root mean square (bound 0.9 from 64 elements up)\n"
        "  wrong      1 of 2 tensors: h[0, 0]" + RERUN
    )


def test_failure_of_an_exact_claim_is_a_report():
    message = message_of("exact", lambda: assert_same_bits(ONES, spoiled(np.float32(1 + 2**-22))))
    assert message == (
        heading("exact") + "  tensor     value [2, 3]: 1 of 6 elements differ\n"
        "  worst      at [1, 2]: 1.e+00, expected 1.0000002e+00, 2 ULPs apart" + RERUN
    )


def test_failure_of_a_claim_of_difference_is_a_report():
    message = message_of("different", lambda: assert_different(*apart(25.0)))
    assert message == (
        heading("different") + "  tensor     value: the two are not different enough\n"
        "  apart      25 bounds in root mean square, expected at least 100" + RERUN
    )


def test_failure_of_a_structure_claim_is_a_report():
    message = message_of("structure", lambda: assert_structure((3, 2), (2, 3)))
    assert message == (heading("structure") + "  found      (3, 2)\n  expected   (2, 3)" + RERUN)


def test_failure_in_shape_is_a_report():
    message = message_of("exact", lambda: assert_same_bits(ONES.T, ONES))
    assert message == (
        heading("exact") + "  tensor     value: shape [3, 2], expected [2, 3]" + RERUN
    )


def test_failure_without_a_check_is_the_details_alone():
    assert failure("  details") == "  details"


@pytest.mark.parametrize("dtype", ["float64"])
def test_an_error_too_large_to_be_squared_is_a_disagreement(dtype):
    """As beside a spread that is the smallest normal number."""
    if reason := no_oracle_for(dtype):
        pytest.skip(reason)
    zeros = np.zeros(70, dtype)
    expected = Expected(
        zeros.astype(WIDER[dtype]), np.full(70, np.finfo(dtype).tiny, WIDER[dtype]), dtype
    )
    assert "spreads (bound 5)" in disagrees(lambda: assert_within_rounding(zeros + 1e-3, expected))
    assert_different(zeros + 1e-3, zeros, expected)
