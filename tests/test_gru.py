"""GRUs: two kinds that are called the same, whose gates and biases every framework puts elsewhere.

The hand-written steps take a framework's own weights, as it stores them, and share no code with the
oracle but the sigmoid.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fixtures.cases import kinds, named, of_cell, some
from fixtures.cells import GRU
from fixtures.checks.compare import assert_different, assert_structure, assert_ways_agree
from fixtures.claims import TORCH, claim
from fixtures.oracle.rounding import oracle_of
from fixtures.oracle.sites import sigmoid

FEW = named(
    "gru-smallest", "gru-two-layers", "gru-reset-before-smallest", "gru-reset-before-two-layers"
)
RESET_AFTER = some(
    kinds.all_of(of_cell(GRU()), kinds.with_bias), "gru-smallest", "gru-one-step", "gru-two-layers"
)


@claim(
    kind="rounding",
    statement="torch.nn.GRU has the gates r, z, n as rows; r multiplies the candidate's recurrent "
    "sum, its bias included, and z keeps the old h.",
    formula="n = tanh(W_in x + b_in + r * (W_hn h + b_hn)); h' = (1 - z) * n + z * h",
    sources=["A7"],
    cases=lambda case: of_cell(GRU())(case) and case.time == 1 and case.bias != "none",
    about=TORCH,
)
def test_torch_gru_gates_are_r_z_n(run, experiment, oracle):
    own, x, h = run.native_weights, experiment.inputs[:, 0], experiment.start.h[0, 0]
    from_x = (own["weight_ih_l0"] @ x.T + own["bias_ih_l0"][:, None]).T
    from_h = (own["weight_hh_l0"] @ h.T + own["bias_hh_l0"][:, None]).T
    (x_r, x_z, x_n), (h_r, h_z, h_n) = (np.split(sums, 3, axis=1) for sums in (from_x, from_h))
    r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
    n = np.tanh(x_n + r * h_n)
    by_hand = (1 - z) * n + z * h
    assert_ways_agree({"by hand": by_hand, "torch": run.h[0, 0]}, oracle.h[0, 0])


@claim(
    kind="structure",
    statement="A GRU has no cell state: torch.nn.GRU returns h_n alone, in the rows of an LSTM's.",
    formula="output, h_n = gru(x); h_n.shape == [layers * directions, batch, units]",
    sources=["A7", "D3"],
    cases=of_cell(GRU()),
    about=TORCH,
    dtypes=("float32",),
)
def test_torch_gru_returns_h_n_alone(run, case):
    _, h_n = run.native
    rows = case.layers * case.directions
    assert_structure(getattr(h_n, "shape", type(h_n)), (rows, case.batch, case.units[0]))


@claim(
    kind="different",
    statement="A GRU's two biases are not seen as a sum, as an LSTM's are: exchanged they make "
    "another GRU, because r multiplies the candidate's recurrent bias and no other.",
    formula="gru(bias_ih, bias_hh) != gru(bias_hh, bias_ih)",
    cases=RESET_AFTER,
)
def test_gru_biases_are_not_seen_as_a_sum(adapter, experiment, run, oracle):
    other = adapter.run(experiment.with_weights(lambda one: one.with_biases_exchanged()))
    assert_different(other.output, run.output, oracle.output)


@claim(
    kind="rounding",
    statement="Of the gates z and r the two biases are seen as a sum: what is moved from one to "
    "the other there changes nothing.",
    formula="gru(b_ih + d, b_hh - d) == gru(b_ih, b_hh) where d is zero for n",
    cases=RESET_AFTER,
)
def test_gru_biases_of_z_and_r_are_seen_as_a_sum(adapter, experiment, run, oracle):
    def moved(one):
        d = one.recurrent_bias.copy()
        d[2 * one.units :] = 0
        return replace(one, bias=one.bias + d, recurrent_bias=one.recurrent_bias - d)

    other = adapter.run(experiment.with_weights(moved))
    assert_ways_agree({"as loaded": run.output, "moved": other.output}, oracle.output)


@claim(
    kind="different",
    statement="Reset after and reset before are two GRUs: from the same kernels and the same sum "
    "of biases they compute different numbers.",
    formula="gru(reset_after=True) != gru(reset_after=False)",
    sources=["A7"],
    cases=FEW,
)
def test_reset_after_and_reset_before_are_two_grus(run, experiment):
    def other_kind(one):
        if one.cell.reset_after:
            return replace(
                one,
                cell=GRU(reset_after=False),
                bias=one.bias + one.recurrent_bias,
                recurrent_bias=np.zeros_like(one.bias),
            )
        return replace(
            one, cell=GRU(), bias=one.bias - one.recurrent_bias, recurrent_bias=one.recurrent_bias
        )

    expected = oracle_of(experiment.with_weights(other_kind)).output
    assert_different(run.output, expected.value.astype(run.output.dtype), expected)


@claim(
    kind="different",
    statement="Any two gates of a GRU exchanged make another GRU: kernels taken over in another "
    "framework's order (torch r, z, n; Keras z, r, h) run, and compute something else.",
    formula="gru(z, r, n) != gru(two of them exchanged)",
    cases=FEW,
    dtypes=("float32",),
)
def test_gru_gates_exchanged_make_another_gru(adapter, experiment, run, oracle):
    exchanged = {
        order: adapter.run(
            experiment.with_weights(lambda one, order=order: one.with_gates(order))
        ).output
        for order in ("rzn", "nrz", "znr")
    }
    assert_different(exchanged, run.output, oracle.output)


@claim(
    kind="different",
    statement="z keeps the old h: taken as Cho et al. 2014 have it, where 1 - z keeps it, it is "
    "another GRU.",
    formula="z * h + (1 - z) * n != (1 - z) * h + z * n",
    cases=FEW,
)
def test_gru_update_gate_keeps_the_old_h(adapter, experiment, run, oracle):
    def turned_round(one):
        """sigmoid(-x) = 1 - sigmoid(x)."""
        signs = np.repeat(np.array([-1, 1, 1], one.kernel.dtype), one.units)
        return one.map(lambda array: array * signs)

    other = adapter.run(experiment.with_weights(turned_round))
    assert_different(other.output, run.output, oracle.output)


@claim(
    kind="different",
    statement="A transposed recurrent kernel makes another GRU, also where all sizes coincide.",
    formula="gru(x; R) != gru(x; R.T)",
    cases=named("gru-smallest", "gru-square", "gru-reset-before-square", "gru-two-layers"),
)
def test_a_transposed_recurrent_kernel_makes_another_gru(adapter, experiment, run, oracle):
    other = adapter.run(experiment.with_weights(lambda one: one.with_transposed_recurrent_kernel()))
    assert_different(other.output, run.output, oracle.output)
