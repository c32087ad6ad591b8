"""The state an LSTM starts from."""

from __future__ import annotations

from dataclasses import replace

from fixtures.cases import every, named, some
from fixtures.checks.compare import assert_different, assert_same_bits
from fixtures.claims import claim
from fixtures.model.perlayer import State

DEFAULT = some(
    lambda case: every(case) and case.initial == "default",
    "smallest-from-zero", "one-step-from-zero", "two-layers-from-zero", "two-widths-from-zero",
    "bidirectional-three-layers-from-zero", "integer-example",
)  # fmt: skip
GIVEN = named("smallest", "one-step", "two-layers", "bidirectional-two-layers", "square")


@claim(
    kind="exact",
    statement="The default initial state is zeros: leaving it out is handing zeros over.",
    formula="lstm(x) == lstm(x, zeros)",
    sources=["A8", "D2"],
    cases=DEFAULT,
)
def test_default_initial_state_is_zeros(adapter, experiment, run):
    explicit = adapter.run(replace(experiment, initial=experiment.zero_state()))
    assert_same_bits(dict(explicit.tensors()), dict(run.tensors()))


@claim(
    kind="different",
    statement="An initial state that is given is used.",
    formula="lstm(x, (h0, c0)) != lstm(x)",
    sources=["D2"],
    cases=GIVEN,
)
def test_a_given_initial_state_is_used(adapter, experiment, run, oracle):
    default = adapter.run(replace(experiment, initial=None))
    assert_different(default.output, run.output, oracle.output)


@claim(
    kind="different",
    statement="h0 and c0 cannot take each other's place.",
    formula="lstm(x, (h0, c0)) != lstm(x, (c0, h0))",
    sources=["A4", "D2", "E4"],
    cases=GIVEN,
)
def test_h0_and_c0_do_not_take_each_others_place(adapter, experiment, run, oracle):
    exchanged = State(h=experiment.initial.c, c=experiment.initial.h)
    other = adapter.run(replace(experiment, initial=exchanged))
    assert_different(other.output, run.output, oracle.output)
