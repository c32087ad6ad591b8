"""What became of claims from version to version: the states, what changed with what, the page."""

from __future__ import annotations

import json
import re
from functools import partial
from urllib.parse import unquote

import pytest

import fixtures.__main__
from fixtures.claims import all_claims
from fixtures.errors import BadInput
from fixtures.pages import history as pages
from fixtures.records import proven
from fixtures.records.bisect import Asked, Bisection, Found
from fixtures.records.history import STATES, history
from fixtures.records.record import read
from fixtures.records.search import Behaviour, Change
from tests.meta.conftest import need_reports
from tests.meta.records import FAILED, LEFT_OUT, a_check, a_record, changed_at, everywhere, measured

KNOWN = {"outcome": "known failure", "reason": "it is known to"}
OTHER_BITS = {"measurement": measured(output="another")}
REAL = next(iter(all_claims().values()))


def a_run(version, *checks, adapter="numpy", distribution="numpy", **changed):
    """A record with one adapter of this version."""
    surface = changed.pop("surface", {"numpy.layer": "(x, units=4)"})
    beside = changed.pop("beside", {})
    return a_record(
        *checks,
        adapters={
            adapter: {"versions": {distribution: version, **beside}, "cannot_run": None,
                      "flags": {}, "surface": surface},
        },
        **changed,
    )  # fmt: skip


@pytest.fixture
def runs(tmp_path):
    """What these records say."""

    def runs(*records):
        found = []
        for n, record in enumerate(records):
            path = tmp_path / f"{n}.json"
            path.write_text(json.dumps(record))
            found += proven.parts_of(read(path))
        return found

    return runs


def states(grids, claim="it-holds"):
    (grid,) = grids
    return [cell.state for cell in grid.rows[claim]]


@pytest.mark.parametrize(
    ("now", "state"),
    [
        ({}, "same"),
        (OTHER_BITS, "moved"),
        ({"claim_hash": "c2"}, "held"),
        ({"case_hash": "d2"}, "held"),
        (FAILED, "failed"),
        ({"outcome": "error", "reason": "x", "measurement": None}, "failed"),
        (KNOWN, "known failure"),
        (LEFT_OUT, "not applicable"),
        ({"outcome": "skipped", "measurement": None}, "not run"),
        ({"outcome": "not run", "reason": "no memory", "measurement": None}, "not run"),
    ],
)
def test_a_claim_is_compared_with_the_version_before(runs, now, state):
    found = history(runs(a_run("1.0"), a_run("2.0", a_check(**now), complete=False)))
    assert states(found) == ["held", state]


def test_every_check_of_a_claim_counts(runs):
    """One that fails, or whose bits are others; cases more or fewer cannot be compared."""
    old = a_run("1.0", a_check(), a_check(case="one-unit"))
    for second, state in (
        ({}, "same"),
        (OTHER_BITS, "moved"),
        (FAILED, "failed"),
        (LEFT_OUT, "held"),
    ):
        new = a_run("2.0", a_check(), a_check(case="one-unit", **second))
        assert states(history(runs(old, new))) == ["held", state]


def test_another_seed_makes_other_cases(runs):
    assert states(history(runs(a_run("1.0"), a_run("2.0", seed=1)))) == ["held", "held"]


def test_bits_are_those_of_the_last_version_that_kept_them(runs):
    """Not of one in between that failed, that was not run, or whose bits were not kept."""
    records = runs(
        a_run("1.0"), a_run("1.1", a_check(**FAILED)), a_run("1.2", a_check("other")), a_run("1.10")
    )
    (grid,) = history(records)
    assert states([grid]) == ["held", "failed", "not run", "same"]
    assert grid.rows["it-holds"][-1].words == "held, bit for bit as before (1.0); by the test " \
        "as it was then"  # fmt: skip
    kept = proven.KeptRun(
        "2026-11-20", "0.1.0", "3.11.7", {"numpy": {"numpy": "1.5"}},
        {"numpy": {"it-holds": ""}}, {"it-holds": "c1"},
    )  # fmt: skip
    (grid,) = history([*records, kept])
    assert [column.version for column in grid.columns] == ["1.0", "1.1", "1.2", "1.5", "1.10"]
    assert states([grid])[-2:] == ["held", "same"]


