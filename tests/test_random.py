"""Every exact and rounding claim, on cases drawn at random: `pytest --fuzz 30` draws for longer."""

from __future__ import annotations

import pytest

from fixtures.plugin.fuzzing import PARTS


@pytest.mark.parametrize("part", range(PARTS))
def test_claims_hold_on_random_cases(part, put_claims_to_random_cases):
    put_claims_to_random_cases(part)
