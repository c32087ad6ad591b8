"""The verdict between two records, and what it refuses to judge."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import numpy as np
import pytest

import fixtures.__main__
from fixtures.errors import BadInput
from fixtures.figures import figure
from fixtures.pages import verdict as words
from fixtures.records import outputs
from fixtures.records.diff import CHANGES, REGRESSIONS, UNKNOWN, diff
from fixtures.records.record import SCHEMA, read
from tests.meta.conftest import ROOT, Project, need_reports
from tests.meta.records import (
    FAILED,
    LEFT_OUT,
    MOVED,
    a_check,
    a_record,
    changed_at,
    everywhere,
    measured,
)


@pytest.fixture
def judge(tmp_path):
    """The verdict between two records, each given as a table or as its file's text."""

    def judge(old, new):
        paths = []
        for name, record in (("old", old), ("new", new)):
            paths.append(tmp_path / f"{name}.json")
            text = record if isinstance(record, str) else json.dumps(record)
            paths[-1].write_text(text)
        return diff(*map(read, paths))

    return judge


@pytest.mark.parametrize(
    ("old", "new", "kind", "status"),
    [
        ({}, {}, "same", 0),
        ({}, MOVED, "moved", 0),
        ({}, FAILED, "newly failing", 1),
        ({}, {"outcome": "error", "measurement": None}, "newly failing", 1),
        ({}, {"outcome": "known failure"}, "newly failing", 1),
        (FAILED, FAILED, "still failing", 0),
        (FAILED, {}, "fixed", 0),
        ({}, LEFT_OUT, "not applicable now", 1),
        (LEFT_OUT, {}, "new", 2),
        (LEFT_OUT, LEFT_OUT, "not applicable", 2),
        (LEFT_OUT, FAILED, "newly failing", 1),
        ({}, {"claim_hash": "c2"}, "not comparable", 2),
        ({}, {"case_hash": "d2"}, "not comparable", 2),
        ({}, FAILED | {"claim_hash": "c2"}, "newly failing", 1),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_becomes_of_a_check(judge, old, new, kind, status):
    found = judge(a_record(a_check(**old)), a_record(a_check(**new)))
    assert [change.kind for change in found.changes] == [kind]
    assert found.exit_status == status


def test_what_could_not_be_compared_does_not_hold_as_before(judge):
    old = a_record(*(a_check(f"claim-{n}") for n in range(3)))
    new = copy.deepcopy(old)
    new["checks"][0]["claim_hash"] = "c2"
    found = judge(old, new)
    assert found.exit_status == 0
    assert found.sentence == (
        "Nothing regressed, nothing moved: 2 checks held as before, 1 check not comparable."
    )
    for check in new["checks"]:
        check["case_hash"] = "d2"
    nothing = judge(old, new)
    assert nothing.exit_status == 2
    assert nothing.sentence == (
        "No verdict: no check of the new run can be compared with one of the old."
    )


def test_what_was_fixed_is_told_beside_what_holds(judge):
    old = a_record(a_check(), a_check("was-broken", **FAILED), a_check("broken", **FAILED))
    new = copy.deepcopy(old)
    new["checks"][0] |= MOVED
    new["checks"][1] = a_check("was-broken")
    assert judge(old, new).sentence == (
        "Nothing regressed: 1 of 1 check moved within rounding, "
        "1 check fixed, 1 check still failing."
    )


def test_a_check_that_is_gone_is_a_regression(judge):
    both = a_check(), a_check(claim="it-is-so")
    found = judge(a_record(*both), a_record(both[0]))
    assert [change.claim for change in found.of("gone")] == ["it-is-so"]
    assert found.exit_status == 1


def test_a_check_that_is_new_and_fails_is_a_regression(judge):
    found = judge(a_record(), a_record(a_check(), a_check(claim="it-is-so", **FAILED)))
    assert found.exit_status == 1


def test_an_adapter_that_cannot_run_any_more_is_named(judge):
    other = a_check(case="other")
    new = a_record(other | {"adapter": "torch"})
    new["adapters"]["torch"] = new["adapters"]["numpy"]
    new["adapters"]["numpy"] = new["adapters"]["numpy"] | {"cannot_run": "NumPy is not installed"}
    found = judge(a_record(), new)
    assert found.of("not run")[0].why == "numpy cannot run: NumPy is not installed"
    assert found.exit_status == 2
    assert "numpy: runs -> NumPy is not installed" in words.text(found)


def test_the_worst_comes_first(judge):
    old = a_record(*(a_check(claim=f"claim-{n}") for n in range(4)))
    new = copy.deepcopy(old)
    new["checks"][1] |= FAILED
    new["checks"][3] |= FAILED | {"measurement": measured(worst=900.0)}
    new["checks"][0] |= MOVED
    found = judge(old, new)
    assert [change.claim for change in found.changes] == [
        "claim-3",
        "claim-1",
        "claim-0",
        "claim-2",
    ]
    assert words.text(found).startswith("Regressed: numpy: 2 claims broken, 2 checks.")


def test_what_tells_most_comes_first_of_what_fails(judge):
    """Measured before mere errors, shapes before bits before numbers, then the claim hit most."""
    exact = {"kind": "exact", "measurement": measured(kind="exact", worst=3.0)}
    shape = {"kind": "structure", "measurement": measured(kind="structure", worst=None)}
    checks = [
        a_check("crashed", **shape),
        a_check("once"),
        a_check("twice"),
        a_check("twice", case="one-unit"),
        a_check("bits", **exact),
        a_check("shapes", **shape),
    ]
    new = copy.deepcopy(checks)
    for check in new:
        check["outcome"] = "failed"
    new[0]["measurement"] = None
    new[1]["measurement"]["worst"] = 1e9
    found = judge(a_record(*checks), a_record(*new))
    assert [change.claim for change in found.changes] == [
        "shapes", "bits", "twice", "twice", "once", "crashed",
    ]  # fmt: skip


def test_old_and_new_error_stand_beside_each_other(judge):
    text = words.text(judge(a_record(), a_record(a_check(**MOVED))))
    assert "it-holds, numpy, 1 check; smallest float32: 1.50 -> 2.50 spreads" in text


def test_a_changed_default_is_a_headline(judge):
    new = a_record()
    new["adapters"]["numpy"]["surface"] = {"numpy.layer": "(x, units=5)", "numpy.cell": "(x)"}
    lines = words.text(judge(a_record(), new)).splitlines()
    place = lines.index("surface changed (2)")
    assert lines[place + 1 : place + 3] == [
        "  numpy.cell: new, (x)", "  numpy.layer: units=4) -> units=5)",
    ]  # fmt: skip
    assert place < lines.index(next(line for line in lines if line.startswith("same")))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"environment": {"python": "3.12.1"}}, "python: 3.11.7 -> 3.12.1"),
        ({"warnings": {"DeprecationWarning: soon": 3}}, "3 times: DeprecationWarning: soon"),
    ],
)
def test_what_changed_around_is_said(judge, changed, said):
    assert f"  {said}" in words.text(judge(a_record(), a_record(**changed))).splitlines()


