"""Random cases: what is drawn, what is found with them, and what is said about it."""

from __future__ import annotations

import functools
import json
import math
import re
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import fields, replace

import pytest

import fixtures.cells
from fixtures.adapters import Adapter, every_adapter, in_a_mode
from fixtures.adapters.numpy import Numpy
from fixtures.cases import Case, every, masked, named_cases, plain
from fixtures.cases.kinds import in_words
from fixtures.cells import GRU, LSTM, RNN, Mixed
from fixtures.checks import random_checks
from fixtures.checks.random_checks import (
    OF_KINDS,
    Alarm,
    RandomSearch,
    Tally,
    checks_of,
    snippet,
)
from fixtures.claims import all_claims
from fixtures.claims.known import KnownFailure
from fixtures.model.experiment import Experiment
from fixtures.model.loop import Loop
from fixtures.model.precisions import PRECISIONS
from fixtures.model.run import Run
from fixtures.plugin.fuzzing import (
    FEW_MODES,
    INSTALL,
    PARTS,
    SHORT,
    Found,
    Profile,
    by_case,
    draw,
    lines,
)
from fixtures.plugin.fuzzing import drawn as drawn_in_short
from fixtures.plugin.scheduling import case_in
from tests.meta.conftest import ROOT, Project, need

pytest.importorskip("hypothesis", reason=INSTALL)

CLAIMS = """
from fixtures.cases import named, some
from fixtures.checks.compare import assert_same_bits, assert_structure, assert_within_rounding
from fixtures.claims import claim


def any_cell(case):
    return True


@claim(kind="exact", statement="It holds.", formula="f", cases=some(any_cell, "smallest"))
def test_it_holds(run):
    assert_same_bits(run.h[-1, 0], run.h[-1, 0])


@claim(kind="rounding", statement="It is so.", formula="f", cases=some(any_cell, "smallest"))
def test_it_is_rounded(run, oracle):
    assert_within_rounding(dict(run.tensors()), dict(oracle.tensors()))


@claim(kind="rounding", statement="It is named.", formula="f", cases=named("smallest"))
def test_it_is_about_one_case(run, oracle, case):
    assert case.name == "smallest"
    assert_within_rounding(run.output, oracle.output)
"""
OFF = """
from dataclasses import replace
from fixtures.adapters.numpy import Numpy

right = Numpy.run


def off(self, experiment):
    weights = experiment.weights.map(lambda one: replace(one, kernel=one.kernel * (1 + 3e-6)))
    weights = weights.map(lambda one: one.map(lambda array: array.astype(experiment.dtype)))
    run = right(self, replace(experiment, weights=weights))
    return replace(run, weights=experiment.weights)


Numpy.run = off
"""


@functools.cache
def drawn(count: int = 400) -> tuple[Case, ...]:
    """As many cases as a long profile would draw."""
    found: list[Case] = []
    search = RandomSearch((), (), 0, 1)
    search.put = found.append  # type: ignore[method-assign]
    draw(search, Profile(cases=count, one_in=1), 0)
    return tuple(found)


def search(
    *names: str, known: tuple[KnownFailure, ...] = (), seed: int = 0, one_in: int = 1
) -> RandomSearch:
    return RandomSearch(names or ("numpy",), known, seed, one_in)


def found_by(profile: Profile, asked: Callable[[], RandomSearch] = search) -> Alarm:
    """The first alarm of the parts of a profile."""
    for part in range(PARTS):
        try:
            draw(asked(), profile, part)
        except Alarm as alarm:
            return alarm
    raise AssertionError("nothing was found")


@pytest.mark.parametrize(
    ("what", "values"),
    [
        ("layers", {1, 2, 3, 4}),
        ("directions", {1, 2}),
        ("bias", {"random", "zero", "none"}),
        ("initial", {"given", "default"}),
        ("dtypes", {("float32",), ("float64",)}),
        ("scale", {2.0**power for power in range(-7, 3)}),
        ("inputs", {"random", "text"}),
    ],
)
def test_every_kind_of_case_is_drawn(what, values):
    assert {getattr(case, what) for case in drawn(2000)} == values


