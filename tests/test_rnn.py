"""The simple recurrent network: torch.nn.RNN, Keras's SimpleRNN and TensorFlow 1's BasicRNNCell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fixtures.cases import kinds, named, of_cell, some
from fixtures.cells import RNN
from fixtures.checks.compare import assert_different, assert_ways_agree
from fixtures.claims import TORCH, claim
from fixtures.oracle.rounding import oracle_of

RNNS = of_cell(RNN(), RNN("relu"))
FEW = named("rnn-smallest", "rnn-two-layers", "rnn-relu-smallest", "rnn-relu-two-layers")


@claim(
    kind="rounding",
    statement="torch.nn.RNN is one row of units, and sums its two biases.",
    formula="h' = tanh(weight_ih @ x + bias_ih + weight_hh @ h + bias_hh)",
    sources=["A7"],
    cases=lambda case: of_cell(RNN())(case) and case.time == 1 and case.bias != "none",
    about=TORCH,
)
def test_torch_rnn_is_one_row_of_units(run, experiment, oracle):
    own, x, h = run.native_weights, experiment.inputs[:, 0], experiment.start.h[0, 0]
    from_x = own["weight_ih_l0"] @ x.T + own["bias_ih_l0"][:, None]
    from_h = own["weight_hh_l0"] @ h.T + own["bias_hh_l0"][:, None]
    assert_ways_agree(
        {"by hand": np.tanh((from_x + from_h).T), "torch": run.h[0, 0]}, oracle.h[0, 0]
    )


@claim(
    kind="rounding",
    statement="torch.nn.RNN's two biases are only ever seen as a sum, as the LSTM's are: exchanged "
    "they make the same RNN.",
    formula="rnn(bias_ih, bias_hh) == rnn(bias_hh, bias_ih)",
    cases=some(
        kinds.all_of(of_cell(RNN()), kinds.with_bias),
        "rnn-smallest",
        "rnn-two-layers",
        "rnn-relu-smallest",
        "rnn-relu-two-layers",
    ),
    about=TORCH,
)
def test_torch_rnn_biases_are_seen_as_a_sum(adapter, experiment, run, oracle):
    other = adapter.run(experiment.with_weights(lambda one: one.with_biases_exchanged()))
    assert_ways_agree({"as loaded": run.output, "exchanged": other.output}, oracle.output)


@claim(
    kind="different",
    statement="With relu in tanh's place it is another RNN: there is no upper bound on h.",
    formula="rnn(activation=relu) != rnn(activation=tanh)",
    cases=FEW,
)
def test_relu_and_tanh_make_two_rnns(run, experiment):
    def other(one):
        return replace(one, cell=RNN("relu" if one.cell == RNN() else "tanh"))

    expected = oracle_of(experiment.with_weights(other)).output
    assert_different(run.output, expected.value.astype(run.output.dtype), expected)


@claim(
    kind="different",
    statement="A transposed recurrent kernel makes another RNN, also where all sizes coincide.",
    formula="rnn(x; R) != rnn(x; R.T)",
    cases=named("rnn-smallest", "rnn-square", "rnn-two-layers", "rnn-relu-smallest"),
)
def test_a_transposed_recurrent_kernel_makes_another_rnn(adapter, experiment, run, oracle):
    other = adapter.run(experiment.with_weights(lambda one: one.with_transposed_recurrent_kernel()))
    assert_different(other.output, run.output, oracle.output)
