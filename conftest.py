"""Wires the suite into pytest; what it wires stands in fixtures/."""

from __future__ import annotations

from pathlib import Path

import pytest

import fixtures

if Path(__file__).resolve().parent not in Path(fixtures.__file__ or "").resolve().parents:
    raise pytest.UsageError(
        f"another package called fixtures was imported from {fixtures.__file__}; "
        f"run pytest without the plugin that imports it"
    )

pytest_plugins = [
    "fixtures.plugin.selection",
    "fixtures.plugin.scheduling",
    "fixtures.plugin.fuzzing",
    "fixtures.plugin.sharding",
    "fixtures.plugin.reporting",
    "fixtures.plugin.progress",
    "fixtures.plugin.condensing",
    "fixtures.plugin.ci",
]