OPTIONS = [
    (GRU, "reset_after", {True, False}),
    (GRU, "activation", {"tanh", "relu"}),
    (GRU, "recurrent_activation", {"sigmoid", "hard_sigmoid", "hard_sigmoid_keras2"}),
    (RNN, "activation", {"tanh", "relu"}),
    (LSTM, "peepholes", {True, False}),
    (LSTM, "coupled", {True, False}),
    (LSTM, "cell_clip", {None, 0.5, 1.0}),
    (LSTM, "projection_clip", {None, 0.5, 1.0}),
    (LSTM, "activation", {"tanh", "relu"}),
    (LSTM, "recurrent_activation", {"sigmoid", "hard_sigmoid", "hard_sigmoid_keras2"}),
]


@pytest.mark.parametrize(("kind", "option", "values"), OPTIONS)
def test_every_kind_of_cell_is_drawn_with_every_option(kind, option, values):
    cells = [case.cell for case in drawn(2000) if type(case.cell) is kind]
    assert {getattr(cell, option) for cell in cells} == values


def test_stacks_of_several_kinds_of_cells_are_drawn():
    mixed = [case.cell for case in drawn(1000) if isinstance(case.cell, Mixed)]
    assert len(mixed) > 50
    assert {type(one) for cell in mixed for one in cell.cells} == {LSTM, GRU, RNN}
    assert {cell.states for cell in mixed} == {("h", "c"), ("h",)}


@pytest.mark.parametrize("option", [one.name for one in fields(Loop)])
def test_masks_are_drawn_with_every_option_of_the_loop(option):
    masked_cases = [case for case in drawn(2000) if masked(case)]
    assert {getattr(case.loop, option) for case in masked_cases} == {False, True}
    met = {case.mask for case in masked_cases if case.loop != Loop()}
    assert met == {"right", "left", "holes", "rows"}
    assert all(case.loop == Loop() for case in drawn(1000) if not masked(case))


@pytest.mark.parametrize(
    "cell", [LSTM(), GRU(), GRU(reset_after=False), RNN(), RNN(activation="relu")], ids=repr
)
def test_the_cells_that_frameworks_have_are_drawn_often(cell):
    assert sum(case.cell == cell for case in drawn(1000)) > 10


def test_projections_are_narrower_than_every_layer_and_clipped_only_where_there_are_any():
    """torch takes none as wide as the layer, and TensorFlow clips none that is not there."""
    cells = [(case, case.cell) for case in drawn(1000) if isinstance(case.cell, LSTM)]
    projected = [(case, cell) for case, cell in cells if cell.projection]
    assert len({cell.projection for _, cell in projected}) > 3
    assert all(cell.projection < min(case.units) for case, cell in projected)
    assert all(cell.projection for _, cell in cells if cell.projection_clip)


@pytest.mark.parametrize(("narrowest", "widest"), [(1, None), (2, 1), (5, 4), (40, 32)])
def test_a_projection_is_at_most_four_fifths_as_wide_as_the_narrowest_layer(narrowest, widest):
    from hypothesis import given, settings
    from hypothesis import strategies as st

    from fixtures.cases.random_cases import _draw_cell

    widths = set()

    @settings(max_examples=1000, database=None, derandomize=True)
    @given(st.composite(_draw_cell)(narrowest, grows=True))
    def collect(cell):
        widths.add(getattr(cell, "projection", None))

    collect()
    assert max(widths - {None}, default=None) == widest


def test_a_relu_is_drawn_only_where_its_numbers_stay_small():
    for case in drawn():
        if "relu" in [one.activation for one in case.cells]:
            assert case.time <= 12
            assert case.scale <= 1


