"""How near adapters are to each other: counted from hashes, measured from values that were kept."""

from __future__ import annotations

import json

import numpy as np
import pytest

from fixtures.__main__ import main
from fixtures.adapters import core
from fixtures.cases import named_cases
from fixtures.cases.experiments import experiment_of
from fixtures.errors import BadInput
from fixtures.oracle.rounding import oracle_of
from fixtures.pages import report
from fixtures.pages.pairs import table
from fixtures.records import outputs
from fixtures.records.hashes import case_hash
from fixtures.records.pairs import VALUES, KeptPairs, Pair, keep_pairs, kept_pairs, pairs
from fixtures.records.record import read
from tests.meta.records import a_check, a_record, measured

CASE = next(case for case in named_cases() if case.name == "smallest")
EXPERIMENT = experiment_of(CASE, "float32", 0)
EXPECTED = [one for _, one in oracle_of(EXPERIMENT).tensors()]


def a_run(*checks, folder=None):
    record = a_record(*checks, outputs=None if folder is None else folder.name)
    for name in ("torch", "tf1"):
        record["adapters"][name] = record["adapters"]["numpy"]
    return record


def kept(tmp_path, record):
    path = tmp_path / "run.json"
    path.write_text(json.dumps(record))
    return read(path)


def a_value(adapter, **changed):
    return a_check(VALUES[0], adapter, **{"case_hash": case_hash(CASE, EXPERIMENT)} | changed)


@pytest.fixture
def with_values(tmp_path):
    """A record of two adapters, the values of one of them moved by so many spreads."""

    def make(spreads, **changed):
        folder = tmp_path / "values"
        folder.mkdir()
        checks = [a_value("numpy"), a_value("torch", **changed)]
        for check, moved in zip(checks, (0.0, spreads), strict=True):
            arrays = [one.value.astype(np.float32) for one in EXPECTED]
            # The largest element of h: a float32 of it is not too coarse for its spread.
            place = np.unravel_index(np.argmax(EXPECTED[1].spread), arrays[1].shape)
            arrays[1][place] += np.float32(moved * EXPECTED[1].spread[place])
            key = (check["claim"], check["adapter"], check["case"], check["dtype"])
            outputs.save(folder, key, arrays)
        return kept(tmp_path, a_run(*checks, folder=folder))

    return make


def test_pairs_that_are_bitwise_equal_are_counted(tmp_path):
    record = a_run(
        a_check(VALUES[0], "numpy"),
        a_check(VALUES[0], "torch"),
        a_check(VALUES[1], "torch", case="one-unit"),
        a_check(VALUES[1], "numpy", case="one-unit", measurement=measured(output="other")),
    )
    found = pairs(kept(tmp_path, record))
    assert {two: (one.same_bits, one.runs) for two, one in found.items()} == {
        ("numpy", "torch"): (1, 2)
    }


def test_what_was_not_hashed_is_not_the_same(tmp_path):
    unknown = {"kind": "structure", "measurement": measured(kind="structure", output=None)}
    record = a_run(a_check(VALUES[0], "numpy", **unknown), a_check(VALUES[0], "torch", **unknown))
    assert pairs(kept(tmp_path, record))["numpy", "torch"].same_bits == 0


def test_other_claims_and_modes_make_no_pair(tmp_path):
    record = a_run(
        a_check("it-holds", "numpy"), a_check("it-holds", "torch"),
        a_check(VALUES[0], "numpy"), a_check(VALUES[0], "torch:export"),
    )  # fmt: skip
    record["adapters"]["torch:export"] = record["adapters"]["torch"]
    assert pairs(kept(tmp_path, record)) == {}


@pytest.mark.parametrize("spreads", [0.0, 2.5, 40.0])
def test_distances_are_in_spreads_of_the_case(with_values, spreads):
    found = pairs(with_values(spreads))["numpy", "torch"]
    assert found.measured == 1
    assert found.worst == pytest.approx(spreads, abs=0.5)
    assert found.at == "smallest, float32"