def test_a_version_that_an_adapter_tells_is_told_once(judge):
    def record(version):
        one = a_record(environment={"numpy": version})
        one["adapters"]["numpy"]["versions"] = {"numpy": version}
        return one

    [told] = judge(record("1.26.4"), record("2.4.6")).around
    assert told.kind == "numpy version"


def test_a_framework_that_was_not_run_has_no_changed_surface(judge):
    new = a_record(a_check(**LEFT_OUT))
    new["adapters"]["numpy"]["surface"] = new["adapters"]["numpy"]["flags"] = {}
    assert judge(a_record(), new).around == ()


@pytest.mark.parametrize("which", ["old", "new"])
@pytest.mark.parametrize(
    "changed",
    [
        {"complete": False},
        {"complete": False, "not_kept": 1},
        {"deselected": 3},
        {"uncollected": 2},
    ],
    ids=lambda changed: list(changed)[-1],
)
def test_a_part_of_a_run_gives_no_verdict_of_health(judge, which, changed):
    records = {"old": a_record(), "new": a_record()}
    records[which] |= changed
    found = judge(**records)
    assert found.exit_status == 2
    assert found.sentence.startswith("No verdict")
    assert f"in part: {found.gaps[0]}" in words.text(found, width=1000)
    assert found.sentence == (
        "No verdict: of 1 check compared none regressed, and a record is not whole."
    )