def test_no_claim_takes_another_cell_by_accident():
    """What a claim takes by what it is, and not by its name, is of the LSTM, or of all others, as
    the cases are that it names; but a mask is a mask in every cell, and a framework's own interface
    may have several."""

    def cells(pool):
        return {case.cell == LSTM() for case in pool if plain(case) and one.cases(case)}

    for one in all_claims().values():
        if one.of == "named" and one.about is None:
            assert cells(drawn()) <= cells(named_cases()), one.id


def test_claims_are_put_to_the_random_cases_of_every_cell():
    for case in drawn():
        if case.loop != Loop():
            continue  # which NumPy has not
        asked = {one.id for one, _ in checks_of(case, ("numpy",), 0)}
        name = "every-value-is-the-oracles" if every(case) else "other-cells-values-are-the-oracles"
        name = name if plain(case) else "masked-values-are-the-oracles"
        assert name in asked


@pytest.mark.parametrize(
    ("size", "largest"), [("batch", 40), ("features", 40), ("time", 200), ("widest", 40)]
)
def test_sizes_go_from_one_to_the_largest(size, largest):
    sizes = [max(case.units) if size == "widest" else getattr(case, size) for case in drawn()]
    assert min(sizes) == 1
    assert max(sizes) <= largest
    assert sum(one > 0.75 * largest for one in sizes) > 0.01 * len(sizes)


def test_half_of_the_stacks_have_one_width_and_the_others_no_two_alike():
    stacks = [case for case in drawn(1000) if case.layers > 1]
    one_width = [case for case in stacks if case.one_width]
    assert 0.3 < len(one_width) / len(stacks) < 0.7
    assert all(len(set(case.units)) == case.layers for case in stacks if not case.one_width)


def test_one_step_alone_and_long_sequences_are_drawn_often():
    """One in six is one step alone, were it not that Hypothesis draws in ways of its own."""
    times = [case.time for case in drawn()]
    assert times.count(1) > 0.05 * len(times)
    assert sum(time > 12 for time in times) > 0.1 * len(times)


def test_no_case_is_drawn_whose_oracle_would_take_long():
    from fixtures.cases.random_cases import BUDGET

    for case in drawn():
        below = (case.features, *(case.directions * width for width in case.widths))
        per_step = sum(
            case.directions * math.prod(shape)
            for under, units, cell in zip(below, case.units, case.cells, strict=False)
            for name, shape in cell.shapes(under, units).items()
            if name in ("kernel", "recurrent_kernel", "projection")
        )
        assert case.batch * case.time * per_step <= BUDGET


def test_a_seed_draws_the_same_cases_again_and_another_seed_others():
    def names(seed: int, part: int) -> list[str]:
        found: list[Case] = []
        asked = search(seed=seed)
        asked.put = found.append  # type: ignore[method-assign]
        draw(asked, SHORT, part)
        return [repr(case) for case in found]

    assert names(0, 0) == names(0, 0)
    assert names(0, 0) != names(7, 0)
    assert names(0, 0) != names(0, 1)


NAMES = {"Case": Case, "Loop": Loop} | vars(fixtures.cells)


def test_the_snippet_of_a_case_is_the_case():
    for case in drawn():
        assert eval(snippet(case), NAMES) == case  # noqa: S307
    assert "directions" not in snippet(Case(name="n", about="a", batch=1, time=1, features=1,
                                            units=(1,)))  # fmt: skip


@pytest.mark.parametrize("kind", [LSTM, GRU, RNN, Mixed])
def test_what_repeats_a_failure_names_the_cell_and_runs(kind):
    """The lines by themselves, as they are pasted; of a stack whose cells differ, each is named."""
    mixed = next(one for one in named_cases() if one.name == "mixed-gru-lstm")
    cases = [*drawn(), replace(mixed, name="random-1", about="drawn at random")]
    case = next(one for one in cases if type(one.cell) is kind and one.cell != LSTM())
    _, check = next(checks_of(case, ("numpy",), 0))
    lines = check.rerun().partition("\n\n")[2]
    found: dict = {}
    exec(lines.replace("repeat(", "measured = repeat("), found)  # noqa: S102
    assert found["case"] == case
    assert found["measured"].kind == check.kind