def test_a_case_that_is_another_now_has_no_distance(with_values):
    found = pairs(with_values(2.5, case_hash="another"))["numpy", "torch"]
    assert (found.runs, found.measured, found.worst) == (1, 0, 0.0)


def test_the_pairs_of_a_run_are_told_the_furthest_apart_first(tmp_path, with_values, capsys):
    with_values(2.5)
    assert main(["pairs", str(tmp_path / "run.json")]) == 0
    heads, line = capsys.readouterr().out.splitlines()[:2]
    assert heads.split("  ")[0] == "adapters"
    assert line.startswith("numpy and torch  1 of 1")
    assert line.split()[-4:] == ["2.50", "spreads", "smallest,", "float32"]


def test_a_run_without_values_says_what_distances_want(tmp_path, capsys):
    kept(tmp_path, a_run(a_check(VALUES[0], "numpy"), a_check(VALUES[0], "torch")))
    assert main(["pairs", str(tmp_path / "run.json")]) == 0
    assert "record it with --outputs" in capsys.readouterr().out


def test_a_run_of_one_adapter_has_no_pairs(tmp_path, capsys):
    kept(tmp_path, a_record(a_check(VALUES[0], "numpy")))
    assert main(["pairs", str(tmp_path / "run.json")]) == 2
    assert "no two adapters ran the same case" in capsys.readouterr().err


def test_the_report_shows_pairs_in_the_colour_of_their_distance(with_values):
    page = report.of_record(with_values(5.0))
    table = page.partition("How near adapters are")[2].partition("</table>")[0]
    assert table.count('<td role="cell" data-adapter="torch" class="heat-2"') == 1
    assert table.count("1 of 1") == 2
    assert table.count("none made") == 4


def test_pairs_are_kept_and_read_again(tmp_path, with_values):
    file = tmp_path / "pairs.json"
    kept = keep_pairs(with_values(2.5), file)
    assert kept == kept_pairs(file)
    assert list(kept.versions) == ["numpy", "torch"]
    assert kept.of("torch", "numpy") is kept.of("numpy", "torch") is not None
    assert kept.of("torch", "tf1") is None
    assert kept.of("numpy", "torch").worst == pytest.approx(2.5, abs=0.5)


def test_what_is_known_to_be_wrong_is_not_kept(tmp_path, with_values):
    record = with_values(40.0, outcome="known failure")
    assert pairs(record)["numpy", "torch"].worst == pytest.approx(40.0, abs=0.5)
    assert pairs(record, where_they_hold=True) == {}
    with pytest.raises(BadInput, match="not every two adapters' values were kept"):
        keep_pairs(record, tmp_path / "pairs.json")


def test_pairs_without_values_are_not_kept(tmp_path):
    record = kept(tmp_path, a_run(a_check(VALUES[0], "numpy"), a_check(VALUES[0], "torch")))
    with pytest.raises(BadInput, match="not every two adapters' values were kept"):
        keep_pairs(record, tmp_path / "pairs.json")
    assert not (tmp_path / "pairs.json").exists()


def test_the_table_has_a_cell_for_every_two_in_the_colour_of_their_distance():
    found = {
        ("torch", "numpy"): Pair(10, 3, 10, 4.25, "smallest, float32"),
        ("torch", "keras3@jax"): Pair(10, 10, 10, 0.0, ""),
    }
    names = ("torch", "numpy", "keras3@jax")
    text = "\n".join(
        table(KeptPairs("2026-11-26", {name: {"torch": "2"} for name in names}, found))
    )
    assert text.count("<td") == 9
    both = "numpy and torch: 3 of 10 runs are the same to the bit; 4.25 spreads apart in smallest"
    assert f'<td class="heat-2" title="{both}, float32">4.25<br><small>30%</small></td>' in text
    assert text.count('<td class="heat-2"') == text.count(">=</td>") == 2
    assert text.count('<td class="none">-</td>') == 2
    assert "\n\n" not in text.partition("</table>")[0]


def test_every_two_of_the_readmes_frameworks_are_kept():
    kept = kept_pairs()
    assert set(core()) <= set(kept.versions)
    assert all(one.runs == one.measured > 0 for one in kept.pairs.values())
