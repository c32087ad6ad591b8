"""A cell of the matrix says what its checks say, the worst first."""

from __future__ import annotations

import json

import pytest

from fixtures.__main__ import main
from fixtures.checks.check import Measurement
from fixtures.claims import all_claims
from fixtures.pages import matrix
from fixtures.records.record import NOT_REACHED
from tests.meta.records import a_check, a_record, checked, measured


def cell(*outcomes: str, reasons: tuple[str, ...] = (), **measured: list[float]) -> matrix.Cell:
    """A cell with these outcomes, and one measurement for each number in `measured`."""
    measurements = [
        Measurement("exact", **{name: value})
        for name, values in measured.items()
        for value in values
    ]
    return matrix.Cell(list(outcomes), measurements, measurements, list(reasons))


@pytest.mark.parametrize(
    ("kind", "given", "text", "colour"),
    [
        ("structure", cell("proven", "proven"), "2 ok", "green"),
        ("exact", cell("proven", worst=[0.0]), "1 =", "green"),
        ("rounding", cell("proven", "proven", worst=[2.8, 0.31]), "2 2.80", "green"),
        ("different", cell("proven", "proven", worst=[3.1e5, 7e8]), "2 x3.1e5", "green"),
        ("exact", cell("proven", "failed", worst=[0.0, 5.0]), "FAIL 1/2 5 elements", "red"),
        (
            "rounding",
            cell("failed", "error", "proven", worst=[7.25, 1.0]),
            "FAIL 2/3 7.25 spreads",
            "red",
        ),
        (
            "different",
            cell("failed", "proven", worst=[12.1, 7e8]),
            "FAIL 1/2 12.1 bounds",
            "red",
        ),
        ("exact", cell("known failure", "failed", worst=[1.0, 1.0]), "FAIL 1/2 1 element", "red"),
        (
            "exact",
            cell("known failure", "proven", reasons=("r",), worst=[1.0]),
            "KNOWN 1/2(1)",
            "yellow",
        ),
        (
            "structure",
            cell("not applicable", "not applicable", reasons=("r", "r")),
            "-(1)",
            "light",
        ),
        (
            "exact",
            cell("proven", "not applicable", reasons=("r",), worst=[0.0]),
            "1 =(1)",
            "green",
        ),
        ("structure", cell("failed"), "FAIL 1/1", "red"),
        ("exact", cell("proven", "error", worst=[0.0]), "FAIL 1/2", "red"),
        ("exact", cell("skipped", "skipped", reasons=("r", "r")), "SKIP 2/2(1)", "red"),
        ("exact", cell("proven", "skipped", reasons=("r",), worst=[0.0]), "SKIP 1/2(1)", "red"),
        ("exact", cell("proven", "not run", reasons=("r",), worst=[0.0]), "NOT RUN 1/2(1)", "red"),
        ("exact", cell("not run", "failed", worst=[2.0]), "FAIL 1/1 2 elements", "red"),
        ("exact", None, "", "light"),
    ],
)
def test_a_cell(kind, given, text, colour):
    assert matrix.describe(given, kind, lambda _: 1) == (text, colour)


@pytest.mark.parametrize(("share", "text"), [(1.0, "1 2.80"), (0.75, "1 2.80 75%")])
def test_a_share_that_is_not_whole_is_told(share, text):
    given = matrix.Cell(["proven"], [Measurement("rounding", worst=2.8, informative=share)])
    assert matrix.describe(given, "rounding", lambda _: 1)[0] == text


@pytest.mark.parametrize(
    ("kind", "worst", "number"),
    [
        ("rounding", 14006729514556854.0, "1.4e16 spreads"),
        ("rounding", 9.994, "9.99 spreads"),
        ("rounding", 9.996, "10.0 spreads"),
        ("rounding", 99.96, "100 spreads"),
        ("rounding", 9999.4, "9999 spreads"),
        ("rounding", 9999.6, "1.0e4 spreads"),
        ("rounding", float("inf"), "inf spreads"),
        ("exact", 9999.0, "9999 elements"),
        ("exact", 123456.0, "1.2e5 elements"),
        ("different", 0.0, "0 bounds"),
        ("different", 3.14e-5, "3.1e-5 bounds"),
    ],
)
def test_a_failed_cell_has_four_digits_at_most_and_their_unit(kind, worst, number):
    assert matrix.describe(cell("failed", worst=[worst]), kind, None)[0] == f"FAIL 1/1 {number}"