def test_of_one_version_the_newest_run_that_says_anything_counts(runs):
    newest = a_run("1.0", a_check("other"), started="2026-11-23T00:00:00Z")
    newer = a_run("1.0", a_check(**FAILED), started="2026-11-22T00:00:00Z")
    (grid,) = history(runs(a_run("1.0"), newest, newer))
    assert len(grid.columns) == 1
    assert states([grid]) == ["failed"]
    assert states([grid], "other") == ["held"]


def test_another_machine_is_told(runs):
    found = history(
        runs(a_run("1.0"), a_run("2.0", a_check(**OTHER_BITS), environment={"cpu": "another"}))
    )
    assert "on another machine" in found[0].rows["it-holds"][1].words


def test_what_a_kept_run_does_not_say_is_not_guessed():
    """Of the claims of an earlier suite; that a claim is about other adapters is known."""
    of_torch = all_claims()["torch-gates-are-i-f-g-o"]
    run = proven.KeptRun(
        "2026-11-20", "0.1.0", "3.11.7", {"numpy": {"numpy": "1.5"}},
        {"numpy": {REAL.id: ""}},
        {one.id: one.source_hash for one in (REAL, of_torch)} | {"another": "c1"},
    )  # fmt: skip
    (grid,) = history([run])
    assert grid.rows.keys() == {REAL.id}
    assert states([grid], REAL.id) == ["held"]


def test_a_version_is_told_apart_by_what_is_beside_it(runs):
    """Keras 3 on TensorFlow by TensorFlow's version; on another backend it is another grid."""

    def keras(version, backend, **others):
        record = a_run(
            version, a_check(adapter="keras3"), a_check(adapter="tf1"),
            adapter="keras3", distribution="keras", beside={"Keras backend": backend},
        )  # fmt: skip
        record["adapters"]["tf1"] = record["adapters"]["keras3"] | {"versions": others}
        return record

    grids = history(
        runs(
            keras("3.10.0", "tensorflow", tensorflow="2.20.0"),
            keras("3.9.0", "tensorflow", tensorflow="2.20.0"),
            keras("3.9.0", "tensorflow", tensorflow="2.9.0"),
            keras("3.9.0", "torch", tensorflow="2.20.0"),
        )
    )
    assert [grid.name for grid in grids] == ["keras3", "keras3 on torch", "tf1"]
    assert [(one.version, one.beside) for one in grids[0].columns] == [
        ("3.9.0", "tensorflow 2.9.0"), ("3.9.0", "tensorflow 2.20.0"),
        ("3.10.0", "tensorflow 2.20.0"),
    ]  # fmt: skip


def test_a_merged_record_is_as_many_runs_as_it_has_environments(runs):
    """Each with its own versions and machine; a column of its adapter, not another adapter."""
    merged = a_run("1.0", a_check(), a_check(adapter="numpy@new", **OTHER_BITS), a_check("other"))
    merged["adapters"]["numpy@new"] = merged["adapters"]["numpy"] | {
        "versions": {"numpy": "2.0"}, "environment": {"python": "3.13.0", "cpu": "another"},
    }  # fmt: skip
    found = runs(merged)
    assert [(run.python, run.hashes) for run in found] == [
        ("3.11.7", {"it-holds": "c1", "other": "c1"}), ("3.13.0", {"it-holds": "c1"}),
    ]  # fmt: skip
    (grid,) = history(found)
    assert states([grid]) == ["held", "moved"]
    assert "on another machine" in grid.rows["it-holds"][1].words
    assert states([grid], "other") == ["held", "not run"]


