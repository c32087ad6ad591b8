"""Steps and rows by themselves: step layers without a batch, and with states that do not fit; rows
that are packed inside of what is compiled."""

from __future__ import annotations

import functools
from dataclasses import replace

from fixtures.cases import kinds, named, some
from fixtures.checks.compare import (
    assert_each_refused,
    assert_each_within_rounding,
    assert_refused,
    assert_same_bits,
    assert_structure,
    assert_within_rounding,
)
from fixtures.claims import KERAS, TORCH, About, claim
from fixtures.oracle.rounding import oracle_of

ONE_DTYPE = ("float32",)
PLAIN = some(
    kinds.all_of(kinds.layers, kinds.single, kinds.given),
    "smallest", "gru-smallest", "rnn-smallest",
)  # fmt: skip
STACKS = some(
    kinds.all_of(kinds.layers, kinds.given),
    "two-layers", "bidirectional", "gru-smallest", "rnn-smallest",
)  # fmt: skip


def with_step_layers(case):
    """No framework has a step layer that projects."""
    return case.widths == case.units


def after_one_step(experiment, state):
    """The oracle's states of the case's one layer after its first step."""
    found = oracle_of(replace(experiment, dense=None).only_step(0, state))
    return {name: dict(found.states())[f"{name}[0, 0]"] for name in experiment.cell.states}


@claim(
    kind="rounding",
    statement="torch's step layers take one row of inputs and states without a batch, and return "
    "states without one: those of that row in a batch; without states, from zeros.",
    formula="cell(x[b], (h[b], c[b])) == lstm(x)[b], of shape [units]",
    cases=PLAIN,
    about=TORCH,
)
def test_torch_step_layers_take_single_rows(adapter, experiment):
    ways = {}
    for way, state in (("given", experiment.initial), ("from zeros", None)):
        found = adapter.steps_of_single_rows(experiment, given=state is not None)
        by_name = dict(zip(experiment.cell.states, found, strict=True))
        ways[way] = (by_name, after_one_step(experiment, state))
    assert_each_within_rounding(ways)


@claim(
    kind="exact",
    statement="What comes of inputs without a batch is that of a batch of one, without its axis: "
    "whatever `batch_first` says, and with a state or without.",
    formula="lstm(x[0]) == [output[0], h_n[:, 0], c_n[:, 0]] of lstm(x[:1])",
    cases=STACKS,
    about=TORCH,
    dtypes=ONE_DTYPE,
)
def test_torch_without_a_batch_is_a_batch_of_one(adapter, experiment):
    one_row = experiment.in_order([0])
    found, expected = {}, {}
    for given in (True, False):
        output, states = adapter.run(one_row if given else replace(one_row, initial=None)).native
        states = states if isinstance(states, tuple) else (states,)
        batch_of_one = [output[0], *(state[:, 0] for state in states)]
        for first in (True, False):
            way = f"{'given' if given else 'from zeros'}, {'batch' if first else 'time'} first"
            results = adapter.without_a_batch(one_row, batch_first=first, given=given)
            found |= {f"{way}, {n}": one for n, one in enumerate(results)}
            expected |= {f"{way}, {n}": one for n, one in enumerate(batch_of_one)}
    assert_same_bits(found, expected)


@claim(
    kind="structure",
    statement="A step layer refuses another number of states than it has: h without c, h and c for "
    "a GRU, one more; as tensors in a tuple, or one alone.",
    formula="LSTMCell(x, h), LSTMCell(x, (h,)), LSTMCell(x, (h, c, h)), GRUCell(x, (h, h)) raise",
    cases=PLAIN,
    about=TORCH,
    dtypes=ONE_DTYPE,
)
def test_torch_step_layers_refuse_a_wrong_number_of_states(adapter, experiment):
    calls = adapter.with_states(experiment)
    for call in calls("right").values():
        call()
    assert_each_refused(calls("wrong"), (Exception,))


@claim(
    kind="structure",
    statement="A step layer of torch refuses a wrong number of states of one row without a batch.",
    formula="LSTMCell(x[0], (h[0], c[0], h[0])) raises",
    cases=PLAIN,
    about=TORCH,
    dtypes=ONE_DTYPE,
)
def test_torch_rows_refuse_a_wrong_number_of_states(adapter, experiment):
    calls = adapter.with_states(experiment, row=0)
    for call in calls("right").values():
        call()
    assert_each_refused(calls("wrong"), (Exception,))


@claim(
    kind="structure",
    statement="A step layer that is given one row refuses states of several, and the process goes "
    "on.",
    formula="LSTMCell(x[0], (h, c)) raises, h and c [units, units]",
    cases=named("smallest", "rnn-smallest"),
    about=TORCH,
    dtypes=ONE_DTYPE,
)
def test_torch_rows_refuse_states_of_several_rows(adapter, experiment):
    found = adapter.row_with_states_of_many(experiment)
    assert_structure(found, {"of one row": "taken", "of many": "refused"})


@claim(
    kind="rounding",
    statement="torch's step layers have kernels of their own, whose gradients are those of the "
    "layer, by everything that goes in.",
    formula="d loss(cell(x[:, t], state) for t in order) == oracle",
    cases=some(
        kinds.all_of(kinds.one_cell, kinds.single, kinds.few_steps, with_step_layers),
        "smallest",
        "no-bias",
        "gru-smallest",
        "rnn-smallest",
        "rnn-relu-smallest",
    ),
    about=TORCH,
    recipe="gradients_of_steps",
)
def test_torch_step_layers_have_the_layers_gradients(recipe, oracle_gradients):
    assert_within_rounding(dict(recipe("gradients_of_steps").gradients.tensors()), oracle_gradients)