def test_a_part_of_a_run_still_shows_what_broke(judge):
    assert judge(a_record(), a_record(a_check(**FAILED), deselected=5)).exit_status == 1


NOT_RUN = {"outcome": "not run", "reason": "MemoryError: no more", "measurement": None}
TORCH = {"numpy": a_record()["adapters"]["numpy"], "torch": a_record()["adapters"]["numpy"]}


def of_both(**changed):
    """A record of one claim that holds on two adapters."""
    return a_record(a_check(), a_check(adapter="torch"), adapters=TORCH, **changed)


def test_what_was_not_run_is_no_regression_and_not_the_same(judge):
    new = a_record(a_check(**NOT_RUN), complete=False)
    found = judge(a_record(), new)
    assert [(one.kind, one.why) for one in found.changes] == [("not run", "MemoryError: no more")]
    assert found.exit_status == 2
    assert "it says nothing about 1 of 1 selected check: MemoryError: no more (1)." in found.gaps[0]
    both = judge(of_both(), of_both() | {"checks": [a_check(), a_check(adapter="torch", **NOT_RUN)],
                                         "complete": False})  # fmt: skip
    assert both.exit_status == 2
    assert both.sentence == "No verdict: 1 check not run; of 1 check compared none regressed."


def test_what_breaks_beside_what_was_not_run_is_a_regression(judge):
    checks = [a_check(**FAILED), a_check(adapter="torch", **NOT_RUN)]
    found = judge(of_both(), of_both() | {"checks": checks, "complete": False})
    assert found.exit_status == 1
    assert found.sentence == ("Regressed: numpy: 1 claim broken, 1 check. And 1 check not run.")


@pytest.mark.parametrize(
    "old",
    [
        a_record(a_check(**NOT_RUN), complete=False),
        a_record(a_check("another"), deselected=3),
        a_record(a_check("another"), complete=False),
    ],
    ids=["not-run", "deselected", "incomplete"],
)
def test_what_fails_and_was_not_checked_before_cannot_be_called_newly_failing(judge, old):
    new = a_record(a_check(**FAILED), a_check("another"))
    found = judge(old, new)
    assert [one.claim for one in found.of("failing")] == ["it-holds"]
    assert found.exit_status == 2


def test_what_fails_on_an_adapter_that_was_not_asked_for_before_is_not_newly_failing(judge):
    old = a_record(asked_for=["numpy"])
    checks = [a_check(), a_check(adapter="torch", **FAILED)]
    found = judge(old, of_both() | {"checks": checks})
    assert [one.why for one in found.of("failing")] == ["torch was not asked for"]
    assert found.exit_status == 2
    assert judge(of_both(asked_for=None) | {"checks": [a_check()], "selected": 1,
                                            "adapters": {"numpy": TORCH["numpy"]}},
                 of_both() | {"checks": checks}).exit_status == 1  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "kind", "why"),
    [
        ({"asked_for": ["numpy"]}, "not selected", "torch was not asked for"),
        ({}, "gone", "no such adapter in the new run"),
    ],
    ids=["not-asked-for", "no-longer-there"],
)
def test_an_adapter_that_was_not_asked_for_is_not_gone(judge, changed, kind, why):
    found = judge(of_both(), a_record(**changed))
    assert [(one.adapter, one.why) for one in found.of(kind)] == [("torch", why)]
    assert found.exit_status == (1 if kind == "gone" else 2)


