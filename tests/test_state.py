"""The state between two calls: handed over by the caller, kept by a stateful layer, reset."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fixtures.cases import every, kinds, named, some
from fixtures.checks.compare import (
    assert_different,
    assert_each_within_rounding,
    assert_same_bits,
    assert_structure,
    assert_ways_agree,
    assert_within_rounding,
)
from fixtures.claims import KERAS, TF1, About, claim
from fixtures.oracle.rounding import gradients_of, oracle_of

IN_ONE_PRECISION = ("float32",)

A_LAYER = kinds.all_of(kinds.layers, kinds.single)
A_LAYER_FROM_ZERO = kinds.all_of(A_LAYER, kinds.from_zero)
BOTH_DIRECTIONS = kinds.all_of(kinds.layers, kinds.two_directions)

FROM_GIVEN = some(
    kinds.all_of(A_LAYER, kinds.given),
    "smallest", "gru-smallest", "gru-reset-before-smallest", "rnn-smallest",
)  # fmt: skip
"""One layer of each kind, from a state that is given."""

BACKWARDS = some(A_LAYER, "smallest", "smallest-from-zero", "gru-smallest", "rnn-smallest")

DIFFERENTIATED = About(
    lambda adapter: adapter.interface == "keras" and not adapter.lacks("gradients"),
    because="it is about the layers of Keras on TensorFlow and torch",
)

MODES = ("concat", "sum", "mul", "ave", None)


def twice(experiment):
    """The same steps once more after the last: what a second call from the kept state sees."""
    return replace(experiment, inputs=np.concatenate([experiment.inputs] * 2, axis=1))


def second_call(experiment):
    """The oracle's output, h and c of a second call on the same inputs."""
    both = oracle_of(twice(experiment))
    expected = dict(both.tensors())
    return expected | {"output": both.output[:, experiment.time :]}


# The state handed over by the caller


@claim(
    kind="rounding",
    statement="Calls on one part of the steps after another, each given the state that the last "
    "one returned as it was returned, are one call on all steps: two halves, or every step alone.",
    formula="y1, s = layer(x1, s0); y2, s = layer(x2, s); concat(y1, y2), s == layer(x, s0)",
    sources=["C7", "D3"],
    cases=some(
        kinds.all_of(kinds.one_cell, kinds.forward, kinds.in_parts),
        "smallest", "two-layers", "gru-smallest", "gru-reset-before-smallest", "rnn-smallest",
        "projected-smallest",
    ),
    recipe="in_halves",
    dtypes=IN_ONE_PRECISION,
)  # fmt: skip
def test_a_state_handed_over_carries_on(run, recipe, oracle):
    ways = {"whole": run, "halves": recipe("in_halves"), "steps": recipe("step_by_step")}
    assert_ways_agree({name: dict(way.tensors()) for name, way in ways.items()},
                      dict(oracle.tensors()))  # fmt: skip


@claim(
    kind="different",
    statement="In both directions the halves are not the whole, whatever state is handed over: the "
    "backward direction comes to the first half from the second.",
    formula="concat(layer(x1, s0), layer(x2, s1)) != layer(x, s0)",
    sources=["D7"],
    cases=named("bidirectional"),
    dtypes=IN_ONE_PRECISION,
)
def test_halves_of_both_directions_are_not_the_whole(run, adapter, experiment, oracle):
    first, second = np.array_split(experiment.inputs, 2, axis=1)
    one = adapter.run(replace(experiment, inputs=first))
    other = adapter.run(replace(experiment, inputs=second, initial=one.state))
    halves = np.concatenate([one.output, other.output], axis=1)
    assert_different(halves, run.output, oracle.output)


@claim(
    kind="exact",
    statement="A call changes neither the state that it is given nor what earlier calls returned, "
    "of a stateful layer as of any.",
    formula="y, s = layer(x, s0); layer(x, s); s0, y and s are what they were",
    cases=some(
        kinds.all_of(kinds.one_cell, kinds.single, kinds.given),
        "smallest",
        "gru-smallest",
        "rnn-smallest",
    ),
    recipe="held_across_calls",
)
def test_a_call_leaves_other_calls_states_alone(adapter, experiment):
    held = adapter.held_across_calls(experiment)
    assert_same_bits(
        {name: now for name, (_, now) in held.items()},
        {name: first for name, (first, _) in held.items()},
    )


