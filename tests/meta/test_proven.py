"""What the kept runs prove, and for how long."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from fixtures.adapters.base import BACKEND
from fixtures.errors import BadInput
from fixtures.pages import claims as pages
from fixtures.records import proven
from fixtures.records.record import read
from tests.meta.records import FAILED, LEFT_OUT, a_check, a_record


@pytest.fixture
def kept(tmp_path):
    """The runs that are kept of these records, as the file has them."""
    path = tmp_path / "proven.json"
    path.write_text("[]")

    def kept(*records):
        stored = []
        for n, record in enumerate(records):
            (tmp_path / f"{n}.json").write_text(json.dumps(record))
            stored.append(read(tmp_path / f"{n}.json"))
        for one in stored:
            proven.keep([one], path)
        return proven.kept_runs(path)

    return kept


def of(runs, claim="it-holds", source_hash="c1"):
    return list(proven.proven_on(claim, source_hash, runs))


def test_a_claim_is_proven_where_all_its_checks_hold(kept):
    runs = kept(a_record(a_check(), a_check(case="one-unit", **LEFT_OUT)))
    assert of(runs) == [("numpy", "numpy 2.4.6")]


@pytest.mark.parametrize(
    "other", [FAILED, {"outcome": "known failure"}, {"outcome": "skipped", "measurement": None}]
)
def test_a_claim_that_does_not_hold_somewhere_is_not_proven(kept, other):
    assert of(kept(a_record(a_check(), a_check(case="one-unit", **other)))) == []


def test_a_claim_that_is_nowhere_applicable_is_not_proven(kept):
    assert of(kept(a_record(a_check(**LEFT_OUT)))) == []


def test_a_claim_whose_test_changed_is_not_proven(kept):
    assert of(kept(a_record()), source_hash="c2") == []


def test_the_newest_version_comes_first_and_the_same_replaces(kept):
    def with_version(version, started, *checks):
        record = a_record(*checks, started=started)
        record["adapters"]["numpy"]["versions"] = {"numpy": version}
        return record

    old = with_version("1.26", "2026-11-19T00:00:00Z")
    first = with_version("2.4.6", "2026-11-20T00:00:00Z", a_check("another"))
    again = with_version("2.4.6", "2026-11-21T00:00:00Z")
    runs = kept(old, first, again)
    assert [run.date for run in runs] == ["2026-11-21", "2026-11-19"]
    assert of(runs) == [("numpy", "numpy 2.4.6, numpy 1.26")]
    assert of(runs, "another") == []


def test_a_range_holds_every_kept_version_from_one_end_to_the_other(kept):
    """The one in between whose test is another one cuts it in two."""

    def with_version(version, **changed):
        record = a_record(a_check(**changed), a_check("another"))
        record["adapters"]["numpy"]["versions"] = {"numpy": version}
        return record

    versions = ("1.26.4", "2.0.2", "2.1.3+cpu", "2.4.6", "2.10.0", "2.11.0rc1", "3.0.0.dev1")
    runs = kept(*(
        with_version(one, **({"claim_hash": "c0"} if one == "2.1.3+cpu" else {}))
        for one in versions
    ))  # fmt: skip
    assert proven.ranges("another", "c1", runs) == {"numpy": "1.26.4 to 2.10.0"}
    assert proven.ranges("it-holds", "c1", runs) == {"numpy": "1.26.4 to 2.0.2, 2.4.6 to 2.10.0"}
    assert proven.ranges("it-holds", "c0", runs) == {"numpy": "2.1.3"}
    assert proven.ranges("it-holds", "c2", runs) == {}
    before = [run for run in runs if run.what in ("numpy 2.11.0rc1", "numpy 3.0.0.dev1")]
    assert len(before) == 2
    assert proven.ranges("it-holds", "c1", before) == {}


def test_another_python_is_another_run(kept):
    newer = a_record(environment={"python": "3.13.0"})
    assert [run.python for run in kept(a_record(), newer, a_record())] == ["3.13.0", "3.11.7"]


def test_another_processor_is_another_run(kept):
    untold = a_record()
    one, other = (
        a_record(environment={"python": "3.11.7", "cpu": cpu}) for cpu in ("One, 2 GHz", "Other")
    )
    assert [run.processor for run in kept(untold, one, other, one)] == ["One", "Other"]


def test_a_run_in_modes_alone_says_what_ran_and_replaces_no_other(kept):
    plain, alone = a_record(), a_record(a_check(adapter="torch:export"))
    plain["adapters"] = {"torch": plain["adapters"]["numpy"]}
    plain["checks"][0]["adapter"] = "torch"
    alone["adapters"] = {"torch:export": alone["adapters"]["numpy"]}
    runs = kept(plain, alone, alone)
    assert sorted(run.columns for run in runs) == [["torch"], ["torch:export"]]
    lines = list(proven.table(runs, {"it-holds": "c1"}))
    assert "| 2026-11-21 | 3.11.7 | numpy 2.4.6 | torch:export | 1 |  |" in lines


@pytest.mark.parametrize("part", [{"deselected": 1}, {"complete": False, "selected": 2}])
def test_a_part_of_a_run_proves_nothing(kept, part):
    with pytest.raises(BadInput, match=r"is of a selection|is incomplete"):
        kept(a_record(**part))


@pytest.mark.parametrize("text", ["", "{", "[1]", '[{"date": "2026"}]'])
def test_a_damaged_file_is_refused(tmp_path, text):
    path = tmp_path / "proven.json"
    path.write_text(text)
    with pytest.raises(BadInput, match="is damaged"):
        proven.kept_runs(path)


def test_the_table_names_date_and_versions(kept):
    lines = list(proven.table(kept(a_record()), {"it-holds": "c1"}))
    assert lines[2] == "| 2026-11-21 | 3.11.7 | numpy 2.4.6 | numpy | 1 |  |"


def test_the_table_counts_no_claim_whose_test_changed(kept):
    runs = kept(a_record(a_check(), a_check("another")))
    (_, _, line) = proven.table(runs, {"it-holds": "c1", "another": "c2"})
    assert line.endswith("| numpy | 1 |  |")
    assert len(list(proven.table(runs, {"it-holds": "c2"}))) == 2


def test_the_claims_that_hold_are_counted_by_topic_and_framework(kept, monkeypatch):
    known = {
        name: SimpleNamespace(family="masks", source_hash="c1")
        for name in ("it-holds", "it-is-rounded")
    }
    monkeypatch.setattr(pages, "all_claims", lambda: known)

    def run(version, *checks):
        versions = {"keras": version, BACKEND: "jax"}
        adapter = a_record()["adapters"]["numpy"] | {"versions": versions}
        return a_record(*checks, adapters={"keras3": adapter})

    holds, rounded = (a_check(name, "keras3") for name in known)
    newer, older = run("3.1", holds, rounded | FAILED), run("3.0", holds | FAILED, rounded)
    changed = run("2.9", holds, rounded | {"claim_hash": "c0"})
    for runs, masks in (
        ([newer], "1"),
        ([changed], "1"),
        ([older], "2"),
    ):  # each beside those before
        head, _, row = (line.split(" | ") for line in pages._by_topic(kept(*runs)))
        assert row[0] == "| `keras3 on jax`"
        assert {topic: cell for topic, cell in zip(head, row, strict=True) if cell.isdigit()} == {
            "masks": masks
        }
