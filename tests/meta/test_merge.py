"""Several records as one: what fits together becomes one table, and what does not is refused."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest

import fixtures.__main__
from fixtures.adapters import anywhere, outside
from fixtures.errors import BadInput
from fixtures.pages import modes, report
from fixtures.records import outputs
from fixtures.records.diff import diff
from fixtures.records.merge import merge, named
from fixtures.records.proven import runs_of
from fixtures.records.record import read, write
from tests.meta.conftest import need_reports
from tests.meta.records import FAILED, SMALLEST, a_check, a_record, measured

HERE = {"suite": "0.1.0", "python": "3.11.7", "cpu": "one", "platform": "here", "cores": "2"}


def an_adapter(**changed):
    one = {"versions": {"keras": "3.15.1"}, "cannot_run": None, "flags": {}, "surface": {}}
    return one | changed


def a_run(*names, checks=(), **changed):
    """A record in which each of these adapters holds in one check."""
    checks = [*checks, *(a_check(adapter=name) for name in names)]
    told = {"adapters": {name: an_adapter() for name in names}, "environment": HERE}
    return a_record(*checks, **told | changed)


def on_jax(*names, **changed):
    adapters = {name: an_adapter(versions={"keras": "3.15.1", "Keras backend": "jax"})
                for name in names}  # fmt: skip
    return a_run(*names, adapters=adapters, environment=HERE | {"KERAS_BACKEND": "jax"}, **changed)


def on_tensorflow(*names):
    versions = {"keras": "3.15.1", "Keras backend": "tensorflow"}
    return a_run(*names, adapters={name: an_adapter(versions=versions) for name in names})


@pytest.fixture
def files(tmp_path):
    """Writes records; the names before `=` are those of environments."""

    def made(**records):
        paths = {name: tmp_path / f"{name}.json" for name in records}
        for name, told in records.items():
            paths[name].write_text(json.dumps(told))
        return paths

    return made


@pytest.fixture
def merged(files, tmp_path):
    """Merges records, those whose names begin with `as_` under the rest of their names, writes what
    comes of it, and reads it back."""

    def made(values=None, **records):
        given = [
            (name.removeprefix("as_") if name.startswith("as_") else "", read(path))
            for name, path in files(**records).items()
        ]
        found = merge(given, tmp_path / "all.json", lambda _: None, values)
        write(found)
        assert read(found.path) == found
        return found

    return made


def test_runs_of_different_adapters_in_one_environment_are_one_run(merged):
    found = merged(a=a_run("torch", seconds=2.0), b=a_run("keras3"))
    assert list(found.adapters) == ["torch", "keras3"]
    assert {check.adapter for check in found.checks.values()} == {"torch", "keras3"}
    assert (found.selected, found.seconds, found.complete, found.gaps) == (2, 3.0, True, [])
    assert found.environment == HERE
    assert [one.environment for one in found.adapters.values()] == [{}, {}]


def test_an_environment_beside_the_first_has_columns_of_its_own(merged):
    found = merged(a=on_tensorflow("numpy", "keras3"), b=on_jax("keras3"))
    assert list(found.adapters) == ["keras3", "keras3@jax", "numpy"]
    assert found.adapters["keras3@jax"].versions["Keras backend"] == "jax"
    assert found.environment == HERE
    assert found.adapters["keras3@jax"].environment == {"KERAS_BACKEND": "jax"}
    assert found.environment_of("keras3@jax") == HERE | {"KERAS_BACKEND": "jax"}
    assert found.environment_of("keras3") == HERE
    assert set(found.checks) == {
        ("it-holds", name, "smallest", "float32") for name in ("keras3", "keras3@jax", "numpy")
    }


@pytest.mark.parametrize(
    ("other", "column"),
    [
        ({"environment": HERE | {"python": "3.12.4"}}, "torch@python-3.12.4"),
        ({"environment": HERE | {"cpu": "A (TM) @ 3 GHz"}}, "torch@cpu-A-TM-3-GHz"),
        ({"adapters": {"torch": an_adapter(versions={"keras": "3.9"})}}, "torch@keras-3.9"),
        ({"adapters": {"torch": an_adapter(flags={"TF32": "on"})}}, "torch@torch-TF32-on"),
        ({"environment": HERE | {"OMP_NUM_THREADS": "4"}}, "torch@OMP_NUM_THREADS-4"),
    ],
)
def test_an_environment_is_called_by_what_sets_it_apart(merged, other, column):
    first = a_run("torch", adapters={"torch": an_adapter(flags={"TF32": "off"})})
    second = a_run("torch", adapters=first["adapters"]) | other
    assert list(merged(a=first, b=second).adapters) == ["torch", column]


def test_two_environments_that_share_a_fact_are_told_apart_by_another(merged):
    newer = HERE | {"python": "3.12.4"}
    third = a_run("torch", environment=newer | {"OMP_NUM_THREADS": "4"})
    found = merged(a=a_run("torch"), b=a_run("torch", environment=newer), c=third)
    assert list(found.adapters) == [
        "torch", "torch@python-3.12.4", "torch@python-3.12.4,OMP_NUM_THREADS-4",
    ]  # fmt: skip


def test_the_user_may_name_environments(merged):
    found = merged(as_cpu=a_run("torch", "numpy"), as_gpu=a_run("torch"))
    assert list(found.adapters) == ["torch@cpu", "torch@gpu", "numpy"]
    found = merged(a=a_run("torch", "numpy"), as_gpu=a_run("torch"))
    assert list(found.adapters) == ["torch", "torch@gpu", "numpy"]


def test_what_can_run_in_one_environment_only_has_one_column(merged):
    absent = an_adapter(cannot_run="it is not installed", versions={})
    first = a_run("torch", adapters={"torch": an_adapter(), "keras3": absent})
    second = on_jax("keras3", checks=[])
    found = merged(a=first, b=second)
    assert list(found.adapters) == ["torch", "keras3"]
    assert found.adapters["keras3"].cannot_run is None
    nowhere = merged(a=first, b=on_jax("torch"))
    assert list(nowhere.adapters) == ["torch", "torch@jax", "keras3"]
    assert nowhere.adapters["keras3"].cannot_run == "it is not installed"


def test_merged_records_are_merged_again(merged):
    two = merged(a=on_tensorflow("keras3"), b=on_jax("keras3"))
    kept = json.loads(two.path.read_text())
    three = merged(a=kept, b=a_run("numpy"))
    assert list(three.adapters) == ["keras3", "keras3@jax", "numpy"]
    assert three.environment_of("keras3@jax") == HERE | {"KERAS_BACKEND": "jax"}


def test_whatever_is_missing_from_one_is_missing_from_all(merged):
    lost = a_check(adapter="numpy", outcome="not run", reason="out of memory", measurement=None)
    part = a_run(checks=[lost], complete=False, deselected=3, uncollected=2, not_kept=1,
                 adapters={"numpy": an_adapter()})  # fmt: skip
    found = merged(a=a_run("torch"), b=part)
    assert (found.complete, found.deselected, found.uncollected) == (False, 3, 2)
    assert [gap.partition(" is ")[2][:24] for gap in found.gaps] == [
        "incomplete: it says noth", "incomplete: the values o", "of a selection: 3 checks",
        "of a selection: 2 claims",
    ]  # fmt: skip


def test_only_what_all_were_asked_for_is_all_there_is(merged):
    asked = merged(a=a_run("torch", asked_for=["torch"]), b=on_jax("torch", asked_for=["torch"]))
    assert asked.asked_for == ("torch", "torch@jax")
    assert merged(a=a_run("torch", asked_for=["torch"]), b=on_jax("torch")).asked_for is None


def test_warnings_and_random_cases_are_added_up(merged):
    def one(name, worst):
        tally = {"cases": 2, "exact": 3, "worst": worst}
        random = {"drawn": 4, "left_out": "", "not_run": "", "adapters": {name: tally}}
        return {"warnings": {"old": 1}, "random": random}

    first, second = a_run("torch", **one("torch", 1.0)), on_jax("torch", **one("torch", 2.0))
    found = merged(a=first, b=second)
    assert (found.warnings, found.random["drawn"]) == ({"old": 2}, 8)
    assert [tally["worst"] for tally in found.random["adapters"].values()] == [1.0, 2.0]
    assert list(found.random["adapters"]) == ["torch", "torch@jax"]


@pytest.mark.parametrize(
    "random", [{"drawn": "x"}, {"adapters": {"torch": {"what": 1}}}, {"adapters": [1]}]
)
def test_random_cases_that_cannot_be_read_are_refused(merged, random):
    with pytest.raises(BadInput, match=r"b\.json holds random cases that cannot be read"):
        merged(a=a_run("torch"), b=a_run("numpy", random=random))


def test_kept_values_go_with_their_checks(merged, tmp_path):
    for name, number in (("a", 1.0), ("b", 2.0)):
        key = ("it-holds", "torch", "smallest", "float32")
        (tmp_path / f"values-{name}").mkdir()
        outputs.save(tmp_path / f"values-{name}", key, [np.array([number])])
    first, second = a_run("torch", outputs="values-a"), on_jax("torch", outputs="values-b")
    (tmp_path / "all").mkdir()
    found = merged(tmp_path / "all", a=first, b=second)
    kept = {name: outputs.load(found.outputs, (key[0], name, *key[2:])) for name in found.adapters}
    assert {name: arrays[0].tolist() for name, arrays in kept.items()} == {
        "torch": [1.0], "torch@jax": [2.0],
    }  # fmt: skip
    assert merged(a=first, b=second).outputs is None


# What contradicts itself.

OTHER_CASE = {"smallest": SMALLEST | {"units": [4]}}


@pytest.mark.parametrize(
    ("second", "why"),
    [
        (a_run("numpy", seed=7), "the seed is 0 in one and 7 in the other"),
        (a_run("numpy", environment=HERE | {"suite": "9"}), "the suite's version is 0.1.0 in one"),
        (a_run(checks=[a_check(claim_hash="c2")]), "the hash of claim it-holds is c1 in one and"),
        (a_run(checks=[a_check(case_hash="d2")]), "the hash of case smallest float32 is d1 in one"),
        (a_run("numpy", cases=OTHER_CASE), "case smallest is CaseRecord"),
        (
            a_run(checks=[a_check(kind="exact", measurement=measured(kind="exact"))]),
            "the kind of claim it-holds is rounding in one and exact in the other",
        ),
        (a_run("torch"), "both hold check it-holds torch smallest float32, in one environment"),
    ],
)
def test_records_that_contradict_each_other_are_refused(merged, second, why):
    if not second["adapters"]:
        second["adapters"] = {"numpy": an_adapter()}
    with pytest.raises(BadInput, match=rf"a\.json and .*b\.json cannot be merged: {why}"):
        merged(a=a_run("torch"), b=second)


def test_environments_of_one_name_that_differ_are_refused(files):
    a, b = (read(path) for path in files(a=a_run("torch"), b=on_jax("keras3")).values())
    why = "both are called x, and KERAS_BACKEND is not set in one and jax in the other"
    with pytest.raises(BadInput, match=why):
        merge([("x", a), ("x", b)], a.path, print)


def test_two_columns_of_one_name_are_refused(merged):
    first = a_run("torch@jax", "torch")
    with pytest.raises(BadInput, match="both would have the column torch@jax"):
        merged(a=first, as_jax=on_jax("torch"))


# Shards; that those of a real run make the whole is in test_shards.py.


def a_shard(number, *names, of=2, elsewhere=1, **changed):
    told = {"numbers": [number], "of": of, "elsewhere": elsewhere, "selection": "s1"}
    return a_run(*names, deselected=elsewhere, shard=told | changed.pop("shard", {}), **changed)


def test_a_shard_says_that_the_rest_is_elsewhere(merged):
    (gap,) = merged(a=a_shard(1, "torch")).gaps
    assert gap.endswith("is shard 1 of 2: 1 check elsewhere; merge them.")


def test_shards_may_come_from_several_machines(merged):
    other = HERE | {"cpu": "another", "PYTEST_ADDOPTS": "--shard 2/2"}
    found = merged(a=a_shard(1, "torch"), b=a_shard(2, "numpy", environment=other))
    assert (found.shard, found.deselected, found.gaps) == (None, 0, [])
    assert found.environment["cpu"] == "one | another"
    assert found.environment["PYTEST_ADDOPTS"] == "not set | --shard 2/2"


def test_some_of_the_shards_are_still_a_part(merged):
    three = {"of": 3, "elsewhere": 2}
    first = merged(a=a_shard(1, "torch", **three), b=a_shard(3, "numpy", **three))
    assert first.gaps[0].endswith("is shards 1 and 3 of 3: 1 check elsewhere; merge them.")
    kept = json.loads(first.path.read_text())
    whole = merged(a=kept, b=a_shard(2, "keras3", **three))
    assert (whole.shard, whole.selected, whole.gaps) == (None, 3, [])


def test_a_lost_shard_of_one_environment_is_missed_in_the_whole(merged, files, capsys):
    found = merged(a=a_run("torch"), as_jax=a_shard(1, "torch"))
    assert found.complete is False
    assert found.deselected == 1
    paths = files(a=a_shard(1, "torch", of=4)).values()
    merge([("", read(path)) for path in paths], found.path, print)
    assert "missing: shard 2, 3, 4 of 4, beside" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("second", "why"),
    [
        (a_shard(1, "numpy"), "both are shard 1 of 2"),
        (a_shard(2, "numpy", of=3), "shard 1 of 2 and shard 2 of 3 are of different runs"),
        (a_shard(2, "numpy", shard={"selection": "s2"}), "are of different runs: they share out"),
        (a_shard(2, "numpy", elsewhere=4), "they count other numbers of checks or claims in all"),
        (a_shard(2, "numpy", uncollected=4), "they count other numbers of checks or claims"),
        (a_run("numpy"), "only the second is a part of a run, shard 1 of 2"),
        (
            a_shard(2, "numpy", environment=HERE | {"python": "3.12.4"}),
            "they are shards of one run, and python is 3.11.7 in one and 3.12.4 in the other",
        ),
    ],
)
def test_shards_that_contradict_each_other_are_refused(merged, second, why):
    with pytest.raises(BadInput, match=why):
        merged(a=a_shard(1, "torch"), b=second)


def test_shards_that_leave_something_out_are_refused(merged):
    with pytest.raises(BadInput, match="2 checks are in no shard"):
        merged(a=a_shard(1, "torch", elsewhere=3), b=a_shard(2, "numpy", elsewhere=3))


@pytest.mark.parametrize(
    "shard", [{}, {"numbers": []}, {"numbers": [3]}, {"numbers": [0]}, {"of": "2"}, []]
)
def test_a_record_of_a_shard_that_there_is_not_is_refused(tmp_path, shard):
    told = a_shard(1, "torch")
    told["shard"] = told["shard"] | shard if shard else shard
    path = tmp_path / "a.json"
    path.write_text(json.dumps(told))
    with pytest.raises(BadInput, match="record the run again"):
        read(path)


# What is done with a merged record.


def test_names_with_an_environment_are_taken_apart():
    assert (outside("torch:export@gpu"), outside("torch@gpu")) == ("torch@gpu", "torch@gpu")
    assert (outside("torch:export"), outside("torch")) == ("torch", "torch")
    assert (anywhere("torch:export@gpu"), anywhere("keras3@jax")) == ("torch:export", "keras3")


def test_the_verdict_says_on_which_column_the_machine_changed(merged):
    first = merged(a=on_tensorflow("keras3"), b=on_jax("keras3"))
    changed = on_jax("keras3")
    changed["environment"] = changed["environment"] | {"python": "3.11.9"}
    second = replace(merged(a=on_tensorflow("keras3"), b=changed))
    assert [(one.kind, one.name, one.old, one.new) for one in diff(first, second).around] == [
        ("keras3@jax environment", "python", "3.11.7", "3.11.9")
    ]
    assert diff(first, first).around == ()


def test_a_column_that_only_the_new_record_has_has_not_regressed(merged):
    first = merged(a=on_tensorflow("keras3"))
    failing = on_jax(checks=[a_check(adapter="keras3", **FAILED)])
    failing["adapters"] = on_jax("keras3")["adapters"]
    found = diff(first, merged(a=on_tensorflow("keras3"), b=failing))
    assert [(one.kind, one.why) for one in found.of("failing")] == [
        ("failing", "no keras3@jax was merged into the old record")
    ]
    assert found.exit_status == 2


def test_modes_are_compared_in_their_own_environment(merged):
    checks = [a_check(adapter="torch:export"), a_check(adapter="torch")]
    adapters = {name: an_adapter() for name in ("torch", "torch:export")}
    first = a_run(checks=checks, adapters=adapters)
    second = a_run(
        checks=[a_check(adapter="torch:export"),
                a_check(adapter="torch", measurement=measured(output="other"))],
        adapters=adapters,
    )  # fmt: skip
    found = merged(a=first, as_gpu=second)
    lines = modes.lines_of(found.checks.values(), ["torch:export", "torch:export@gpu"])
    assert [(one.same_bits, one.compared) for one in lines] == [(1, 1), (0, 1)]
    assert lines[0].about == lines[1].about != ""


def test_a_merged_record_makes_a_page(merged):
    need_reports()
    page = report.of_record(merged(a=on_tensorflow("keras3"), b=on_jax("keras3")))
    assert re.search(r'<td role="cell" class="proven"[^>]* data-adapter="keras3@jax"', page)
    assert page.count("its own environment") == 1
    own = page.partition("its own environment")[2].partition("</table>")[0]
    assert re.search(r"KERAS_BACKEND.*jax", own, re.DOTALL)


def test_what_was_proven_is_kept_of_each_environment(merged):
    found = runs_of(merged(a=on_tensorflow("keras3"), b=on_jax("keras3")))
    assert [set(one.proven) for one in found] == [{"keras3"}, {"keras3"}]


# The command.


def test_the_command_writes_the_record_and_shows_its_matrix(files, tmp_path, capsys):
    paths = files(a=on_tensorflow("keras3"), b=on_jax("keras3"))
    output = tmp_path / "all.json"
    status = fixtures.__main__.main(["merge", *map(str, paths.values()), "-o", str(output)])
    shown = capsys.readouterr()
    assert status == 0
    assert "keras3@jax" in shown.out
    assert f"record: {output}" in shown.err
    assert list(read(output).adapters) == ["keras3", "keras3@jax"]


def test_the_command_refuses_in_one_sentence_and_writes_nothing(files, tmp_path, capsys):
    paths = files(a=a_run("torch"), b=a_run("torch"))
    output = tmp_path / "all.json"
    for words in (list(map(str, paths.values())), [f"a b={paths['a']}"]):
        assert fixtures.__main__.main(["merge", *words, "-o", str(output)]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1
    assert not output.exists()
    before = paths["a"].read_text()
    assert fixtures.__main__.main(["merge", str(paths["a"]), "-o", str(paths["a"])]) == 2
    assert paths["a"].read_text() == before


def test_a_file_whose_name_holds_an_equals_sign_is_a_file(tmp_path):
    path = tmp_path / "a=b.json"
    path.touch()
    assert named(str(path)) == ("", path)
    assert named(f"gpu={path}") == ("gpu", path)
    assert named("run.json")[0] == ""


def test_a_selection_is_judged_by_itself_where_both_are_of_it(merged, files):
    """Unless it is another one, or not whole as a selection."""
    other = [a_check("other", adapter="torch")]
    paths = files(
        a=a_run("torch", deselected=5, uncollected=2),
        b=a_run("torch", deselected=5),
        c=a_run("torch", deselected=4, checks=other),
        d=a_run("torch", deselected=5, not_kept=1),
    )
    a, b, c, d = map(read, paths.values())
    assert [diff(a, b).exit_status, diff(a, b, selected=True).exit_status] == [2, 0]
    assert [diff(c, a, selected=True).exit_status, diff(a, d, selected=True).exit_status] == [2, 2]
    shard = merged(a=a_shard(1, "torch"))
    assert diff(shard, shard, selected=True).exit_status == 2