@claim(
    kind="rounding",
    statement="A state is the same state in every form that is taken: in a list or a tuple, bare "
    "if there is one, as a plain tuple or NumPy's arrays in TensorFlow 1, and in torch lying "
    "crosswise or apart in memory.",
    formula="layer(x, [h, c]) == layer(x, (h, c)) == layer(x, h.mT.contiguous().mT, ...)",
    cases=FROM_GIVEN,
    recipe="in_other_forms",
)
def test_a_state_is_the_same_in_every_form(run, adapter, experiment, oracle):
    ways = {"its own": run} | adapter.in_other_forms(experiment)
    assert_ways_agree({name: dict(way.tensors()) for name, way in ways.items()},
                      dict(oracle.tensors()))  # fmt: skip


@claim(
    kind="structure",
    statement="A state of fewer units than the layer's is refused, and so is h without c, and in "
    "torch a state for more layers.",
    formula="layer(x, (h[:, 1:], c[:, 1:])) raises; layer(x, (h,)) raises",
    cases=FROM_GIVEN,
    recipe="fits",
    dtypes=IN_ONE_PRECISION,
)
def test_a_state_that_does_not_fit_is_refused(adapter, experiment):
    found = adapter.fits(experiment)
    wrong = [name for name in ("fewer units", "more layers", "h alone") if name in found]
    assert_structure(
        {name: found[name] for name in ("its own", *wrong)},
        {"its own": "taken"} | dict.fromkeys(wrong, "refused"),
    )


@claim(
    kind="structure",
    statement="A state of another precision or for one row of the batch is refused.",
    formula="layer(x, h.astype(other)) raises; layer(x, h[:1]) raises",
    cases=FROM_GIVEN,
    about=About(
        lambda adapter: adapter.strict_about_states is True,
        because="it casts a state to its own precision (keras-3-casts-a-state-to-its-precision), "
        "and lets one row stand for all",
    ),
    recipe="fits",
    dtypes=IN_ONE_PRECISION,
)
def test_a_state_of_another_precision_or_batch_is_refused(adapter, experiment):
    found = adapter.fits(experiment)
    names = ("its own", "another precision", "one row of the batch")
    answers = ("taken", "refused", "refused")
    assert_structure({name: found[name] for name in names}, dict(zip(names, answers, strict=True)))


@claim(
    kind="exact",
    statement="Keras 3 casts a state of another precision to the layer's own before it is used.",
    formula="layer(x, h.astype(other)) == layer(x, h.astype(other).astype(own))",
    cases=FROM_GIVEN,
    about=About(
        lambda adapter: adapter.strict_about_states is False,
        because="it refuses such a state (a-state-of-another-precision-or-batch-is-refused)",
    ),
)
def test_keras_3_casts_a_state_to_its_precision(adapter, experiment):
    dtype, other = experiment.dtype, {"float32": "float64", "float64": "float32"}
    rounded = experiment.initial.map(lambda one: one.astype(other[dtype]).astype(dtype))
    expected = adapter.run(replace(experiment, initial=rounded))
    found = adapter.in_the_other_precision(experiment)
    assert_same_bits(dict(found.tensors()), dict(expected.tensors()))


# The state kept by the layer


@claim(
    kind="rounding",
    statement="A stateful layer starts every call from the state that the last one ended in: two "
    "halves, or every step alone, are the whole. A state that is given is where the first starts.",
    formula="layer = LSTM(units, stateful=True); concat(layer(x1, s0), layer(x2)) == lstm(x, s0)",
    sources=["C7"],
    cases=some(
        kinds.all_of(kinds.one_cell, kinds.forward, kinds.in_parts),
        "smallest", "gru-smallest", "gru-reset-before-smallest", "rnn-smallest",
        "peepholes-smallest", "two-layers-from-zero",
    ),
    about=KERAS,
    dtypes=IN_ONE_PRECISION,
)  # fmt: skip
def test_keras_stateful_layers_carry_on(recipe, oracle):
    ways = {"halves": recipe("stateful"), "steps": recipe("stateful_steps")}
    assert_ways_agree({name: dict(way.tensors()) for name, way in ways.items()},
                      dict(oracle.tensors()))  # fmt: skip


