"""flax, equinox, haiku and JAX: where their gates, biases and states are, and what is theirs alone.

The hand-written steps take a framework's own weights, as it stores them, and go through its gates
in its order. They share no code with the oracle but the sigmoid.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fixtures.cases import named, named_cases, of_cell, one_layer, some
from fixtures.cells import GRU
from fixtures.cells.lstm import GATES
from fixtures.checks.compare import (
    assert_same_bits,
    assert_structure,
    assert_ways_agree,
    assert_within_rounding,
)
from fixtures.claims import JAX, About, claim
from fixtures.model.experiment import first_step
from fixtures.oracle import rounding
from fixtures.oracle.sites import sigmoid

FLAX = About(lambda one: one.interface in ("linen", "nnx"), "it is about flax's own interface")
NNX = About(lambda one: one.interface == "nnx", "it is about flax.nnx's own interface")
EQUINOX = About(lambda one: one.interface == "equinox", "it is about equinox's own interface")
HAIKU = About(lambda one: one.interface == "haiku", "it is about haiku's own interface")

ONE_STEP = some(
    lambda case: one_layer(case) and case.time == 1 and case.bias != "none",
    "one-step", "one-step-from-zero",
)  # fmt: skip
ONE_DTYPE = ("float32",)


def step(i, f, g, o, c):
    """The new h and c side by side, of the gates' sums."""
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return np.concatenate([sigmoid(o) * np.tanh(c), c], axis=-1)


def assert_is_the_step(by_hand, run, oracle):
    __tracebackhide__ = True
    own = np.concatenate([run.h[0, 0], run.c[0, 0]], axis=-1)
    expected = rounding.concatenated(oracle.h[0, 0], oracle.c[0, 0])
    assert_ways_agree({"by hand": by_hand, "its own": own}, expected)


# flax


@claim(
    kind="rounding",
    statement="flax's LSTMCell has a dense layer for each gate and side: `ii` and `hi` make i, "
    "`if` and `hf` f, `ig` and `hg` g, `io` and `ho` o.",
    formula="i, f, g, o = x @ i*.kernel + h @ h*.kernel + h*.bias",
    cases=ONE_STEP,
    about=FLAX,
)
def test_flax_gates_are_i_f_g_o(run, experiment, oracle):
    own, (x, h, c) = run.native_weights, first_step(experiment)
    inputs = {gate: own.get(f"i{gate}/kernel", own.get(f"i{gate}_/kernel")) for gate in GATES}
    sums = (x @ inputs[gate] + h @ own[f"h{gate}/kernel"] + own[f"h{gate}/bias"] for gate in GATES)
    assert_is_the_step(step(*sums, c), run, oracle)


@claim(
    kind="structure",
    statement="flax's LSTMCell has one bias for each gate, on the recurrent side; of those on the "
    "input's side there is none.",
    formula="names of weights with a bias == [hi, hf, hg, ho]",
    cases=named("smallest"),
    about=FLAX,
    dtypes=ONE_DTYPE,
)
def test_flax_has_one_bias_on_the_recurrent_side(adapter, experiment, case):
    shapes = adapter.fresh_shapes(experiment)
    biases = {name: shape for name, shape in shapes.items() if name.endswith("bias")}
    assert_structure(biases, {f"h{gate}/bias": case.units for gate in sorted(GATES)})


@claim(
    kind="exact",
    statement="The carry of flax's LSTM is (c, h): the second of the pair is the output's last "
    "step.",
    formula="carry, output = RNN(LSTMCell(units), return_carry=True)(x); carry[1] == output[:, -1]",
    cases=named("smallest", "two-layers"),
    about=FLAX,
)
def test_flax_carry_is_c_before_h(run):
    output, ends = run.native
    assert_same_bits(ends[-1][1], output[:, -1])


@claim(
    kind="rounding",
    statement="Where rows end early flax's output goes on: past a row's end it is what the layer "
    "makes of the padding.",
    formula="RNN(cell)(x, seq_lengths=lengths) == RNN(cell)(x)",
    cases=named("smallest", "rnn-smallest"),
    about=FLAX,
    recipe="lengths",
)
def test_flax_goes_on_past_a_rows_end(run, recipe, oracle):
    ways = {"without lengths": run.output, "with lengths": recipe("lengths").output}
    assert_ways_agree(ways, oracle.output)


