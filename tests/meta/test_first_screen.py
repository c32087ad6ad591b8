"""The first screen of a verdict: what broke, as if what, since when, for whom, how to repeat it;
and warnings as evidence."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest

import fixtures.__main__
from fixtures.claims import all_claims
from fixtures.pages import verdict as words
from fixtures.records.diff import diff
from fixtures.records.evidence import RANKS, grouped
from fixtures.records.patterns import patterns
from fixtures.records.proven import KeptRun
from fixtures.records.record import read
from fixtures.records.touched import since
from tests.meta.conftest import need_reports
from tests.meta.records import FAILED, LEFT_OUT, MOVED, SMALLEST, a_check, a_record, measured

MASK = (
    "UserWarning: Layer 'lstm_{}' does not support masking and will therefore destroy the mask "
    "information. Pass the mask by hand."
)
DEPRECATED = "DeprecationWarning: np.find_common_type is deprecated. Use np.result_type."


@pytest.fixture
def judge(tmp_path, monkeypatch):
    # The path of a temporary folder may be wider than the screen.
    monkeypatch.chdir(tmp_path)

    def judge(old, new):
        paths = [Path("old.json"), Path("new.json")]
        for path, record in zip(paths, (old, new), strict=True):
            path.write_text(json.dumps(record))
        return diff(*map(read, paths))

    return judge


def with_version(record, version, adapter="numpy"):
    record["adapters"][adapter]["versions"] = {"keras": version, "Keras backend": "tensorflow"}
    return record


# What regressed.

STACK = SMALLEST | {"units": [3, 3], "about": "two layers"}


@pytest.fixture
def broken(judge):
    """Of four checks on one adapter the stack's are broken by an upgrade."""
    checks = [
        a_check(claim, case=case, family="gradients" if claim == "a-gradient" else "x")
        for claim in ("a-value", "a-gradient")
        for case in ("smallest", "two-layers")
    ]
    cases = {"smallest": SMALLEST, "two-layers": STACK}
    old = with_version(a_record(*checks, cases=cases), "3.9.0")
    new = with_version(copy.deepcopy(old), "3.12.4")
    for check in new["checks"][1], new["checks"][3]:
        check |= FAILED
    return judge(old, new)


def test_the_first_screen_answers_the_questions(broken):
    assert words.answers(broken) == {
        "as if": [],
        "since": ["numpy: keras 3.9.0 was the last that is known to be right, 3.12.4 is wrong"],
        "touched": ["one direction 2 of 4, stacks 2 of 2, gradients 1 of 2; not: one layer"],
        "repeat": ["pytest 'tests/test_x.py::test_a-gradient[numpy-two-layers-float32]'"],
    }


def test_its_lines_come_before_all_others(broken):
    lines = words.text(broken, width=100).splitlines()
    assert lines[0].startswith("Regressed: ")
    assert [line.split()[0] for line in lines[2:5]] == ["since", "touched", "repeat"]
    assert lines[5] == ""


def test_markdown_json_and_html_answer_them_too(broken):
    since_when = "keras 3.9.0 was the last that is known to be right"
    assert f"- since: numpy: {since_when}" in words.markdown(broken)
    assert "- repeat: `pytest 'tests/test_x.py::" in words.markdown(broken)
    assert since_when in json.loads(words.as_json(broken))["answers"]["since"][0]
    need_reports()
    from fixtures.pages import report

    assert since_when in report.of_verdict(broken)


def test_where_nothing_regressed_no_question_is_answered(judge):
    assert words.answers(judge(a_record(), a_record(a_check(**MOVED)))) == {}
    assert words.answers(judge(a_record(), a_record(a_check(**LEFT_OUT)))) == {}


def test_a_command_is_on_one_line_however_long(judge):
    nodeid = f"tests/test_x.py::test_{'long_' * 30}[numpy-smallest-float32]"
    new = a_record(a_check(**FAILED, nodeid=nodeid), seed=7)
    lines = words.text(judge(a_record(seed=7), new), width=80).splitlines()
    assert f"repeat   pytest '{nodeid}' --seed 7" in lines


