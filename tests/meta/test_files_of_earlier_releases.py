"""Which files of earlier releases a release is given, and how they are written."""

from __future__ import annotations

import pytest
from packaging.version import Version

from fixtures.adapters import core
from fixtures.cases import named_cases
from fixtures.cases.earlier import FOLDER, NAMES, earlier_files
from tests.meta import earlier_files as writing
from tests.meta.conftest import need


@pytest.mark.parametrize(
    ("adapter", "release", "found"),
    [
        ("keras3", "3.16.0.dev1", ["3.15.1", "3.3.3", "3.9.2"]),
        ("keras3", "3.9.2", ["3.3.3", "3.9.2"]),
        ("keras3", "3.3.2", []),
        ("keras2", "2.20.1", ["2.15.1"]),
        ("torch", "2.12.1", ["2.0.1"]),
        ("torch", "3.0", ["2.0.1", "2.13.0"]),
    ],
)
def test_a_release_is_given_the_files_of_its_own_and_of_those_before_it(adapter, release, found):
    files = earlier_files(adapter, Version(release), "gru-smallest-from-zero")
    assert sorted({name.rpartition(" ")[2] for name in files}) == found
    assert {path.stem for path in files.values()} <= {"gru-smallest-from-zero"}


def test_every_release_has_every_case_in_every_kind_of_file():
    """A file that was lost would be missed by no claim."""
    folders = [path for path in FOLDER.iterdir() if path.is_dir()]
    assert len(folders) == 7
    for folder in folders:
        kinds = (".pt", ".jit") if folder.name.startswith("torch") else (".keras", ".h5")
        assert {path.name for path in folder.iterdir()} == {
            f"{name}{kind}" for name in NAMES for kind in kinds
        }


@pytest.mark.parametrize("adapter", ["torch", "keras3", "keras2"])
def test_what_is_written_is_what_is_found(adapter, tmp_path, monkeypatch):
    need(adapter)
    monkeypatch.setattr(writing, "core", lambda: {adapter: core()[adapter]})
    written = writing.write(tmp_path)
    name, _, release = written[0].parent.name.partition("-")
    assert name == adapter
    monkeypatch.setattr("fixtures.cases.earlier.FOLDER", tmp_path)
    found = [
        path
        for case in named_cases()
        for path in earlier_files(adapter, Version(release), case.name).values()
    ]
    assert sorted(found) == sorted(written)
    assert len(written) == 2 * len(NAMES)


@pytest.mark.parametrize("adapter", ["torch", "keras3", "keras2"])
def test_a_release_older_than_every_file_says_so(adapter, monkeypatch, tmp_path):
    need(adapter)
    monkeypatch.setattr("fixtures.cases.earlier.FOLDER", tmp_path)
    reason = core()[adapter].lacks_here("read_from_earlier_files")
    assert reason == "no file of a release as old is kept"
