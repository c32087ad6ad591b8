"""Small run records, made by hand."""

from __future__ import annotations

import copy

from fixtures.checks.check import Measurement
from fixtures.records.record import SCHEMA, CheckRecord

SMALLEST = {
    "about": "all sizes different", "batch": 2, "time": 5, "features": 4, "units": [3],
    "directions": 1, "scale": 1.0,
}  # fmt: skip

EARLIER = '{"schema": 2, "an": "earlier record"}'
"""Such as may be in the place of a new one."""


def a_check(claim="it-holds", adapter="numpy", case="smallest", **changed):
    kind = changed.get("kind", "rounding")
    measurement = {
        "kind": kind, "worst": 1.5, "bound": 5.0, "rms": 0.4, "rms_bound": 0.9, "spread": 1e-8,
        "informative": 1.0, "elements": 70, "output": "0123456789abcdef",
    }  # fmt: skip
    return {
        "nodeid": f"tests/test_x.py::test_{claim}[{adapter}-{case}-float32]", "line": 7,
        "claim": claim, "kind": kind, "family": "x", "claim_hash": "c1", "case_hash": "d1",
        "adapter": adapter, "case": case, "dtype": "float32", "outcome": "proven", "reason": "",
        "seconds": 0.01, "measurement": measurement,
    } | changed  # fmt: skip


def measured(**changed):
    return a_check()["measurement"] | changed


def a_record(*checks, **changed):
    checks = list(checks) or [a_check()]
    return {
        "schema": SCHEMA, "complete": True, "started": "2026-11-21T00:00:00Z", "seconds": 1.0,
        "seed": 0, "options": [], "outputs": None, "not_kept": 0, "selected": len(checks),
        "deselected": 0, "uncollected": 0, "asked_for": None,
        "environment": {"python": "3.11.7"},
        "adapters": {
            "numpy": {"versions": {"numpy": "2.4.6"}, "cannot_run": None,
                      "flags": {"threads": "2"}, "surface": {"numpy.layer": "(x, units=4)"}},
        },
        "warnings": {}, "cases": {"smallest": dict(SMALLEST)}, "random": {}, "checks": checks,
    } | changed  # fmt: skip


def checked(claim="it-holds", adapter="numpy", case="smallest", **changed):
    """A check as a record holds it; `measured` is what it measured, by name."""
    measured = changed.pop("measured", None)
    one = a_check(claim, adapter, case, **changed)
    kept = None if measured is None else Measurement(**{"kind": one["kind"]} | measured)
    return CheckRecord(**one | {"measurement": kept})


FAILED = {"outcome": "failed", "reason": "Disagreement", "measurement": measured(worst=400.0)}
LEFT_OUT = {"outcome": "not applicable", "reason": "it cannot", "measurement": None}
MOVED = {"measurement": measured(worst=2.5, output="another")}


def everywhere(value):
    """The path to every value in nested tables and lists, from the outermost in."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for name, inner in pairs:
        yield (name,)
        if isinstance(inner, (dict, list)):
            yield from ((name, *rest) for rest in everywhere(inner))


def changed_at(record, path, change):
    record = copy.deepcopy(record)
    inner = record
    for name in path[:-1]:
        inner = inner[name]
    change(inner, path[-1])
    return record
