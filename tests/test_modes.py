"""Ways of running a layer: compiled, exported, saved and loaded.

Each was in effect, and its numbers are the layer's own. That values are the oracle's, states where
they belong and shapes right, is said by the claims of other files, which are checked in every mode.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fixtures.adapters.modes import FITS
from fixtures.cases import every, kinds, named, some
from fixtures.checks.compare import (
    assert_each_within_rounding,
    assert_same_bits,
    assert_structure,
    assert_within_rounding,
)
from fixtures.claims import IN_A_MODE, KERAS, SAME_BITS, claim
from fixtures.model.perlayer import PerLayer
from fixtures.oracle.rounding import oracle_of

A_LAYER = kinds.all_of(every, kinds.single, kinds.given, kinds.few_steps)


@claim(
    kind="structure",
    statement="A layer that is to be compiled, exported or read from a file is run in that way: "
    "it is not called as it is in silence.",
    formula="what the run saw of its mode == what the mode says",
    about=IN_A_MODE,
)
def test_a_mode_was_in_effect(run, mode):
    assert_structure(dict(run.seen), dict(mode.in_effect))


@claim(
    kind="exact",
    statement="In ways of running that only carry a layer over, the numbers are those of the layer "
    "as it is, to the bit.",
    formula="run in the mode == run outside of it",
    about=SAME_BITS,
)
def test_a_mode_that_carries_over_moves_no_bit(run, called_as_it_is):
    assert_same_bits(dict(run.tensors()), dict(called_as_it_is.tensors()))


@claim(
    kind="rounding",
    statement="What was made for one number of rows is called with another, and is not made anew.",
    formula="made for a larger batch, called with this one == oracle",
    recipe="made_for_another_batch",
    # torch.compile makes a graph of its own for one row, and for one step.
    cases=some(kinds.all_of(A_LAYER, kinds.several_rows), "smallest", "bidirectional-two-layers"),
    about=IN_A_MODE,
)
def test_what_was_made_for_one_batch_takes_another(recipe, oracle):
    run = recipe("made_for_another_batch")
    assert_within_rounding(dict(run.tensors()), dict(oracle.tensors()))


@claim(
    kind="rounding",
    statement="What was made for one number of steps is called with another, and is not made anew.",
    formula="made for more steps, called with these == oracle",
    recipe="made_for_another_time",
    cases=some(kinds.all_of(A_LAYER, kinds.several_steps), "smallest", "bidirectional-two-layers"),
    dtypes=("float32",),
    about=IN_A_MODE,
)
def test_what_was_made_for_one_length_takes_another(recipe, oracle):
    """In float64 torch.compile writes out the steps, and makes another graph for more of them."""
    run = recipe("made_for_another_time")
    assert_within_rounding(dict(run.tensors()), dict(oracle.tensors()))


@claim(
    kind="rounding",
    statement="Lengths of rows are read in every call: those that it was made for are not kept.",
    formula="made for rows of other lengths, called with these == oracle",
    recipe="made_for_other_lengths",
    cases=some(
        lambda case: case.mask == "right" and kinds.masked_alone(case),
        "masked-right-lstm-two-layers",
    ),
    about=IN_A_MODE,
)
def test_what_was_made_for_some_lengths_takes_others(recipe, oracle):
    run = recipe("made_for_other_lengths")
    assert_within_rounding(dict(run.tensors()), dict(oracle.tensors()))


@claim(
    kind="structure",
    statement="What was exported with its steps left open computes all of them, however many come, "
    "or raises, as it was exported or as it is called: never a few of them in silence.",
    formula="steps of exported(x) == steps of x, or it raises",
    recipe="left_open_in_time",
    cases=named("smallest", "gru-smallest"),
    dtypes=("float32",),
    about=IN_A_MODE,
)
def test_exported_models_compute_every_step_or_refuse(recipe, experiment):
    steps = recipe("left_open_in_time").native
    assert_structure(steps, steps if steps == "refused" else experiment.time)


@claim(
    kind="structure",
    statement="An exported program says of its results the shapes that the layer's have: h_n and "
    "c_n have three axes.",
    formula="shapes in the graph == shapes of output, h_n, c_n",
    recipe="shapes_told",
    cases=named("smallest", "gru-smallest"),
    about=IN_A_MODE,
)
def test_exported_programs_tell_the_shapes_that_they_return(recipe):
    told, returned = recipe("shapes_told").native
    assert_structure(told, returned)


@claim(
    kind="rounding",
    statement="Weights get their gradients where inputs and states ask for none, as in the first "
    "layer of a model.",
    formula="gradients by the weights alone == d loss / d weights",
    recipe="gradients_of_weights",
    cases=some(A_LAYER, "smallest"),
    about=IN_A_MODE,
)
def test_weights_learn_where_inputs_do_not(recipe, oracle_gradients):
    gradients = recipe("gradients_of_weights").gradients
    weights = {name: one for name, one in gradients.tensors() if "kernel" in name or "bias" in name}
    assert_within_rounding(weights, {name: oracle_gradients[name] for name in weights})


@claim(
    kind="rounding",
    statement="In training a stack drops out between its layers however it is run: at a rate of 1 "
    "the layers above the first are fed with zeros.",
    formula="dropout=1.0, train(): output, h, c == oracle with no kernels above the first layer",
    recipe="in_training",
    cases=some(
        kinds.all_of(kinds.layers, kinds.several_layers, kinds.few_steps),
        "two-layers",
        "gru-two-layers",
    ),
    about=IN_A_MODE,
    dtypes=("float32",),
)
def test_stacks_drop_out_however_they_are_run(recipe, experiment, rounding_model):
    def above_the_first(layer, direction):
        one = experiment.weights[layer, direction]
        return one if layer == 0 else replace(one, kernel=np.zeros_like(one.kernel))

    weights = experiment.weights
    fed_with_zeros = PerLayer.build(weights.layers, weights.directions, above_the_first)
    oracle = oracle_of(replace(experiment, weights=fed_with_zeros), model=rounding_model)
    assert_within_rounding(dict(recipe("in_training").tensors()), dict(oracle.tensors()))


@claim(
    kind="rounding",
    statement="Several layers of one shape are called at once, each with its own weights.",
    formula="vmap over [zeros, weights] at [1] == oracle",
    recipe="vmapped",
    cases=some(A_LAYER, "smallest"),
    about=IN_A_MODE,
)
def test_vmap_over_weights_is_a_layer_for_each(recipe, oracle):
    assert_within_rounding(dict(recipe("vmapped").tensors()), dict(oracle.tensors()))


@claim(
    kind="structure",
    statement="What was made of a layer takes what it was made for, and refuses what the layer "
    "refuses: inputs of another width, an axis too many, states for other rows.",
    formula="made(concat([x, x[..., :1]])), made(x[:, None]), made(x, concat([h, h[:1]])) raise",
    recipe="refuses",
    cases=named("smallest"),
    dtypes=("float32",),
    about=IN_A_MODE,
)
def test_what_does_not_fit_is_refused_in_every_mode(recipe):
    found = recipe("refuses").native
    assert_structure(found, {name: "taken" if name == FITS else "refused" for name in found})


@claim(
    kind="exact",
    statement="What is made of a layer leaves the layer as it was.",
    formula="the layer, after it was compiled, exported, saved == the layer",
    recipe="as_it_was",
    cases=some(A_LAYER, "smallest"),
    about=IN_A_MODE,
)
def test_what_is_made_of_a_layer_leaves_it_alone(recipe, called_as_it_is):
    assert_same_bits(dict(recipe("as_it_was").tensors()), dict(called_as_it_is.tensors()))


@claim(
    kind="exact",
    statement="A graph of TensorFlow 1 that is saved, and read in another process, computes there "
    "what it computed here, to the bit, whatever its cells.",
    formula="the graph in the process that has read it == in the session that saved it",
    cases=named("two-layers", "peepholes-smallest", "gru-reset-before-smallest"),
    dtypes=("float32",),
    about=IN_A_MODE,
    recipe="read_and_saved",
)
def test_tf1_graphs_that_are_read_compute_what_was_saved(recipe):
    read, saved = recipe("read_and_saved").native
    assert_same_bits(read, saved)


def where_steps_count(run, experiment):
    """What a run gave, and what the oracle says: at masked steps each makes something else."""
    found, expected = dict(run.tensors()), dict(oracle_of(experiment).tensors())
    for tensors in (found, expected):
        tensors["output"] = tensors["output"][experiment.output_mask]
    return found, expected


IN_OTHER_SIZES = some(
    lambda case: (
        kinds.masked_alone(case) and kinds.given(case) and kinds.few_steps(case) and case.time > 2
    ),
    "masked-right-lstm-bidirectional",
)
"""With so many rows and steps that there may be fewer."""


def in_other_sizes(experiment):
    """A masked case as it is, then some of its rows in another order, then fewer and more steps."""
    x, mask = experiment.inputs, experiment.mask
    return {
        "as it is": experiment,
        "fewer rows": experiment.in_order(np.array([experiment.batch - 2, 0])),
        "fewer steps": replace(experiment, inputs=x[:, :-2], mask=mask[:, :-2], upstream=None),
        "more steps": replace(
            experiment,
            inputs=np.concatenate([x, x[:, ::-1]], axis=1),
            mask=np.concatenate([mask, mask[:, ::-1]], axis=1),
            upstream=None,
        ),
    }


@claim(
    kind="rounding",
    statement="A function traced with batch and time left open computes batches of other sizes, of "
    "other lengths and under other masks than those it was called with first.",
    formula="tf.function(stack, input_signature=[None, None, features])(other) == oracle(other)",
    cases=IN_OTHER_SIZES,
    about=KERAS,
    recipe="traced_for_any_size",
    dtypes=("float32",),
)
def test_keras_traced_functions_take_other_batches_and_times(adapter, experiment):
    sizes = in_other_sizes(experiment)
    runs = adapter.traced_for_any_size(list(sizes.values()))
    assert_each_within_rounding(
        {
            size: where_steps_count(run, one)
            for (size, one), run in zip(sizes.items(), runs, strict=True)
        }
    )


@claim(
    kind="structure",
    statement="A function that is traced with batch and time left open is traced once for all.",
    formula="traces after calls with other batches and times == 1",
    cases=named("masked-right-lstm-bidirectional"),
    about=KERAS,
    recipe="traced_for_any_size",
    dtypes=("float32",),
)
def test_keras_traced_functions_are_traced_once_for_all(adapter, experiment):
    runs = adapter.traced_for_any_size(list(in_other_sizes(experiment).values()))
    assert_structure([run.seen["traces"] for run in runs], [1] * len(runs))


@claim(
    kind="structure",
    statement="Gradients that XLA compiles have the batch for an argument: they are compiled once "
    "for all batches of a shape, and not for each anew.",
    formula="tf.function(gradient, jit_compile=True): x is a parameter of its program",
    cases=named("smallest", "gru-smallest", "gru-reset-before-smallest", "rnn-smallest"),
    about=KERAS,
    recipe="inputs_of_a_compiled_gradient",
    dtypes=("float32",),
)
def test_keras_compiled_gradients_are_for_every_batch(recipe):
    assert_structure(recipe("inputs_of_a_compiled_gradient"), "an argument")


@claim(
    kind="rounding",
    statement="`predict` of a model with batch and time left open computes batches of other sizes, "
    "of other lengths and under other masks than its first.",
    formula="model.predict(other) == oracle(other)",
    cases=IN_OTHER_SIZES,
    about=KERAS,
    recipe="predicted_in_any_size",
    dtypes=("float32",),
)
def test_keras_predict_takes_other_batches_and_times(adapter, experiment):
    sizes = in_other_sizes(experiment)
    runs = adapter.predicted_in_any_size(list(sizes.values()))
    assert_each_within_rounding(
        {
            size: where_steps_count(run, one)
            for (size, one), run in zip(sizes.items(), runs, strict=True)
        }
    )


@claim(
    kind="rounding",
    statement="`predict` of more steps than its first has TimeDistributed go over all of them.",
    formula="model = Sequential([layer, TimeDistributed(Dense)]); model.predict(x[:, :1]); "
    "model.predict(x) == Dense(layer(x))",
    cases=named("rnn-smallest-from-zero"),
    about=KERAS,
    recipe="predicted_by_steps",
    dtypes=("float32",),
)
def test_keras_predict_distributes_over_any_time(adapter, experiment, oracle):
    first = replace(experiment, inputs=experiment.inputs[:, :1], upstream=None)
    _, found = adapter.predicted_by_steps([first, experiment])
    assert_within_rounding({"output": found}, {"output": oracle.output})
