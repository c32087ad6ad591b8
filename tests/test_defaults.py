"""What a layer is when nothing is asked for, and what every framework refuses.

Inputs and states that do not fit are tried in each way of calling a layer. That these ways are
called rightly shows in what they make of inputs that fit.
"""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np

from fixtures.cases import named
from fixtures.checks.compare import (
    assert_each_refused,
    assert_same_bits,
    assert_structure,
    assert_ways_agree,
    assert_within_rounding,
)
from fixtures.claims import JAX, KERAS, TF1, TORCH, About, claim
from fixtures.oracle.rounding import oracle_of

FRAMEWORKS = About(
    lambda one: hasattr(one, "ways"), "it is about what a framework does beyond the equations"
)
NOT_TF1 = About(
    lambda one: one.interface in ("torch", "keras"),
    "TensorFlow 1's cells are made with their defaults wherever they are run",
)

ONE_BATCH_AXIS = About(
    lambda one: FRAMEWORKS.picks(one) and not getattr(one, "any_batch_axes", False),
    "plain NumPy is no framework, and flax and MLX take any number of axes before time",
)
NOT_BROADCAST = About(
    lambda one: (
        FRAMEWORKS.picks(one)
        and not one.lacks("steps")
        and not getattr(one, "steps_broadcast", False)
    ),
    "plain NumPy is no framework, MLX has no step layer, and a cell on JAX adds arrays as NumPy "
    "does: it spreads one row",
)
ALL_STATES = About(
    lambda one: FRAMEWORKS.picks(one) and not getattr(one, "states_may_be_left_out", False),
    "plain NumPy is no framework, and MLX begins from zeros what is left out "
    "(mlx-a-state-left-out-is-zeros)",
)

ONE_DTYPE = ("float32",)
"""A refusal, or how weights are drawn, is the same in float64."""

PLAIN = named("smallest", "gru-smallest", "rnn-smallest")
TWO = named("smallest", "rnn-smallest")

MANY = 1024
"""So many numbers drawn uniformly show how they are drawn: in one of 10^22 cases does none of them
come within 1/20 of the limit, and their mean size is half of it to within 1/110."""


# Defaults


@claim(
    kind="rounding",
    statement="A layer, or step layer, made of its sizes alone is the plain one: tanh and sigmoid, "
    "with a bias, of a GRU reset after the product.",
    formula="LSTM(units)(x) == lstm(x)",
    cases=PLAIN,
    about=NOT_TF1,
)
def test_a_layer_without_options_is_the_plain_one(adapter, experiment, oracle):
    runs = adapter.with_defaults(experiment)
    assert_ways_agree(
        {way: dict(run.tensors()) for way, run in runs.items()}, dict(oracle.tensors())
    )


@claim(
    kind="exact",
    statement="Nothing is dropped unless that is asked for: in training a layer computes the same.",
    formula="layer(x, training=True) == layer(x)",
    cases=named("smallest", "two-layers", "bidirectional", "gru-smallest", "rnn-smallest"),
    about=NOT_TF1,
)
def test_nothing_is_dropped_unless_asked_for(adapter, experiment, run):
    assert_same_bits(dict(adapter.in_training(experiment).tensors()), dict(run.tensors()))


@claim(
    kind="structure",
    statement="By default a layer returns its last output, and that alone.",
    formula="layer(units)(x).shape == [batch, units]",
    sources=["C3"],
    cases=PLAIN,
    about=KERAS,
    dtypes=ONE_DTYPE,
)
def test_keras_layers_return_the_last_output_by_default(adapter, experiment, case):
    assert_structure(adapter.default_output(experiment), [(case.batch, case.units[0])])


@claim(
    kind="structure",
    statement="By default a layer takes time first, and returns every output and its last states.",
    formula="LSTM(features, units)(x).shape == [time, batch, units], x [time, batch, features]",
    cases=PLAIN,
    about=TORCH,
    dtypes=ONE_DTYPE,
)
def test_torch_layers_take_time_first_by_default(adapter, experiment, case):
    states = [(1, case.batch, case.units[0])] * len(case.cell.states)
    expected = [(case.time, case.batch, case.units[0]), *states]
    assert_structure(adapter.default_output(experiment), expected)