def test_the_lines_that_repeat_an_lstms_failure_import_no_cell():
    case = next(one for one in drawn() if one.cell == LSTM())
    _, check = next(checks_of(case, ("numpy",), 0))
    assert "fixtures.cells" not in check.rerun()


def exchanged(experiment: Experiment) -> Experiment:
    return replace(experiment, weights=experiment.weights.map(lambda one: one.with_gates("igfo")))


def slightly_off(experiment: Experiment) -> Experiment:
    """One kernel is off by a relative 3e-6."""
    dtype = experiment.inputs.dtype.type
    weights = experiment.weights.map(
        lambda one: replace(one, recurrent_kernel=one.recurrent_kernel * dtype(1 + 3e-6))
    )
    return replace(experiment, weights=weights)


@pytest.mark.parametrize("fault", [exchanged, slightly_off])
def test_the_short_profile_finds_a_fault_and_its_smallest_case(fault, monkeypatch):
    right = Numpy.run

    def wrong(self: Adapter, experiment: Experiment) -> Run:
        return replace(right(self, fault(experiment)), weights=experiment.weights)

    monkeypatch.setattr(Numpy, "run", wrong)
    case = found_by(SHORT).check.case
    # What is off by so little may not show in every row, and one row is whole under a mask.
    assert case.batch <= 2
    assert (case.layers, case.directions, case.features) == (1, 1, 1)
    assert max(case.units) <= 4
    assert case.time <= 3


def test_a_fault_at_one_size_only_is_shrunk_to_it(monkeypatch):
    right = Numpy.run

    def wrong(self: Adapter, experiment: Experiment) -> Run:
        return right(self, exchanged(experiment) if experiment.batch > 4 else experiment)

    monkeypatch.setattr(Numpy, "run", wrong)
    assert found_by(Profile(cases=50, one_in=1)).check.case.batch == 5


def test_an_adapter_that_raises_is_reported_with_the_claim_and_the_case(monkeypatch):
    def broken(*_: object) -> Run:
        raise RuntimeError("no room")

    monkeypatch.setattr(Numpy, "run", broken)
    report = str(found_by(SHORT))
    assert re.search(r"^claim \S+ \((exact|rounding)\) does not hold$", report, re.MULTILINE)
    assert "raised     RuntimeError: no room" in report
    assert "repeat(" in report


LACKS_MEMORY = """
from fixtures.adapters.numpy import Numpy


def run(self, experiment):
    raise MemoryError("no room")


Numpy.run = run
"""


def test_random_cases_without_memory_say_nothing_against_the_adapter(project: Project):
    shutil.copy(ROOT / "tests" / "test_random.py", project.path / "tests")
    project.write("tests/test_small.py", CLAIMS)
    project.write("lacks.py", LACKS_MEMORY)
    result = project.pytest("-p", "lacks", "-n", "2", "--record=run.json", PYTHONPATH=".")
    assert result.returncode == pytest.ExitCode.TESTS_FAILED
    assert "random cases: stopped, MemoryError: out of memory" in result.stdout
    assert "does not hold" not in result.stdout
    run = json.loads((project.path / "run.json").read_text())
    assert run["random"]["not_run"] == "MemoryError: out of memory"
    assert not run["complete"]


def test_a_fault_that_comes_and_goes_is_reported_all_the_same(monkeypatch):
    right, calls = Numpy.run, iter(range(10**6))

    def sometimes(self: Adapter, experiment: Experiment) -> Run:
        return right(self, exchanged(experiment) if next(calls) == 3 else experiment)

    monkeypatch.setattr(Numpy, "run", sometimes)
    assert "did not fail again when the same case was tried again" in str(found_by(SHORT))


