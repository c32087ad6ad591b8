"""Tries every claim on a mutant: the rows of the kill matrix (mutant by claim); and writes it."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal

from fixtures import ROOT
from fixtures.adapters import core, every_adapter, in_a_mode
from fixtures.cases import Case, named_cases, other_cells, recorded
from fixtures.checks.check import check_of
from fixtures.checks.compare import Disagreement
from fixtures.checks.context import CheckContext, run_check
from fixtures.checks.run_cache import RunCache
from fixtures.claims import (
    IN_MODES,
    Claim,
    all_claims,
    cases_of,
    checked_in_every_mode,
    not_applicable,
    not_applicable_on,
    not_checked_here,
    test_of,
)
from fixtures.claims.known import KnownFailure, known_failures, matching
from fixtures.files import write_whole
from fixtures.records.patterns import Failure, Key, failure_of
from tests.meta.mutants import Mutant, mutants

SAMPLE = (
    "smallest", "one-step", "two-layers", "two-widths", "bidirectional", "bidirectional-two-layers",
)  # fmt: skip
"""The claims that must catch a mutant are tried on these, in both precisions, and before them on
the mutant's own cases, until one does."""

REST = ("bidirectional", "smallest")
"""For the whole matrix the other claims that look at the one run that all share are tried, too: on
the first of these that they take, in float32; where the mutant's cases are all of another cell, on
the first of those. What runs the framework once more is tried on the mutants that name it; what is
known to fail without a mutant, too, says nothing. In a mode that a mutant is about, claims are
tried on its own cases, or IN_MODES, in float32 where there is a choice: to build a layer in
a mode takes time."""

SLOW = ("tf1-basic-lstm-cell-needs-keras-2",)
"""What starts a process of its own."""

PROPERTY = "kill-matrix"
REPORT = ROOT / "report"

Fate = Literal["caught", "error", "holds"]
Row = dict[str, Fate]
Tries = dict[Key, Failure | None]
"""How each check that was tried fails; None if it holds."""
RUN_CACHE = RunCache(0, recorded.experiment_of)


def row(mutant: Mutant, everything: bool = False, others: bool = True) -> Row:
    """What becomes of each claim while the mutant's patch is in place.

    `caught` if its assertion fails on a case, `error` if nothing but errors stopped it. With
    `everything` no claim is left out, and each is tried on all of REST that it takes; without
    `others` only those that must catch the mutant are tried.
    """
    return row_of(tries(mutant, everything, others))


def row_of(tried: Tries) -> Row:
    found: Row = {}
    for (one, _, _), failure in tried.items():
        fate: Fate = "holds" if failure is None else "error" if failure.raised else "caught"
        found[one] = max(found.get(one, "holds"), fate, key=("holds", "error", "caught").index)
    return found


def tries(mutant: Mutant, everything: bool = False, others: bool = True) -> Tries:
    """The checks that are tried while the mutant's patch is in place: the claim's until one fails,
    and where the run is there anyway, those that are tried on other mutants."""
    forget(mutant)
    found: Tries = {}
    try:
        for one in all_claims().values():
            if not others and one.id not in mutant.caught_by:
                continue
            caught = False
            for case, dtype in _checks(one, mutant, everything):
                there = one.shares_the_run and case.name in REST and dtype == "float32"
                if not caught or (others and there):
                    failure = _tried(one, mutant.adapter, case, dtype)
                    caught = caught or not (failure is None or failure.raised)
                    found[one.id, case.name, dtype] = failure
    finally:
        forget(mutant)
    return found


def forget(mutant: Mutant) -> None:
    """What was run and, where a framework compiles, what was compiled before it was changed."""
    RUN_CACHE.forget_runs()
    every_adapter()[mutant.adapter].forget()


def not_on_this_machine(claim: str, mutant: Mutant) -> str | None:
    """What this machine has not, or has, for which the claim is not checked here."""
    return every_adapter()[mutant.adapter].lacks_here(all_claims()[claim].recipe)


def first_of_each_claim(every: Iterable[Mutant]) -> list[Mutant]:
    """Of the mutants that can be tried here the first that each claim must catch."""
    caught: set[str] = set()
    chosen = []
    for mutant in every:
        if every_adapter()[mutant.adapter].cannot_run() is None:
            here = {one for one in mutant.caught_by if not not_on_this_machine(one, mutant)}
            if here - caught:
                chosen.append(mutant)
            caught |= here
    return chosen


def _checks(one: Claim, mutant: Mutant, everything: bool) -> Iterator[tuple[Case, str]]:
    applicable = worth_trying(one, mutant.adapter)

    def among(names: tuple[str, ...]) -> list[tuple[Case, str]]:
        return [pair for pair in applicable if pair[0].name in names]

    if in_a_mode(mutant.adapter):
        pairs = among(mutant.cases or IN_MODES)
        pairs = [pair for pair in pairs if pair[1] == "float32"] or pairs
        named = one.id in mutant.caught_by
        yield from [
            pair for pair in pairs if named or checked_in_every_mode(one, mutant.adapter, *pair)
        ][: len(pairs) if named else 1]
    elif one.id in mutant.caught_by:
        own = among(mutant.cases)
        sample = [pair for pair in among(SAMPLE) if pair not in own]
        yield from [*own, *sample] or applicable[:2]
    elif one.shares_the_run or (everything and _may_be_tried_anywhere(one, mutant)):
        names = mutant.cases if about_other_cells(mutant) else REST
        others = [pair for name in names for pair in among((name,)) if pair[1] == "float32"]
        others = [pair for pair in others if known_failure(one, mutant.adapter, *pair) is None]
        yield from others if everything else others[:1]


