"""MLX: where its gates, biases and states are, and what it makes of a state that does not fit.

The hand-written steps take its own weights, as it stores them, and go through its gates in its
order. They share no code with the oracle but the sigmoid.
"""

from __future__ import annotations

import numpy as np

from fixtures.cases import named, of_cell, one_layer, some
from fixtures.cells import GRU
from fixtures.checks.compare import assert_same_bits, assert_structure, assert_ways_agree
from fixtures.claims import About, claim
from fixtures.model.experiment import first_step
from fixtures.oracle import rounding
from fixtures.oracle.sites import sigmoid

MLX = About(lambda one: one.interface == "mlx", "it is about MLX's own interface")

ONE_STEP = some(
    lambda case: one_layer(case) and case.time == 1 and case.bias != "none",
    "one-step", "one-step-from-zero",
)  # fmt: skip
EACH_LAYER = named("smallest", "gru-smallest", "rnn-smallest")
ONE_DTYPE = ("float32",)


@claim(
    kind="rounding",
    statement="mlx.nn.LSTM has torch's rows i, f, g, o, and one bias for both sides.",
    formula="i, f, g, o = Wx @ x + Wh @ h + bias",
    cases=ONE_STEP,
    about=MLX,
    dtypes=ONE_DTYPE,
)
def test_mlx_gates_are_i_f_g_o(run, experiment, oracle):
    own, (x, h, c) = run.native_weights, first_step(experiment)
    sums = (own["Wx"] @ x.T + own["Wh"] @ h.T + own["bias"][:, None]).T
    i, f, g, o = np.split(sums, 4, axis=1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    ways = {
        "by hand": np.concatenate([sigmoid(o) * np.tanh(c), c], axis=-1),
        "its own": np.concatenate([run.h[0, 0], run.c[0, 0]], axis=-1),
    }
    assert_ways_agree(ways, rounding.concatenated(oracle.h[0, 0], oracle.c[0, 0]))


@claim(
    kind="rounding",
    statement="mlx.nn.GRU has the rows r, z, n, one bias `b` for all of them, and a second one, "
    "`bhn`, that r multiplies: at the first step from no state, too.",
    formula="n = tanh(W_in x + b_n + r * (W_hn h + bhn)); h' = (1 - z) * n + z * h",
    cases=lambda case: of_cell(GRU())(case) and case.time == 1 and case.bias != "none",
    about=MLX,
    dtypes=ONE_DTYPE,
)
def test_mlx_gru_gates_are_r_z_n(run, experiment, oracle):
    own, (x, h) = run.native_weights, first_step(experiment)
    from_x = (own["Wx"] @ x.T + own["b"][:, None]).T
    (x_r, x_z, x_n), (h_r, h_z, h_n) = (
        np.split(sums, 3, axis=1) for sums in (from_x, (own["Wh"] @ h.T).T)
    )
    r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
    n = np.tanh(x_n + r * (h_n + own["bhn"]))
    ways = {"by hand": (1 - z) * n + z * h, "its own": run.h[0, 0]}
    assert_ways_agree(ways, oracle.h[0, 0])


@claim(
    kind="structure",
    statement="An LSTM of MLX's returns h of every step and c of every step: the second is neither "
    "the last state nor a pair. A GRU and an RNN return h of every step alone.",
    formula="h, c = LSTM(features, units)(x); h.shape == c.shape == [batch, time, units]",
    cases=EACH_LAYER,
    about=MLX,
    dtypes=ONE_DTYPE,
)
def test_mlx_returns_every_state_of_every_step(run, case):
    shape = (case.batch, case.time, case.units[0])
    assert_structure([one.shape for one in run.native], [shape] * len(case.cell.states))


@claim(
    kind="exact",
    statement="A state that is left out of a call of MLX's is zeros, h and c each by itself.",
    formula="lstm(x, h) == lstm(x, h, zeros); lstm(x, None, c) == lstm(x, zeros, c)",
    cases=named("smallest"),
    about=MLX,
)
def test_mlx_a_state_left_out_is_zeros(adapter, experiment):
    h, c = experiment.initial.at(0, 0)
    zeros = np.zeros_like(h)

    def calls(**others):
        return {
            "h alone": adapter.layer_on(experiment, hidden=h, **others.get("h", {})),
            "c alone": adapter.layer_on(experiment, cell=c, **others.get("c", {})),
        }

    found, expected = calls(), calls(h={"cell": zeros}, c={"hidden": zeros})
    assert_same_bits(by_call(found), by_call(expected))


def by_call(calls):
    return {f"{name}, {n}": one for name, found in calls.items() for n, one in enumerate(found)}


@claim(
    kind="exact",
    statement="MLX spreads a c of one row over all rows, and one of one column over all units, as "
    "NumPy would; such an h of an LSTM it refuses.",
    formula="lstm(x, h, c[:1]) == lstm(x, h, repeat(c[:1])); lstm(x, h, c[:, :1]), too",
    cases=named("smallest"),
    about=MLX,
)
def test_mlx_spreads_a_c_of_one_row_or_column(adapter, experiment):
    h, c = experiment.initial.at(0, 0)
    narrow = {"one row": c[:1], "one column": c[:, :1]}

    def calls(change):
        return {
            name: adapter.layer_on(experiment, hidden=h, cell=change(one))
            for name, one in narrow.items()
        }

    spread = calls(lambda one: np.broadcast_to(one, c.shape))
    assert_same_bits(by_call(calls(lambda one: one)), by_call(spread))


@claim(
    kind="structure",
    statement="A GRU of MLX's that is given the last step of an output with its axis of time left "
    "in it puts every row together with every other one's state, and says nothing.",
    formula="h = gru(x); gru(x, h[:, -1:]).shape == [batch, batch, time, units]",
    cases=named("gru-smallest"),
    about=MLX,
    dtypes=ONE_DTYPE,
)
def test_mlx_gru_crosses_rows_with_a_state_of_3_axes(adapter, experiment, case):
    (h,) = experiment.initial.at(0, 0)
    (found,) = adapter.layer_on(experiment, hidden=h[:, None])
    assert_structure(found.shape, (case.batch, case.batch, case.time, case.units[0]))


@claim(
    kind="structure",
    statement="A state of float32, as mx.zeros makes it, turns a layer of 16 bits into one of "
    "float32: every output of it is.",
    formula="lstm.set_dtype(float16); lstm(x.astype(float16), mx.zeros(...))[0].dtype == float32",
    cases=EACH_LAYER,
    about=MLX,
    dtypes=("float16",),
)
def test_mlx_a_wider_state_widens_every_output(adapter, experiment):
    zeros = [np.zeros_like(one, np.float32) for one in experiment.initial.at(0, 0)]
    given = dict(zip(("hidden", "cell"), zeros, strict=False))
    found = {
        "from its own zeros": adapter.layer_on(experiment),
        "from zeros of float32": adapter.layer_on(experiment, **given),
    }
    assert_structure(
        {name: {str(one.dtype) for one in arrays} for name, arrays in found.items()},
        {"from its own zeros": {"float16"}, "from zeros of float32": {"float32"}},
    )


@claim(
    kind="structure",
    statement="mx.array makes float32 of NumPy's float64 unless a dtype is named: so weights and "
    "inputs of float64 lose half of their digits, and nothing says so.",
    formula="mx.array(x).dtype == float32; mx.array(x, dtype=mx.float64).dtype == float64",
    cases=named("smallest"),
    about=MLX,
    dtypes=("float64",),
)
def test_mlx_makes_float32_of_float64(adapter, experiment):
    expected = {"as it is": "float32", "its dtype named": "float64"}
    assert_structure(adapter.dtypes_of(experiment.inputs), expected)


@claim(
    kind="rounding",
    statement="MLX takes inputs without an axis of rows, and with any number of them.",
    formula="lstm(x[0]) == lstm(x)[0]; lstm(stack([x, x])) == stack([lstm(x), lstm(x)])",
    cases=named("smallest-from-zero", "gru-smallest-from-zero", "rnn-smallest-from-zero"),
    about=MLX,
    dtypes=ONE_DTYPE,
)
def test_mlx_goes_over_the_last_axis_but_one(adapter, experiment, oracle):
    x = experiment.inputs
    rows = [adapter.layer_on(experiment, inputs=row)[0] for row in x]
    twice = adapter.layer_on(experiment, inputs=np.stack([x, x]))[0]
    ways = {"row by row": np.stack(rows), "first of two": twice[0], "second of two": twice[1]}
    assert_ways_agree(ways, oracle.output)