@pytest.mark.parametrize(
    ("kind", "given", "whole", "counts"),
    [
        ("rounding", cell("failed", worst=[7.25]), "FAIL 1/1 7.25 spreads", "FAIL 1/1"),
        ("rounding", cell("proven", worst=[2.8]), "1 2.80", "1"),
        ("different", cell("proven", worst=[3.1e5]), "1 x3.1e5", "1"),
        ("exact", cell("proven", worst=[0.0]), "1 =", "1 ="),
        ("exact", cell("known failure"), "KNOWN 1/1", "KNOWN 1/1"),
    ],
)
def test_a_cell_without_room_drops_its_number_and_never_its_counts(kind, given, whole, counts):
    shown = matrix.show(given, kind)
    assert shown.within(len(whole)) == whole
    assert {shown.within(room) for room in range(len(whole))} <= {whole, counts}
    assert shown.within(0) == counts


@pytest.mark.parametrize(
    ("kind", "given", "meaning"),
    [
        ("structure", cell("proven"), "proven in 1 check of shapes, names or errors"),
        ("exact", cell("proven", "proven", worst=[0.0]), "proven in 2 checks, bit for bit"),
        (
            "rounding",
            cell("proven", worst=[2.8]),
            "proven in 1 check; the worst element is 2.80 spreads from the oracle, 5 are allowed",
        ),
        (
            "different",
            cell("proven", worst=[3.1e5]),
            "proven to differ in 1 check, by 3.1e5 bounds or more (100 are needed; 1 where only "
            "the rounding differs)",
        ),
        (
            "rounding",
            cell("failed", "proven", worst=[7.25]),
            "1 of 2 checks failed, the worst by 7.25 spreads",
        ),
        (
            "different",
            cell("failed", worst=[12.1]),
            "1 of 1 check failed, the worst is 12.1 bounds away",
        ),
        ("exact", cell("not run", "proven"), "1 of 2 checks say nothing; why is said below"),
        ("exact", cell("known failure"), "1 of 1 check fail as known-failures.toml says"),
        ("exact", cell("not applicable"), "does not apply"),
    ],
)
def test_a_cell_in_words_tells_its_own_numbers(kind, given, meaning):
    assert matrix.show(given, kind).meaning == meaning


def test_a_failed_cell_has_no_number_of_a_check_that_held():
    checks = [
        proven("a", kind="rounding"),
        proven("a", case="x", kind="rounding", outcome="error", measured=None),
    ]
    assert "  a  FAIL 1/2" in drawn(checks)
    checks += [proven("a", case="y", kind="rounding", outcome="failed", measured={"worst": 1.0})]
    assert "  a  FAIL 2/3 1 spreads" in drawn(checks)


def test_what_a_failed_cell_does_not_refer_to_is_no_footnote():
    asked: list[str] = []
    matrix.describe(cell("error", reasons=("crash",)), "exact", lambda why: len(asked.append(why)))
    assert asked == []


def test_checks_are_gathered_by_claim_and_adapter():
    cells = matrix.cells_of(
        [
            checked("a", "torch"),
            checked("a", "torch", outcome="failed", reason="long"),
            checked("a", "numpy"),
            checked("b", "numpy", outcome="not applicable", reason="short"),
        ]
    )
    assert {at: (one.outcomes, one.reasons) for at, one in cells.items()} == {
        ("a", "torch"): (["proven", "failed"], []),
        ("a", "numpy"): (["proven"], []),
        ("b", "numpy"): (["not applicable"], ["short"]),
    }


# Drawn.

ADAPTERS = ["torch", "keras3", "keras2", "tf1", "numpy"]
LONG = {
    "keras-output-under-a-mask-repeats-the-last-of-them": ("masks", "exact", 5.0),
    "every-gradient-is-the-oracles-and-goes-by-its-name": ("gradients", "rounding", 1.4e16),
    "last-output-is-not-the-final-states-of-both-halves": ("gradients", "different", 12.1),
}
REASON = "in torch it is a matter of rounding (torch-batch-first-is-a-transposition), " * 2


def drawn(checks, columns=("numpy",), *, width=1000, full=True, cannot_run=None, in_modes=()):
    """The lines of this matrix."""
    written: list[str] = []
    one = matrix.Matrix(checks, in_modes, cannot_run or {}, columns)
    matrix.draw(lambda text, **_: written.append(text), one, full=full, width=width)
    return "".join(written).splitlines()


