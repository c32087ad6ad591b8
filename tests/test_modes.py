"""Ways of running a layer: compiled, exported, saved and loaded.

Each was in effect, and its numbers are the layer's own. That values are the oracle's, states where
they belong and shapes right, is said by the claims of other files, which are checked in every mode.
"""

from __future__ import annotations

from fixtures.checks.compare import assert_same_bits, assert_structure
from fixtures.claims import IN_A_MODE, SAME_BITS, claim


@claim(
    kind="structure",
    statement="A layer that is to be compiled, exported or read from a file is run in that way: "
    "it is not called as it is in silence.",
    formula="what the run saw of its mode == what the mode says",
    about=IN_A_MODE,
)
def test_a_mode_was_in_effect(run, mode):
    assert_structure(dict(run.seen), dict(mode.in_effect))


@claim(
    kind="exact",
    statement="In ways of running that only carry a layer over, the numbers are those of the layer "
    "as it is, to the bit.",
    formula="run in the mode == run outside of it",
    about=SAME_BITS,
)
def test_a_mode_that_carries_over_moves_no_bit(run, called_as_it_is):
    assert_same_bits(dict(run.tensors()), dict(called_as_it_is.tensors()))
