"""A cell of the matrix says what its checks say, the worst first."""

from __future__ import annotations

import pytest

from fixtures.evidence import matrix

NOTHING = {"worst": None, "informative": None}


def cell(*outcomes: str, reasons: tuple[str, ...] = (), **measured: list[float]) -> matrix.Cell:
    """A cell with these outcomes, and one measurement for each number in `measured`."""
    measurements = [
        NOTHING | {name: value} for name, values in measured.items() for value in values
    ]
    return matrix.Cell(outcomes=list(outcomes), measurements=measurements, reasons=list(reasons))


@pytest.mark.parametrize(
    ("kind", "given", "text", "colour"),
    [
        ("structure", cell("proven", "proven"), "2 ok", "green"),
        ("exact", cell("proven", worst=[0.0]), "1 =", "green"),
        ("rounding", cell("proven", "proven", worst=[2.8, 0.31]), "2 2.80", "green"),
        ("different", cell("proven", "proven", worst=[3.1e5, 7e8]), "2 x3.1e5", "green"),
        ("exact", cell("proven", "failed", worst=[0.0, 5.0]), "FAIL 1/2 5 off", "red"),
        ("rounding", cell("failed", "error", "proven", worst=[7.25, 1.0]), "FAIL 2/3 7.25", "red"),
        ("exact", cell("known failure", "failed", worst=[1.0, 1.0]), "FAIL 1/2 1 off", "red"),
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
        ("exact", cell(""), "-", "light"),
        ("exact", None, "", "light"),
    ],
)
def test_a_cell(kind, given, text, colour):
    assert matrix.describe(given, kind, lambda _: 1) == (text, colour)


@pytest.mark.parametrize(("share", "text"), [(1.0, "1 2.80"), (0.75, "1 2.80 75%")])
def test_a_share_that_is_not_whole_is_told(share, text):
    given = matrix.Cell(["proven"], [{"worst": 2.8, "informative": share}])
    assert matrix.describe(given, "rounding", lambda _: 1)[0] == text


def test_checks_are_gathered_by_claim_and_adapter():
    blank = {"reason": "", "measurement": None}
    cells = matrix.cells_of(
        [
            {"claim": "a", "adapter": "torch", "outcome": "proven"} | blank,
            {"claim": "a", "adapter": "torch", "outcome": "failed"} | blank | {"reason": "long"},
            {"claim": "a", "adapter": "numpy", "outcome": "proven"} | blank,
            {"claim": "b", "adapter": "numpy", "outcome": "not applicable"} | blank
            | {"reason": "short"},
        ]
    )  # fmt: skip
    assert {at: (one.outcomes, one.reasons) for at, one in cells.items()} == {
        ("a", "torch"): (["proven", "failed"], []),
        ("a", "numpy"): (["proven"], []),
        ("b", "numpy"): (["not applicable"], ["short"]),
    }


def test_the_columns_line_up_and_every_note_is_told():
    checks = [
        {"claim": claim, "family": "shapes", "kind": "exact", "adapter": adapter,
         "outcome": outcome, "reason": reason, "measurement": None}
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