@pytest.mark.parametrize(
    ("changed", "kind"),
    [
        ({"deselected": 1}, "not selected"),
        ({"uncollected": 1}, "not selected"),
        ({"complete": False}, "not run"),
        ({}, "gone"),
    ],
    ids=["deselected", "uncollected", "incomplete", "whole"],
)
def test_a_smaller_run_has_lost_nothing(judge, changed, kind):
    old = a_record(a_check(), a_check("it-is-so"))
    found = judge(old, a_record(**changed))
    assert [one.claim for one in found.of(kind)] == ["it-is-so"]
    assert found.exit_status == (1 if kind == "gone" else 2)


def test_values_of_a_claim_of_difference_do_not_move_within_rounding(judge):
    different = {"kind": "different", "measurement": measured(kind="different", worst=3e5)}
    moved = {"kind": "different", "measurement": measured(kind="different", worst=2e5, output="x")}
    old = a_record(a_check(), a_check("they-differ", **different))
    new = a_record(a_check(**MOVED), a_check("they-differ", **moved))
    found = judge(old, new)
    assert found.sentence == "Nothing regressed: 1 of 2 checks moved within rounding."
    assert [one.claim for one in found.of("still different")] == ["they-differ"]
    assert found.exit_status == 0
    assert "still different (1 check): claims a difference, holds" in words.text(found)
    assert "bounds apart" not in words.text(found)
    assert "smallest float32: 3.0e5 -> 2.0e5 bounds apart" in words.markdown(found).replace(
        "&#62;", ">"
    )
    assert "ULPs" not in words.text(found)


def test_the_verdict_counts_claims_before_checks(judge):
    checks = [
        a_check("a", adapter=name, case=case) for name in ("torch", "numpy") for case in "xyz"
    ]
    checks.append(a_check("b", adapter="torch"))
    old = a_record(*checks, adapters=TORCH)
    new = copy.deepcopy(old)
    for check in new["checks"][:4]:
        check |= FAILED
    new["checks"][6] |= LEFT_OUT
    assert judge(old, new).sentence == (
        "Regressed: torch: 1 claim broken, 3 checks; numpy: 1 claim broken, 1 check; "
        "torch: 1 claim left out, 1 check."
    )


def test_whole_numbers_are_whole_and_none_is_long(judge):
    old = a_record(a_check(kind="exact", measurement=measured(kind="exact", worst=0.0)))
    new = a_record(
        a_check(kind="exact", outcome="failed", measurement=measured(kind="exact", worst=10.0))
    )
    assert "smallest float32: 0 -> 10 elements differ" in words.text(judge(old, new))
    assert figure(14006729514556854.0) == "1.4e16"
    assert [figure(number) for number in (0.0, 9999.0, 12345.0, 2.346, 1e-9)] == [
        "0", "9999", "1.2e4", "2.35", "1.0e-9",
    ]  # fmt: skip


def test_both_runs_versions_are_told_whole(judge, tmp_path):
    old = a_record()
    old["adapters"]["numpy"]["versions"] = {f"package-{n}": f"1.{n}.0" for n in range(30)}
    lines = words.text(judge(old, old), width=80).splitlines()
    told = " ".join(line.strip() for line in lines)
    for n in range(30):
        assert told.count(f"package-{n} 1.{n}.0") == 2
    assert widest(lines, tmp_path) <= 80


def widest(lines, folder):
    """A path is told whole, and that of a temporary folder may be wider than the screen."""
    return max(len(line) for line in lines if str(folder) not in line)


def test_what_explains_nothing_comes_after_what_fails(judge):
    new = a_record(a_check(**FAILED), environment={"python": "3.12.1"})
    new["adapters"]["numpy"] = {
        "versions": {"numpy": "2.5.0"}, "cannot_run": None, "flags": {"threads": "1"},
        "surface": {"numpy.layer": "(x, units=5)"},
    }  # fmt: skip
    text = words.text(judge(a_record(), new))
    places = [
        text.index(heading)
        for heading in (
            "changed  numpy 2.4.6 -> 2.5.0", "surface changed", "newly failing (1 check)",
            "numpy flag changed", "environment changed",
        )
    ]  # fmt: skip
    assert places == sorted(places)


