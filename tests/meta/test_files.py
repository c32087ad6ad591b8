"""What a user names for reading and writing: nothing else is read, and nothing else overwritten."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shlex
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import fixtures.__main__
from fixtures import files
from fixtures.errors import BadInput
from fixtures.files import PAGE, RECORD, check_file, check_folder, read_whole, write_whole
from fixtures.pages import report
from fixtures.records import proven
from fixtures.records.record import read
from tests.meta.conftest import ROOT, Project, need_reports
from tests.meta.records import EARLIER, FAILED, a_check, a_record
from tests.meta.test_options import refused

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
BUFFERED = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"} | {
    "PYTHONPATH": str(ROOT)
}
"""As Python is by itself: what is printed waits in a buffer, and may fail when it ends."""

OLD_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta name="generator" content="lstm-equivalence">
"""


@pytest.fixture
def odd(tmp_path):
    """What is no regular file, by its name; the device is a terminal, which not even root can
    replace."""
    keyboard, terminal = os.openpty()
    device = Path(os.ttyname(terminal))
    found = {"folder": tmp_path / "folder", "pipe": tmp_path / "pipe", "device": device}
    found["folder"].mkdir()
    os.mkfifo(found["pipe"])
    # A socket's address is short: not all of a long path.
    with socket.socket(socket.AF_UNIX) as listening, contextlib.chdir(tmp_path):
        listening.bind("socket")
        yield found | {"socket": tmp_path / "socket"}
    os.close(terminal)
    os.close(keyboard)


ODD = pytest.mark.parametrize("kind", ["folder", "pipe", "device", "socket"])


def mode(path: Path) -> int:
    return path.stat().st_mode


def left_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


# Writing.


@pytest.mark.parametrize("content", ["new \u00e4", "new \u00e4".encode()], ids=["text", "bytes"])
def test_a_file_is_written_in_utf_8(tmp_path, content):
    write_whole(tmp_path / "file", content)
    assert (tmp_path / "file").read_text(encoding="utf-8") == "new \u00e4"
    assert left_in(tmp_path) == {"file"}


@pytest.mark.parametrize("earlier", ["earlier", None], ids=["to-a-file", "dangling"])
def test_a_links_target_is_written_and_the_link_stays(tmp_path, earlier):
    (tmp_path / "else" / "where").mkdir(parents=True)
    target = tmp_path / "else" / "where" / "target"
    if earlier:
        target.write_text(earlier)
    (tmp_path / "second").symlink_to("else/where/target")
    (tmp_path / "first").symlink_to(tmp_path / "second")
    check_file("-o", tmp_path / "first", "earlier")
    write_whole(tmp_path / "first", "new")
    assert (tmp_path / "first").readlink() == tmp_path / "second"
    assert (tmp_path / "second").readlink() == Path("else/where/target")
    assert target.read_text() == "new"
    assert left_in(target.parent) == {"target"}


@pytest.mark.parametrize("linked", ["nowhere/file", "link"], ids=["no-folder", "in-a-circle"])
def test_a_link_that_leads_nowhere_is_refused(tmp_path, linked):
    link = tmp_path / "link"
    link.symlink_to(linked)
    with pytest.raises(BadInput, match=r"link: there is no folder .*nowhere|Too many levels"):
        check_file("-o", link, PAGE)
    with pytest.raises(BadInput, match="it could not be written"):
        write_whole(link, "new")
    assert left_in(tmp_path) == {"link"}
    assert link.is_symlink()


@ODD
def test_what_is_no_file_is_refused_and_stays(odd, kind):
    before = mode(odd[kind])
    for attempt in (lambda: write_whole(odd[kind], "new"), lambda: check_file("-o", odd[kind], "")):
        with pytest.raises(BadInput, match=rf"{odd[kind]}: that is a {kind}; give a file\.$"):
            attempt()
    assert mode(odd[kind]) == before


