"""What the mutants prove, as data for CLAIMS.md: `python -m tests.meta.strength` writes it."""

from __future__ import annotations

import json
from typing import Any

from fixtures.adapters import adapters
from fixtures.files import write_whole
from fixtures.pages.strength import FILE
from tests.meta.mutants import Mutant, mutants


def told() -> dict[str, Any]:
    """A row for each family of faults: in how many adapters' places, and the claims that must
    catch it."""
    families = dict.fromkeys(one.family for one in mutants())
    names = [name for name in adapters() if any(outside(one) == name for one in mutants())]
    rows = []
    for family in families:
        kin = [one for one in mutants() if one.family == family]
        rows.append(
            {
                "fault": family,
                "places": {name: sum(outside(one) == name for one in kin) for name in names},
                "caught_by": list(dict.fromkeys(claim for one in kin for claim in one.caught_by)),
            }
        )
    return {"mutants": len(mutants()), "families": rows}


def outside(mutant: Mutant) -> str:
    """The adapter of a mutant, without the mode that it may be about."""
    return mutant.adapter.partition(":")[0]


def text() -> str:
    return json.dumps(told(), indent=1) + "\n"


if __name__ == "__main__":
    write_whole(FILE, text())