def test_a_check_without_an_informative_element_is_counted_and_neither_passes_nor_fails(
    monkeypatch,
):
    for dtype, one in PRECISIONS.items():
        monkeypatch.setitem(PRECISIONS, dtype, replace(one, informative=0.0))
    asked = search()
    draw(asked, SHORT, 0)
    tally = asked.tallies["numpy"]
    assert tally.nothing == tally.rounding > 0
    assert tally.worst == tally.informative == tally.whole == tally.alarms == 0


def test_claims_that_share_the_run_are_put_to_every_case_and_the_others_in_turn():
    def checks(one_in: int) -> tuple[int, int]:
        asked = search(one_in=one_in)
        draw(asked, Profile(cases=40, one_in=one_in), 0)
        tally = asked.tallies["numpy"]
        return tally.cases, tally.exact + tally.rounding

    (cases, every), (same_cases, some) = checks(1), checks(8)
    # It has no options of Keras's beside a mask.
    assert cases == same_cases == sum(case.loop == Loop() for case in drawn(40))
    assert 2 * cases <= some < 0.8 * every


def test_a_known_failure_is_left_out_and_counted():
    entry = {"adapter": "numpy", "versions": "numpy", "reason": "r", "link": "l"}
    claim = "every-value-is-the-oracles"
    everywhere = KnownFailure(claim=claim, **entry)
    of_others = KnownFailure(claim="other-cells-values-are-the-oracles", **entry)
    elsewhere = KnownFailure(claim="weights-read-back-are-those-loaded", case="smallest", **entry)
    asked = search(known=(everywhere, of_others, elsewhere))
    draw(asked, SHORT, 0)
    tally = asked.tallies["numpy"]
    assert tally.known == tally.cases == SHORT.cases


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("smallest", "random-3-lstm"),
        ("gru-reset-before-two-layers", "random-3-two-layers-reset-before-gru"),
        ("no-bias", "random-3-no-bias-lstm"),
        ("all-variants-smallest", "random-3-projected-lstm"),
        ("layer-norm-smallest", "random-3-normed-lstm"),
        ("mixed-rnn-lstm", "random-3-two-layers-bidirectional-mixed"),
        (
            "masked-right-rnn-from-zero-backwards-unrolled-last-zeros",
            "random-3-masked-right-from-zero-backwards-unrolled-last-zeros-rnn",
        ),
    ],
)
def test_what_is_unusual_about_a_random_case_is_in_its_name(case, words):
    one = next(one for one in named_cases() if one.name == case)
    assert in_words(replace(one, name="random-3")) == words


def test_a_known_failure_of_a_kind_of_case_is_left_out_on_that_kind_alone():
    entry = {"adapter": "numpy", "versions": "numpy", "reason": "r", "link": "l"}
    of_masks = KnownFailure(
        claim="masked-values-are-the-oracles", case="random-*-masked-left-*", **entry
    )
    left = next(case for case in drawn(1000) if case.mask == "left" and case.loop == Loop())
    right = next(case for case in drawn(1000) if case.mask == "right" and case.loop == Loop())
    for case, known in ((left, 1), (right, 0)):
        asked = search(known=(of_masks,), one_in=256)
        asked.put(case)
        assert asked.tallies["numpy"].known == known


@pytest.mark.parametrize("family", ["state", "models", "text"])
def test_random_cases_reach_every_claim_of_a_family(family):
    """Claims that are about few cases stand beside others that random cases reach."""
    claims = [one for one in all_claims().values() if one.family == family and one.kind in OF_KINDS]
    assert claims
    assert [one.id for one in claims if not any(map(one.cases, drawn(2000)))] == []


def test_claims_about_recorded_vectors_are_put_to_no_random_case():
    asked = {one.id for case in drawn(30) for one, _ in checks_of(case, ("numpy",), 0)}
    assert asked
    assert {all_claims()[claim].of for claim in asked} == {"named"}
    assert {all_claims()[claim].kind for claim in asked} == {"exact", "rounding"}