@claim(
    kind="exact",
    statement="With `reverse` flax returns the outputs in the order in which they were computed, "
    "from the last step on; with `keep_order` it turns them round again.",
    formula="RNN(cell, reverse=True)(x)[:, ::-1] == RNN(cell, reverse=True, keep_order=True)(x); "
    "its first step is h",
    cases=named("smallest", "rnn-smallest"),
    about=FLAX,
)
def test_flax_reverse_keeps_no_order_unless_told(adapter, experiment):
    runs = adapter.reversed(experiment)
    turned, kept = runs[False], runs[True]
    assert_same_bits(
        {
            "output": turned.output[:, ::-1],
            "last": turned.output[:, -1],
            "first": kept.output[:, 0],
        },
        {"output": kept.output, "last": turned.h[0, 0], "first": kept.h[0, 0]},
    )


@claim(
    kind="rounding",
    statement="flax's OptimizedLSTMCell, of one product for all gates, is its LSTMCell.",
    formula="OptimizedLSTMCell(units)(x) == LSTMCell(units)(x)",
    cases=named("smallest", "two-layers"),
    about=FLAX,
    recipe="optimized",
)
def test_flax_optimized_cell_is_the_cell(recipe, oracle):
    assert_within_rounding(dict(recipe("optimized").tensors()), dict(oracle.tensors()))


@claim(
    kind="rounding",
    statement="flax.nnx's GRUCell has no bias on the recurrent side of the candidate: it is the "
    "GRU in which that bias is zero, whatever its docstring and flax.linen have there.",
    formula="GRUCell(x, h) == gru(x, h) where b_hn = 0",
    cases=named("smallest"),
    about=NNX,
)
def test_nnx_gru_has_no_bias_on_the_recurrent_side(adapter, check, run_cache):
    case = next(one for one in named_cases() if one.name == "gru-smallest")
    whole = run_cache.experiment(case, check.dtype)

    def without_the_last(one):
        rest = one.recurrent_bias.copy()
        rest[2 * one.units :] = 0
        return replace(one, recurrent_bias=rest)

    expected = rounding.oracle_of(whole.with_weights(without_the_last), run_cache.seed)
    assert_within_rounding(dict(adapter.gru(whole).tensors()), dict(expected.tensors()))


@claim(
    kind="rounding",
    statement="A layer of flax.nnx that is called on inputs alone under `nnx.jit`, as a model "
    "calls it, begins in zeros, in every call.",
    formula="nnx.jit(lambda layer, x: layer(x))(RNN(LSTMCell(features, units, rngs=rngs)), x)",
    cases=named("smallest-from-zero"),
    about=NNX,
    recipe="jitted_on_inputs_alone",
)
def test_nnx_layers_in_jit_begin_in_zeros(recipe, oracle):
    runs = recipe("jitted_on_inputs_alone")
    assert_ways_agree(
        {call: dict(run.tensors()) for call, run in runs.items()}, dict(oracle.tensors())
    )


# equinox


@claim(
    kind="rounding",
    statement="equinox's LSTMCell has torch's rows i, f, g, o, and one bias for both sides.",
    formula="i, f, g, o = weight_ih @ x + weight_hh @ h + bias",
    cases=ONE_STEP,
    about=EQUINOX,
)
def test_equinox_gates_are_i_f_g_o(run, experiment, oracle):
    own, (x, h, c) = run.native_weights, first_step(experiment)
    sums = (own["weight_ih"] @ x.T + own["weight_hh"] @ h.T + own["bias"][:, None]).T
    assert_is_the_step(step(*np.split(sums, 4, axis=1), c), run, oracle)


@claim(
    kind="rounding",
    statement="equinox's GRUCell has the rows r, z, n, one bias for all of them, and a second one, "
    "`bias_n`, that r multiplies.",
    formula="n = tanh(W_in x + b_n + r * (W_hn h + bias_n)); h' = n + z * (h - n)",
    cases=lambda case: of_cell(GRU())(case) and case.time == 1 and case.bias != "none",
    about=EQUINOX,
)
def test_equinox_gru_gates_are_r_z_n(run, experiment, oracle):
    own, (x, h) = run.native_weights, first_step(experiment)
    from_x = (own["weight_ih"] @ x.T + own["bias"][:, None]).T
    (x_r, x_z, x_n), (h_r, h_z, h_n) = (
        np.split(sums, 3, axis=1) for sums in (from_x, (own["weight_hh"] @ h.T).T)
    )
    r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
    n = np.tanh(x_n + r * (h_n + own["bias_n"]))
    ways = {"by hand": n + z * (h - n), "equinox": run.h[0, 0]}
    assert_ways_agree(ways, oracle.h[0, 0])


# haiku