def test_what_changed_with_a_version_is_told_since_when(runs):
    first = a_run("1.0", a_check(), a_check("a"), a_check("b", **FAILED), a_check("c"))
    second = a_run("1.1", a_check("c"), surface={})
    third = a_run(
        "1.2", a_check(**OTHER_BITS), a_check("a", **FAILED), a_check("b"),
        a_check("c", claim_hash="c2", **FAILED), surface={"numpy.layer": "(x, units=5)"},
    )  # fmt: skip
    (grid,) = history(runs(first, second, third))
    assert [step.told for step in grid.steps] == [False, True]
    step = grid.steps[1]
    assert [(one.kind, one.since, one.claims) for one in step.changes] == [
        ("no longer holds", "1.0", ("a",)), ("holds now", "1.0", ("b",)),
        ("moved", "1.0", ("it-holds",)),
    ]  # fmt: skip
    assert step.since == "1.0"
    assert [(one.name, one.old, one.new) for one in step.surface] == [
        ("numpy.layer", "(x, units=4)", "(x, units=5)")
    ]
    assert [grid.steady(claim) for claim in ("it-holds", "a", "b")] == [False] * 3


def test_a_kept_run_says_what_its_record_said(runs, tmp_path):
    """Also of what was not applicable, which the file leaves out; and bit for bit."""
    path = tmp_path / "proven.json"
    path.write_text("[]")
    checks = (a_check(), a_check("left", **LEFT_OUT), a_check("known", **KNOWN))
    record = tmp_path / "run.json"
    record.write_text(json.dumps(a_run("1.0", *checks)))
    proven.keep([read(record)], path)
    (kept,) = proven.kept_runs(path)
    assert kept == runs(a_run("1.0", *checks))[0]
    assert "left" not in json.loads(path.read_text())[0]["otherwise"]["numpy"]
    moved = runs(a_run("2.0", a_check(**OTHER_BITS), a_check("left"), a_check("known")))
    (grid,) = history([kept, *moved])
    assert [(one.kind, one.claims) for one in grid.steps[0].changes] == [
        ("holds now", ("known",)), ("applicable now", ("left",)), ("moved", ("it-holds",)),
    ]  # fmt: skip


# The page.


@pytest.fixture
def page(tmp_path, monkeypatch):
    """The page of these records, and of no kept runs."""
    need_reports()
    monkeypatch.setattr(fixtures.__main__, "kept_runs", list)

    def page(*records):
        paths = []
        for n, record in enumerate(records):
            paths.append(tmp_path / f"{n}.json")
            paths[-1].write_text(json.dumps(record))
        output = tmp_path / "history.html"
        assert fixtures.__main__.main(["history", *map(str, paths), "-o", str(output)]) == 0
        return output.read_text(encoding="utf-8")

    return page


def test_every_state_has_a_sign_of_its_own_in_the_key(page):
    assert pages.SIGNS.keys() == STATES.keys()
    assert len(set(pages.SIGNS.values())) == len(STATES)
    text = page(a_run("1.0"))
    assert [state for state in STATES if f'data-tip="{STATES[state]}"' not in text] == []


def test_the_page_says_what_became_of_a_claim(page):
    text = page(a_run("1.0"), a_run("2.0", a_check(**FAILED), surface={"numpy.layer": "(y)"}))
    assert "no longer holds, since 1.0: 1 claim<" in text
    assert "numpy.layer: (x, units=4) -&gt; (y)" in text
    assert "only claims in which something changed or fails: 1 of 1" in text
    every_link_has_its_one_place(text)


def test_modes_stand_below_their_own_backend_and_without_an_adapter_by_themselves(page):
    def grids(*adapters):
        checks = [a_check(adapter=adapter) for adapter in adapters]
        record = a_run("3.9.0", *checks, adapter=adapters[0], distribution="keras",
                       beside={"Keras backend": "jax"})  # fmt: skip
        record["adapters"] |= dict.fromkeys(adapters, record["adapters"][adapters[0]])
        text = page(record)
        every_link_has_its_one_place(text)
        return re.findall(r'<(h2|details class="mode") id="grid-([^"]*)/"', text)

    assert grids("keras3", "keras3:jit") == [
        ("h2", "keras3%20on%20jax"), ('details class="mode"', "keras3:jit%20on%20jax")
    ]  # fmt: skip
    assert grids("keras3:jit") == [("h2", "keras3:jit%20on%20jax")]