@claim(
    kind="rounding",
    statement="A stateful model carries its states from a fit to a predict, and from one predict "
    "to the next.",
    formula="model.fit(x[:, :1], ..., shuffle=False); model.predict(x[:, t:t+1]) == lstm(x)[:, t]",
    cases=some(
        kinds.all_of(kinds.layers, kinds.forward, kinds.from_zero, kinds.in_parts),
        "smallest-from-zero",
    ),
    about=KERAS,
    recipe="stateful_model",
    dtypes=IN_ONE_PRECISION,
)
def test_keras_stateful_models_carry_on(recipe, oracle):
    expected = dict(oracle.tensors()) | {"output": oracle.output[:, 1:]}
    assert_within_rounding(dict(recipe("stateful_model").tensors()), expected)


@claim(
    kind="exact",
    statement="In Keras 3 a state that is given wins over the one that a stateful layer kept, in "
    "every call; as part of a model, too.",
    formula="layer(x, s0); layer(x, s0) == lstm(x, s0)",
    cases=FROM_GIVEN,
    about=About(
        lambda adapter: getattr(adapter, "given_to_a_stateful_layer", "") == "wins",
        because="it has no such layers, or lets the kept state win "
        "(keras-2-given-state-yields-to-the-kept-one)",
    ),
    dtypes=IN_ONE_PRECISION,
)
def test_keras_3_given_state_wins_over_the_kept_one(adapter, experiment):
    ways = {
        "layer": adapter.given_twice(experiment),
        "model": adapter.given_twice_in_a_model(experiment),
    }
    found = {f"{way}: {name}": array for way, (_, second) in ways.items()
             for name, array in second.tensors()}  # fmt: skip
    expected = {f"{way}: {name}": array for way, (first, _) in ways.items()
                for name, array in first.tensors()}  # fmt: skip
    assert_same_bits(found, expected)


@claim(
    kind="rounding",
    statement="In Keras 2 a state that is given is where a stateful layer starts, and is passed "
    "over as soon as the layer has kept one that is not zero; as part of a model, too.",
    formula="layer(x, s0) == lstm(x, s0); layer(x, s0) == lstm(concat(x, x), s0)[len(x):]",
    cases=FROM_GIVEN,
    about=About(
        lambda adapter: getattr(adapter, "given_to_a_stateful_layer", "") == "yields",
        because="it has no such layers, or lets the given state win "
        "(keras-3-given-state-wins-over-the-kept-one)",
    ),
    dtypes=IN_ONE_PRECISION,
)
def test_keras_2_given_state_yields_to_the_kept_one(adapter, experiment, oracle):
    expected = [dict(oracle.tensors()), second_call(experiment)]
    ways = {
        "layer": adapter.given_twice(experiment),
        "model": adapter.given_twice_in_a_model(experiment),
    }
    assert_each_within_rounding(
        {
            f"{way}, call {number}": (dict(run.tensors()), expected[number])
            for way, runs in ways.items()
            for number, run in enumerate(runs)
        }
    )


@claim(
    kind="exact",
    statement="A reset takes a stateful layer to zeros, whatever state it started from.",
    formula="layer(x, s0); layer.reset_state(); layer(x) == fresh layer(x)",
    cases=some(
        kinds.all_of(kinds.one_cell, kinds.forward),
        "smallest",
        "gru-smallest",
        "rnn-smallest",
        "two-layers-from-zero",
    ),
    about=KERAS,
    dtypes=IN_ONE_PRECISION,
)
def test_keras_reset_leads_to_zeros(adapter, experiment):
    runs = adapter.after_resets(experiment)
    resets = [name for name in runs if name != "fresh"]
    assert_same_bits(
        {f"{n}: {what}": array for n in resets for what, array in runs[n].tensors()},
        {f"{n}: {what}": array for n in resets for what, array in runs["fresh"].tensors()},
    )


@claim(
    kind="rounding",
    statement="reset_states(states) is where a stateful layer of Keras 2 starts its next call.",
    formula="layer(x); layer.reset_states(s0); layer(x) == lstm(x, s0)",
    cases=FROM_GIVEN,
    about=About(
        lambda adapter: adapter.interface == "keras" and "reset_state" not in adapter.resets,
        because="it has no such layers, or resets them to zeros alone (keras-reset-leads-to-zeros)",
    ),
    recipe="reset_to",
)
def test_keras_2_resets_to_states_that_are_given(recipe, oracle):
    assert_within_rounding(dict(recipe("reset_to").tensors()), dict(oracle.tensors()))