def proven(claim, adapter="numpy", **changed):
    measured = {"worst": 1.5} if changed.get("kind") == "rounding" else {}
    return checked(claim, adapter, **{"kind": "structure", "measured": measured} | changed)


def test_the_columns_line_up_and_what_is_left_out_is_told():
    checks = [
        proven("short", "torch", family="shapes"),
        proven("short", "numpy", family="shapes"),
        proven("a-longer-one", "torch", family="x", outcome="not applicable", reason="has none"),
        proven("a-longer-one", "numpy", family="x"),
        proven("of-none", "numpy", family="x", outcome="not applicable", reason="is of keras"),
    ]
    lines = drawn(checks, ["torch", "tf1", "numpy"], cannot_run={"tf1": "install it"})
    assert lines == [
        "                torch  tf1  numpy",
        "shapes",
        "  short         1 ok   --   1 ok",
        "x",
        "  a-longer-one  -      --   1 ok",
        "",
        "  1 ok  proven in 1 check of shapes, names or errors",
        "  -     does not apply",
        "  --  tf1 cannot run here: install it",
        "  1 claim left out: not applicable to torch, tf1 or numpy",
        "  not applicable, a-longer-one on torch: has none",
        "  not applicable, of-none on numpy: is of keras",
    ]


def test_the_legend_has_what_occurs_and_its_own_numbers():
    lines = drawn([proven("a", kind="rounding"), proven("b", kind="rounding")])
    legend = lines[lines.index("") + 1 :]
    assert legend == [
        "  1 1.50  proven in 1 check; the worst element is 1.50 spreads from the oracle, "
        "5 are allowed"
    ]


def test_what_went_wrong_stands_first():
    checks = [
        proven("first"),
        proven("second", outcome="failed"),
        proven("third", outcome="not run", reason="no memory"),
        proven("fourth", outcome="not run", reason=NOT_REACHED),
    ]
    names = [line.split()[0] for line in drawn(checks) if line.startswith("  ")]
    assert names[:5] == ["numpy", "second", "third", "numpy", "first"]
    assert "  1 more claim not reached, as the run was stopped" in drawn(checks)


def many(count, **changed):
    families = [family for of in matrix.TOPICS.values() for family in of]
    return [
        proven(f"claim-{place}", **{"family": families[place % len(families)]} | changed)
        for place in range(count)
    ]


def test_many_claims_are_told_by_their_topics():
    lines = drawn(many(100, kind="rounding"), full=False)
    table = lines[: lines.index("")]
    assert [line[2:24].strip() for line in table[1:]] == [*matrix.TOPICS]
    assert sum(int(line.split()[-2]) for line in table[1:]) == 100
    assert len(lines) <= 20
    assert drawn(many(matrix.ROWS), full=False) == drawn(many(matrix.ROWS))


def test_below_a_short_matrix_many_reasons_are_counted():
    checks = [proven("a"), *(
        proven("a", case=f"{place}", outcome="not applicable", reason=f"reason {place}")
        for place in range(matrix.FEW + 1)
    )]  # fmt: skip
    told = [f"  not applicable, a on numpy: reason {place}" for place in range(matrix.FEW + 1)]
    assert drawn(checks)[-len(told) :] == told
    assert drawn(checks[:-1], full=False)[-len(told) + 1 :] == told[:-1]
    assert drawn(checks, full=False)[-2:] == [
        "  6 checks not applicable, for 6 reasons",
        "  --matrix full: every claim, and why what is left out does not apply",
    ]


def test_every_family_has_a_topic():
    in_a_topic = [family for of in matrix.TOPICS.values() for family in of]
    assert len(set(in_a_topic)) == len(in_a_topic)
    assert {one.family for one in all_claims().values()} == {*in_a_topic}


def test_a_family_without_a_topic_is_one():
    lines = drawn([*many(20), proven("another", family="brand new")], full=False)
    assert [line.split()[-1] for line in lines if line.startswith("  brand new ")] == ["1"]


