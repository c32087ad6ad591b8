"""Saves the models of `fixtures/cases/earlier.py` with the releases that are installed.

`python -m tests.meta.earlier_files`, in an environment with the release whose files are to be kept.
"""

from __future__ import annotations

from pathlib import Path

from fixtures.adapters import core
from fixtures.adapters.earlier_files import EarlierFiles
from fixtures.cases import named, named_cases
from fixtures.cases.earlier import FOLDER, NAMES


def write(folder: Path = FOLDER) -> list[Path]:
    """The files that were written into the folder."""
    written: list[Path] = []
    for adapter in core().values():
        if isinstance(adapter, EarlierFiles) and adapter.cannot_run() is None:
            adapter.load()
            for case in filter(named(*NAMES), named_cases()):
                written += adapter.save_for_later_releases(case, folder)
    return written


if __name__ == "__main__":
    print("\n".join(map(str, write())))
