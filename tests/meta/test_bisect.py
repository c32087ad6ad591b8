"""Which release is recorded next and what is known then; and a search that installs nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import fixtures.__main__
from fixtures.pages.bisect import unknown
from fixtures.records import bisect, installing
from fixtures.records.record import read
from fixtures.records.search import Behaviour, Change, Search, between, differ, in_words, states
from tests.meta.conftest import need_reports
from tests.meta.records import FAILED, LEFT_OUT, MOVED, a_check, a_record

RELEASES = tuple(f"1.{minor}.0" for minor in range(16))
CASE = ("smallest", "float32")


def world(**since):
    """What every release makes of each claim, which fails from the release of this number on."""
    return {
        release: {
            Behaviour(name, "numpy"): {CASE: "fails" if place >= start else "holds"}
            for name, start in since.items()
        }
        for place, release in enumerate(RELEASES)
    }


def searched(truth, unusable=()):
    """The search at its end, and the releases that were recorded in their order."""
    recorded, skipped, order = {}, {}, []
    while release := Search(RELEASES, recorded, skipped).next:
        if release in unusable:
            skipped[release] = "it cannot be installed"
        else:
            recorded[release] = truth[release]
            order.append(release)
    return Search(RELEASES, recorded, skipped), order


def firsts(search):
    return {one.behaviour.claim: (one.last, one.first) for one in search.changes}


@pytest.mark.parametrize("since", range(1, 16))
def test_the_first_release_that_differs_is_found_wherever_it_is(since):
    search, order = searched(world(a=since))
    assert firsts(search) == {"a": (RELEASES[since - 1], RELEASES[since])}
    assert len(order) <= 2 + 4


def test_the_ends_come_first_and_are_all_where_nothing_differs():
    search, order = searched(world(a=99))
    assert order == ["1.0.0", "1.15.0"]
    assert search.changes == []


def test_every_claim_that_differs_is_found_and_none_is_recorded_twice():
    search, order = searched(world(a=3, b=3, c=4, d=12))
    assert firsts(search) == {
        "a": ("1.2.0", "1.3.0"), "b": ("1.2.0", "1.3.0"), "c": ("1.3.0", "1.4.0"),
        "d": ("1.11.0", "1.12.0"),
    }  # fmt: skip
    assert len(order) == len(set(order)) < len(RELEASES)


def test_what_tells_of_most_claims_is_recorded_first():
    recorded = {one: world(a=2, b=9, c=10)[one] for one in ("1.0.0", "1.7.0", "1.15.0")}
    assert Search(RELEASES, recorded, {}).next == "1.11.0"


def test_how_many_are_left_is_never_too_few_nor_too_many():
    truth, recorded = world(a=3, b=7, c=14), {}
    told = []
    while release := (search := Search(RELEASES, recorded, {})).next:
        told.append(search.left)
        recorded[release] = truth[release]
    assert search.left == (0, 0)
    for place, (least, most) in enumerate(told[2:], 2):
        assert least <= len(told) - place <= most
    assert told[:2] == [(2, 16), (1, 15)]


def test_a_claim_that_broke_and_was_mended_is_found_twice_where_a_record_sees_it():
    truth = world(a=99, b=8)
    for release in RELEASES[6:11]:
        truth[release] = truth[release] | {Behaviour("a", "numpy"): {CASE: "fails"}}
    search, _ = searched(truth)
    found = [(one.behaviour.claim, one.first, one.was, one.now) for one in search.changes]
    assert ("a", "1.6.0", "holds", "fails") in found
    assert ("a", "1.11.0", "fails", "holds") in found


def test_a_release_that_is_skipped_narrows_to_a_range():
    search, _ = searched(world(a=5), unusable={"1.5.0"})
    (change,) = search.changes
    assert (change.last, change.first) == ("1.4.0", "1.6.0")
    assert change.between == (("1.5.0", "it cannot be installed"),)
    assert change.found


def test_ends_that_are_skipped_give_way_to_their_neighbours():
    search, order = searched(world(a=5), unusable={"1.0.0", "1.1.0", "1.15.0"})
    assert order[:2] == ["1.2.0", "1.14.0"]
    assert firsts(search) == {"a": ("1.4.0", "1.5.0")}


def test_where_every_release_is_skipped_there_is_an_end():
    search, order = searched(world(a=5), unusable=set(RELEASES))
    assert (order, search.changes, search.left) == ([], [], (0, 0))


def test_a_release_that_did_not_get_to_check_a_claim_says_nothing_about_it():
    truth = world(a=5, b=9)
    truth["1.5.0"] = {Behaviour("b", "numpy"): {CASE: "holds"}}
    search, _ = searched(truth)
    change = search.changes[0]
    assert (change.last, change.first) == ("1.4.0", "1.6.0")
    assert change.between == (("1.5.0", "it was recorded and did not get to check this"),)


@pytest.mark.parametrize(
    ("old", "new", "is_another"),
    [
        ({"x": "holds"}, {"x": "holds"}, False),
        ({"x": "holds"}, {"x": "fails"}, True),
        ({"x": "holds", "y": "holds"}, {"x": "holds", "z": "fails"}, False),
        ({"none": "not applicable"}, {"x": "holds"}, True),
        ({"x": "fails"}, {"none": "not applicable"}, True),
        ({"x": "holds"}, {"y": "holds"}, False),
    ],
)
def test_two_releases_differ_where_a_case_that_both_know_does(old, new, is_another):
    assert differ(old, new) is is_another


def test_what_changed_is_told_of_the_cases_that_did():
    old = {"x": "holds", "y": "holds", "z": "fails"}
    assert in_words(old, old | {"x": "fails"}) == ("holds", "fails in 1 of 3 cases")
    assert in_words({"x": "holds"}, {"x": "fails"}) == ("holds", "fails")
    assert in_words({"": "not applicable"}, {"x": "holds"}) == ("not applicable", "holds")


def test_releases_are_those_between_in_the_order_of_versions():
    listed = ["3.10.0", "3.9.0", "3.10.0rc1", "3.2.0", "4.0.0", "3.0.0"]
    assert between(listed, "3.2.0", "3.10.0") == ("3.2.0", "3.9.0", "3.10.0")
    assert between(listed, "3.2.0", "3.10.0", True) == ("3.2.0", "3.9.0", "3.10.0rc1", "3.10.0")
    assert between(listed, "3.10.0rc1", "3.10.0") == ("3.10.0rc1", "3.10.0")


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({}, "holds"),
        (FAILED, "fails"),
        ({"outcome": "error", "reason": "", "measurement": None}, "fails"),
        ({"outcome": "known failure", "reason": "", "measurement": None}, "fails"),
        (LEFT_OUT, "not applicable"),
    ],
)
def test_a_known_failure_fails(tmp_path, changed, word):
    assert told(tmp_path, a_check(**changed)) == {Behaviour("it-holds", "numpy"): {CASE: word}}


def test_a_check_that_was_not_run_says_nothing(tmp_path):
    check = a_check(outcome="not run", reason="memory", measurement=None)
    assert told(tmp_path, check, complete=False) == {}


def test_bits_and_signatures_are_looked_at_where_asked_for(tmp_path):
    old, new = told(tmp_path, a_check(), bits=True), told(tmp_path, a_check(**MOVED), bits=True)
    behaviour = Behaviour("it-holds", "numpy")
    assert differ(old[behaviour], new[behaviour])
    assert in_words(old[behaviour], new[behaviour]) == ("holds", "holds")
    assert Behaviour("signature", "numpy.layer") in told(tmp_path, a_check(), signatures=True)


def test_a_name_that_comes_or_goes_is_a_change_where_its_adapter_ran():
    def surface(**signatures):
        return {Behaviour("signature", name): {("a", ""): one} for name, one in signatures.items()}

    recorded = {
        "1.0.0": surface(kept="(x)"),
        "1.1.0": surface(kept="(x)", new="(y)"),
        "1.2.0": {Behaviour("it-holds", "a"): {CASE: "fails"}},
        "1.3.0": surface(kept="(x)"),
    }
    changes = Search(tuple(recorded), recorded, {}).changes
    assert [(one.behaviour.about, one.last, one.first, one.was, one.now) for one in changes] == [
        ("new", "1.0.0", "1.1.0", "absent", "(y)"),
        ("new", "1.1.0", "1.3.0", "(y)", "absent"),
    ]


@pytest.mark.parametrize(
    ("reason", "why"),
    [
        ("TypeError: no such", "TypeError: no such"),
        (
            "ValueError: Exception encountered when calling RNN.call().\n\n[1mIt is so[0m\n\nmore",
            "ValueError: It is so",
        ),
        (
            "tensorflow.errors_impl.InvalidArgumentError: Exception encountered when calling "
            "Bidirectional.call().\n\n[1m{{function_node __wrapped__Pack}} Shapes must match",
            "InvalidArgumentError: Shapes must match",
        ),
        ("fixtures.checks.compare.Disagreement: claim it-holds does not hold", ""),
        ("", ""),
    ],
)
def test_a_frameworks_own_words_are_one_line(tmp_path, reason, why):
    path = tmp_path / "run.json"
    failing = a_check(outcome="error", reason=reason, measurement=None)
    path.write_text(json.dumps(a_record(a_check("another", **LEFT_OUT), failing)))
    assert bisect.why_failing(read(path), Behaviour("it-holds", "numpy")) == why
    assert bisect.why_failing(read(path), Behaviour("another", "numpy")) == ""


def told(tmp_path, check, signatures=False, bits=False, **changed):
    path = tmp_path / "run.json"
    path.write_text(json.dumps(a_record(check, **changed)))
    return states(read(path), signatures, bits)


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """An index, an installer and a pytest that are ours: `fails` from release 1.3.0 on."""

    class Machine:
        folder = tmp_path / "bisect"
        index = "1.0.0, 1.1.0, 1.2.0, 1.3.0, 1.4.0, 1.5.0rc1, 1.5.0, 2.13.0+cpu"
        since = "1.3.0"
        installed = ""
        refused: dict[str, str] = {}  # noqa: RUF012
        unimportable: tuple[str, ...] = ()
        hanging: tuple[str, ...] = ()
        says: dict[str, str] = {}  # noqa: RUF012
        stops_at = ""
        status = 0

        def __init__(self):
            self.installs, self.runs = [], []

        def run(self, command, timeout=None, **_):
            words = " ".join(map(str, command))
            ended = lambda status, out="", err="": subprocess.CompletedProcess(  # noqa: E731
                command, status, out, err
            )
            if "--collect-only" in words:
                if "elsewhere" in words:
                    return ended(4, "", "ERROR: --adapters: elsewhere cannot run here: it is not\n")
                return ended(4 if "nonsense" in words else 0, "", "ERROR: no nonsense\n")
            if "index versions" in words:
                return ended(0, f"lstm (1.5.0)\nAvailable versions: {self.index}\n")
            if " venv " in words:
                Path(command[-1]).mkdir(parents=True, exist_ok=True)
                (Path(command[-1]) / "pyvenv.cfg").touch()
                return ended(0)
            if " install " in words:
                self.installs.append([one for one in command if "==" in one])
                self.installed = self.installs[-1][0].partition("==")[2]
                for wanted, why in self.refused.items():
                    if wanted in words:
                        return ended(1, "", f"Collecting {wanted}\nERROR: {why}\nERROR: visit x\n")
                return ended(0, self.says.get(self.installed, ""))
            if command[1] == "-c" and self.installed in self.hanging:
                raise subprocess.TimeoutExpired(command, timeout)
            if command[1] == "-c":
                bad = self.installed in self.unimportable
                return ended(bad, "", "Traceback\nImportError: no libx\n" if bad else "")
            if self.installed == self.stops_at:
                raise KeyboardInterrupt
            self.runs.append((self.installed, command))
            record = Path(command[5].removeprefix("--record="))
            bad = self.installed >= self.since
            made = a_record(a_check(**(FAILED if bad else {})), a_check("another"))
            made["adapters"]["numpy"]["surface"] = {"numpy.layer": "(x)" if bad else "(x, units)"}
            made["warnings"] = {"it is going": 3} if bad else {}
            record.write_text(json.dumps(made))
            return ended(self.status, "ERROR: so it crashed\n")

        def bisect(self, *options, old="lstm==1.0.0", new="lstm==1.5.0"):
            return fixtures.__main__.main(
                ["bisect", old, new, "--folder", str(self.folder), *options]
            )

        @property
        def told(self):
            return json.loads((self.folder / "bisect.json").read_text())

        @property
        def ran(self):
            return [release for release, _ in self.runs]

    made = Machine()
    ours = SimpleNamespace(run=made.run, DEVNULL=subprocess.DEVNULL)
    monkeypatch.setattr(installing, "subprocess", ours)
    monkeypatch.setattr(installing.shutil, "which", lambda _: None)
    return made


def test_the_first_bad_release_is_printed_and_kept_and_is_the_exit_status(machine, capsys):
    assert machine.bisect() == 1
    out = capsys.readouterr().out
    assert "broke: it-holds (numpy); last good 1.2.0, first bad 1.3.0: holds -> fails" in out
    assert "signature: numpy.layer: x, units -> x" in out.replace("(", "").replace(")", "")
    assert "new warning: it is going" in out
    (change,) = machine.told["changes"]
    assert (change["change"]["last"], change["change"]["first"]) == ("1.2.0", "1.3.0")
    assert machine.ran == ["1.0.0", "1.5.0", "1.2.0", "1.3.0"]
    assert sorted(path.stem for path in (machine.folder / "records").iterdir()) == sorted(
        machine.ran
    )
    assert not (machine.folder / "environment").exists()


def test_where_nothing_broke_the_status_is_0(machine, capsys):
    machine.since = "9"
    assert machine.bisect() == 0
    assert (
        "Nothing differs between lstm 1.0.0 and 1.5.0; 2 of 6 releases" in capsys.readouterr().out
    )


def test_nothing_is_said_of_a_release_that_was_not_compared(machine, capsys):
    machine.since = "9"
    machine.refused = {"lstm==1.5.0": "no"}
    machine.bisect()
    assert "Nothing differs between lstm 1.0.0 and 1.4.0; 2 of 6" in capsys.readouterr().out
    machine.bisect(old="lstm==1.4.0")
    assert "Nothing was compared; 1 of 2 releases recorded." in capsys.readouterr().out
    assert machine.bisect(old="lstm==1.3.0", new="lstm==1.4.0") == 0
    assert "between lstm 1.3.0 and 1.4.0; 2 of 2" in capsys.readouterr().out


def test_no_release_of_a_narrower_search_may_be_recorded(machine, capsys):
    machine.refused = {"lstm==1.3.0": "no", "lstm==1.4.0": "no"}
    machine.bisect()
    assert machine.bisect(old="lstm==1.3.0", new="lstm==1.4.0") == 2
    assert "no release of lstm could be recorded" in capsys.readouterr().err


def test_progress_names_the_release_and_what_is_left(machine, capsys):
    machine.bisect()
    told = capsys.readouterr().err
    assert "lstm 1.2.0: 3 to record, about 1 min left" in told


def test_a_search_that_was_stopped_goes_on_from_what_is_recorded(machine, capsys):
    machine.stops_at = "1.2.0"
    assert machine.bisect() == 130
    assert "the same command goes on" in capsys.readouterr().err
    machine.stops_at = ""
    assert machine.bisect() == 1
    assert machine.ran == ["1.0.0", "1.5.0", "1.2.0", "1.3.0"]


def test_what_was_recorded_serves_a_narrower_search(machine):
    machine.bisect()
    machine.runs.clear()
    assert machine.bisect(old="lstm==1.2.0", new="lstm==1.3.0") == 1
    assert machine.ran == []


@pytest.mark.parametrize("other", [("--with", "torch==2.0"), ("--claims", "x"), ("--yanked",)])
def test_a_folder_of_another_search_is_refused(machine, capsys, other):
    machine.bisect()
    assert machine.bisect(*other) == 2
    assert "holds a search with another" in capsys.readouterr().err


def test_a_folder_of_another_suite_is_refused(machine, capsys, monkeypatch):
    machine.bisect()
    monkeypatch.setattr(bisect, "_suite", lambda: "another")
    assert machine.bisect() == 2
    assert "another suite" in capsys.readouterr().err


def test_a_release_that_cannot_be_installed_is_skipped_in_the_installers_words(machine, capsys):
    machine.refused = {"lstm==1.3.0": "No matching distribution"}
    assert machine.bisect() == 1
    out = capsys.readouterr().out
    assert "last good 1.2.0, first bad 1.4.0" in out
    said = "1.3.0: it cannot be installed: No matching distribution"
    assert f"in between: {said}" in out
    assert f"skipped {said}" in out


def test_releases_in_between_with_one_reason_are_told_together():
    between = (("1", None), ("2", None), ("3", "no"), ("4", "no"), ("5", None))
    change = Change(Behaviour("a", "b"), "0", "6", "holds", "fails", between)
    assert unknown(change) == "1 to 2: not recorded; 3 to 4: no; 5: not recorded"


def test_a_release_that_cannot_be_imported_is_skipped(machine, capsys):
    machine.unimportable = ("1.3.0",)
    machine.bisect()
    assert "skipped 1.3.0: it cannot be imported: ImportError: no libx" in capsys.readouterr().out


def test_a_release_whose_import_hangs_is_skipped(machine, capsys):
    machine.hanging = ("1.3.0",)
    machine.bisect()
    assert "skipped 1.3.0: its import has not ended after 600 seconds" in capsys.readouterr().out


def test_what_was_skipped_is_tried_again_where_asked_for(machine):
    machine.unimportable = ("1.3.0",)
    machine.bisect()
    machine.unimportable = ()
    machine.bisect()
    assert "1.3.0" in machine.told["skipped"]
    machine.bisect("--again")
    assert machine.told["skipped"] == {}
    assert machine.ran[-1] == "1.3.0"


def test_a_yanked_release_is_skipped_unless_asked_for(machine, tmp_path):
    machine.says = {"1.3.0": "WARNING: lstm 1.3.0 is yanked (reason: it is broken)\n"}
    machine.bisect()
    assert "yanked (reason: it is broken)" in machine.told["skipped"]["1.3.0"]
    machine.folder = tmp_path / "other"
    machine.bisect("--yanked")
    assert machine.told["skipped"] == {}


def test_pre_releases_are_among_them_on_request(machine, tmp_path):
    machine.bisect()
    assert "1.5.0rc1" not in machine.told["releases"]
    machine.folder = tmp_path / "other"
    machine.bisect("--pre")
    assert machine.told["releases"][-2:] == ["1.5.0rc1", "1.5.0"]


def test_each_release_gets_the_first_companions_that_fit(machine):
    machine.refused = {"lstm==1.0.0 torch==2.13": "they conflict"}
    machine.bisect("--with", "torch==2.13", "--with", "torch==2.0")
    kept = {release: one["companions"] for release, one in machine.told["recorded"].items()}
    assert kept == {
        "1.0.0": "torch==2.0", "1.5.0": "torch==2.13", "1.2.0": "torch==2.13",
        "1.3.0": "torch==2.13",
    }  # fmt: skip


def test_claims_adapters_and_words_reach_pytest(machine):
    machine.bisect("--claims", "a,b", "--adapters", "numpy", "-k", "x or y", "--quick")
    assert machine.runs[0][1][6:] == [
        "--claim", "a,b", "--adapters", "numpy", "-k", "x or y", "--quick"
    ]  # fmt: skip


def test_arguments_that_pytest_does_not_take_are_refused_before_anything_is_made(machine, capsys):
    assert machine.bisect("--claims", "nonsense") == 2
    assert (
        "pytest does not take these arguments; it said:\n  ERROR: no nonsense"
        in capsys.readouterr().err
    )
    assert machine.installs == []


def test_that_an_adapter_cannot_run_here_is_no_matter(machine):
    assert machine.bisect("--adapters", "elsewhere") == 1


def test_a_run_that_did_not_end_by_itself_is_not_kept(machine, capsys):
    machine.status = 2
    assert machine.bisect() == 2
    said = "no release of lstm could be recorded; the first: it cannot be recorded: so it crashed"
    assert said in capsys.readouterr().err
    assert list((machine.folder / "records").iterdir()) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("lstm", "lstm==1.5.0", "'lstm' is no release"),
        ("lstm>=1.0", "lstm==1.5.0", "'lstm>=1.0' is no release"),
        ("lstm==1.0.0", "gru==1.5.0", "lstm and gru are two packages"),
        ("lstm==1.5.0", "lstm==1.0.0", "lstm==1.0.0 is not after lstm==1.5.0"),
        ("lstm==0.9", "lstm==1.5.0", "the index has no lstm 0.9"),
    ],
)
def test_what_is_no_range_of_releases_is_refused(machine, capsys, old, new, said):
    assert machine.bisect(old=old, new=new) == 2
    assert said in capsys.readouterr().err
    assert machine.installs == []


def test_what_no_search_made_stays(machine, capsys):
    mine = machine.folder / "environment" / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    assert machine.bisect() == 2
    assert "is no environment; remove it" in capsys.readouterr().err
    assert mine.read_text() == "mine"


@pytest.mark.parametrize(
    "damaged", ['{"schema": 9,}', '{"schema": 9, "a": 1}', '{"schema": 1, "a": 1}']
)
def test_a_damaged_file_is_told_in_one_sentence(machine, capsys, damaged):
    machine.folder.mkdir()
    (machine.folder / "bisect.json").write_text(damaged)
    assert machine.bisect() == 2
    told = capsys.readouterr().err
    assert "is not the bisect.json of a search" in told
    assert len(told.splitlines()) == 1


def test_the_page_shows_each_change_and_escapes_it(machine):
    need_reports()
    machine.refused = {"lstm==1.3.0": "<script>alert(1)</script>"}
    machine.bisect()
    page = (machine.folder / "bisect.html").read_text(encoding="utf-8")
    assert '<h3 class="plain">lstm 1.2.0 to 1.4.0</h3>' in page
    assert "&lt;script&gt;alert" in page


def test_markdown_is_a_table_of_last_good_and_first_bad(machine, capsys):
    machine.bisect("--format", "markdown")
    out = capsys.readouterr().out
    assert "| claim | adapter | last good | first bad | what changed there |" in out
    assert "| it-holds | numpy | 1.2.0 | 1.3.0 | holds -> fails |" in out


def test_nothing_in_a_table_becomes_markup(machine, capsys):
    machine.refused = {"lstm==1.3.0": "<b>|**</b>"}
    machine.bisect("--format", "markdown")
    assert "installed: &lt;b>\\|\\*\\*&lt;/b>" in capsys.readouterr().out


def test_without_what_pages_need_the_answer_stands(machine, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    assert machine.bisect() == 1
    assert "need Jinja2" in capsys.readouterr().err