def test_workers_share_the_parts():
    nodeids = [f"tests/test_random.py::test_claims_hold[{part}]" for part in range(PARTS)]
    assert len(set(map(case_in, nodeids))) == PARTS


# As pytest runs them.


@pytest.fixture
def fuzzed(project: Project) -> Project:
    """A project with two claims about any case, and the tests of random ones."""
    project.write("tests/test_small.py", CLAIMS)
    shutil.copy(ROOT / "tests" / "test_random.py", project.path / "tests")
    return project


def total(project: Project) -> dict:
    return json.loads((project.path / "run.json").read_text())["random"]


def test_every_run_draws_a_few_and_says_what_they_came_to(fuzzed: Project):
    result = fuzzed.pytest("--record=run.json")
    assert result.returncode == 0, result.stdout
    found = total(fuzzed)
    assert found["drawn"] == PARTS * SHORT.cases
    numpy = found["adapters"]["numpy"]
    # It has no options of Keras's beside a mask.
    assert numpy["cases"] == numpy["exact"] == numpy["rounding"]
    assert 0.5 * found["drawn"] < numpy["cases"] <= found["drawn"]
    assert 0 < numpy["worst"] < 5
    assert f"random cases: {found['drawn']} drawn" in result.stdout
    assert re.search(r"^  numpy +(\d+) +\1 +\1 +\d\.\d\d +\d\.\d\d +100.0% +100.0% ", result.stdout,
                     re.MULTILINE)  # fmt: skip


def test_workers_find_the_same(fuzzed: Project):
    fuzzed.pytest("--record=run.json")
    alone = total(fuzzed)
    fuzzed.pytest("--record=run.json", "-n", "2")
    assert total(fuzzed) == alone


def test_a_selection_without_random_cases_says_nothing_of_them(fuzzed: Project):
    assert "random cases" not in fuzzed.pytest("-k", "smallest").stdout


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "workers"])
def test_fuzzing_draws_until_the_time_is_up(fuzzed: Project, workers):
    result = fuzzed.pytest("--fuzz", "0.1", "tests/test_random.py", *workers)
    assert result.returncode == 0, result.stdout
    assert int(re.search(r"random cases: (\d+) drawn", result.stdout).group(1)) > 12
    seconds = float(re.search(r"4 passed in ([\d.]+)s", result.stdout).group(1))
    assert 6 < seconds < 60


def test_a_mode_that_nobody_asked_for_is_put_to_one_random_case_that_it_takes():
    modes = [name for name in every_adapter() if in_a_mode(name)]
    found = by_case(tuple(modes), seed=0)
    times = Counter(name for part in found for names in part.values() for name in names)
    # Keras's modes on another backend than that of here take no case.
    smallest = next(case for case in named_cases() if case.name == "smallest")
    here = [name for name in modes if not every_adapter()[name].leaves_out(smallest, "float32")]
    assert len(here) > len(modes) // 2
    assert times == dict.fromkeys(here, 1)
    for part, told in enumerate(found):
        cases = {case.name: case for case in drawn_in_short(part, 0)}
        for case, names in told.items():
            for name in names:
                left_out = map(functools.partial(every_adapter()[name].leaves_out, cases[case]),
                               cases[case].dtypes)  # fmt: skip
                assert not all(left_out), (name, case)
    assert all(found), "every part has some"


def test_a_mode_is_asked_on_its_case_alone(monkeypatch):
    first, second, third = drawn(3)
    asked = search()
    asked.more = {second.name: ("torch:inference",)}
    names = []
    monkeypatch.setattr(random_checks, "checks_of", lambda _, those, *__: names.append(those) or ())
    for case in (first, second, third):
        asked.put(case)
    assert names == [("numpy",), ("numpy", "torch:inference"), ("numpy",)]