def test_a_topic_counts_modes_and_known_failures_by_themselves():
    known = proven("known", family="masks", outcome="known failure", reason="a bug")
    in_modes = [proven("claim-0", "numpy:fast"), proven("only", "numpy:fast", family="modes")]
    nowhere = proven("only", family="modes", outcome="not applicable", reason="of a mode")
    lines = drawn([*many(20), known, nowhere], full=False, in_modes=in_modes)
    table = {line[2:24].strip(): line[24:].strip() for line in lines[: lines.index("")]}
    masks = sum(one.family == "masks" for one in many(20))
    assert (table["masks"], table["ways of running"]) == (str(masks), "2")
    assert table["known failures"] == "1"
    assert not [line for line in lines if "left out:" in line]
    assert "  1 check not applicable, for 1 reason" in lines
    alone = drawn([*many(20, family="x"), known], full=False)
    assert [line.split()[1:] for line in alone if line.startswith("  masks")] == [["KNOWN", "1/1"]]


def test_a_topic_in_which_something_failed_says_so_below_its_claims():
    lines = drawn([*many(20), proven("wrong", family="masks", outcome="failed")], full=False)
    assert lines[1] == "what does not hold"
    assert lines[2].split() == ["wrong", "FAIL", "1/1"]
    (masks,) = [line for line in lines if line.startswith("  masks")]
    assert masks.split()[1] == "FAIL"


def test_of_many_that_do_not_hold_some_are_shown_and_the_others_counted():
    lines = drawn(many(matrix.ROWS + 5, outcome="failed"), full=False)
    assert sum(line.startswith("  claim-") for line in lines) == matrix.ROWS
    assert "  5 more claims that went wrong: --matrix full" in lines
    assert sum(line.startswith("  claim-") for line in drawn(many(20, outcome="failed"))) == 20


# On a terminal.


def drawn_long(width: int, ids=LONG) -> list[str]:
    """The lines of a matrix of these claims on five adapters: failed on torch, and in one check of
    two on Keras 2; not applicable to some cases on Keras 3, to all on NumPy; TF1 cannot run."""
    checks = [
        checked(claim, adapter, family=family, kind=kind, outcome=outcome, reason=reason,
                measured={"worst": worst})
        for claim, (family, kind, number) in ids.items()
        for adapter, outcome, reason, worst in [
            *60 * [("torch", "failed", "", number)],
            *70 * [("keras3", "proven", "", {"exact": 0.0, "rounding": 1.65}.get(kind, 3e5))],
            ("keras3", "not applicable", REASON, None),
            ("keras2", "failed", "", number),
            ("keras2", "proven", "", None),
            ("numpy", "not applicable", REASON, None),
        ]
    ]  # fmt: skip
    why = "TensorFlow 2.21.0 comes with Keras 3 only: python -m pip install tf-keras==2.21.*"
    return drawn(checks, ADAPTERS, width=width, cannot_run={"tf1": why})


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_no_line_is_wider_than_the_terminal(width):
    lines = drawn_long(width)
    assert [line for line in lines if len(line) > width] == []
    assert [line for line in lines if line != line.rstrip()] == []
    told = " ".join(" ".join(lines).split())
    assert REASON.strip() in told
    assert "tf1 cannot run here: TensorFlow 2.21.0 comes with Keras 3 only" in told


@pytest.mark.parametrize(
    ("width", "row"),
    [
        (60, ["FAIL 60/60", "70 1.65", "FAIL 1/2", "--", "-"]),
        (80, ["FAIL 60/60 1.4e16 spreads", "70 1.65", "FAIL 1/2 1.4e16 spreads", "--", "-"]),
        (144, ["FAIL 60/60 1.4e16 spreads", "70 1.65", "FAIL 1/2 1.4e16 spreads", "--", "-"]),
    ],
)
def test_the_cells_stand_below_their_adapters(width, row):
    lines = drawn_long(width)
    name = "every-gradient-is-the-oracles-and-goes-by-its-name"
    (at,) = [at for at, line in enumerate(lines) if line.startswith(f"  {name}")]
    below = width < 144
    assert (lines[at] == f"  {name}") is below
    cells = lines[at + 1] if below else lines[at]
    starts = [lines[0].index(adapter) for adapter in ADAPTERS]
    ends = [*starts[1:], None]
    assert [cells[a:b].rstrip() for a, b in zip(starts, ends, strict=True)] == row


def test_only_the_name_that_is_too_long_stands_by_itself():
    checks = [proven("short", family="x"), proven("a-name-that-is-" + "very-" * 9 + "long")]
    lines = drawn(checks, width=50)
    assert lines[2].split() == ["short", "1", "ok"]
    assert lines[3].startswith("  a-name-that-is-very-")
    assert lines[4].strip() == "1 ok"
    assert lines[4].index("1 ok") == lines[2].index("1 ok") == lines[0].index("numpy")


