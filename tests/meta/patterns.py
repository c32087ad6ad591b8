"""How each mutant fails, as data for diagnoses: `python -m tests.meta.patterns` writes it.

What `pytest tests/meta/test_mutants.py --kill-matrix` tried last, of all mutants or of some, takes
the place of what was known of them; mutants that are no more are left out.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Iterable, Mapping
from typing import Any

from fixtures.claims import all_claims
from fixtures.files import write_whole
from fixtures.records.patterns import FILE, Failure, Pattern, patterns, text_of
from tests.meta.kill_matrix import REPORT
from tests.meta.mutants import Mutant, mutants

TRIED = REPORT / "tries.json"
"""What was tried since the data was written."""

DIGITS = 4


def hash_of(mutant: Mutant) -> str:
    """Of what is said of the mutant, and the source of the function that makes it."""
    make = getattr(mutant.make, "func", mutant.make)
    try:
        source = inspect.getsource(make)
    except (OSError, TypeError):
        source = ""
    said = (mutant.name, mutant.adapter, mutant.family, mutant.caught_by, mutant.cases, source)
    return hashlib.sha256(repr(said).encode()).hexdigest()[:8]


def tried(by_mutant: Mapping[str, Iterable[Any]]) -> None:
    """Keeps what was tried until the data is written."""
    kept = since_written()
    hashes = {one.name: hash_of(one) for one in mutants()}
    kept |= {
        name: {"hash": hashes[name], "tries": list(tries)} for name, tries in by_mutant.items()
    }
    TRIED.parent.mkdir(exist_ok=True)
    write_whole(TRIED, json.dumps(kept) + "\n")


def since_written() -> dict[str, Any]:
    """By mutant, what was tried since the data was written."""
    found: dict[str, Any] = {}
    if TRIED.is_file():
        found = json.loads(TRIED.read_text(encoding="utf-8"))
    return found


def current(known: Iterable[Pattern], tries: Mapping[str, Any]) -> list[Pattern]:
    """A pattern for each mutant of today of which one is known."""
    found = {one.mutant: one for one in known}
    for mutant in mutants():
        entry = tries.get(mutant.name)
        if entry and entry["hash"] == hash_of(mutant):
            found[mutant.name] = Pattern(
                mutant=mutant.name,
                adapter=mutant.adapter,
                fault=mutant.family,
                hash=entry["hash"],
                tries={
                    (claim, case, dtype): None if failure is None else _rounded(failure)
                    for claim, case, dtype, failure in entry["tries"]
                },
            )
    return [found[one.name] for one in mutants() if one.name in found]


def _rounded(failure: Mapping[str, Any]) -> Failure:
    numbers = {
        name: None if failure[name] is None else float(f"{failure[name]:.{DIGITS}g}")
        for name in ("worst", "rms")
    }
    return Failure(tuple(failure["wrong"]), **numbers, raised=failure["raised"])


def text() -> str:
    known = patterns() if FILE.is_file() else []
    hashes = {name: one.source_hash for name, one in all_claims().items()}
    return text_of(current(known, since_written()), hashes)


if __name__ == "__main__":
    write_whole(FILE, text())