@claim(
    kind="rounding",
    statement="A cell's own get_initial_state is where an RNN starts if no state is given, a "
    "stateful one as well.",
    formula="RNN(cell that starts from ones)(x) == layer(x, ones)",
    cases=some(
        A_LAYER_FROM_ZERO, "smallest-from-zero", "gru-smallest-from-zero", "rnn-smallest-from-zero"
    ),
    about=KERAS,
    dtypes=IN_ONE_PRECISION,
)
def test_keras_cells_may_start_from_a_state_of_their_own(adapter, experiment):
    ones = experiment.zero_state().map(np.ones_like)
    runs = adapter.own_initial_state(experiment)
    assert_ways_agree(
        {name: dict(runs[name].tensors()) for name in ("stateless", "stateful")},
        dict(oracle_of(replace(experiment, initial=ones)).tensors()),
    )


@claim(
    kind="rounding",
    statement="A reset leads to zeros even where the cell's own get_initial_state, from which the "
    "layer started, is another.",
    formula="layer.reset_state(); RNN(cell that starts from ones)(x) == layer(x, zeros)",
    cases=some(
        A_LAYER_FROM_ZERO, "smallest-from-zero", "gru-smallest-from-zero", "rnn-smallest-from-zero"
    ),
    about=KERAS,
    dtypes=IN_ONE_PRECISION,
)
def test_keras_reset_passes_over_a_cells_own_start(adapter, experiment, oracle):
    run = adapter.own_initial_state(experiment)["after a reset"]
    assert_within_rounding(dict(run.tensors()), dict(oracle.tensors()))


@claim(
    kind="structure",
    statement="A stateful layer can be differentiated after an earlier call, whose state it kept.",
    formula="layer(x); d loss(layer(x)) / d (x, weights) raises nothing",
    cases=named("smallest", "gru-smallest", "rnn-smallest"),
    about=DIFFERENTIATED,
    dtypes=IN_ONE_PRECISION,
)
def test_keras_stateful_layers_can_be_differentiated(adapter, experiment):
    assert_structure(adapter.differentiated(experiment), "gradients")


@claim(
    kind="rounding",
    statement="The gradients of a stateful layer's second call are those of a layer that is given "
    "the kept state: by the inputs and by every weight.",
    formula="d loss(layer(x)) / d (x, weights) == oracle from the state that the first call left",
    cases=some(A_LAYER, "smallest", "gru-smallest", "rnn-smallest"),
    about=DIFFERENTIATED,
    recipe="stateful_gradients",
)
def test_keras_stateful_layers_have_gradients(adapter, experiment):
    kept, gradients = adapter.stateful_gradients(experiment)
    expected = gradients_of(replace(experiment, initial=kept))
    assert_within_rounding(gradients, {name: expected[name] for name in gradients})


@claim(
    kind="structure",
    statement="A stateful layer refuses a batch of another size than its first.",
    formula="layer(x); layer(concat(x, x)) raises",
    cases=named("smallest-from-zero", "gru-smallest-from-zero", "rnn-smallest-from-zero"),
    about=KERAS,
    dtypes=IN_ONE_PRECISION,
)
def test_keras_stateful_layers_refuse_another_batch(adapter, experiment):
    expected = {"its own": "taken", "twice as many rows": "refused"}
    assert_structure(adapter.on_a_larger_batch(experiment), expected)


# Several cells, both directions


@claim(
    kind="rounding",
    statement="Stacked cells in one stateful RNN carry on with the states of every cell.",
    formula="RNN([cell, cell], stateful=True) on two halves == layer(layer(x))",
    cases=some(
        kinds.all_of(
            kinds.plain, kinds.forward, kinds.several_layers, kinds.from_zero, kinds.in_parts
        ),
        "two-layers-from-zero",
    ),
    about=KERAS,
    dtypes=IN_ONE_PRECISION,
)
def test_keras_stateful_cells_carry_on(recipe, oracle):
    assert_within_rounding(dict(recipe("stateful_cells").tensors()), dict(oracle.tensors()))


@claim(
    kind="structure",
    statement="A reset takes stacked cells in one stateful RNN to zeros.",
    formula="RNN([cell, cell], stateful=True): rnn(x); rnn.reset_state(); rnn(x) == the first",
    cases=named("two-layers-from-zero"),
    about=KERAS,
    dtypes=IN_ONE_PRECISION,
)
def test_keras_stateful_cells_are_reset(adapter, experiment):
    found = adapter.stateful_cells_after_resets(experiment)
    assert_structure(found, dict.fromkeys(adapter.resets, "begins again"))


