"""Saves the models of `fixtures/cases/earlier.py` with the releases that are installed.

`python -m tests.meta.earlier_files`, in an environment with the release whose files are to be kept.
"""

from __future__ import annotations

from pathlib import Path

from fixtures.adapters import core
from fixtures.cases import named_cases
from fixtures.cases.earlier import FOLDER, NAMES


def write(folder: Path = FOLDER) -> list[Path]:
    """The files that were written into the folder."""
    written: list[Path] = []
    for adapter in core().values():
        if hasattr(adapter, "save_for_later_releases") and adapter.cannot_run() is None:
            adapter.load()
            for case in named_cases():
                if case.name in NAMES:
                    written += adapter.save_for_later_releases(case, folder)
    return written


if __name__ == "__main__":
    print("\n".join(map(str, write())))