def test_other_seeds_cannot_be_compared(judge):
    with pytest.raises(BadInput, match=r"seed 0 and .* of seed 7"):
        judge(a_record(), a_record(seed=7))


def is_a_field(path):
    """Whether a place in a record is a field of it, and not an entry of a table of anything."""
    if path[0] == "adapters":
        return len(path) in (1, 3)
    return len(path) == 1 or path[0] == "checks"


@pytest.mark.parametrize(
    "path",
    list(filter(is_a_field, everywhere(a_record()))),
    ids=lambda path: ".".join(map(str, path)),
)
def test_a_field_that_is_missing_makes_a_record_unusable_or_a_regression(judge, path):
    def remove(inner, name):
        del inner[name]

    try:
        found = judge(a_record(), changed_at(a_record(), path, remove))
    except BadInput:
        return
    assert found.exit_status != 0


@pytest.mark.parametrize("value", [float("nan"), None, [], {}, "x", -1, True, 10**400, 1e308])
@pytest.mark.parametrize("path", list(everywhere(a_record())), ids=lambda p: ".".join(map(str, p)))
def test_a_field_of_another_kind_never_passes_for_the_same(judge, path, value):
    """It is refused, or it is a text or number that the verdict names as changed."""
    old = a_record()

    def put(inner, name):
        inner[name] = value

    new = changed_at(old, path, put)
    if new == old:
        return
    try:
        found = judge(old, new)
    except BadInput:
        return
    harmless = ("started", "seconds", "line", "reason", "nodeid", "family", "options", "outputs",
                "asked_for")  # fmt: skip
    # The case's hash is what tells whether it is the same; its sizes are for pictures.
    if path[-1] in harmless or path[0] in ("options", "cases"):
        return
    unlike = [change for change in found.changes if change.kind != "same"]
    measured_only = path[:3] == ("checks", 0, "measurement")
    assert found.exit_status != 0 or unlike or found.around or measured_only


@pytest.fixture(scope="module")
def real(tmp_path_factory) -> Path:
    """A record of many checks, as a run writes it."""
    checks = [
        a_check(claim=f"claim-{n % 50}", case=f"case-{n // 50}", adapter="numpy")
        for n in range(500)
    ]
    path = tmp_path_factory.mktemp("real") / "run.json"
    path.write_text(json.dumps(a_record(*checks), indent=1) + "\n")
    return path


def test_a_record_cut_anywhere_is_refused(real, tmp_path):
    content = real.read_bytes()
    cut = tmp_path / "cut.json"
    for size in range(0, len(content), 1024):
        cut.write_bytes(content[:size])
        with pytest.raises(BadInput, match="is not whole JSON"):
            read(cut)


def test_twenty_thousand_checks_are_no_trouble(judge):
    """Half as many again as a whole run makes."""
    checks = [a_check(claim=f"claim-{n % 100}", case=f"case-{n // 100}") for n in range(20_000)]
    found = judge(a_record(*checks), a_record(*checks[:-1], checks[-1] | FAILED))
    assert found.exit_status == 1
    assert len(words.text(found).splitlines()) < 40
    assert json.loads(words.as_json(found))["counts"]["same"] == 19_999


def test_the_terminal_shows_one_screen(judge, tmp_path):
    kinds = [{}, MOVED, FAILED, LEFT_OUT, {"claim_hash": "c2"}]
    old = a_record(*(a_check(claim=f"claim-{n}") for n in range(200)))
    new = copy.deepcopy(old)
    for n, check in enumerate(new["checks"]):
        check |= kinds[n % 5]
    text = words.text(judge(old, new), width=80)
    assert len(text.splitlines()) <= 50
    assert widest(text.splitlines(), tmp_path) <= 80


@pytest.mark.parametrize(
    "text", ["", "[]", "null", "1", "{", '{"schema": 1}', "\x00", "[" * 10_000]
)
def test_what_is_no_record_is_refused_in_one_sentence(judge, text):
    with pytest.raises(BadInput) as refused:
        judge(a_record(), text)
    assert "\n" not in str(refused.value)


