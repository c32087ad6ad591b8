"""What pytest would list once for every check: failures, errors, expected warnings."""

from __future__ import annotations

import re
import shlex
from types import SimpleNamespace

import pytest

from fixtures.plugin.condensing import condensed
from fixtures.plugin.fuzzing import PROPERTY as RANDOM
from fixtures.plugin.reporting import PROPERTY
from tests.meta.conftest import Project

MANY = """
import pytest
from fixtures.cases import named
from fixtures.checks.compare import assert_same_bits
from fixtures.claims import claim

CASES = named("smallest", "one-unit", "two-layers", "hundred-steps")


@claim(kind="exact", statement="It fails.", formula="h == 2 h", cases=CASES)
def test_it_fails(run):
    assert_same_bits(2 * run.h[-1, 0], run.h[-1, 0])


@claim(kind="exact", statement="Another.", formula="c == 2 c", cases=CASES)
def test_another_fails(run):
    assert_same_bits(2 * run.c[-1, 0], run.c[-1, 0])


@pytest.fixture
def broken():
    raise RuntimeError("broken before")


@claim(kind="exact", statement="It breaks.", formula="h == h", cases=CASES)
def test_it_breaks(run, broken):
    assert_same_bits(run.output, run.output)


@pytest.mark.parametrize("number", [1, 2])
def test_of_no_claim(number):
    assert number == 3, "which is no claim"
"""


@pytest.fixture
def many(project: Project) -> Project:
    """Three claims, each of which fails, or breaks, on four cases in two dtypes; and two failures
    of what is no claim."""
    project.write("tests/test_small.py", MANY)
    return project


@pytest.mark.parametrize(
    "options",
    [(), ("-n", "2"), ("-v",), ("-q",), ("--tb=short",), ("-rA",), ("-rA", "-n", "2"),
     ("--show-capture=no",)],
    ids=" ".join,
)  # fmt: skip
def test_one_block_for_each_claim_and_adapter(many: Project, options):
    result = many.pytest(*options)
    assert re.search(r"18 failed, 8 errors in", result.stdout)
    shown = re.findall(r"rerun +pytest '.*::(.*?)' --seed 0$", result.stdout, re.MULTILINE)
    assert sorted(shown) == [
        "test_another_fails[numpy-one-unit-float32]",
        "test_it_fails[numpy-one-unit-float32]",
    ]
    headings = re.findall(r"^_+ ERROR at setup of (\S+) _+$", result.stdout, re.MULTILINE)
    assert headings == ["test_it_breaks[numpy-one-unit-float32]"]
    of_no_claim = re.findall(r"^_+ (test_of_no_claim\S+) _+$", result.stdout, re.MULTILINE)
    assert sorted(of_no_claim) == ["test_of_no_claim[1]", "test_of_no_claim[2]"]
    more = re.findall(r"^-+ 7 more like it -+\n(.*)$", result.stdout, re.MULTILINE)
    assert sorted(more) == [
        f"pytest --claim {one} --adapters numpy --seed 0 -vv --matrix none"
        for one in ("another-fails", "it-breaks", "it-fails")
    ]
    told = re.findall(r"^(?:FAILED|ERROR) .*::(\S+)", result.stdout.partition("short test")[2],
                      re.MULTILINE)  # fmt: skip
    assert len(told) == 5


def test_the_command_runs_them_all(many: Project):
    first = many.pytest("-k", "it_fails", "--seed", "7")
    command = re.search(r"more like it -+\n(pytest .*)$", first.stdout, re.MULTILINE).group(1)
    again = many.pytest(*shlex.split(command)[1:])
    assert "seed 7" in again.stdout
    assert re.search(r" 8 failed, 18 deselected in", again.stdout)


def test_all_are_shown_to_who_wants_them(many: Project):
    result = many.pytest("-k", "it_fails or it_breaks", "-vv", CI="true")
    assert len(re.findall(r"rerun +pytest", result.stdout.partition("short test")[0])) == 8
    assert len(re.findall(r"^_+ ERROR at setup of ", result.stdout, re.MULTILINE)) == 8
    assert "more like it" not in result.stdout


