"""An upgrade in one command, with an installer that installs nothing and a pytest that is ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import fixtures.__main__
from fixtures.records import installing
from tests.meta.conftest import ROOT, need_reports
from tests.meta.records import FAILED, MOVED, a_check, a_record


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Where environments are made and runs recorded without installing or running anything."""

    class Machine:
        commands: list[list[str]] = []  # noqa: RUF012
        folders: list[Path | None] = []  # noqa: RUF012
        records = {"old": a_record(), "new": a_record()}  # noqa: RUF012
        fails = ""
        folder = tmp_path / "upgrade"

        def run(self, command, cwd=None, **_):
            self.commands.append(command)
            self.folders.append(cwd)
            words = " ".join(map(str, command))
            if self.fails and self.fails in words:
                return subprocess.CompletedProcess(command, 1, "", f"ERROR: no {self.fails}\n")
            for argument in command:
                if argument.startswith("--record="):
                    path = Path(argument.removeprefix("--record="))
                    record = self.records[path.stem]
                    if record is not None:
                        path.write_text(json.dumps(record))
            return subprocess.CompletedProcess(command, 0, "collected 0 items\n", "")

        def upgrade(self, old="torch==2.0", new="torch==2.1", *options):
            return fixtures.__main__.main(
                ["upgrade", old, new, "--folder", str(self.folder), *options]
            )

    made = Machine()
    made.commands, made.folders = [], []
    # Not for everybody: matplotlib asks other programs for the machine's fonts.
    ours = SimpleNamespace(run=made.run, DEVNULL=subprocess.DEVNULL)
    monkeypatch.setattr(installing, "subprocess", ours)
    monkeypatch.setattr(installing.shutil, "which", lambda _: None)
    return made


ASKS = """
import sys
from fixtures.records.installing import finished
finished([sys.executable, "-c", "input()"])
"""


def test_no_program_waits_for_an_answer():
    """As an installer would that wants a password: its question is seen by nobody."""
    read, write = os.pipe()
    try:
        subprocess.run([sys.executable, "-c", ASKS], cwd=ROOT, stdin=read, timeout=15, check=True)
    finally:
        os.close(write)
        os.close(read)


@pytest.mark.parametrize(("new", "status"), [({}, 0), (MOVED, 0), (FAILED, 1)])
def test_the_verdict_is_the_exit_status_and_the_page_is_left(machine, capsys, new, status):
    need_reports()
    machine.records = {"old": a_record(), "new": a_record(a_check(**new))}
    assert machine.upgrade() == status
    assert "egressed" in capsys.readouterr().out
    assert "<html" in (machine.folder / "report.html").read_text(encoding="utf-8")


def test_only_the_verdict_goes_to_the_standard_output(machine, capsys):
    machine.upgrade("torch==2.0", "torch==2.1", "--format", "json")
    assert json.loads(capsys.readouterr().out)["exit_status"] == 0


def test_each_environment_is_made_with_its_own_requirements(machine):
    machine.upgrade("torch==2.0 keras<3.4", "torch>=2.1")
    installs = [command for command in machine.commands if "install" in command]
    assert [command[-2:] for command in installs] == [
        ["torch==2.0", "keras<3.4"],
        ["pytest-xdist>=3.6", "torch>=2.1"],
    ]
    assert [command[0] for command in installs] == [
        str(machine.folder / name / "bin" / "python") for name in ("old", "new")
    ]


def test_uv_makes_them_where_there_is_one(machine, monkeypatch):
    monkeypatch.setattr(installing.shutil, "which", lambda name: f"/bin/{name}")
    assert machine.upgrade() == 0
    assert [command[:3] for command in machine.commands if "install" in command] == [
        ["/bin/uv", "pip", "install"]
    ] * 2