def test_another_schema_is_refused(judge):
    with pytest.raises(BadInput, match=f"is of schema 99 and this suite reads schema {SCHEMA}"):
        judge(a_record(), a_record(schema=99))


def test_complete_means_complete(judge):
    with pytest.raises(BadInput, match="says it is complete and holds 1 of 2 checks"):
        judge(a_record(), a_record(selected=2))


def test_the_same_check_twice_is_refused(judge):
    with pytest.raises(BadInput, match="twice"):
        judge(a_record(), a_record(a_check(), a_check(**FAILED)))


def test_names_twice_in_one_table_are_refused(judge):
    text = json.dumps(a_record()).replace('"seed": 0', '"seed": 0, "complete": true')
    with pytest.raises(BadInput, match="stands twice"):
        judge(a_record(), text)


def test_markdown_takes_a_records_strings_for_text(judge):
    nasty = "</details><script>alert(1)</script> | `x` [y](javascript:z)"
    new = a_record(a_check(**LEFT_OUT | {"reason": nasty}), environment={"python": nasty})
    text = words.markdown(judge(a_record(), new))
    assert "<script" not in text
    assert "[y]" not in text
    assert "&#124;" in text


def test_markdown_shows_of_a_signature_what_changed(judge):
    old, new = a_record(), a_record()
    old["adapters"]["numpy"]["surface"] = {"layer": "(x, units=4, bias=True)"}
    new["adapters"]["numpy"]["surface"] = {"layer": "(x, units=5, bias=True)"}
    assert "| layer | units=4 | units=5 |" in words.markdown(judge(old, new))


def test_json_lists_every_change(judge):
    told = json.loads(words.as_json(judge(a_record(), a_record(a_check(**FAILED)))))
    assert told["exit_status"] == 1
    assert [(c["kind"], c["claim"], c["worst"]) for c in told["changes"]] == [
        ("newly failing", "it-holds", [1.5, 400.0])
    ]


@pytest.fixture
def kept(judge, tmp_path):
    """The verdict between two runs that kept these values."""

    def kept(old, new):
        for name, arrays in (("old", old), ("new", new)):
            (tmp_path / name).mkdir(exist_ok=True)
            outputs.save(tmp_path / name, ("it-holds", "numpy", "smallest", "float32"), arrays)
        return judge(a_record(outputs="old"), a_record(a_check(**MOVED), outputs="new"))

    return kept


def test_kept_values_tell_how_far_they_moved_themselves(kept):
    one = np.ones((2, 3), np.float32)
    further = one.copy()
    further[1, 2] += 5 * np.finfo(np.float32).eps
    assert kept([one, one], [one, further]).changes[0].ulps == 5
    assert "values up to 5 ULPs apart" in words.text(kept([one], [further]))


def test_values_of_another_form_have_no_distance(kept):
    assert kept([np.ones(3)], [np.ones(4)]).changes[0].ulps is None


def test_values_that_are_damaged_are_refused(kept, judge, tmp_path):
    kept([np.ones(3)], [np.ones(3)])
    (damaged,) = (tmp_path / "new").glob("*.npz")
    for content in (damaged.read_bytes()[:-30], b"", b"PK"):
        damaged.write_bytes(content)
        with pytest.raises(BadInput, match="is damaged"):
            judge(a_record(outputs="old"), a_record(a_check(**MOVED), outputs="new"))


def test_names_in_a_record_lead_to_no_file_outside(tmp_path):
    folder = tmp_path / "outputs"
    assert outputs.path_of(folder, ("../../x", "/etc", "..", "float32")).parent == folder


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "two-workers"])
def test_a_run_keeps_what_it_compared(project, workers):
    project.pytest("--record=report/run.json", "--outputs=report/values", *workers)
    record = read(project.path / "report" / "run.json")
    assert record.outputs.resolve() == project.path / "report" / "values"
    values = {key: outputs.load(record.outputs, key) for key in record.checks}
    kept = {key[0] for key, arrays in values.items() if arrays}
    assert kept == {"it-holds", "it-is-rounded"}
    (value,) = values["it-holds", "numpy", "smallest", "float32"]
    assert value.shape == (2, 5)