def test_what_is_no_file_is_refused_through_a_link(odd, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(odd["device"])
    with pytest.raises(BadInput, match="link: that is a device"):
        write_whole(link, "new")
    assert link.is_symlink()


@pytest.mark.parametrize("bits", [0o600, 0o664, 0o755])
def test_a_file_keeps_who_may_read_it(tmp_path, bits):
    path = tmp_path / "file"
    path.write_text("earlier")
    path.chmod(bits)
    write_whole(path, "new")
    assert mode(path) & 0o777 == bits


def test_a_new_file_is_as_open_as_any_other(tmp_path):
    (tmp_path / "other").touch()
    write_whole(tmp_path / "file", "new")
    assert mode(tmp_path / "file") == mode(tmp_path / "other")


def test_a_private_file_is_private_before_it_is_whole(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_text("earlier")
    path.chmod(0o600)
    seen = []

    def look(part, data):
        seen.append((data, mode(part) & 0o777))

    monkeypatch.setattr(Path, "write_bytes", look)
    write_whole(path, "new")
    assert seen == [(b"new", 0o600)]


def test_a_write_protected_file_stays(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_text(OLD_PAGE)
    # Whoever is root may write all the same.
    monkeypatch.setattr(files.os, "access", lambda *_: False)
    with pytest.raises(BadInput, match="Permission denied"):
        write_whole(path, "new")
    with pytest.raises(BadInput, match="Permission denied"):
        check_file("-o", path, PAGE)
    assert path.read_text() == OLD_PAGE


@pytest.mark.parametrize("fails", ["write_bytes", "chmod", "replace"])
@pytest.mark.parametrize("failure", [FULL, KeyboardInterrupt()], ids=["full", "interrupted"])
def test_a_failure_leaves_the_earlier_file_and_nothing_else(tmp_path, monkeypatch, fails, failure):
    path = tmp_path / "file"
    path.write_text("earlier")
    done = getattr(Path, fails)

    def fail(part, *arguments):
        if fails != "replace":
            done(part, *arguments)
        raise failure

    monkeypatch.setattr(Path, fails, fail)
    sentence = r"file: it could not be written \(No space left on device\)\.$"
    with pytest.raises((BadInput, KeyboardInterrupt), match=rf"{sentence}|^$"):
        write_whole(path, "new")
    assert path.read_text() == "earlier"
    assert left_in(tmp_path) == {"file"}


def test_writers_of_one_file_do_not_meet(tmp_path, monkeypatch):
    """Each of them is as far as the other lets it: both have written, and none has replaced."""
    path = tmp_path / "file"
    both = threading.Barrier(2, timeout=30)
    replace = Path.replace

    def together(part, target):
        both.wait()
        return replace(part, target)

    monkeypatch.setattr(Path, "replace", together)
    contents = ["a" * 10**5, "b" * 10**5]
    writers = [threading.Thread(target=write_whole, args=(path, one)) for one in contents]
    for one in writers:
        one.start()
    for one in writers:
        one.join()
    assert path.read_text() in contents
    assert left_in(tmp_path) == {"file"}


# Streams.


WRITE = """
from pathlib import Path
from fixtures.files import check_file, write_whole
print("before")
check_file("-o", Path({0!r}), "x")
write_whole(Path({0!r}), "it")
print("after")
"""


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/dev/stderr", "/dev/fd/2"])
def test_a_stream_goes_where_the_shell_sent_it(tmp_path, name):
    """The file behind it is one to which the shell had written, and which stays that one."""
    path = tmp_path / "file"
    path.write_text("shell\n")
    before = path.stat().st_ino
    with path.open("a") as file:
        command = [sys.executable, "-c", WRITE.format(name)]
        subprocess.run(command, env=BUFFERED, stdout=file, stderr=file, check=True)
    assert path.read_text() == "shell\nbefore\nitafter\n"
    assert path.stat().st_ino == before
    assert left_in(tmp_path) == {"file"}


def test_a_pipe_that_the_shell_made_is_written():
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as read_end:
        write_whole(Path(f"/dev/fd/{writer}"), "new")
        os.close(writer)
        assert read_end.read() == b"new"


def test_a_stream_that_is_not_open_is_refused(tmp_path):
    with (tmp_path / "file").open("w") as file:
        number = file.fileno()
    for path in (f"/dev/fd/{number}", "/dev/fd/999999999", "/dev/fd/99999999999999999999"):
        with pytest.raises(BadInput, match="nothing can be written there"):
            check_file("-o", Path(path), PAGE)
        with pytest.raises(BadInput, match="it could not be written"):
            write_whole(Path(path), "new")


def test_a_stream_that_is_only_read_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with (tmp_path / "file").open() as file, pytest.raises(BadInput, match="Bad file descriptor"):
        check_file("-o", Path(f"/dev/fd/{file.fileno()}"), PAGE)


def test_a_link_to_a_stream_is_refused(tmp_path):
    """Followed to its end, it leads to the file to which the stream was sent."""
    link = tmp_path / "link"
    link.symlink_to("/dev/stdout")
    with (tmp_path / "file").open("w") as file:
        result = subprocess.run(
            [sys.executable, "-c", WRITE.format(str(link))],
            cwd=ROOT, stdout=file, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert "that leads to a stream; name it as /dev/stdout" in result.stderr
    assert (tmp_path / "file").read_text() == "before\n"


# Folders.


def test_a_folder_that_is_not_there_is_an_error_which_says_so(tmp_path):
    missing = tmp_path / "a" / "b"
    sentence = rf"{missing}/c: there is no folder {missing}; make it first\.$"
    with pytest.raises(BadInput, match=rf"^-o {sentence}"):
        check_file("-o", missing / "c", PAGE)
    with pytest.raises(BadInput, match=rf"^--outputs {sentence}"):
        check_folder("--outputs", missing / "c")
    assert left_in(tmp_path) == set()


def test_a_folder_is_made_in_one_that_is_there(tmp_path):
    check_folder("--outputs", tmp_path / "values")
    check_folder("--outputs", tmp_path / "values")
    assert left_in(tmp_path) == {"values"}
    assert left_in(tmp_path / "values") == set()


@ODD
def test_what_is_no_folder_is_refused(odd, kind):
    if kind == "folder":
        kind = "file"
        odd["file"] = odd["pipe"].with_name("file")
        odd["file"].write_text("earlier")
    before = mode(odd[kind])
    with pytest.raises(BadInput, match=r"that is no folder; give a folder\.$"):
        check_folder("--outputs", odd[kind])
    assert mode(odd[kind]) == before


@pytest.mark.parametrize("option", ["--record", "--outputs"])
def test_a_run_makes_no_folder_on_the_way(project: Project, option):
    result = project.pytest(f"{option}=mistyped/name")
    refused(result, rf"{option} \S+/mistyped/name: there is no folder \S+/mistyped; make it first")
    assert not (project.path / "mistyped").exists()


def test_a_report_makes_no_folder_on_the_way(tmp_path, capsys):
    (tmp_path / "run.json").write_text(json.dumps(a_record()))
    page = tmp_path / "mistyped" / "page.html"
    assert fixtures.__main__.main(["report", str(tmp_path / "run.json"), "-o", str(page)]) == 2
    assert f"there is no folder {page.parent}; make it first." in capsys.readouterr().err
    assert left_in(tmp_path) == {"run.json"}


def test_the_folder_of_the_projects_own_commands_is_in_every_clone():
    ignored = (ROOT / "report" / ".gitignore").read_text().splitlines()
    assert ignored[-2:] == ["*", "!.gitignore"]
    assert not re.search(r"^/?report", (ROOT / ".gitignore").read_text(), re.MULTILINE)


# Inputs.


@pytest.fixture
def another_name(tmp_path):
    """A file's other names: through a link, a hard link, a linked folder, and a detour."""
    path = tmp_path / "old.json"
    path.write_text(json.dumps(a_record()))
    (tmp_path / "linked").symlink_to(path)
    (tmp_path / "hard").hardlink_to(path)
    (tmp_path / "there").symlink_to(tmp_path, target_is_directory=True)
    return {
        "itself": path,
        "link": tmp_path / "linked",
        "hard-link": tmp_path / "hard",
        "linked-folder": tmp_path / "there" / "old.json",
        "detour": tmp_path / "there" / ".." / tmp_path.name / "old.json",
    }


@pytest.mark.parametrize("name", ["itself", "link", "hard-link", "linked-folder", "detour"])
@pytest.mark.parametrize("place", [0, 1], ids=["old", "new"])
def test_a_report_never_goes_to_a_record_that_it_is_of(another_name, capsys, name, place):
    record = another_name["itself"]
    other = record.with_name("other.json")
    other.write_text(json.dumps(a_record()))
    # As if it were a page: it is refused as an input.
    before = OLD_PAGE if name == "itself" else record.read_text()
    record.write_text(before)
    records = [str(other), str(other)]
    records[place] = str(record)
    assert fixtures.__main__.main(["report", *records, "-o", str(another_name[name])]) == 2
    said = capsys.readouterr().err
    assert said == (
        f"-o {another_name[name]}: this command would write to {record}, which it reads; "
        f"give another.\n"
    )
    assert record.read_text() == before


def test_a_stream_behind_which_an_input_lies_is_refused(tmp_path):
    path = tmp_path / "run.json"
    path.write_text(json.dumps(a_record()))
    before = path.read_text()
    with path.open("a") as file:
        command = [sys.executable, "-m", "fixtures", "report", str(path), "-o", "/dev/stdout"]
        result = subprocess.run(
            command, cwd=ROOT, stdout=file, stderr=subprocess.PIPE, text=True, check=False
        )
    assert result.returncode == 2
    assert "/dev/stdout: this command would write to" in result.stderr
    assert path.read_text() == before


@pytest.mark.parametrize("name", ["new.json", "is-there.npz", "", "linked/new.json", "hard"])
@pytest.mark.parametrize("option", ["--record", "--outputs"])
def test_a_run_writes_nothing_among_the_vectors_that_it_reads(project: Project, name, option):
    folder = project.path / "fixtures" / "data" / "tensorflow-1.15"
    (project.path / "linked").symlink_to(folder, target_is_directory=True)
    first = min(folder.glob("*.npz"))
    first.rename(folder / "is-there.npz")
    (project.path / "hard").hardlink_to(folder / "is-there.npz")
    path = (project.path if name.startswith(("linked", "hard")) else folder) / name
    before = {one.name: one.read_bytes() for one in folder.iterdir()}
    refused(
        project.pytest(f"{option}={path}", "-k", "holds"), rf"{option} .*: this command would write"
    )
    assert {one.name: one.read_bytes() for one in folder.iterdir()} == before


def test_the_kept_runs_are_no_record(tmp_path, capsys, monkeypatch):
    kept = tmp_path / "proven.json"
    kept.write_text(json.dumps(a_record()))
    monkeypatch.setattr(fixtures.__main__, "FILE", kept)
    (tmp_path / "link").symlink_to(kept)
    assert fixtures.__main__.main(["proven", str(tmp_path / "link")]) == 2
    assert capsys.readouterr().err == (
        f"proven: this command would write to {tmp_path / 'link'}, which it reads; give another.\n"
    )


def test_the_kept_runs_are_those_that_are_written():
    assert fixtures.__main__.FILE is proven.FILE


# What is there and is something else.


@pytest.mark.parametrize(
    ("begins", "content"),
    [
        (RECORD, "import pytest\n"),
        (RECORD, "[1, 2]"),
        (RECORD, OLD_PAGE),
        (RECORD, " "),
        (PAGE, "{}"),
        (PAGE, "# README"),
        (PAGE, "<!DOCTYPE html>\n<title>my thesis</title>\n"),
        (RECORD, '{"name": "my package"}'),
        (PAGE, "<html>"),
        (PAGE, "\ufeff"),
    ],
)
def test_what_is_no_earlier_output_stays(tmp_path, begins, content):
    path = tmp_path / "file"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(BadInput, match=r"that file is there and is not what -o writes; remove it"):
        check_file("-o", path, begins)
    assert path.read_text(encoding="utf-8") == content


@pytest.mark.parametrize(
    ("begins", "content"),
    [(RECORD, ""), (RECORD, EARLIER), (RECORD, '\n {"schema": 1, '), (PAGE, ""), (PAGE, OLD_PAGE)],
)
def test_an_earlier_output_may_be_overwritten(tmp_path, begins, content):
    path = tmp_path / "file"
    path.write_text(content)
    check_file("-o", path, begins)
    assert path.read_text() == content


def test_what_is_written_is_taken_for_an_earlier_output(project: Project):
    need_reports()
    for _ in range(2):
        assert project.pytest("--record=run.json", "-k", "holds").returncode == 0
        made = project.python("-m", "fixtures", "report", "run.json", "-o", "page.html")
        assert made.returncode == 0, made.stderr


def test_a_record_without_its_equals_sign_takes_no_test_for_a_place(project: Project):
    test = project.path / "tests" / "test_small.py"
    before = test.read_text()
    result = project.pytest("--record", "tests/test_small.py")
    refused(
        result, r"--record .*test_small\.py: that file is there and is not what --record writes"
    )
    assert test.read_text() == before


# Reading.


@ODD
def test_what_is_no_file_is_not_read(odd, kind):
    sentence = rf"{odd[kind]} cannot be read \(it is a {kind}\); give a record of this suite\.$"
    with pytest.raises(BadInput, match=sentence):
        read(odd[kind])


def test_a_record_is_read_from_a_pipe_that_the_shell_made():
    reader, writer = os.pipe()
    text = json.dumps(a_record())
    with os.fdopen(writer, "w") as write_end:
        write_end.write(text)
    stored = read(Path(f"/dev/fd/{reader}"))
    os.close(reader)
    assert list(stored.checks) == [("it-holds", "numpy", "smallest", "float32")]


def test_a_record_is_read_from_the_standard_input(tmp_path):
    (tmp_path / "new.json").write_text(json.dumps(a_record(a_check(**FAILED))))
    result = subprocess.run(
        [sys.executable, "-m", "fixtures", "diff", "/dev/stdin", str(tmp_path / "new.json")],
        cwd=ROOT, input=json.dumps(a_record()), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 1, result.stderr
    assert "Regressed: numpy: 1 claim broken, 1 check." in result.stdout


@pytest.mark.parametrize("of", ["file", "stream"])
def test_no_more_is_read_than_a_bound(tmp_path, monkeypatch, of):
    monkeypatch.setattr(files, "MOST", 2)
    path = tmp_path / "file"
    with path.open("wb") as file:
        file.truncate(2 * files.MIB)
    assert len(read_whole(path, "a file")) == 2 * files.MIB
    with path.open("ab") as file:
        file.truncate(1000 * files.MIB)
    with path.open("rb") as file:
        name = path if of == "file" else Path(f"/dev/fd/{file.fileno()}")
        with pytest.raises(BadInput, match=r"it is larger than 2 MiB\); give a file\.$"):
            read_whole(name, "a file")
        assert of == "file" or os.lseek(file.fileno(), 0, os.SEEK_CUR) < 4 * files.MIB


# Readers that leave.


@pytest.fixture
def leaving(tmp_path):
    """Exit status and errors of a command of which nobody reads what it prints, or its first line.

    What it prints is more than a pipe holds.
    """
    many = [f"claim-{n}" for n in range(1000)]
    (tmp_path / "old.json").write_text(json.dumps(a_record(*map(a_check, many))))
    failing = (a_check(name, **FAILED) for name in many)
    (tmp_path / "new.json").write_text(json.dumps(a_record(*failing)))

    def leaving(*arguments: str, lines: int, errors: bool = False) -> tuple[int, str]:
        with subprocess.Popen(
            [sys.executable, "-m", "fixtures", *arguments], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT if errors else subprocess.PIPE,
            env=BUFFERED, cwd=tmp_path,
        ) as command:  # fmt: skip
            for _ in range(lines):
                assert command.stdout.readline()
            command.stdout.close()
            said = "" if errors else command.stderr.read()
            return command.wait(), said

    return leaving


@pytest.mark.parametrize("lines", [0, 1])
@pytest.mark.parametrize("format_", ["text", "json", "markdown"])
def test_a_reader_that_leaves_is_no_failure(leaving, format_, lines):
    command = ("diff", "old.json", "new.json", "--format", format_)
    assert leaving(*command, lines=lines) == (1, "")


@pytest.mark.parametrize(
    ("arguments", "status"), [("--help", 0), ("diff --help", 0), ("diff old.json old.json", 0)]
)
def test_a_reader_of_little_that_leaves_is_none_either(leaving, arguments, status):
    assert leaving(*shlex.split(arguments), lines=0) == (status, "")


@pytest.mark.parametrize("arguments", ["diff old.json none.json", "no-such-command"])
def test_a_reader_of_errors_that_leaves_is_none_either(leaving, arguments):
    assert leaving(*shlex.split(arguments), lines=0, errors=True) == (2, "")


def test_a_reader_of_a_page_that_leaves_is_no_failure(leaving):
    need_reports()
    command = ("report", "old.json", "-o", "/dev/stdout")
    assert leaving(*command, lines=1) == (0, "report: /dev/stdout\n")


# Full file systems.


@pytest.mark.parametrize("arguments", ["diff old.json new.json", "diff --help"])
def test_what_cannot_be_printed_is_one_sentence(tmp_path, arguments):
    full = Path("/dev/full")
    if not full.is_char_device():
        pytest.skip("there is no device that is always full")
    for name, check in (("old", a_check()), ("new", a_check(**FAILED))):
        (tmp_path / f"{name}.json").write_text(json.dumps(a_record(check)))
    with full.open("w") as nowhere:
        result = subprocess.run(
            [sys.executable, "-m", "fixtures", *shlex.split(arguments)], stdout=nowhere,
            stderr=subprocess.PIPE, text=True, check=False, cwd=tmp_path,
            env=BUFFERED,
        )  # fmt: skip
    assert result.returncode == 2
    assert result.stderr == (
        "the standard output cannot be written (No space left on device); send it elsewhere.\n"
    )


def test_a_page_for_which_there_is_no_room_is_one_sentence(tmp_path, capsys, monkeypatch):
    need_reports()
    path, page = tmp_path / "run.json", tmp_path / "page.html"
    path.write_text(json.dumps(a_record()))
    page.write_text(OLD_PAGE)
    monkeypatch.setattr(report, "of_record", lambda _: "a page")
    monkeypatch.setattr(Path, "write_bytes", no_room)
    assert fixtures.__main__.main(["report", str(path), "-o", str(page)]) == 2
    said = capsys.readouterr().err
    assert said == f"{page}: it could not be written (No space left on device).\n"
    assert page.read_text() == OLD_PAGE
    assert left_in(tmp_path) == {"run.json", "page.html"}


def no_room(part: Path, data: bytes) -> None:
    with part.open("wb") as file:
        file.write(data[:5])
    raise FULL


FULL_DISK = """
import errno
import os
from pathlib import Path

write = Path.write_bytes


def write_bytes(part, data):
    write(part, data[:10])
    if part.parent.name == "full":
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return write(part, data)


Path.write_bytes = write_bytes
"""


def test_a_record_for_which_there_is_no_room_is_one_sentence(project: Project):
    project.write("full_disk.py", FULL_DISK)
    record = project.write("full/run.json", EARLIER)
    result = project.pytest("-p", "full_disk", "--record=full/run.json", PYTHONPATH=".")
    assert result.returncode == pytest.ExitCode.INTERNAL_ERROR
    said = f"--record {record}: it could not be written (No space left on device)."
    assert said in result.stdout.splitlines()
    assert "Traceback" not in result.stdout + result.stderr
    assert record.read_text() == EARLIER
    assert left_in(record.parent) == {"run.json"}


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "two-workers"])
def test_values_for_which_there_is_no_room_fail_the_run_in_one_sentence(project, workers):
    """Nothing is said against the claims: the record has no check that failed."""
    project.write("full_disk.py", FULL_DISK)
    result = project.pytest(
        "-p", "full_disk", "--record=run.json", "--outputs=full", *workers, PYTHONPATH="."
    )
    assert result.returncode == pytest.ExitCode.TESTS_FAILED
    said = "as --outputs could not keep the values of 6 checks: No space left on device."
    assert said in result.stdout
    assert "Traceback" not in result.stdout + result.stderr
    assert left_in(project.path / "full") == set()
    run = json.loads((project.path / "run.json").read_text())
    assert not run["complete"]
    assert {check["outcome"] for check in run["checks"]} == {"proven", "not applicable"}
