"""The line below pytest's own progress: what it says, and that it leaves nothing behind."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections import Counter
from types import SimpleNamespace

import pytest

from fixtures.plugin.progress import ENOUGH, LiveLine, Progress, can_show, expected
from tests.meta.conftest import Project
from tests.meta.records import checked


def progress(ended, to_do, latest):
    return Progress(started=100.0, to_do=to_do, ended=Counter(ended), latest=latest)


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (progress({}, {"torch": 100}, ""), ""),
        (progress({"torch": 1}, {"torch": 1}, "torch"), "torch: 1 of 1 check"),
        (progress({"torch": ENOUGH - 1}, {"torch": 100}, "torch"), "torch: 19 of 100 checks"),
        (progress({"torch": 25}, {"torch": 100}, "torch"),
         "torch: 25 of 100 checks, about 30 s left"),
        (progress({"torch": 30, "tf1": 20}, {"torch": 60, "tf1": 40}, "tf1"),
         "tf1 20 of 40, all 50 of 100 checks, about 10 s left"),
    ],
)  # fmt: skip
def test_the_line_says_which_adapter_how_far_and_how_long(given, line):
    assert given.line(now=110.0) == line


def test_what_does_not_apply_is_not_counted():
    checks = {
        "a": checked("a", outcome="not run"),
        "b": checked("b", outcome="not applicable"),
        "c": checked("c", "torch", outcome="not run"),
    }
    assert expected(checks) == {"numpy": 1, "torch": 1}


class Screen:
    """What a terminal of this width shows of what is written to it, and every line that it ever
    showed. Knows the few commands that are needed, and fails on any other."""

    COMMAND = re.compile(r"\x1b\[(\d*)(?:;\d+)*([A-Za-z])|\x1b\]9;4;[^\x1b]*\x1b\\")

    def __init__(self, width: int) -> None:
        self.width, self.row, self.column = width, 0, 0
        self.lines = [""]
        self.seen: set[str] = set()

    def show(self, text: str) -> None:
        while text:
            if text[0] == "\x1b":
                command = self.COMMAND.match(text)
                assert command, f"an unknown command: {text[:20]!r}"
                self._obey(command[2], int(command[1] or 1))
                text = text[command.end() :]
            else:
                self._put(text[0])
                text = text[1:]

    def _obey(self, command: str | None, number: int) -> None:
        if command == "A":
            self.row -= number
        elif command == "C":
            self.column += number
        elif command == "J":
            del self.lines[self.row + 1 :]
            self.lines[self.row] = self.lines[self.row][: self.column]
        elif command == "K":
            self.lines[self.row] = self.lines[self.row][: self.column]
        else:
            assert command in ("m", None), f"an unknown command: {command}"
        assert self.row >= 0

    def _put(self, sign: str) -> None:
        if sign == "\r":
            self.column = 0
        elif sign == "\n":
            self.seen.add(self.lines[self.row])
            self.row += 1
            self.lines += [""] * (self.row == len(self.lines))
        else:
            if self.column == self.width:
                self.column = 0
                self._put("\n")
            line = self.lines[self.row].ljust(self.column)
            self.lines[self.row] = line[: self.column] + sign + line[self.column + 1 :]
            self.column += 1
            self.seen.add(self.lines[self.row])


def on_a_terminal(project: Project, *arguments: str, **variables: str) -> Screen:
    """What a terminal of 80 columns shows of a run of pytest on the project."""
    ours, theirs = pty.openpty()
    inherited = {name: value for name, value in os.environ.items() if name != "CI"}
    with subprocess.Popen(
        [sys.executable, "-m", "pytest", "--adapters", "numpy", "-p", "no:randomly", *arguments],
        cwd=project.path,
        env=inherited | {"TERM": "xterm", "COLUMNS": "80"} | variables,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    ):
        os.close(theirs)
        written = b""
        while chunk := _read(ours):
            written += chunk
    os.close(ours)
    screen = Screen(80)
    screen.show(written.decode())
    return screen


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # the other end is closed
        return b""


def test_the_progress_that_pytest_itself_sends_to_a_terminal_moves_nothing():
    screen = Screen(80)
    screen.show("one\x1b]9;4;1;50\x1b\\two")
    assert screen.lines == ["onetwo"]


def before_the_end(screen: Screen) -> list[str]:
    """The lines that are left, up to pytest's short summary, which colours make longer."""
    end = [place for place, line in enumerate(screen.lines) if "short test summary" in line]
    return screen.lines[: end[0]]


