"""What the mutants prove, as data for CLAIMS.md: `python -m tests.meta.strength` writes it."""

from __future__ import annotations

import json
from typing import Any

from fixtures.adapters import adapters, outside
from fixtures.files import write_whole
from fixtures.pages.strength import FILE
from tests.meta.mutants import mutants


def told() -> dict[str, Any]:
    """A row for each family of faults: in how many adapters' places, and the claims that must
    catch it."""
    families = dict.fromkeys(one.family for one in mutants())
    names = [name for name in adapters() if any(outside(one.adapter) == name for one in mutants())]
    rows = []
    for family in families:
        kin = [one for one in mutants() if one.family == family]
        places = [outside(one.adapter) for one in kin]
        rows.append(
            {
                "fault": family,
                "places": {name: places.count(name) for name in names},
                "caught_by": list(dict.fromkeys(claim for one in kin for claim in one.caught_by)),
            }
        )
    return {"mutants": len(mutants()), "families": rows}


def text() -> str:
    return json.dumps(told(), indent=1) + "\n"


if __name__ == "__main__":
    write_whole(FILE, text())
