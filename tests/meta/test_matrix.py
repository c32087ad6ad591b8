"""A cell of the matrix says what its checks say, the worst first."""

from __future__ import annotations

import pytest

from fixtures.checks.check import Measurement
from fixtures.pages import matrix
from tests.meta.records import checked


def cell(*outcomes: str, reasons: tuple[str, ...] = (), **measured: list[float]) -> matrix.Cell:
    """A cell with these outcomes, and one measurement for each number in `measured`."""
    measurements = [
        Measurement("exact", **{name: value})
        for name, values in measured.items()
        for value in values
    ]
    return matrix.Cell(outcomes=list(outcomes), measurements=measurements, reasons=list(reasons))


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
        ("exact", cell("skipped", "skipped", reasons=("r", "r")), "-(1)", "light"),
        ("exact", cell("proven", "skipped", reasons=("r",), worst=[0.0]), "1 =(1)", "green"),
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
    ("kind", "given", "texts"),
    [
        ("rounding", cell("failed", worst=[7.25]), ["FAIL 1/1 7.25 spreads", "FAIL 1/1"]),
        ("rounding", cell("proven", reasons=("r",), worst=[2.8]), ["1 2.80(1)", "1(1)", "1"]),
        ("exact", cell("proven", reasons=("r",), worst=[0.0]), ["1 =(1)", "1 ="]),
        ("exact", cell("known failure", reasons=("r",)), ["KNOWN 1/1(1)", "KNOWN 1/1"]),
        ("exact", cell("skipped", reasons=("r",)), ["-(1)", "-"]),
    ],
)
def test_a_cell_without_room_drops_its_number_then_its_notes_and_never_its_counts(
    kind, given, texts
):
    rooms = range(len(texts[0]), -1, -1)
    shown = [matrix.describe(given, kind, lambda _: 1, room)[0] for room in rooms]
    assert list(dict.fromkeys(shown)) == texts
    assert all(
        len(text) <= room for text, room in zip(shown, rooms, strict=True) if text != texts[-1]
    )


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


def test_the_columns_line_up_and_every_note_is_told():
    checks = [
        checked(claim, adapter, family="shapes", kind="exact", outcome=outcome, reason=reason)
        for claim, adapter, outcome, reason in [
            ("short", "torch", "proven", ""),
            ("short", "numpy", "proven", ""),
            ("a-longer-one", "torch", "not applicable", "has none"),
            ("a-longer-one", "numpy", "proven", ""),
        ]
    ]  # fmt: skip
    written: list[str] = []
    matrix.draw(
        lambda text, **_: written.append(text),
        checks,
        {"tf1": "install it"},
        ["torch", "tf1", "numpy"],
    )
    lines = "".join(written).splitlines()
    rows = {line.split()[0]: line for line in lines if line.startswith("  ")}
    assert lines[0].split() == ["torch", "tf1", "numpy"]
    assert lines[1] == "shapes"
    assert [rows["short"].index("1 "), rows["short"].rindex("1 ")] == [
        lines[0].index("torch"),
        lines[0].index("numpy"),
    ]
    assert rows["a-longer-one"].split() == ["a-longer-one", "-(1)", "--", "1", "ok"]
    assert rows["short"].index("--") == lines[0].index("tf1")
    assert "  (1) has none" in lines
    assert "  --  tf1 cannot run here: install it" in lines


# On a terminal.

ADAPTERS = ["torch", "keras3", "keras2", "tf1", "numpy"]
LONG = {
    "keras-output-under-a-mask-repeats-the-last-of-them": ("masks", "exact", 5.0),
    "every-gradient-is-the-oracles-and-goes-by-its-name": ("gradients", "rounding", 1.4e16),
    "last-output-is-not-the-final-states-of-both-halves": ("gradients", "different", 12.1),
}
REASON = "in torch it is a matter of rounding (torch-batch-first-is-a-transposition), " * 2


def drawn(width: int, ids=LONG) -> list[str]:
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
    written: list[str] = []
    why = "TensorFlow 2.21.0 comes with Keras 3 only: python -m pip install tf-keras==2.21.*"
    matrix.draw(lambda text, **_: written.append(text), checks, {"tf1": why}, ADAPTERS, width)
    return "".join(written).splitlines()


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_no_line_is_wider_than_the_terminal(width):
    lines = drawn(width)
    assert [line for line in lines if len(line) > width] == []
    assert [line for line in lines if line != line.rstrip()] == []
    told = " ".join(" ".join(lines).split())
    assert REASON.strip() in told
    assert "tf1 cannot run here: TensorFlow 2.21.0 comes with Keras 3 only" in told


@pytest.mark.parametrize(
    ("width", "row"),
    [
        (80, ["FAIL 60/60", "70 1.65(1)", "FAIL 1/2", "--", "-(1)"]),
        (120, ["FAIL 60/60", "70 1.65(1)", "FAIL 1/2", "--", "-(1)"]),
        (144, ["FAIL 60/60 1.4e16 spreads", "70 1.65(1)", "FAIL 1/2 1.4e16 spreads", "--", "-(1)"]),
    ],
)
def test_the_cells_stand_below_their_adapters(width, row):
    lines = drawn(width)
    name = "every-gradient-is-the-oracles-and-goes-by-its-name"
    (at,) = [at for at, line in enumerate(lines) if line.startswith(f"  {name}")]
    below = width < 144
    assert (lines[at] == f"  {name}") is below
    cells = lines[at + 1] if below else lines[at]
    starts = [lines[0].index(adapter) for adapter in ADAPTERS]
    ends = [*starts[1:], None]
    assert [cells[a:b].rstrip() for a, b in zip(starts, ends, strict=True)] == row
    assert starts == [4 + (width - 4) // 5 * n for n in range(5)] or not below
    assert [line for line in lines if line in ("masks", "gradients")] == ["masks", "gradients"]


def test_a_line_that_just_fits_stays_one():
    lines = drawn(1000)
    table = lines[: lines.index("")]
    widest = max(map(len, table))
    assert drawn(widest)[: len(table)] == table
    assert drawn(widest - 1)[0] != table[0]


def test_short_names_stay_on_one_line_at_80_characters():
    lines = drawn(80, {"it-holds": ("shapes", "structure", None)})
    assert lines[2].startswith("  it-holds FAIL 60/60")


def test_a_link_below_the_matrix_is_not_cut():
    link = "<https://example.org/" + "a-long-path/" * 10 + ">"
    check = checked("c", outcome="known failure", reason=f"a reason {link}")
    written: list[str] = []
    matrix.draw(lambda text, **_: written.append(text), [check], {}, ["numpy"], 80)
    assert f"      {link}" in "".join(written).splitlines()


@pytest.mark.parametrize(("columns", "wide"), [("60", False), ("140", True), (None, True)])
def test_the_matrix_of_a_run_is_as_wide_as_its_terminal(project, columns, wide):
    path = project.path / "tests" / "test_small.py"
    path.write_text(path.read_text().replace("test_it_holds", "test_it_" + "still_" * 9 + "holds"))
    variables = {} if columns is None else {"COLUMNS": columns}
    lines = project.pytest("-k", "holds", **variables).stdout.splitlines()
    name = "  it-" + "still-" * 9 + "holds"
    assert (name + " 4 =" in lines) is wide
    assert (name in lines and "    4 =" in lines) is not wide
