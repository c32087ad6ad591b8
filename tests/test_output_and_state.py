"""Where the output and the final state are one number read from two places."""

from __future__ import annotations

from fixtures.cases import one_direction
from fixtures.compare import assert_same_bits
from fixtures.evidence.claims import claim


@claim(
    kind="exact",
    statement="The output's last step is the final hidden state; in a stack it is the top layer's.",
    formula="output[:, -1] == h[-1]",
    sources=["A6", "B4", "B5", "C6", "D3", "D4", "E5"],
    cases=one_direction,
)
def test_output_last_step_is_h(run):
    assert_same_bits(run.output[:, -1], run.h[-1, 0])
