"""A run in parts: nothing is left out, nothing runs twice, and the parts take about as long."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from fixtures.claims import all_claims
from fixtures.errors import BadInput
from fixtures.plugin.sharding import shard_of, shares, weight_of
from fixtures.records.merge import merge
from fixtures.records.record import read
from fixtures.records.seconds import keep_seconds, seconds, slow_claims
from tests.meta.conftest import ROOT, Project
from tests.meta.records import LEFT_OUT, a_check, a_record
from tests.meta.test_options import refused

CASES = """
from fixtures.cases import named
from fixtures.checks.compare import assert_same_bits
from fixtures.claims import claim


@claim(kind="exact", statement="It is itself.", formula="h == h",
       cases=named("two-layers", "square", "bidirectional", "batch-one"))
def test_it_is_itself(run):
    assert_same_bits(run.output, run.output)
"""


@pytest.mark.parametrize(
    "wanted", ["", "2", "0/2", "3/2", "1/0", "a/b", "-1/2", "1/2/3", "1/9" * 9]
)
def test_what_is_no_part_of_a_whole_is_refused(wanted):
    with pytest.raises(BadInput, match=f"^--shard: '{wanted}' is no part of a whole; give 1/5 or"):
        shard_of(wanted)


def test_the_only_part_of_a_whole_is_the_whole():
    assert shard_of("1/1") is None
    assert shard_of(None) is None
    assert (shard_of("2/5").numbers, shard_of("2/5").of) == ((2,), 5)


def test_a_bad_shard_ends_in_one_sentence(project):
    refused(project.pytest("--shard=3/2"), r"--shard: '3/2' is no part of a whole; give 1/5")


def test_the_shards_together_are_the_whole_run(failing: Project):
    """To the last field of the record, but for times and for where it is; with workers or alone."""
    failing.write("tests/test_cases.py", CASES)
    threads = {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1"}
    failing.pytest("--record=whole.json", **threads)
    whole, parts = read(failing.path / "whole.json"), []
    for number, workers in ((1, ()), (2, ("-n", "2"))):
        name = f"{number}.json"
        ran = failing.pytest(f"--record={name}", f"--shard={number}/2", *workers, **threads)
        assert f"lstm-equivalence: shard {number} of 2" in ran.stdout
        parts.append(read(failing.path / name))
    assert all(one.checks for one in parts)
    cases = [{check.case for check in one.checks.values() if check.case_hash} for one in parts]
    assert not cases[0] & cases[1]
    assert [len(one.gaps) for one in (whole, *parts)] == [0, 1, 1]
    together = merge([("", one) for one in parts], whole.path, print)

    def without_times(record):
        checks = {key: replace(one, seconds=0) for key, one in record.checks.items()}
        options = tuple(one for one in record.options if not one.startswith("--record"))
        return replace(record, checks=checks, options=options, seconds=0, started="")

    assert without_times(together) == without_times(whole)


def test_every_test_of_the_suite_is_in_one_shard():
    def collected(*shard):
        shown = Project(ROOT).pytest(
            "--collect-only", "-q", "-p", "no:cacheprovider", "tests/test_gru.py",
            "tests/test_random.py", *shard,
        ).stdout  # fmt: skip
        return [line for line in shown.splitlines() if "::" in line]

    parts = [collected(f"--shard={number}/2") for number in (1, 2)]
    together = [nodeid for part in parts for nodeid in part]
    assert all(parts)
    assert sorted(together) == sorted(collected())


def test_a_selection_is_shared_out_too(project: Project):
    """What was not selected is in no shard, and the record says which is which."""
    project.write("tests/test_cases.py", CASES)
    parts = []
    for number in (1, 2):
        project.pytest(f"--record={number}.json", f"--shard={number}/2", "-k", "itself and float32")
        parts.append(read(project.path / f"{number}.json"))
    assert {len(one.checks) + one.shard.elsewhere for one in parts} == {4}
    assert "11 checks not selected" in parts[0].gaps[1]
    together = merge([("", one) for one in parts], project.path / "all.json", print)
    assert (together.selected, together.deselected, together.shard) == (4, 11, None)


def test_shares_are_even_whole_and_the_same_in_any_order():
    weights = {f"case-{number}": float(number**2) for number in range(1, 60)}
    found = shares(weights, 5)
    backwards = shares(dict(reversed(weights.items())), 5)
    loads = [sum(weights[one] for one, at in found.items() if at == share) for share in range(1, 6)]
    assert found == backwards
    assert set(found) == set(weights)
    assert max(loads) - min(loads) < 0.01 * sum(loads)


def test_the_suites_own_shares_are_even():
    """By the seconds that are kept: none of five is a tenth more than another."""
    cases: dict[str, float] = {}
    for (case, _), taken in seconds().items():
        cases[case] = cases.get(case, 0.0) + taken
    found = shares(cases, 5)
    loads = [sum(cases[one] for one, at in found.items() if at == share) for share in range(1, 6)]
    assert max(loads) < 1.1 * min(loads)


def test_a_case_that_is_not_known_takes_the_mean():
    known = {("a", "torch"): 1.0, ("b", "torch"): 3.0, ("a", "tf1"): 8.0}
    assert weight_of({("a", "torch")}, known) == 1.0
    assert weight_of({("a", "torch"), ("new", "torch")}, known) == 3.0
    assert weight_of({("new", "tf1")}, known) == 8.0
    assert weight_of({("new", "another")}, known) == 4.0
    assert weight_of(set(), known) == 0.0
    assert weight_of({("new", "torch")}, {}) == 0.0


def test_seconds_of_a_whole_run_are_kept(tmp_path):
    path, kept, slow = (tmp_path / name for name in ("run.json", "seconds.json", "slow.json"))
    checks = [a_check(seconds=1.5), a_check("other", seconds=2.25), a_check("out", **LEFT_OUT)]
    path.write_text(json.dumps(a_record(*checks)))
    keep_seconds(read(path), kept, slow)
    assert seconds(kept) == {("smallest", "numpy"): 3.75}
    path.write_text(json.dumps(a_record(deselected=1)))
    with pytest.raises(BadInput, match="is of a selection"):
        keep_seconds(read(path), kept, slow)
    (numpy,) = a_record()["adapters"].values()
    several = a_record(a_check(adapter="numpy@new"), adapters={"numpy@new": numpy})
    path.write_text(json.dumps(several))
    with pytest.raises(BadInput, match="is of several environments"):
        keep_seconds(read(path), kept, slow)
    assert seconds(kept) == {("smallest", "numpy"): 3.75}


def test_a_claim_is_slow_where_each_of_its_checks_is(tmp_path):
    path, kept, slow = (tmp_path / name for name in ("run.json", "seconds.json", "slow.json"))
    checks = [
        a_check("slow", seconds=0.2), a_check("slow", case="square", seconds=3.0),
        a_check("fast", seconds=0.05), a_check("fast", case="square", seconds=3.0),
        a_check("out", seconds=3.0, **LEFT_OUT),
    ]  # fmt: skip
    path.write_text(json.dumps(a_record(*checks)))
    keep_seconds(read(path), kept, slow)
    assert slow_claims(slow) == {("slow", "numpy")}


def test_a_claim_is_as_slow_as_the_run_that_it_shares(tmp_path):
    """Both claims look at what one recipe returns, which the first of them has made."""
    path, kept, slow = (tmp_path / name for name in ("run.json", "seconds.json", "slow.json"))
    first, second = (
        one.id for one in all_claims().values() if one.recipe == "trained_with_clipnorm"
    )
    checks = [a_check(first, seconds=0.5), a_check(second, seconds=0.01)]
    path.write_text(json.dumps(a_record(*checks)))
    keep_seconds(read(path), kept, slow)
    assert slow_claims(slow) == {(first, "numpy"), (second, "numpy")}


@pytest.mark.parametrize("text", ["", "[]", '{"a": 1}'])
def test_damaged_slow_claims_are_refused(tmp_path, text):
    path = tmp_path / "slow-claims.json"
    path.write_text(text)
    with pytest.raises(BadInput, match="is damaged"):
        slow_claims(path)


@pytest.mark.parametrize("text", ["", "[]", '{"a": 1}', '{"a": {"torch": "x"}}'])
def test_damaged_seconds_are_refused(tmp_path, text):
    path = tmp_path / "seconds.json"
    path.write_text(text)
    with pytest.raises(BadInput, match="is damaged"):
        seconds(path)