@claim(
    kind="exact",
    statement="A `Bidirectional` without a merge mode puts both outputs side by side.",
    formula="Bidirectional(layer)(x) == Bidirectional(layer, merge_mode='concat')(x)",
    cases=named("bidirectional-from-zero"),
    about=KERAS,
)
def test_keras_bidirectional_concatenates_by_default(adapter, experiment, run):
    assert_same_bits(adapter.merged_by_default(experiment), run.output)


# How options are given


@claim(
    kind="structure",
    statement="Every option of torch's layers given by position is the one given by name.",
    formula="RNN(4, 3, 1, 'relu', True) == RNN(4, 3, 1, nonlinearity='relu', bias=True)",
    cases=named("smallest"),
    about=TORCH,
    recipe="made_by_position",
    dtypes=ONE_DTYPE,
)
def test_torch_options_by_position_are_those_by_name(recipe):
    found = recipe("made_by_position")
    assert_structure(
        {name: by_position for name, (by_position, _) in found.items()},
        {name: by_name for name, (_, by_name) in found.items()},
    )


# How weights start


def drawn(weights, limit):
    """The largest and the mean size of every array's elements, in limits, to one digit; and
    whether none is beyond the limit."""
    found = {}
    for name, one in weights.items():
        sizes = np.abs(one) / limit(one)
        digits = [round(float(size), 1) for size in (sizes.max(), sizes.mean())]
        found[name] = (*digits, bool((sizes <= 1).all()))
    return found


def glorot(kernel):
    """The limit of `glorot_uniform`."""
    return np.sqrt(6 / sum(kernel.shape))


UNIFORM = (1.0, 0.5, True)


@claim(
    kind="structure",
    statement="Every weight and bias of a fresh layer or step layer is drawn uniformly from "
    "-1 / sqrt(units) to 1 / sqrt(units).",
    formula="weight ~ uniform(-1 / sqrt(units), 1 / sqrt(units))",
    cases=PLAIN,
    about=TORCH,
    dtypes=ONE_DTYPE,
)
def test_torch_weights_start_uniform(adapter, experiment):
    fresh = adapter.fresh_weights(experiment, MANY, 2)
    found = {way: drawn(own, lambda _: MANY**-0.5) for way, own in fresh.items()}
    assert_structure(found, {way: dict.fromkeys(own, UNIFORM) for way, own in fresh.items()})


@claim(
    kind="structure",
    statement="JAX's `init_lstm_weight` draws as torch does: every weight and bias uniformly from "
    "-1 / sqrt(units) to 1 / sqrt(units).",
    formula="weight ~ uniform(-1 / sqrt(units), 1 / sqrt(units))",
    cases=named("smallest"),
    about=JAX,
    dtypes=ONE_DTYPE,
)
def test_jax_weights_start_uniform(adapter, experiment):
    (own,) = adapter.fresh_weights(experiment, MANY, 2).values()
    assert_structure(drawn(own, lambda _: MANY**-0.5), dict.fromkeys(own, UNIFORM))


@claim(
    kind="structure",
    statement="A fresh kernel is drawn uniformly within Glorot's limit, as one matrix of all "
    "gates.",
    formula="kernel ~ uniform(-a, a), a = sqrt(6 / (features + gates * units))",
    cases=PLAIN,
    about=KERAS,
    dtypes=ONE_DTYPE,
)
def test_keras_kernels_start_glorot_uniform(adapter, experiment):
    fresh = adapter.fresh_weights(experiment, 32, 64)
    kernels = {way: kernel for way, (kernel, _, _) in fresh.items()}
    assert_structure(drawn(kernels, glorot), dict.fromkeys(kernels, UNIFORM))


@claim(
    kind="structure",
    statement="A fresh recurrent kernel is orthogonal: its rows, of all gates together, are of "
    "length 1 and at right angles, to four digits.",
    formula="recurrent_kernel @ recurrent_kernel.T == identity",
    cases=PLAIN,
    about=KERAS,
    dtypes=("float64",),
)
def test_keras_recurrent_kernels_start_orthogonal(adapter, experiment):
    fresh = adapter.fresh_weights(experiment, 8, 2)
    found = {way: np.round(own[1] @ own[1].T, 4).tolist() for way, own in fresh.items()}
    assert_structure(found, dict.fromkeys(fresh, np.eye(8).tolist()))