def test_on_ci_the_line_that_names_a_failure_stays_one(many: Project):
    result = many.pytest("-k", "it_fails", CI="true")
    summary = result.stdout.partition("short test summary info")[2].splitlines()
    assert len(summary) == 3  # the rest of its own, the failure, and pytest's last
    assert summary[1].startswith("FAILED ")


CRASHING = """
from fixtures.cases import named
from fixtures.checks.compare import assert_same_bits
from fixtures.claims import claim

CASES = named("smallest", "one-unit")


def crashes(how):
    raise RuntimeError(how)


@claim(kind="exact", statement="It crashes.", formula="h == h", cases=CASES)
def test_it_crashes(run):
    crashes("one way")


@claim(kind="exact", statement="Another.", formula="c == c", cases=CASES)
def test_another_crashes(run):
    crashes("another way")
"""


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=" ".join)
def test_of_crashes_at_one_place_one_has_its_traceback(many: Project, options):
    many.write("tests/test_small.py", CRASHING)
    result = many.pytest(*options)
    assert len(re.findall(r"^>? +raise RuntimeError", result.stdout, re.MULTILINE)) == 1
    assert result.stdout.count("3 more like it") == 2
    told = re.findall(r"^E +RuntimeError: (.*)", result.stdout, re.MULTILINE)
    assert sorted(told) == ["another way", "one way"]
    (other,) = re.findall(r"RuntimeError, as in (test_.*) above$", result.stdout, re.MULTILINE)
    before = result.stdout.partition("RuntimeError, as in")[0]
    assert re.search(rf"^_+ {re.escape(other)} _+$", before, re.MULTILINE)


def test_one_failure_alone_has_none_like_it(many: Project):
    result = many.pytest("-x", "-k", "it_fails")
    assert "1 failed" in result.stdout
    assert len(re.findall(r"rerun +pytest", result.stdout)) == 1
    assert "more like it" not in result.stdout


def test_without_blocks_every_failure_has_its_line(many: Project):
    result = many.pytest("--tb=no", "-k", "it_fails or it_breaks")
    assert len(re.findall(r"^FAILED .*test_it_fails\[", result.stdout, re.MULTILINE)) == 8
    assert len(re.findall(r"^ERROR .*test_it_breaks\[", result.stdout, re.MULTILINE)) == 8


def test_what_is_not_shown_is_counted_recorded_and_run_again(many: Project):
    result = many.pytest("-k", "it_fails", "--junitxml=run.xml")
    assert re.search(r"^  it-fails +FAIL 8/8 ", result.stdout, re.MULTILINE)
    assert (many.path / "run.xml").read_text().count("<failure") == 8
    assert " 8 failed" in many.pytest("--lf").stdout


def report(claim="it-holds", adapter="torch", case="smallest", dtype="float32"):
    identity = {"claim": claim, "adapter": adapter, "case": case, "dtype": dtype}
    return SimpleNamespace(
        user_properties=[(PROPERTY, identity), (PROPERTY, {"measurement": None})]
    )