def test_pytests_arguments_reach_pytest(machine):
    machine.upgrade("a", "b", "--pytest", "--adapters torch -k 'a or b'")
    runs = [command for command in machine.commands if "pytest" in command and "-m" in command]
    assert [command[-4:] for command in runs] == [["--adapters", "torch", "-k", "a or b"]] * 2


def test_pytest_runs_where_the_claims_are(machine):
    machine.upgrade()
    ran = zip(machine.commands, machine.folders, strict=True)
    assert [folder for command, folder in ran if "--record=" in " ".join(command)] == [ROOT] * 2


def test_an_install_that_fails_is_told_in_the_installers_words(machine, capsys):
    machine.fails = "torch==9.9"
    assert machine.upgrade("torch==2.0", "torch==9.9") == 2
    told = capsys.readouterr().err
    assert "the new environment cannot be made" in told
    assert "  ERROR: no torch==9.9" in told


def test_a_run_that_leaves_no_record_is_told_in_pytests_words(machine, capsys):
    machine.records["new"] = None
    assert machine.upgrade() == 2
    told = capsys.readouterr().err
    assert "the new run left no record; pytest said:\n  collected 0 items" in told


def test_a_record_of_an_earlier_run_is_never_taken_for_this_one(machine):
    assert machine.upgrade() == 0
    machine.records["new"] = None
    assert machine.upgrade() == 2


@pytest.mark.parametrize("unusable", ["", "  ", "--pre torch", "torch '"])
def test_requirements_that_are_none_are_refused_before_anything_is_made(machine, capsys, unusable):
    assert machine.upgrade(unusable, "torch") == 2
    assert "requirements" in capsys.readouterr().err
    assert machine.commands == []


def test_the_folder_is_made_in_one_that_is_there(machine, capsys):
    machine.folder = machine.folder / "mistyped" / "name"
    assert machine.upgrade() == 2
    assert f"there is no folder {machine.folder.parent}; make it first." in capsys.readouterr().err
    assert machine.commands == []
    assert not machine.folder.parent.exists()


def test_the_folder_is_seen_from_where_the_command_is_run(machine, monkeypatch, tmp_path):
    """And not from the checkout, in which pytest runs."""
    monkeypatch.chdir(tmp_path)
    machine.folder = Path("here")
    assert machine.upgrade() == 0
    runs = [command for command in machine.commands if "pytest" in command and "-m" in command]
    assert [command[5] for command in runs] == [
        f"--record={tmp_path / 'here' / name}.json" for name in ("old", "new")
    ]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("old/mine.txt", "old is no environment; remove it"),
        ("new/mine.txt", "new is no environment; remove it"),
        ("new", "new is no environment; remove it"),
        ("new-values/mine.txt", "new-values is no folder of compared values; remove it"),
        ("old-values", "old-values is no folder of compared values; remove it"),
        ("new.json", "new.json: that file is there and is not what --folder writes; remove it"),
        ("report.html", "report.html: that file is there and is not what --folder writes"),
    ],
)
def test_what_no_upgrade_made_stays(machine, capsys, name, said):
    mine = machine.folder / name
    mine.parent.mkdir(parents=True, exist_ok=True)
    mine.write_text("mine")
    assert machine.upgrade() == 2
    told = capsys.readouterr().err
    assert said in told
    assert len(told.splitlines()) == 1
    assert machine.commands == []
    assert mine.read_text() == "mine"


def test_what_an_earlier_upgrade_made_is_made_again(machine):
    need_reports()
    assert machine.upgrade() == 0
    for name in ("old/pyvenv.cfg", "old-values/0.npz", "new-values/0.part"):
        path = machine.folder / name
        path.parent.mkdir()
        path.write_text("earlier")
    assert machine.upgrade() == 0
    assert not (machine.folder / "old-values").exists()


def test_without_what_reports_need_the_verdict_stands(machine, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    machine.records["new"] = a_record(a_check(**FAILED))
    assert machine.upgrade() == 1
    assert "reports need Jinja2" in capsys.readouterr().err