@claim(
    kind="exact",
    statement="A fresh bias is zeros, but for an LSTM's forget gate; with `unit_forget_bias=False` "
    "for that, too.",
    formula="bias == zeros; [0, 1, 0, 0] of LSTM(units); zeros of unit_forget_bias=False",
    sources=["E3"],
    cases=named("smallest", "gru-smallest", "gru-reset-before-smallest", "rnn-smallest"),
    about=KERAS,
)
def test_keras_biases_start_as_zeros_but_for_forgetting(adapter, experiment, case):
    options = {"": {}}
    if "c" in case.cell.states:
        options["unit_forget_bias=False"] = {"unit_forget_bias": False}
    if hasattr(case.cell, "reset_after"):
        options = {"": {"reset_after": case.cell.reset_after}}
    fresh = {
        f"{way} {name}": own[2]
        for name, given in options.items()
        for way, own in adapter.fresh_weights(experiment, 3, 2, **given).items()
    }
    expected = {name: np.zeros_like(bias) for name, bias in fresh.items()}
    for name, bias in expected.items():
        if "c" in case.cell.states and "False" not in name:
            bias[3:6] = 1
    assert_same_bits(fresh, expected)


@claim(
    kind="exact",
    statement="A fresh GRUCell has both gates half open to the reset side: their biases are ones, "
    "the candidate's is zeros; other cells start with zeros.",
    formula="gates/bias == ones([2 * units]), candidate/bias == zeros([units])",
    cases=named("smallest", "gru-reset-before-smallest", "rnn-smallest"),
    about=TF1,
)
def test_tf1_gru_gates_start_with_biases_of_one(adapter, experiment):
    (fresh,) = adapter.fresh_weights(experiment, 3, 2).values()
    biases = {name: one for name, one in fresh.items() if name.endswith("bias")}
    expected = {
        name: np.ones_like(one) if name == "gates/bias" else np.zeros_like(one)
        for name, one in biases.items()
    }
    assert_same_bits(biases, expected)


@claim(
    kind="structure",
    statement="A fresh cell's kernels are drawn uniformly within Glorot's limit, those of x and h "
    "as one matrix.",
    formula="kernel ~ uniform(-a, a), a = sqrt(6 / (features + units + gates * units))",
    cases=named("smallest", "gru-reset-before-smallest", "rnn-smallest"),
    about=TF1,
    dtypes=ONE_DTYPE,
)
def test_tf1_kernels_start_glorot_uniform(adapter, experiment):
    (fresh,) = adapter.fresh_weights(experiment, 32, 64).values()
    kernels = {name: one for name, one in fresh.items() if name.endswith("kernel")}
    assert_structure(drawn(kernels, glorot), dict.fromkeys(kernels, UNIFORM))


# Refusals


def wider(array, by):
    """The same with `by` more columns; or with the first column alone, where `by` is None."""
    if by is None:
        return array[..., :1]
    return np.concatenate([array, array[..., :by]], axis=-1)


def each_way(adapter, experiment, **arguments):
    """Every way of calling the layer with each of these arguments: inputs and states."""
    return {
        f"{way}, {name}": functools.partial(call, *given)
        for way, call in adapter.ways(experiment).items()
        for name, given in arguments.items()
    }


@claim(
    kind="rounding",
    statement="Each way of calling a layer computes the same: at once, in a graph or a model, "
    "and step by step.",
    formula="layer(x, state) == function(layer)(x, state) == model([x, state])",
    cases=PLAIN,
    about=FRAMEWORKS,
    dtypes=ONE_DTYPE,
)
def test_every_way_of_calling_computes_the_same(adapter, experiment, oracle):
    calls = each_way(adapter, experiment, whole=(experiment.inputs, experiment.initial))
    assert_ways_agree({way: call() for way, call in calls.items()}, oracle.output)


@claim(
    kind="structure",
    statement="Inputs of another width than the layer has are refused, of one column, too.",
    formula="layer(x[..., :1], h0) raises; layer(concat([x, x[..., :1]])) raises",
    cases=PLAIN,
    about=FRAMEWORKS,
    dtypes=ONE_DTYPE,
)
def test_inputs_of_another_width_are_refused(adapter, experiment):
    x, initial = experiment.inputs, experiment.initial
    calls = each_way(
        adapter,
        experiment,
        wider_from_zero=(wider(x, 1), None),
        of_one_column=(wider(x, None), initial),
    )
    assert_each_refused(calls, adapter.refuses_with())