def test_a_known_fault_is_told(judge):
    """One that is kept, put into a record as it was tried, without what it does in others."""
    known = {one.mutant: one for one in patterns()}["torch-h-n-and-c-n-exchanged"]
    checks = []
    for (claim, case, dtype), failure in known.tries.items():
        one = a_check(claim, case=case, dtype=dtype, claim_hash=all_claims()[claim].source_hash)
        if failure is not None:
            tensors = "; ".join(failure.wrong)
            one |= FAILED | {
                "reason": f"Disagreement: claim {claim} (rounding) does not hold\n"
                f"  wrong      2 of 3 tensors: {tensors}",
                "measurement": measured(worst=failure.worst, rms=failure.rms),
            }
        checks.append(one)
    old = a_record(*({**one, "outcome": "proven", "measurement": measured()} for one in checks))
    text = words.text(judge(old, a_record(*checks)), width=200)
    assert "as if    numpy: (h, c) returned as (c, h): " in text
    assert " fail the same way (score 1.00); next nearest: " in text


# Since when.


def kept(version, *proven, hashes=None, adapter="numpy"):
    return KeptRun(
        date="2026-11-01", suite="0.1.0", python="3.11.7",
        versions={adapter: {"keras": version}}, proven={adapter: proven},
        hashes=dict.fromkeys(proven, "c1") if hashes is None else hashes,
    )  # fmt: skip


BOTH = ("a-value", "a-gradient")


@pytest.mark.parametrize(
    ("runs", "good"),
    [
        ([], "3.9.0"),
        ([kept("3.11.0", *BOTH), kept("3.10.0", *BOTH)], "3.11.0"),
        ([kept("3.11.0", "a-value")], "3.9.0"),
        ([kept("3.11.0", *BOTH, hashes={"a-value": "c1", "a-gradient": "c0"})], "3.9.0"),
        ([kept("3.13.0", *BOTH), kept("3.8.0", *BOTH)], "3.9.0"),
        ([kept("3.11.0", *BOTH, adapter="torch")], "3.9.0"),
    ],
    ids=["none-kept", "newest", "a-part", "another-test", "out-of-range", "another-adapter"],
)
def test_since_when_is_told_from_runs_in_between(broken, runs, good):
    failing = [one.new for one in broken.of("newly failing")]
    [told] = since(failing, broken.old, broken.new, runs)
    assert (told.name, told.good, told.bad) == ("keras", good, "3.12.4")


def test_a_run_in_modes_alone_tells_its_versions(judge):
    check = a_check(adapter="numpy:twice")
    old, new = (a_record(copy.deepcopy(check)) for _ in range(2))
    for record, version in ((old, "3.9.0"), (new, "3.12.4")):
        record["adapters"]["numpy:twice"] = record["adapters"].pop("numpy")
        with_version(record, version, "numpy:twice")
    new["checks"][0] |= FAILED
    assert words.answers(judge(old, new))["since"] == [
        "numpy: keras 3.9.0 was the last that is known to be right, 3.12.4 is wrong"
    ]


def test_a_nightly_build_is_another_version_of_its_framework(judge):
    old, new = (with_version(a_record(copy.deepcopy(a_check())), "3.15.1") for _ in range(2))
    new["adapters"]["numpy"]["versions"] = {"keras-nightly": "3.16.0.dev1"}
    new["checks"][0] |= FAILED
    verdict = judge(old, new)
    assert words.answers(verdict)["since"] == [
        "numpy: keras 3.15.1 was the last that is known to be right, 3.16.0.dev1 is wrong"
    ]
    assert "keras 3.15.1 -> 3.16.0.dev1" in words.text(verdict)


def test_where_no_version_changed_that_is_told(judge):
    told = words.answers(judge(a_record(), a_record(a_check(**FAILED))))["since"]
    assert told == ["numpy: its versions are the same in both runs, numpy 2.4.6"]


# Warnings and surfaces.