@claim(
    kind="rounding",
    statement="A stateful Bidirectional layer keeps a state for each direction, and each carries "
    "on from its own: the backward one from where it ended, at step 0.",
    formula="layer(x); layer(x) == concat(fw(concat(x, x))[len(x):], bw(...))",
    sources=["D7"],
    cases=some(BOTH_DIRECTIONS, "bidirectional-from-zero", "gru-bidirectional-two-layers"),
    about=KERAS,
)
def test_keras_stateful_directions_carry_on(adapter, experiment):
    experiment = replace(experiment.only_layer(0, experiment.inputs), initial=None, dense=None)
    output = adapter.stateful_directions(experiment)["second"]
    forward, backward = (
        oracle_of(twice(experiment.only_direction(direction))).output[:, experiment.time :]
        for direction in range(2)
    )
    forward_half, backward_half = np.split(output, 2, axis=-1)
    assert_within_rounding(
        {"forward": forward_half, "backward": backward_half},
        {"forward": forward, "backward": backward[:, ::-1]},
    )


@claim(
    kind="exact",
    statement="A reset takes both directions of a stateful Bidirectional layer to zeros.",
    formula="layer(x); layer.reset_state(); layer(x) == the first",
    cases=some(BOTH_DIRECTIONS, "bidirectional-from-zero", "gru-bidirectional-two-layers"),
    about=KERAS,
    dtypes=IN_ONE_PRECISION,
)
def test_keras_stateful_directions_are_reset(adapter, experiment):
    outputs = adapter.stateful_directions(experiment)
    assert_same_bits(outputs["after a reset"], outputs["first"])


@claim(
    kind="structure",
    statement="A stateful Bidirectional layer returns its states like any other: forward, then "
    "backward.",
    formula="output, *states = Bidirectional(LSTM(units, stateful=True, return_state=True))(x)",
    cases=named("bidirectional-from-zero", "gru-bidirectional-two-layers"),
    about=KERAS,
    dtypes=IN_ONE_PRECISION,
)
def test_keras_stateful_directions_return_their_states(adapter, experiment, case):
    shapes = adapter.stateful_directions_return(experiment)
    units, states = case.units[0], 2 * len(case.cell.states)
    expected = [(case.batch, case.time, 2 * units)] + states * [(case.batch, units)]
    assert_structure(shapes, expected)


@claim(
    kind="exact",
    statement="A Bidirectional layer returns the same states whatever its merge mode does with the "
    "outputs.",
    formula="Bidirectional(layer, merge_mode)(x)[1:] == Bidirectional(layer)(x)[1:]",
    sources=["D6"],
    cases=some(BOTH_DIRECTIONS, "bidirectional", "gru-bidirectional-two-layers"),
    about=KERAS,
    dtypes=IN_ONE_PRECISION,
)
def test_keras_merge_modes_leave_the_states_alone(run, adapter, experiment):
    _, *states = run.native[0]
    assert_same_bits(
        {f"{mode}, {n}": state for mode in MODES
         for n, state in enumerate(adapter.merged_states(experiment, mode))},
        {f"{mode}, {n}": state for mode in MODES for n, state in enumerate(states)},
    )  # fmt: skip


@claim(
    kind="structure",
    statement="What a Bidirectional layer will return is known before it runs, in number and "
    "shape: its outputs merged in any mode, and its states.",
    formula="[one.shape for one in layer(keras.Input(...))] == [one.shape for one in layer(x)]",
    cases=named("rnn-bidirectional-two-layers"),
    about=KERAS,
    dtypes=IN_ONE_PRECISION,
)
def test_keras_shapes_of_both_directions_are_known_before(adapter, experiment):
    both = {mode: adapter.merged_shapes(experiment, mode) for mode in MODES}
    assert_structure(
        {mode: said for mode, (_, said) in both.items()},
        {mode: returned for mode, (returned, _) in both.items()},
    )


# Backwards, and under a mask


@claim(
    kind="rounding",
    statement="go_backwards reads the steps from the last to the first, and returns its outputs in "
    "that order: it is the layer on the reversed input.",
    formula="LSTM(units, go_backwards=True)(x) == LSTM(units)(x[:, ::-1])",
    sources=["D5"],
    cases=BACKWARDS,
    about=KERAS,
)
def test_keras_go_backwards_is_the_reversed_input(recipe, experiment):
    expected = oracle_of(replace(experiment, inputs=experiment.inputs[:, ::-1]))
    assert_within_rounding(dict(recipe("backwards").tensors()), dict(expected.tensors()))


