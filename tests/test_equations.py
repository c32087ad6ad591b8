"""The cell's equations, by hand, in each framework's own layout; and what they are not.

The hand-written steps take a framework's own weights, as it stores them, and go through its gates
in its order. They share no code with the oracle but the sigmoid.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fixtures.cases import every, named, one_layer, some
from fixtures.cells.lstm import GATES
from fixtures.checks.compare import assert_different, assert_same_bits, assert_ways_agree
from fixtures.claims import KERAS, TF1, TORCH, claim
from fixtures.model.experiment import first_step
from fixtures.oracle import rounding
from fixtures.oracle.sites import sigmoid

ONE_STEP = some(
    lambda case: one_layer(case) and case.time == 1 and case.bias != "none",
    "one-step", "one-step-from-zero",
)  # fmt: skip


def concatenated(h, c):
    return np.concatenate([h, c], axis=-1)


@claim(
    kind="rounding",
    statement="BasicLSTMCell multiplies [x, h] by one kernel, takes the gates in the order i, j, "
    "f, o and adds 1.0 to f.",
    formula="c' = c * sigmoid(f + 1) + sigmoid(i) * tanh(j); h' = tanh(c') * sigmoid(o)",
    sources=["E1", "E2", "E3"],
    cases=ONE_STEP,
    about=TF1,
)
def test_tf1_gates_are_i_j_f_o(run, experiment, oracle):
    kernel, bias = run.native_weights.values()
    x, h, c = first_step(experiment)
    i, j, f, o = np.split(np.concatenate([x, h], axis=1) @ kernel + bias, 4, axis=1)
    c = c * sigmoid(f + 1) + sigmoid(i) * np.tanh(j)
    h = np.tanh(c) * sigmoid(o)
    steps = {"by hand": concatenated(h, c), "tf1": concatenated(run.h[0, 0], run.c[0, 0])}
    assert_ways_agree(steps, rounding.concatenated(oracle.h[0, 0], oracle.c[0, 0]))


@claim(
    kind="rounding",
    statement="Keras takes the gates in the order i, f, c, o from x @ kernel + h @ recurrent "
    "kernel + bias.",
    formula="c' = sigmoid(f) * c + sigmoid(i) * tanh(c~); h' = sigmoid(o) * tanh(c')",
    sources=["C2", "C5"],
    cases=ONE_STEP,
    about=KERAS,
)
def test_keras_gates_are_i_f_c_o(run, experiment, oracle):
    kernel, recurrent_kernel, bias = run.native_weights.values()
    x, h, c = first_step(experiment)
    i, f, candidate, o = np.split(x @ kernel + h @ recurrent_kernel + bias, 4, axis=1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(candidate)
    h = sigmoid(o) * np.tanh(c)
    steps = {"by hand": concatenated(h, c), "Keras": concatenated(run.h[0, 0], run.c[0, 0])}
    assert_ways_agree(steps, rounding.concatenated(oracle.h[0, 0], oracle.c[0, 0]))


@claim(
    kind="rounding",
    statement="torch.nn.LSTM has the gates i, f, g, o as rows, and sums its two biases.",
    formula="i, f, g, o = weight_ih @ x + bias_ih + weight_hh @ h + bias_hh",
    sources=["D10"],
    cases=ONE_STEP,
    about=TORCH,
)
def test_torch_gates_are_i_f_g_o(run, experiment, oracle):
    own = run.native_weights
    x, h, c = first_step(experiment)
    from_x = own["weight_ih_l0"] @ x.T + own["bias_ih_l0"][:, None]
    from_h = own["weight_hh_l0"] @ h.T + own["bias_hh_l0"][:, None]
    i, f, g, o = np.split((from_x + from_h).T, 4, axis=1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    h = sigmoid(o) * np.tanh(c)
    steps = {"by hand": concatenated(h, c), "torch": concatenated(run.h[0, 0], run.c[0, 0])}
    assert_ways_agree(steps, rounding.concatenated(oracle.h[0, 0], oracle.c[0, 0]))


@claim(
    kind="different",
    statement="Any two gates exchanged make another LSTM.",
    formula="lstm(x; i, f, g, o) != lstm(x; two of them exchanged)",
    sources=["E2"],
    cases=named("smallest", "square"),
)
def test_gates_exchanged_make_another_lstm(adapter, experiment, run, oracle):
    exchanged = {}
    for first in range(4):
        for second in range(first + 1, 4):
            order = list(GATES)
            order[first], order[second] = order[second], order[first]
            weights = experiment.weights.map(
                lambda one, order=order: one.with_gates("".join(order))
            )
            exchanged["".join(order)] = adapter.run(replace(experiment, weights=weights)).output
    assert_different(exchanged, run.output, oracle.output)


@claim(
    kind="different",
    statement="A transposed recurrent kernel makes another LSTM, also where all sizes coincide.",
    formula="lstm(x; R) != lstm(x; R.T)",
    sources=["C2"],
    cases=named("smallest", "square", "two-layers", "square-bidirectional"),
)
def test_a_transposed_recurrent_kernel_makes_another_lstm(adapter, experiment, run, oracle):
    weights = experiment.weights.map(lambda one: one.with_transposed_recurrent_kernel())
    transposed = adapter.run(replace(experiment, weights=weights))
    assert_different(transposed.output, run.output, oracle.output)


@claim(
    kind="exact",
    statement="One step from the zero state never uses the recurrent kernel: a test of one step "
    "cannot see it.",
    formula="lstm(x; R) == lstm(x; R.T) at time 1 from zero",
    cases=some(
        lambda case: every(case) and case.time == 1 and case.initial == "default",
        "one-step-from-zero",
    ),
)
def test_one_step_from_zero_ignores_the_recurrent_kernel(adapter, experiment, run):
    weights = experiment.weights.map(lambda one: one.with_transposed_recurrent_kernel())
    transposed = adapter.run(replace(experiment, weights=weights))
    assert_same_bits(dict(transposed.tensors()), dict(run.tensors()))


@claim(
    kind="rounding",
    statement="The two biases are only ever seen as a sum: exchanged, or all on one side, they "
    "make the same LSTM.",
    formula="lstm(bias_ih, bias_hh) == lstm(bias_hh, bias_ih) == lstm(bias_ih + bias_hh, 0)",
    sources=["D10"],
    cases=some(
        lambda case: every(case) and case.bias != "none",
        "smallest",
        "one-step",
        "two-layers",
        "zero-bias",
        "bidirectional",
    ),
    about=TORCH,
)
def test_torch_biases_are_seen_as_a_sum(adapter, experiment, run, oracle):
    ways = {
        "exchanged": lambda one: replace(one, recurrent_bias=one.input_bias),
        "all on the input's side": lambda one: replace(one, recurrent_bias=np.zeros_like(one.bias)),
        "all on the recurrent side": lambda one: replace(one, recurrent_bias=one.bias),
    }
    outputs = {
        name: adapter.run(replace(experiment, weights=experiment.weights.map(change))).output
        for name, change in ways.items()
    }
    assert_ways_agree({"as loaded": run.output} | outputs, oracle.output)


@claim(
    kind="exact",
    statement="BasicLSTMCell stores its bias without the forget bias: 1.0 less than the LSTM has.",
    formula="stored bias + [0, 0, 1, 0] == bias in the order i, j, f, o",
    sources=["E3"],
    cases=some(one_layer, "smallest", "square"),
    about=TF1,
)
def test_tf1_forget_bias_is_stored_nowhere(run, experiment):
    _, stored = run.native_weights.values()
    i, j, f, o = np.split(stored, 4)
    bias = dict(zip(GATES, np.split(experiment.weights[0, 0].bias, 4), strict=True))
    assert_same_bits(
        {"i": i, "j": j, "f + 1": f + np.ones_like(f), "o": o},
        {"i": bias["i"], "j": bias["g"], "f + 1": bias["f"], "o": bias["o"]},
    )


@claim(
    kind="different",
    statement="The forget bias is added at run time: the same variables with forget_bias=0.0 are "
    "another LSTM.",
    formula="BasicLSTMCell(units) != BasicLSTMCell(units, forget_bias=0.0)",
    sources=["B2", "E3"],
    cases=named("smallest", "square"),
    about=TF1,
    recipe="without_forget_bias",
)
def test_tf1_forget_bias_is_added_at_run_time(run, recipe, oracle):
    assert_different(recipe("without_forget_bias").output, run.output, oracle.output)


@claim(
    kind="exact",
    statement="A fresh BasicLSTMCell's bias is zeros, all four gates of it.",
    formula="bias == zeros([4 * units])",
    sources=["E1", "E3"],
    cases=named("smallest"),
    about=TF1,
    recipe="fresh",
)
def test_tf1_bias_starts_as_zeros(recipe, experiment):
    _, bias = recipe("fresh").native_weights.values()
    assert_same_bits(bias, np.zeros(4 * experiment.units[0], experiment.dtype))


@claim(
    kind="exact",
    statement="A fresh layer's bias is zeros, and ones for the forget gate: in Keras the forget "
    "bias is in the bias.",
    formula="bias == [0, 1, 0, 0] in the order i, f, c, o",
    sources=["E3"],
    cases=named("smallest"),
    about=KERAS,
    recipe="fresh",
)
def test_keras_forget_bias_is_in_the_bias(recipe, experiment):
    ones = np.repeat(np.array([0, 1, 0, 0], experiment.dtype), experiment.units[0])
    assert_same_bits(recipe("fresh").native_weights["bias"], ones)