ASKED = """
import fixtures.plugin.fuzzing as fuzzing

listed = fuzzing.drawn

def draw(search, profile, part):
    more = [name for names in search.more.values() for name in names]
    print("asked", "torch:inference" in search.names, more.count("torch:inference"))

def drawn(part, seed):
    fuzzing.draw = drawing
    try:
        return listed(part, seed)
    finally:
        fuzzing.draw = draw

drawing, fuzzing.draw, fuzzing.drawn = fuzzing.draw, draw, drawn
"""


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("-all",), {"False 0": PARTS - 1, "False 1": 1}),
        (("-all", "--fuzz", "1"), {"True 0": PARTS}),
        (("--adapters", "torch:inference"), {"True 0": PARTS}),
    ],
    ids=["by-default", "for-longer", "by-name"],
)
def test_a_mode_is_put_to_one_random_case_or_where_asked_for_to_all(fuzzed, arguments, told):
    need("torch")
    fuzzed.write("asked.py", ASKED)
    result = fuzzed.pytest("-p", "asked", "-s", "tests/test_random.py", *arguments, PYTHONPATH=".")
    assert result.returncode == 0, result.stdout
    assert Counter(re.findall(r"asked (\w+ \d)", result.stdout)) == told


@pytest.mark.parametrize("minutes", ["x", "0", "-1", "inf", "nan"])
def test_a_bad_time_is_refused(project: Project, minutes):
    result = project.pytest(f"--fuzz={minutes}")
    assert result.returncode == pytest.ExitCode.USAGE_ERROR
    assert f"--fuzz: '{minutes}' is not a number of minutes; give one." in result.stderr


def test_without_hypothesis_random_cases_are_skipped_and_the_rest_runs(fuzzed: Project):
    fuzzed.write("hide.py", "import sys\n\nsys.modules['hypothesis'] = None\n")
    result = fuzzed.pytest(
        "-p", "hide", "-p", "no:hypothesispytest", "-rs", "--record=run.json", PYTHONPATH="."
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert re.search(rf"SKIPPED \[{PARTS}\] .*: {INSTALL}", result.stdout)
    assert f"random cases: none drawn: {INSTALL}" in result.stdout
    assert f"6 passed, {PARTS} skipped" in result.stdout
    assert total(fuzzed)["left_out"] == INSTALL


def test_a_failure_is_a_bug_report_that_repeats_itself(fuzzed: Project):
    fuzzed.write("off.py", OFF)
    result = fuzzed.pytest("-p", "off", "tests/test_random.py", PYTHONPATH=".")
    assert result.returncode == pytest.ExitCode.TESTS_FAILED
    report = result.stdout
    assert "claim it-is-rounded (rounding) does not hold" in report
    assert "  statement  It is so." in report
    assert re.search(r"^  worst +at \[0, .*\]: .* spreads", report, re.MULTILINE)
    assert "Traceback" not in report
    assert report.count("does not hold") == 1
    assert re.search(rf"{PARTS - 1} more", report), "of one claim and adapter the first is shown"
    code = re.search(r"^from fixtures.cases.*?^repeat\(.*?$", report, re.DOTALL | re.MULTILINE)
    assert len(code.group().splitlines()) < 20
    again = fuzzed.python("-c", f"import off\n{code.group()}")
    worst = re.search(r"^  worst .*$", report, re.MULTILINE).group()
    assert worst in again.stderr
    healthy = fuzzed.python("-c", code.group())
    assert (healthy.returncode, healthy.stderr) == (0, "")


def test_many_modes_in_which_nothing_went_wrong_are_one_line():
    modes = {f"numpy:m{place}": Tally(cases=3, worst=place) for place in range(FEW_MODES + 1)}
    alarmed = {"numpy:wrong": Tally(cases=3, alarms=1)}
    adapters = {"numpy": Tally(cases=3)} | modes | alarmed
    shown = [line.split()[:2] for line in lines(Found(drawn=3, adapters=adapters))[2:]]
    assert shown == [["numpy", "3"], ["numpy:wrong", "3"], ["6", "modes"]]
    few = {name: adapters[name] for name in [*modes][:-1]}
    assert len(lines(Found(drawn=3, adapters=few))) == 2 + FEW_MODES