@pytest.mark.parametrize(
    ("simpler", "other"),
    [
        ({"case": "one-unit"}, {"case": "smallest"}),
        ({"case": "smallest"}, {"case": "bidirectional"}),
        ({"case": "one-unit", "dtype": "float64"}, {"case": "smallest", "dtype": "float32"}),
        ({"dtype": "float32"}, {"dtype": "float64"}),
        ({"case": "smallest"}, {"case": "smallest-from-zero"}),
        ({"case": "mnist-digits"}, {"case": "recorded-basic-blog"}),
        ({"case": "recorded-a"}, {"case": "recorded-b"}),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_the_simplest_case_is_shown(simpler, other, turned):
    reports = [report(**simpler), report(**other)]
    (shown,) = condensed(reports[::-1] if turned else reports, "--seed 0")
    assert shown.user_properties is reports[0].user_properties


def test_other_claims_and_adapters_are_other_failures():
    reports = [report(), report(claim="another"), report(adapter="numpy"), SimpleNamespace()]
    assert condensed(reports, "--seed 0") == reports


def random_report(numbers, claim="it-holds", adapter="torch", dtype="float32"):
    """What a part of the random cases tells of a claim that does not hold on one."""
    alarm = {"claim": claim, "adapter": adapter, "case": f"random-{numbers}", "dtype": dtype}
    told = {"drawn": 1, "alarm": alarm | {"numbers": numbers}}
    return SimpleNamespace(
        user_properties=[(RANDOM, told)], toterminal=lambda out: out.line(f"of {numbers} numbers")
    )


def test_random_cases_on_which_a_claim_does_not_hold_are_one_block():
    reports = [random_report(numbers) for numbers in (40, 8, 100)]
    (shown,) = condensed(reports, "--seed 3")
    lines = []
    shown.toterminal(SimpleNamespace(line=lines.append, sep=lambda _, words: lines.append(words)))
    assert lines == [
        "of 8 numbers",
        "2 more like it",
        "pytest tests/test_random.py --adapters torch --seed 3 -vv --matrix none",
    ]


def test_random_cases_stand_beside_named_ones():
    reports = [
        report(), random_report(8), random_report(8, adapter="numpy"),
        random_report(8, claim="another"), SimpleNamespace(user_properties=[(RANDOM, {})]),
    ]  # fmt: skip
    assert condensed(reports, "--seed 0") == reports


# Warnings.

WARNING = """
import warnings

import framework
from fixtures.cases import named
from fixtures.checks.compare import assert_same_bits
from fixtures.claims import claim


@claim(kind="exact", statement="It holds.", formula="h == h", cases=named("smallest", "one-unit"))
def test_it_holds(run):
    framework.old_cell()
    framework.slow()
    assert_same_bits(run.output, run.output)
"""
FRAMEWORK = """
import warnings

def old_cell():
    warnings.warn(
        "`tf.nn.rnn_cell.BasicLSTMCell` is deprecated and will be removed in a future version.",
        UserWarning, stacklevel=2,
    )

def slow():
    warnings.warn("this is slow", UserWarning)
"""
EXPECTED = "tf.nn.rnn_cell's cells are deprecated, and tested on purpose"


@pytest.fixture
def warned(project: Project) -> Project:
    """A claim that is proven in four checks, of which each warns twice: of what is expected, and of
    what is not."""
    project.write("tests/test_small.py", WARNING)
    project.write("framework.py", FRAMEWORK)
    return project


@pytest.mark.parametrize("options", [(), ("-n", "2"), ("-q",), ("-v",), ("-rA",)], ids=" ".join)
def test_expected_warnings_are_one_line(warned: Project, options):
    result = warned.pytest(*options, PYTHONPATH=".")
    assert result.returncode == 0, result.stdout
    assert result.stdout.splitlines()[-2] == f"4 expected warnings: {EXPECTED}"
    assert "4 passed, 8 warnings in" in result.stdout
    listed = result.stdout.partition("warnings summary")[2].partition("-- Docs")[0]
    assert "UserWarning: this is slow" in listed
    assert "deprecated" not in listed


def test_one_expected_warning_is_told_in_the_singular(warned: Project):
    result = warned.pytest("-k", "smallest and float32", PYTHONPATH=".")
    assert f"\n1 expected warning: {EXPECTED}\n" in result.stdout


def test_expected_warnings_alone_have_no_section(warned: Project):
    warned.write("framework.py", FRAMEWORK.partition("def slow")[0] + "slow = print\n")
    result = warned.pytest(PYTHONPATH=".")
    assert f"\n4 expected warnings: {EXPECTED}\n" in result.stdout
    assert "warnings summary" not in result.stdout


@pytest.mark.parametrize("option", ["--disable-warnings", "--no-summary"])
def test_who_wants_no_warnings_gets_no_line(warned: Project, option):
    result = warned.pytest(option, PYTHONPATH=".")
    assert "4 passed, 8 warnings in" in result.stdout
    assert EXPECTED not in result.stdout


def test_any_other_warning_of_our_own_code_is_an_error(warned: Project):
    warned.write("framework.py", FRAMEWORK.replace("BasicLSTMCell` is deprecated", "Cell` is old"))
    result = warned.pytest(PYTHONPATH=".")
    assert result.returncode == pytest.ExitCode.TESTS_FAILED
    assert "UserWarning: `tf.nn.rnn_cell.Cell` is old" in result.stdout