@claim(
    kind="exact",
    statement="The state that go_backwards ends in is that of step 0, and its last output.",
    formula="output, h, c = LSTM(units, go_backwards=True)(x); output[:, -1] == h",
    sources=["D7"],
    cases=BACKWARDS,
    about=KERAS,
)
def test_keras_go_backwards_ends_at_step_zero(recipe):
    run = recipe("backwards")
    assert_same_bits(run.output[:, -1], run.h[0, 0])


@claim(
    kind="different",
    statement="The outputs of go_backwards are not in the order of the input: output[:, t] is not "
    "what was read at step t.",
    formula="LSTM(units, go_backwards=True)(x) != LSTM(units)(x[:, ::-1])[:, ::-1]",
    sources=["D5"],
    cases=BACKWARDS,
    about=KERAS,
    dtypes=IN_ONE_PRECISION,
)
def test_keras_go_backwards_is_not_in_the_inputs_order(recipe, adapter, experiment):
    turned = replace(experiment, inputs=experiment.inputs[:, ::-1])
    in_order = adapter.run(turned).output[:, ::-1]
    assert_different(recipe("backwards").output, in_order, oracle_of(turned).output)


@claim(
    kind="exact",
    statement="Under a mask a row's last output is repeated as it was, of a cell whose output is "
    "not its first state, too.",
    formula="RNN(cell that returns c)(x, mask)[:, -1] == c",
    cases=some(kinds.all_of(every, kinds.single), "smallest"),
    about=KERAS,
)
def test_keras_repeats_the_output_and_not_the_state(recipe):
    run = recipe("output_is_c")
    assert_same_bits(run.output[:, -1], run.c[0, 0])


# TensorFlow 1


@claim(
    kind="rounding",
    statement="Two loops over the same cells in one graph, the second from the state tensors of "
    "the first, are one loop.",
    formula="dynamic_rnn(cells, x2, initial_state=dynamic_rnn(cells, x1)[1]) ends dynamic_rnn(x)",
    sources=["B4"],
    cases=some(
        kinds.all_of(kinds.one_cell, kinds.forward, kinds.in_parts),
        "two-layers",
        "smallest-from-zero",
        "gru-reset-before-smallest",
        "rnn-smallest",
    ),
    about=TF1,
    recipe="in_one_graph",
    dtypes=IN_ONE_PRECISION,
)
def test_tf1_loops_in_one_graph_carry_on(recipe, oracle):
    assert_within_rounding(dict(recipe("in_one_graph").tensors()), dict(oracle.tensors()))


@claim(
    kind="rounding",
    statement="A state saver hands static_state_saving_rnn the state with which the session's last "
    "run ended.",
    formula="static_state_saving_rnn of x1, then of x2, from the same variables == dynamic_rnn(x)",
    cases=some(
        kinds.all_of(kinds.one_cell, kinds.forward, kinds.given, kinds.in_parts),
        "two-layers",
        "gru-reset-before-smallest",
    ),
    about=TF1,
    recipe="state_saving_loops",
    dtypes=IN_ONE_PRECISION,
)
def test_tf1_state_saving_loops_carry_on(recipe, oracle):
    assert_within_rounding(dict(recipe("state_saving_loops").tensors()), dict(oracle.tensors()))


@claim(
    kind="rounding",
    statement="With state_is_tuple=False the one array of all states, fed back as it came, carries "
    "on.",
    formula="session.run(dynamic_rnn, {x: x2, initial_state: state of x1}) ends dynamic_rnn(x)",
    cases=some(
        kinds.all_of(every, kinds.forward, kinds.given, kinds.in_parts), "smallest", "two-widths"
    ),
    about=TF1,
    recipe="states_in_one_array",
    dtypes=IN_ONE_PRECISION,
)
def test_tf1_states_in_one_array_carry_on(recipe, oracle):
    assert_within_rounding(dict(recipe("states_in_one_array").tensors()), dict(oracle.tensors()))


@claim(
    kind="rounding",
    statement="dynamic_rnn takes a cell of Keras 2 and a list of its states, and carries on from "
    "the states that it returned.",
    formula="dynamic_rnn(keras.layers.LSTMCell(units), x, initial_state=[h, c]) == lstm(x, (h, c))",
    cases=some(kinds.all_of(A_LAYER, kinds.given, kinds.in_parts), "smallest", "rnn-smallest"),
    about=TF1,
    recipe="keras_cell",
)
def test_tf1_loops_take_the_states_of_keras_cells(recipe, oracle):
    assert_within_rounding(dict(recipe("keras_cell").tensors()), dict(oracle.tensors()))