@functools.cache
def worth_trying(one: Claim, adapter: str) -> list[tuple[Case, str]]:
    """What the claim is checked on, which is the same for hundreds of mutants: where it holds, or
    else where what it asks for raises, which a mutant may mend. Where its own assertion fails
    anyway a mutant shows nothing."""
    known = {pair: known_failure(one, adapter, *pair) for pair in _checked(one, adapter)}
    holding = [pair for pair, failure in known.items() if failure is None]
    return holding or [pair for pair, failure in known.items() if failure and failure.exception]


def _checked(one: Claim, adapter: str) -> list[tuple[Case, str]]:
    return [] if not_checked_here(one, adapter) else _applicable(one, adapter)


def _applicable(one: Claim, adapter: str) -> list[tuple[Case, str]]:
    """What the claim is checked on by a machine that has what it takes."""
    if not_applicable(one, adapter):
        return []
    return [
        (case, dtype)
        for case, dtype in cases_of(one)
        if not not_applicable_on(one, adapter, case, dtype)
    ]


@functools.cache
def fails_anyway(claim: str) -> bool:
    """Whether the claim's own assertion fails on every framework that is here: it has been seen to
    fail, and no mutant could show more."""
    one = all_claims()[claim]
    found = [
        known_failure(one, name, *pair)
        for name, adapter in core().items()
        if adapter.cannot_run() is None
        for pair in _applicable(one, name)
    ]
    return bool(found) and all(failure and not failure.exception for failure in found)


def _may_be_tried_anywhere(one: Claim, mutant: Mutant) -> bool:
    """Other cells are replaced for what looks at the shared run, and do not have it all."""
    return one.id not in SLOW and not about_other_cells(mutant)


def known_failure(one: Claim, adapter: str, case: Case, dtype: str) -> KnownFailure | None:
    """As what the claim fails there without a mutant, too; None if it holds."""
    return matching(_known(), every_adapter()[adapter], one.id, case.name, dtype)


_known = functools.cache(known_failures)


@functools.cache
def about_other_cells(mutant: Mutant) -> bool:
    """Whether the LSTM without variants is not touched by it, as far as its cases say."""
    own = [case for case in named_cases() if case.name in mutant.cases]
    return bool(own) and all(other_cells(case) for case in own)


def _tried(one: Claim, adapter: str, case: Case, dtype: str) -> Failure | None:
    check = check_of(one, every_adapter()[adapter], case, dtype, RUN_CACHE.seed)
    try:
        run_check(test_of(one), CheckContext(check, RUN_CACHE))
    except Disagreement as error:
        return failure_of(str(error), check.measurements[-1] if check.measurements else None)
    except Exception as error:  # whatever a broken framework raises
        return Failure(raised=type(error).__name__)
    return None


def report(rows: Mapping[str, Row], folder: Path | None = REPORT) -> str:
    """Says in one line what is in the matrix, and writes it into `folder`, if there is one and no
    mutant is missing."""
    missing = [mutant for mutant in mutants() if mutant.name not in rows]
    if missing:
        return (
            f"kill matrix: not written, as {len(missing)} of {len(mutants())} mutants were not "
            f"tried, {missing[0].name} among them"
        )
    survivors = [name for name in rows if "caught" not in rows[name].values()]
    idle = [one for one in all_claims() if not _catches(one, rows) and not fails_anyway(one)]
    summary = (
        f"{len(rows)} mutants, {len(survivors)} survivors, {len(all_claims())} claims, "
        f"{len(idle)} idle"
    )
    if folder is None:
        return f"kill matrix: {summary}"
    folder.mkdir(exist_ok=True)
    path = folder / "kill-matrix.json"
    matrix = {
        mutant.name: {
            "adapter": mutant.adapter,
            "family": mutant.family,
            "must be caught by": mutant.caught_by,
            "fates": {one: rows[mutant.name].get(one, "not tried") for one in all_claims()},
        }
        for mutant in mutants()
    }
    whole = {"survivors": survivors, "idle claims": idle, "mutants": matrix}
    write_whole(path, json.dumps(whole, indent=1) + "\n")
    write_whole(folder / "kill-matrix.md", "\n".join(_page(rows, summary)) + "\n")
    where = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    return f"kill matrix: {summary} -> {where.as_posix()}"


def _catches(claim: str, rows: Mapping[str, Row]) -> list[str]:
    return [name for name, fates in rows.items() if fates.get(claim) == "caught"]


def _page(rows: Mapping[str, Row], summary: str) -> Iterator[str]:
    """The matrix to be read: by mutant, and by claim."""
    yield from ("# Kill matrix", "", f"{summary}.", "")
    yield "A claim catches a mutant when its assertion fails on it. Errors do not count."
    yield from ("", "## Mutants", "")
    yield "| mutant | fault | caught by those that must | and by | stopped by an error | holds |"
    yield "|---|---|---|---|---|---|"
    for mutant in mutants():
        fates = rows[mutant.name]
        by = {fate: [one for one in fates if fates[one] == fate] for fate in ("caught", "error")}
        others = [one for one in by["caught"] if one not in mutant.caught_by]
        must = [f"{one}{'' if one in by['caught'] else ' (DID NOT)'}" for one in mutant.caught_by]
        holds = sum(fate == "holds" for fate in fates.values())
        cells = (mutant.name, mutant.family, *map(", ".join, (must, others, by["error"])), holds)
        yield "| " + " | ".join(map(str, cells)) + " |"
    yield from ("", "## Claims", "", "| claim | catches | alone it catches |", "|---|---|---|")
    for one in all_claims():
        caught = _catches(one, rows)
        alone = [name for name in caught if list(rows[name].values()).count("caught") == 1]
        yield f"| {one} | {len(caught)} | {', '.join(alone)} |"