@claim(
    kind="rounding",
    statement="haiku's LSTM multiplies [x, h] by one kernel, takes the gates in the order i, g, f, "
    "o and adds 1 to f, as TensorFlow 1 does.",
    formula="i, g, f, o = [x, h] @ w + b; c' = sigmoid(f + 1) * c + sigmoid(i) * tanh(g)",
    cases=ONE_STEP,
    about=HAIKU,
)
def test_haiku_gates_are_i_g_f_o(run, experiment, oracle):
    own, (x, h, c) = run.native_weights, first_step(experiment)
    sums = np.concatenate([x, h], axis=1) @ own["linear/w"] + own["linear/b"]
    i, g, f, o = np.split(sums, 4, axis=1)
    assert_is_the_step(step(i, f + 1, g, o, c), run, oracle)


@claim(
    kind="exact",
    statement="A fresh bias of haiku's LSTM is zeros, all four gates of it: the 1 that is added to "
    "f at run time is stored nowhere.",
    formula="b == zeros([4 * units])",
    cases=named("smallest"),
    about=HAIKU,
)
def test_haiku_forget_bias_is_stored_nowhere(adapter, experiment, case):
    assert_same_bits(adapter.fresh_bias(experiment), np.zeros(4 * case.units[0], experiment.dtype))


@claim(
    kind="rounding",
    statement="haiku's GRU resets before the product, and its z keeps the new h, where that of "
    "other frameworks keeps the old one.",
    formula="a = tanh(x W_a + (r * h) U_a + b_a); h' = (1 - z) * h + z * a",
    cases=lambda case: (
        of_cell(GRU(reset_after=False))(case) and case.time == 1 and case.bias != "none"
    ),
    about=HAIKU,
)
def test_haiku_gru_z_keeps_the_new_h(run, experiment, oracle):
    own, (x, h) = run.native_weights, first_step(experiment)
    x_z, x_r, x_a = np.split(x @ own["w_i"] + own["b"], 3, axis=1)
    of_z, of_r, of_a = np.split(own["w_h"], 3, axis=1)
    z, r = sigmoid(x_z + h @ of_z), sigmoid(x_r + h @ of_r)
    a = np.tanh(x_a + (r * h) @ of_a)
    assert_ways_agree({"by hand": (1 - z) * h + z * a, "haiku": run.h[0, 0]}, oracle.h[0, 0])


# jax.experimental.rnn


@claim(
    kind="rounding",
    statement="JAX's LSTM has torch's layout: gates as rows in the order i, f, g, o, and two "
    "biases that are added up.",
    formula="i, f, g, o = x @ W_ih.T + b_ih + h @ W_hh.T + b_hh",
    cases=ONE_STEP,
    about=JAX,
)
def test_jax_gates_are_i_f_g_o(run, experiment, oracle):
    own, (x, h, c) = run.native_weights, first_step(experiment)
    sums = x @ own["W_ih"].T + own["b_ih"] + h @ own["W_hh"].T + own["b_hh"]
    assert_is_the_step(step(*np.split(sums, 4, axis=1), c), run, oracle)


@claim(
    kind="exact",
    statement="In the one vector of JAX's LSTM every kernel comes before every bias; its "
    "documentation has the arrays of each layer together.",
    formula="vector == [W_ih, W_hh of each, ..., b_ih, b_hh of each, ...]",
    cases=named("smallest", "two-layers", "bidirectional-two-layers"),
    about=JAX,
    recipe="vector_and_unpacked",
)
def test_jax_biases_lie_behind_all_kernels(recipe):
    vector, own = recipe("vector_and_unpacked")
    kernels = zip(own["W_ih"], own["W_hh"], strict=True)
    biases = zip(own["b_ih"], own["b_hh"], strict=True)
    in_order = [one.ravel() for pairs in (kernels, biases) for pair in pairs for one in pair]
    assert_same_bits(np.concatenate(in_order), vector)


@claim(
    kind="exact",
    statement="JAX's `swap_lstm_gates` exchanges g and o, and not, as its docstring says, the "
    "input and the output gate.",
    formula="swap_lstm_gates(vector of i, f, g, o) == vector of i, f, o, g",
    cases=named("smallest", "two-layers", "bidirectional-two-layers"),
    about=JAX,
    recipe="vector_for_miopen",
)
def test_jax_swap_lstm_gates_exchanges_g_and_o(adapter, recipe, experiment):
    exchanged = experiment.with_weights(lambda one: one.with_gates("ifog"))
    assert_same_bits(recipe("vector_for_miopen"), adapter.vector(exchanged))