def test_every_kind_of_change_is_explained():
    assert set(REGRESSIONS) | set(UNKNOWN) < set(CHANGES)
    assert set(words.SHOWN) < set(CHANGES)


@pytest.mark.parametrize("format_", ["text", "markdown", "json", "html"])
def test_the_command_line(tmp_path, capsys, format_):
    if format_ == "html":
        need_reports()
    for name, record in (("old", a_record()), ("new", a_record(a_check(**FAILED)))):
        (tmp_path / f"{name}.json").write_text(json.dumps(record))
    paths = [str(tmp_path / "old.json"), str(tmp_path / "new.json")]
    assert fixtures.__main__.main(["diff", *paths, "--format", format_]) == 1
    assert "Regressed: numpy: 1 claim broken, 1 check." in capsys.readouterr().out
    assert fixtures.__main__.main(["diff", paths[0], paths[0]]) == 0
    assert fixtures.__main__.main(["diff", paths[0], str(tmp_path / "none.json")]) == 2
    assert "none.json cannot be read (No such file or directory)" in capsys.readouterr().err


@pytest.mark.parametrize("format_", ["text", "markdown", "json", "html"])
def test_what_goes_to_a_file_is_utf_8_on_any_system(tmp_path, format_):
    if format_ == "html":
        need_reports()
    word = "\u2713 \u00e4"
    for name, record in (("old", a_record()), ("new", a_record(a_check(**LEFT_OUT)))):
        record["checks"][0]["reason"] = word
        (tmp_path / f"{name}.json").write_text(json.dumps(record))
    paths = [str(tmp_path / "old.json"), str(tmp_path / "new.json")]
    result = Project(ROOT).python(
        "-m", "fixtures", "diff", *paths, "--format", format_,
        LC_ALL="POSIX", PYTHONCOERCECLOCALE="0", PYTHONUTF8="0",
    )  # fmt: skip
    assert result.returncode == 1, result.stderr
    told = json.loads(result.stdout)["changes"][0]["why"] if format_ == "json" else result.stdout
    assert word in told


def test_a_smaller_run_invents_no_changed_warnings(judge):
    old = of_both(warnings={"UserWarning: deprecated": 3})
    new = a_record(asked_for=["numpy"])
    assert [one.kind for one in judge(old, new).around] == []
    whole = judge(old, of_both())
    assert [(one.kind, one.new) for one in whole.around] == [("warning", None)]


def test_what_holds_and_was_not_to_be_run_before_is_not_new(judge):
    found = judge(a_record(asked_for=["numpy"]), of_both())
    assert [one.adapter for one in found.of("not checked before")] == ["torch"]
    assert found.sentence == (
        "Nothing regressed, nothing moved: 1 check held as before, 1 check not checked before."
    )


def test_of_a_selection_only_what_was_selected_was_not_run(judge):
    """An adapter that cannot run has no checks; those of the others tell what was selected."""
    numpy, cannot = TORCH["numpy"], TORCH["torch"] | {"cannot_run": "it is not installed"}
    checks = [a_check(claim, name) for claim in ("it-holds", "another") for name in TORCH]
    new = a_record(a_check(), deselected=1, adapters={"numpy": numpy, "torch": cannot})
    found = judge(a_record(*checks, adapters=TORCH), new)
    assert [(one.claim, one.adapter) for one in found.of("not run")] == [("it-holds", "torch")]
    assert len(found.of("not selected")) == 2


def test_nothing_in_the_text_is_cut(judge):
    claim = "a-claim-of-so-many-words-that-the-numbers-after-it-do-not-fit-into-its-line"
    new = a_check(claim, kind="exact", measurement=measured(kind="exact", worst=2048.0))
    old = a_check(claim, kind="exact", measurement=measured(kind="exact", worst=0.0))
    text = words.text(judge(a_record(old), a_record(new | {"outcome": "failed"})), width=80)
    assert "0 -> 2048 elements differ" in " ".join(text.split())
    assert "..." not in text