@claim(
    kind="rounding",
    statement="Several step layers of one kind are called at once, each with its own weights.",
    formula="vmap over stack_module_state([cell, halved]) at [n] == each of them alone",
    cases=named("smallest", "gru-smallest", "rnn-smallest"),
    about=TORCH,
    recipe="steps_of_several",
)
def test_torch_vmap_over_step_layers_is_one_for_each(adapter, experiment):
    halved = experiment.with_weights(lambda one: one.map(lambda array: array / 2))
    several, members = (experiment, halved), {}
    for n, found in enumerate(adapter.steps_of_several(several)):
        by_name = dict(zip(experiment.cell.states, found, strict=True))
        members[f"member {n}"] = (by_name, after_one_step(several[n], experiment.start))
    assert_each_within_rounding(members)


# Inputs of too few axes, and states too many, in every way of calling a layer

OWN_LAYERS = About(
    lambda one: one.interface in ("torch", "keras", "tf1"),
    because="it is about the layers of torch, Keras and TensorFlow 1",
)

NOT_TORCH = About(
    lambda one: one.interface in ("keras", "tf1"),
    because="it is about the step layers of Keras and TensorFlow 1",
)
STEP_LAYER = "step layer"


def ways_with(adapter, experiment, which, *arguments):
    """The ways of calling the case's layer that `which` takes, each with these arguments."""
    return {
        way: functools.partial(call, *arguments)
        for way, call in adapter.ways(experiment).items()
        if which(way)
    }


@claim(
    kind="structure",
    statement="Inputs with an axis too few are refused: of Keras and TensorFlow 1 rows without "
    "steps, of torch one step of one row, and of their step layers rows without features.",
    formula="keras_layer(x[:, 0]), torch_layer(x[0, 0]), keras_cell(x[:, 0, 0]) raise",
    cases=PLAIN,
    about=OWN_LAYERS,
    dtypes=ONE_DTYPE,
)
def test_inputs_with_an_axis_too_few_are_refused(adapter, experiment):
    x = experiment.inputs
    few = x[0, 0] if adapter.interface == "torch" else x[:, 0]
    layers = ways_with(adapter, experiment, lambda way: way != STEP_LAYER, few, None)
    steps = ways_with(adapter, experiment, lambda way: way == STEP_LAYER, x[..., 0], None)
    if adapter.interface == "torch":  # to its step layers the rows would be the features of one row
        steps = {}
    assert_each_refused(layers | steps, adapter.refuses_with())


@claim(
    kind="exact",
    statement="A step layer of Keras takes the states that it has from the front of a list, and "
    "looks at no more of them.",
    formula="LSTMCell(x, [h, c, h]) == LSTMCell(x, [h, c]); GRUCell(x, [h, h]) == GRUCell(x, [h])",
    cases=PLAIN,
    about=KERAS,
    dtypes=ONE_DTYPE,
)
def test_keras_step_layers_pass_over_states_too_many(adapter, experiment):
    call, states = adapter.ways(experiment)[STEP_LAYER], list(experiment.initial.at(0, 0))
    x = experiment.inputs[:, :1]
    assert_same_bits(call(x, [*states, states[0]]), call(x, states))


@claim(
    kind="structure",
    statement="Where the LSTM's step layer is given h alone, or TensorFlow 1's cell a state too "
    "many, it refuses it.",
    formula="keras LSTMCell(x, [h]), tf1 LSTMCell(x, (h,)), tf1 LSTMCell(x, (h, c, h)) raise",
    cases=named("smallest"),
    about=NOT_TORCH,
    dtypes=ONE_DTYPE,
)
def test_step_layers_of_lstms_refuse_h_without_c(adapter, experiment):
    call, (h, c) = adapter.ways(experiment)[STEP_LAYER], experiment.initial.at(0, 0)
    call(experiment.inputs, [h, c])
    calls = {"h alone": functools.partial(call, experiment.inputs, [h])}
    if adapter.interface == "tf1":
        calls["three"] = functools.partial(call, experiment.inputs, [h, c, h])
    assert_each_refused(calls, (Exception,))


@claim(
    kind="exact",
    statement="torch.compile of a model that packs its rows, runs the layer and pads them again "
    "computes what the model does, to the bit: output, states and gradients, and with other "
    "lengths than the first.",
    formula="torch.compile(pad(lstm(pack(x, lengths))), backend='aot_eager') == "
    "pad(lstm(pack(x, lengths)))",
    cases=named("masked-right-lstm-two-layers"),
    about=TORCH,
    recipe="compiled_packing",
    dtypes=ONE_DTYPE,
)
def test_torch_compiled_packing_moves_no_bit(adapter, experiment):
    pairs = adapter.compiled_packing(experiment)
    assert_same_bits(
        {name: found for name, (found, _) in pairs.items()},
        {name: expected for name, (_, expected) in pairs.items()},
    )


@claim(
    kind="structure",
    statement="torch.compile puts no packing into a graph: with `fullgraph=True` a model that "
    "packs is refused.",
    formula="torch.compile(pad(lstm(pack(x, lengths))), fullgraph=True)(x, lengths) raises",
    cases=named("masked-right-lstm-two-layers"),
    about=TORCH,
    recipe="packing_in_one_graph",
    dtypes=ONE_DTYPE,
)
def test_torch_compiles_no_packing_into_a_graph(adapter, experiment):
    assert_refused(
        lambda: adapter.packing_in_one_graph(experiment), RuntimeError, "pack_padded_sequence"
    )