MANY = """
from fixtures.cases import named
from fixtures.checks.compare import assert_same_bits
from fixtures.claims import claim


@claim(kind="exact", statement="It holds.", formula="h == h",
       cases=named("smallest", "one-unit", "two-layers", "bidirectional", "hundred-steps"))
def test_it_holds(run):
    assert_same_bits(run.output, run.output)


@claim(kind="exact", statement="Another.", formula="h == 2 h", cases=named("smallest"))
def test_it_fails(run):
    assert_same_bits(2 * run.output, run.output)


def test_of_no_claim():
    pass
"""
LINE = re.compile(r"^numpy: (\d+) of 12 checks$")


@pytest.mark.parametrize("options", [(), ("-v",), ("-q", "-x")], ids=" ".join)
def test_a_line_that_is_drawn_while_it_runs_is_gone_in_the_end(project: Project, options):
    project.write("tests/test_small.py", MANY)
    shown = on_a_terminal(project, *options)
    counts = {int(found[1]) for line in shown.seen if (found := LINE.match(line))}
    assert counts >= {1, 2, 3, 10}
    plain = on_a_terminal(project, *options, TERM="dumb")
    assert not [line for line in plain.seen if LINE.match(line)]
    assert before_the_end(shown) == before_the_end(plain)


def test_what_is_written_between_two_looks_leaves_nothing_of_it():
    screen = Screen(80)
    writer = SimpleNamespace(
        write_raw=lambda text, **_: screen.show(text.replace("\n", "\r\n")),
        width_of_current_line=0,
        fullwidth=80,
    )
    live = LiveLine(writer, SimpleNamespace(checks={}))
    live.progress = progress({"torch": 1}, {"torch": 9}, "torch")
    for _ in range(2):
        around = live.pytest_runtest_logstart()
        next(around)
        screen.show("one\r\ntwo\r\nthree\r\n")
        with pytest.raises(StopIteration):
            next(around)
        assert screen.lines[-1] == "torch: 1 of 9 checks"
    live.pytest_testnodedown()
    assert screen.lines == [*2 * ["one", "two", "three"], ""]


def test_two_workers_are_told_of_in_one_line(project: Project):
    project.write("tests/test_small.py", MANY)
    shown = on_a_terminal(project, "-n", "2")
    counts = {int(found[1]) for line in shown.seen if (found := LINE.match(line))}
    assert counts >= {1, 2, 3, 10}
    assert not [line for line in shown.lines if "of 12 checks" in line]


def config(**options):
    """Of a run on a terminal, with these options."""
    given = {"capture": "fd", "usepdb": False, "trace": False, "verbose": 0} | options
    writer = SimpleNamespace(write_raw=print)
    return SimpleNamespace(option=SimpleNamespace(**given), get_terminal_writer=lambda: writer)


def test_there_is_none_where_it_cannot_be_taken_away_or_others_write(monkeypatch):
    terminal, pipe = SimpleNamespace(isatty=lambda: True), SimpleNamespace(isatty=lambda: False)
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert can_show(config(), terminal)
    assert not can_show(config(), pipe)
    for options in ({"capture": "no"}, {"usepdb": True}, {"trace": True}, {"verbose": -2}):
        assert not can_show(config(**options), terminal)
    older = SimpleNamespace(**vars(config()) | {"get_terminal_writer": SimpleNamespace})
    assert not can_show(older, terminal)
    monkeypatch.setenv("CI", "true")
    assert not can_show(config(), terminal)
    monkeypatch.delenv("CI")
    monkeypatch.setenv("TERM", "dumb")
    assert not can_show(config(), terminal)