@claim(
    kind="structure",
    statement="Inputs with an axis too many are refused.",
    formula="layer(x[:, None]) raises",
    cases=PLAIN,
    about=ONE_BATCH_AXIS,
    dtypes=ONE_DTYPE,
)
def test_inputs_with_an_axis_too_many_are_refused(adapter, experiment):
    x = experiment.inputs[:, None]
    calls = each_way(adapter, experiment, from_zero=(x, None))
    assert_each_refused(calls, adapter.refuses_with())


@claim(
    kind="structure",
    statement="Initial states of one column, and of another batch than the inputs', are refused.",
    formula="layer(x, h0[..., :1]) raises; layer(x, concat([h0, h0[:1]])) raises",
    cases=TWO,
    about=FRAMEWORKS,
    dtypes=ONE_DTYPE,
)
def test_states_of_another_shape_are_refused(adapter, experiment):
    x, initial = experiment.inputs, experiment.initial
    calls = each_way(
        adapter,
        experiment,
        of_one_column=(x, initial.map(lambda state: wider(state, None))),
        of_another_batch=(x, initial.map(lambda state: np.concatenate([state, state[:1]]))),
    )
    assert_each_refused(calls, adapter.refuses_with())


def one_row(adapter, experiment):
    """Every way of calling the layer with a state of one row for its whole batch."""
    state = experiment.initial.map(lambda state: state[:1])
    return each_way(adapter, experiment, one_row=(experiment.inputs, state))


@claim(
    kind="structure",
    statement="A state of one row is refused for a batch of several: it is not spread over them.",
    formula="layer(x, h0[:1]) raises",
    cases=TWO,
    about=FRAMEWORKS,
    dtypes=ONE_DTYPE,
)
def test_a_state_of_one_row_is_not_spread(adapter, experiment):
    calls = one_row(adapter, experiment)
    layers = {way: call for way, call in calls.items() if not way.startswith("step layer")}
    assert_each_refused(layers, adapter.refuses_with())


@claim(
    kind="structure",
    statement="Nor does a step layer spread it.",
    formula="cell(x[:, 0], h0[:1]) raises",
    cases=TWO,
    about=NOT_BROADCAST,
    dtypes=ONE_DTYPE,
)
def test_a_step_layer_spreads_no_state_of_one_row(adapter, experiment):
    calls = one_row(adapter, experiment)
    steps = {way: call for way, call in calls.items() if way.startswith("step layer")}
    assert_each_refused(steps, adapter.refuses_with())


@claim(
    kind="rounding",
    statement="Where Keras's step layers take a state of one row for a batch of several, every row "
    "begins in it.",
    formula="cell(x[:, 0], h0[:1]) == cell(x[:, 0], repeat(h0[:1]))",
    cases=TWO,
    about=KERAS,
    dtypes=ONE_DTYPE,
)
def test_keras_step_layers_begin_every_row_in_a_state_of_one(adapter, experiment):
    initial = experiment.initial.map(lambda one: np.repeat(one[:1], len(one), axis=0))
    expected = oracle_of(replace(experiment, dense=None).only_step(0, initial))
    found = adapter.step_from_one_row(experiment)
    assert_within_rounding(
        dict(zip(experiment.cell.states, found, strict=True)),
        {name: dict(expected.states())[f"{name}[0, 0]"] for name in experiment.cell.states},
    )


@claim(
    kind="structure",
    statement="A state too many or too few is refused: an LSTM's for a GRU, a GRU's for an LSTM.",
    formula="lstm(x, [h0]) raises; gru(x, [h0, c0]) raises",
    cases=PLAIN,
    about=ALL_STATES,
    dtypes=ONE_DTYPE,
)
def test_a_state_too_many_or_too_few_is_refused(adapter, experiment, case):
    h = experiment.initial.h[0, 0]
    states = [h] if "c" in case.cell.states else [h, h]
    calls = each_way(adapter, experiment, states=(experiment.inputs, states))
    calls = {name: call for name, call in calls.items() if not name.startswith("step layer")}
    assert_each_refused(calls, (Exception,))