def every_link_has_its_one_place(text):
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(set(ids)) == len(ids)
    links = re.findall(r'href="#([^"]+)"', text)
    assert {unquote(one) for one in links} <= set(ids)


def test_what_searches_found_is_told_before_the_grids(tmp_path):
    """In which release a claim changed, and what the one before was."""
    need_reports()
    change = Change(
        Behaviour("it-holds", "numpy"), "1.0", "1.2", "holds", "fails", (("1.1", "no"),)
    )
    search = Bisection(
        Asked("numpy", "1.0", "1.3"), tmp_path, releases=("1.0", "1.1", "1.2", "1.3"),
        finished=True, found=[Found(change, "TypeError: <so>", (), (), ())],
    )  # fmt: skip
    text = pages.of_runs([], [search])
    assert "numpy 1.0 to 1.3: 1 behaviour changed (1 broke)" in text
    row = re.sub(r"<[^>]*>", "|", text[text.index(">it-holds<") + 1 : text.index("</tbody>")])
    assert [part for part in row.split("|") if part.strip(" \n>")] == [
        "it-holds", "adapters", "numpy", "first release", "1.2", "last before", "1.0 (1.1: no)",
        "what", "holds -&gt; fails (TypeError: &lt;so&gt;)",
    ]  # fmt: skip
    assert "Found by bisection" not in pages.of_runs([])


def test_a_records_strings_are_text_in_the_page(page):
    nasty = "<script>told = 1</script>\"'{{ 7 * 7 }}"
    text = page(
        a_run(f"1.0+{'a' * 9}", a_check(nasty)),
        a_run("2.0", a_check(nasty, **FAILED), surface={nasty: nasty}, environment={"cpu": nasty}),
    )
    assert text.count("<script>") == 1
    assert "{{ 7 * 7 }}" in text


def test_whatever_is_taken_for_a_record_makes_a_page(tmp_path):
    """With one field of it gone or of another kind; most such records are refused."""
    need_reports()
    record, path = a_run("1.0", a_check(), a_check("it-fails", **FAILED)), tmp_path / "run.json"
    path.write_text(json.dumps(record))
    old, made = proven.parts_of(read(path)), 0
    for at in everywhere(record):
        for value in (None, "x", {}, 0):
            path.write_text(json.dumps(changed_at(record, at, partial(put, value=value))))
            try:
                new = proven.parts_of(read(path))
            except BadInput:
                continue
            assert pages.of_runs([*old, *new]).endswith("</html>")
            made += 1
    assert made > 20


def put(table, name, value):
    table[name] = value


def test_the_kept_runs_alone_make_a_page(tmp_path, capsys):
    need_reports()
    output = tmp_path / "history.html"
    assert fixtures.__main__.main(["history", "-o", str(output)]) == 0
    text = output.read_text(encoding="utf-8")
    assert [name for name in ("torch", "keras3", "keras2", "tf1", "numpy")
            if f'<h2 id="grid-{name}/">' not in text] == []  # fmt: skip
    assert capsys.readouterr().err == f"report: {output}\n"
    assert "torch:export: " in text
    every_link_has_its_one_place(text)


def test_a_page_is_not_written_over_what_is_read(tmp_path, capsys):
    path = tmp_path / "run.json"
    path.write_text(json.dumps(a_run("1.0")))
    assert fixtures.__main__.main(["history", str(path), "-o", str(path)]) == 2
    assert "which it reads" in capsys.readouterr().err
    assert json.loads(path.read_text()) == a_run("1.0")