def test_a_line_that_just_fits_stays_one():
    lines = drawn_long(1000)
    table = lines[: lines.index("")]
    widest = max(map(len, table))
    assert drawn_long(widest)[: len(table)] == table
    assert drawn_long(widest - 1)[:4] != table[:4]


def test_a_link_below_the_matrix_is_not_cut():
    link = "<https://example.org/" + "a-long-path/" * 10 + ">"
    check = checked("c", outcome="known failure", reason=f"a reason {link}")
    assert f"    {link}" in drawn([check], width=80)


def test_a_record_is_drawn_as_its_run_was(tmp_path, capsys):
    path = tmp_path / "run.json"
    checks = [a_check("a", kind="exact", measurement=measured(kind="exact", worst=0.0))]
    path.write_text(json.dumps(a_record(*checks)))
    assert main(["matrix", str(path)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "     numpy", "x", "  a  1 =", "", "  1 =  proven in 1 check, bit for bit",
    ]  # fmt: skip
    assert main(["matrix", str(tmp_path / "none.json")]) == 2


@pytest.mark.parametrize(("columns", "wide"), [("60", False), ("140", True), (None, True)])
def test_the_matrix_of_a_run_is_as_wide_as_its_terminal(project, columns, wide):
    path = project.path / "tests" / "test_small.py"
    path.write_text(path.read_text().replace("test_it_holds", "test_it_" + "still_" * 9 + "holds"))
    variables = {} if columns is None else {"COLUMNS": columns}
    lines = project.pytest("-k", "holds", **variables).stdout.splitlines()
    name = "  it-" + "still-" * 9 + "holds"
    assert (name + "  4 =" in lines) is wide
    assert (name in lines) is not wide


@pytest.mark.parametrize(("option", "there"), [(("--matrix", "none"), False), (("-qq",), False),
                                               (("-qq", "--matrix=short"), True)])  # fmt: skip
def test_a_run_draws_no_matrix_where_it_is_told_so(project, option, there):
    result = project.pytest("-k", "holds", *option)
    assert result.returncode == 0
    assert ("  it-holds  4 =" in result.stdout.splitlines()) is there


# Many columns


TWELVE = [f"adapter_{number}" for number in range(12)]


@pytest.mark.parametrize(("width", "blocks"), [(60, 2), (100, 2), (140, 2), (200, 1)])
def test_more_columns_than_there_is_room_for_stand_below_one_another(width, blocks):
    checks = [proven("a", name, kind="rounding") for name in TWELVE]
    lines = drawn(checks, TWELVE, width=width)
    heads = [line.split() for line in lines if line.lstrip().startswith("adapter_")]
    assert [len(head) for head in heads] == blocks * [12 // blocks]
    assert [name for head in heads for name in head] == TWELVE
    rows = [line.split() for line in lines if line.startswith("  a ")]
    assert rows == blocks * [["a", *(12 // blocks * ["1", "1.50"])]] or width == 60
    assert max(map(len, lines)) <= max(width, 100)


def test_a_row_stands_in_the_blocks_in_which_it_says_something():
    checks = [proven("a", "adapter_0"), proven("b", "adapter_11"), proven("b", "adapter_10")]
    lines = drawn(checks, TWELVE, width=100)
    assert [line.split()[0] for line in lines if line.startswith(("  a ", "  b "))] == ["a", "b"]


def test_columns_are_chosen_and_what_went_wrong_elsewhere_is_told(tmp_path, capsys):
    path = tmp_path / "run.json"
    exact = measured(kind="exact", worst=0.0)
    checks = [
        a_check("a", kind="exact", adapter="numpy", measurement=exact),
        a_check("a", kind="exact", adapter="torch", outcome="failed", reason="it fails"),
    ]
    record = a_record(*checks)
    record["adapters"]["torch"] = record["adapters"]["numpy"]
    path.write_text(json.dumps(record))
    assert main(["matrix", str(path), "--columns", "num*"]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[0].split() == ["numpy"]
    assert "  torch, which --columns leaves out: 1 check that went wrong\n" in out
    assert main(["matrix", str(path), "--columns", "torch,numpy"]) == 0
    assert "--columns leaves out" not in capsys.readouterr().out
    assert main(["matrix", str(path), "--columns", "jax"]) == 2
    assert capsys.readouterr().err == "--columns: no 'jax' is run; there are numpy, torch.\n"