def test_warnings_that_say_the_same_are_one():
    found = grouped({MASK.format(n): n for n in range(1, 6)} | {DEPRECATED: 400})
    assert [(one.count, RANKS[one.rank]) for one in found.values()] == [
        (15, "about the call"), (400, "deprecation"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "rank"),
    [
        (MASK, "about the call"),
        ("UserWarning: RNN module weights are not part of single chunk", "about the call"),
        ("RuntimeWarning: overflow encountered in exp", "of another kind"),
        (DEPRECATED, "deprecation"),
        ("FutureWarning: the state will be a tuple", "deprecation"),
        ("UserWarning: `tf.nn.rnn_cell.BasicLSTMCell` is deprecated", "deprecation"),
    ],
)
def test_a_warning_about_the_call_comes_before_a_deprecation(text, rank):
    [one] = grouped({text: 1}).values()
    assert RANKS[one.rank] == rank


def test_nothing_regressed_but_look_at_this(judge):
    new = a_record(warnings={MASK.format(1): 70, MASK.format(2): 5, DEPRECATED: 400})
    new["adapters"]["numpy"]["surface"] = {"numpy.layer": "(x, units=5)"}
    found = judge(a_record(warnings={"UserWarning: old": 1}), new)
    assert found.sentence == (
        "Nothing regressed, nothing moved: 1 check held as before. "
        "But look at this: 2 new warnings and 1 changed surface."
    )
    assert found.exit_status == 0
    lines = words.text(found, width=120).splitlines()
    place = lines.index("new warnings (2)")
    assert lines[place + 1].startswith("  75 times: UserWarning: Layer 'lstm_1' does not support")
    assert lines[place + 2] == "  400 times: DeprecationWarning: np.find_common_type is deprecated"
    assert lines[place + 3] == "surface changed (1)"
    assert [one["kind"] for one in json.loads(words.as_json(found))["to_look_at"]] == [
        "warning", "warning", "surface",
    ]  # fmt: skip


def test_a_warning_that_differs_in_numbers_alone_is_not_new(judge):
    old, new = (
        a_record(warnings={f"UserWarning: (Triggered internally at /a{n}/RNN.cpp:{n}.)": 1})
        for n in (1512, 1498)
    )
    assert judge(old, new).to_look_at == []
    assert judge(old, new).around == ()


def test_strict_warnings_make_it_exit_1(tmp_path, capsys):
    new = a_record(warnings={MASK: 75})
    for name, record in (("old", a_record()), ("new", new)):
        (tmp_path / f"{name}.json").write_text(json.dumps(record))
    old, new = (str(tmp_path / f"{name}.json") for name in ("old", "new"))
    main = fixtures.__main__.main
    assert main(["diff", old, new]) == 0
    assert main(["diff", old, new, "--strict-warnings"]) == 1
    assert main(["diff", new, new, "--strict-warnings"]) == 0
    assert main(["diff", new, old, "--strict-warnings"]) == 0
    (tmp_path / "new.json").write_text(json.dumps(a_record(warnings={MASK: 75}, complete=False)))
    assert main(["diff", old, str(tmp_path / "new.json"), "--strict-warnings"]) == 2
    capsys.readouterr()


# One screen.


@pytest.mark.parametrize("width", [80, 100, 200])
@pytest.mark.parametrize("height", [30, 40, 60])
def test_a_verdict_fits_the_screen(judge, width, height):
    kinds = [{}, MOVED, FAILED, LEFT_OUT, {"claim_hash": "c2"}, {"outcome": "error"}]
    old = a_record(*(a_check(claim=f"a-claim-of-several-words-{n}") for n in range(300)))
    new = copy.deepcopy(old)
    new["warnings"] = {f"UserWarning: {chr(97 + n) * 5} {MASK}": 9 for n in range(20)}
    new["adapters"]["numpy"]["surface"] = {f"numpy.f{n}": "(x)" for n in range(20)}
    for n, check in enumerate(new["checks"]):
        check |= kinds[n % len(kinds)]
    lines = words.text(judge(old, new), width, height).splitlines()
    assert len(lines) <= height
    told = [line for line in lines if not line.startswith("repeat")]
    assert max(map(len, told)) <= width
    newly = next(n for n, line in enumerate(lines) if line.startswith("newly failing (100 checks)"))
    assert lines[newly + 1].startswith("  ")