@claim(
    kind="structure",
    statement="A packed batch with inputs or states of another width, or with states for more "
    "rows, is refused like one that is not packed.",
    formula="lstm(pack(x[..., :-1]), h0) raises; lstm(pack(x), concat([h0, h0[:1]])) raises",
    cases=PLAIN,
    about=TORCH,
    dtypes=ONE_DTYPE,
)
def test_torch_packed_batches_refuse_what_does_not_fit(adapter, experiment):
    x, initial, call = experiment.inputs, experiment.initial, adapter.packed(experiment)
    narrow = initial.map(lambda state: state[..., :-1])
    many = initial.map(lambda state: np.concatenate([state, state[:1]]))
    call(x, initial)
    calls = {
        "narrow inputs": functools.partial(call, x[..., :-1], initial),
        "narrow states": functools.partial(call, x, narrow),
        "more rows": functools.partial(call, x, many),
    }
    assert_each_refused(calls, adapter.refuses_with())


@claim(
    kind="structure",
    statement="A built layer called on a `keras.Input` of another width, or with an initial state "
    "of another one, refuses it at once, and not when the model is run.",
    formula="layer(keras.Input([time, features + 1])) raises",
    cases=PLAIN,
    about=KERAS,
    dtypes=ONE_DTYPE,
)
def test_keras_symbolic_inputs_that_do_not_fit_are_refused(adapter, experiment, case):
    features, units = case.features, case.units[0]
    states = len(case.cell.states)
    calls = {
        "wider": functools.partial(adapter.called_on_inputs, experiment, features + 1),
        "state wider": functools.partial(
            adapter.called_on_inputs, experiment, features, *[units + 1] * states
        ),
    }
    assert_each_refused(calls, adapter.refuses_with())


@claim(
    kind="structure",
    statement="A `Bidirectional` refuses two layers of which both go the same way, or which return "
    "different things, and a merge mode that there is not.",
    formula="Bidirectional(layer, backward_layer=layer) raises ValueError",
    cases=PLAIN,
    about=KERAS,
    dtypes=ONE_DTYPE,
)
def test_keras_bidirectional_refuses_what_does_not_fit(adapter, experiment):
    made = functools.partial(adapter.bidirectional, experiment)
    calls = {
        "both forward": functools.partial(made, "concat", go_backwards=False),
        "one returns a step": functools.partial(made, "concat", return_sequences=False),
        "one returns states": functools.partial(made, "concat", return_state=True),
        "one is stateful": functools.partial(made, "concat", stateful=True),
        "no such merge mode": functools.partial(made, "max"),
    }
    made("concat")
    assert_each_refused(calls, (ValueError,))


@claim(
    kind="structure",
    statement="A layer of no units, or of less, is refused when it is made.",
    formula="LSTM(units=0) raises; LSTM(units=-1) raises",
    cases=PLAIN,
    about=NOT_TF1,
    dtypes=ONE_DTYPE,
)
def test_a_layer_without_units_is_refused(adapter, experiment):
    made = functools.partial(adapter.made_with, experiment)
    made(2)
    assert_each_refused(
        {"none": functools.partial(made, 0), "less": functools.partial(made, -1)}, (ValueError,)
    )


@claim(
    kind="structure",
    statement="torch makes no layer with an option out of its range, or with one of another layer: "
    "none of no layers, and no GRU with a projection.",
    formula="LSTM(features, units, num_layers=0), GRU(..., proj_size=3), LSTM(..., dropout=1.5), "
    "RNN(..., nonlinearity='sigmoid') raise",
    cases=named("smallest"),
    about=TORCH,
    recipe="made_with_options",
    dtypes=ONE_DTYPE,
)
def test_torch_refuses_options_out_of_range(adapter, experiment):
    calls = adapter.made_with_options(experiment)
    for right in [name for name in calls if name.startswith("right")]:
        calls.pop(right)()
    assert_each_refused(calls, (ValueError, TypeError, RuntimeError, IndexError))


@claim(
    kind="structure",
    statement="torch refuses a sequence of no steps, in every kind of layer.",
    formula="layer(x[:, :0]), layer(x[:, :0], state), layer(x[0, :0], state) raise",
    cases=PLAIN,
    about=TORCH,
    recipe="over_no_steps",
    dtypes=ONE_DTYPE,
)
def test_torch_refuses_a_sequence_of_no_steps(adapter, experiment):
    calls = adapter.over_no_steps(experiment)
    for right in [name for name in calls if name.startswith("right")]:
        calls.pop(right)()
    assert_each_refused(calls, adapter.refuses_with())
