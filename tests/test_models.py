"""Layers as users have them: inside models, copied, made anew from a config; and their shapes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import numpy as np

from fixtures.cases import kinds, named, some
from fixtures.checks.compare import assert_same_bits, assert_structure, assert_within_rounding
from fixtures.claims import KERAS, TORCH, About, claim

FRAMEWORKS = About(
    lambda one: hasattr(one, "ways"), "it is about what a framework does beyond the equations"
)

FLOAT64_TELLS = ("float64",)
"""A model or a config that loses the precision falls back to float32: there it would not show."""

NAMES = (
    "smallest", "bidirectional-two-layers", "gru-smallest", "rnn-smallest", "projected-smallest",
)  # fmt: skip
FIVE = some(kinds.one_cell, *NAMES)
LAYERS = kinds.all_of(kinds.layers, kinds.few_steps)
A_LAYER = kinds.all_of(LAYERS, kinds.single)

IN_A_GRAPH = ("function", "model", "dynamic_rnn", "dynamic_rnn of open sizes")
"""What `ways` calls those of them that make a graph."""

GRAPHS = About(
    lambda one: one.interface in ("keras", "tf1") and hasattr(one, "ways"),
    "it is about graphs of Keras and TensorFlow 1",
)

THREADS = 4

# Several options at once, so that each pair of them is tried.
ONE_DIRECTION = (
    {"return_sequences": True, "return_state": True},
    {"return_sequences": True, "return_state": False},
    {"return_sequences": False, "return_state": True},
    {"return_sequences": False, "return_state": False},
)
BOTH = (
    ONE_DIRECTION[0] | {"merge_mode": "concat"},
    ONE_DIRECTION[0] | {"merge_mode": None},
    ONE_DIRECTION[1] | {"merge_mode": None},
    ONE_DIRECTION[2] | {"merge_mode": "concat"},
    ONE_DIRECTION[2] | {"merge_mode": None},
    ONE_DIRECTION[3] | {"merge_mode": "sum"},
)


def options_of(case):
    return BOTH if case.directions == 2 else ONE_DIRECTION


def tensors(runs):
    """The tensors of several runs by name."""
    return {f"{way}: {name}": one for way, run in runs.items() for name, one in run.tensors()}


# Models


@claim(
    kind="exact",
    statement="Layers in a Sequential, a functional or a subclassed model compute what they do "
    "when one is called on the other.",
    formula="Sequential(layers)(x) == Model(inputs, layers(inputs))(x) == layers(x)",
    cases=some(LAYERS, "smallest", "rnn-bidirectional-two-layers"),
    about=KERAS,
    dtypes=FLOAT64_TELLS,
)
def test_keras_models_are_their_layers_called_in_turn(adapter, experiment):
    found = adapter.in_models(experiment)
    assert_same_bits(found, dict.fromkeys(found, found["layers"]))


@claim(
    kind="rounding",
    statement="A functional model takes initial states among its inputs and gives final ones among "
    "its outputs.",
    formula="Model([x, h0, c0], layer(x, initial_state=[h0, c0])).predict_on_batch(...)",
    cases=some(LAYERS, "smallest", "rnn-bidirectional-two-layers"),
    about=KERAS,
    dtypes=FLOAT64_TELLS,
)
def test_keras_functional_model_passes_states_through(adapter, experiment, oracle):
    run = adapter.functional(experiment)
    assert_within_rounding(dict(run.tensors()), dict(oracle.tensors()))


# Shapes, masks and counts


@claim(
    kind="structure",
    statement="What a layer says of its shapes, called on `keras.Input` or asked with "
    "`compute_output_shape`, is what it returns, with each option that changes a shape.",
    formula="layer(keras.Input(...)).shape == layer.compute_output_shape(...) == layer(x).shape",
    cases=named("smallest", "rnn-smallest", "rnn-bidirectional-two-layers"),
    about=KERAS,
    dtypes=("float32",),
)
def test_keras_symbolic_shapes_are_the_real_ones(adapter, experiment, case):
    found = [adapter.shapes(experiment, **options) for options in options_of(case)]
    assert_structure(found, [dict.fromkeys(one, one["real"]) for one in found])


@claim(
    kind="structure",
    statement="The same holds of cells of different widths inside one `RNN`.",
    formula="RNN([cell, cell])(keras.Input(...)).shape == RNN([cell, cell])(x).shape",
    cases=named("two-widths", "gru-two-widths", "mixed-lstm-gru"),
    about=KERAS,
    dtypes=("float32",),
)
def test_keras_stacked_cells_symbolic_shapes_are_real(adapter, experiment):
    found = adapter.shapes_of_stacked_cells(experiment)
    assert_structure(found, dict.fromkeys(found, found["real"]))


@claim(
    kind="structure",
    statement="A backward layer may have another width than the forward one: the output is as wide "
    "as both together.",
    formula="Bidirectional(layer(units), backward_layer=layer(units + 1))(x)"
    ".shape[-1] == 2 * units + 1",
    cases=named("rnn-smallest", "smallest"),
    about=KERAS,
    dtypes=("float32",),
)
def test_keras_backward_layer_may_have_another_width(adapter, experiment, case):
    found = adapter.shapes_of_two_widths(experiment)
    assert_structure(found["real"], [(case.time, 2 * case.units[0] + 1)])


@claim(
    kind="structure",
    statement="Called on `keras.Input` such a layer says so, and a layer on top is built for that "
    "width.",
    formula="Bidirectional(...)(keras.Input(...)).shape[-1] == 2 * units + 1",
    cases=named("rnn-smallest", "smallest"),
    about=KERAS,
    dtypes=("float32",),
)
def test_keras_symbolic_shape_has_both_widths(adapter, experiment):
    found = adapter.shapes_of_two_widths(experiment)
    assert_structure(found["symbolic"], found["real"])


@claim(
    kind="structure",
    statement="Asked with `compute_output_shape` it says so, too.",
    formula="Bidirectional(...).compute_output_shape(...)[-1] == 2 * units + 1",
    cases=named("rnn-smallest", "smallest"),
    about=KERAS,
    dtypes=("float32",),
)
def test_keras_computed_shape_has_both_widths(adapter, experiment):
    found = adapter.shapes_of_two_widths(experiment)
    assert_structure(found["computed"], found["real"])


@claim(
    kind="structure",
    statement="`count_params` of a layer counts its weights, and that of a model those of its "
    "layers.",
    formula="layer.count_params() == gates * units * (features + units + biases) * directions",
    cases=named("smallest", "no-bias", "gru-smallest", "gru-reset-before-smallest",
                "rnn-bidirectional-two-layers"),
    about=KERAS,
    dtypes=("float32",),
)  # fmt: skip
def test_keras_count_params_counts_the_weights(adapter, experiment):
    layers = [
        sum(array.size for one in row for _, array in one.canonical())
        for row in experiment.weights.rows
    ]
    assert_structure(adapter.parameters(experiment), [*layers, sum(layers)])


@claim(
    kind="structure",
    statement="A name that TensorFlow refuses leaves no mark on layers made later: their weights "
    "have the paths that they had before, by which optimizers and files know them.",
    formula='Sequential([layer(name="a layer")]).predict(x) raises or not; '
    'layer(name="layer").weights[0].path is what it was',
    cases=named("smallest"),
    about=KERAS,
    dtypes=("float32",),
)
def test_keras_a_refused_name_marks_no_later_layer(adapter, experiment):
    found = adapter.paths_around_a_refused_name(experiment)
    assert_structure(found["after"], found["before"])


@claim(
    kind="structure",
    statement="What is frozen before a model is compiled is not trained: both layers of a "
    "`Bidirectional`, or one of them alone; the rest is.",
    formula="bidirectional.forward_layer.trainable = False; after model.train_on_batch(x, y) the "
    "forward layer's weights are what they were, and all others are not",
    cases=named("rnn-bidirectional-two-layers"),
    about=KERAS,
    recipe="moved_by_training",
    dtypes=("float32",),
)
def test_keras_what_is_frozen_is_not_trained(adapter, experiment):
    moved, stayed = "moved", "stayed"
    assert_structure(
        adapter.moved_by_training(experiment),
        {
            "nothing": {"forward": moved, "backward": moved},
            "forward": {"forward": stayed, "backward": moved},
            "backward": {"forward": moved, "backward": stayed},
            "the layer": {"forward": stayed, "backward": stayed},
        },
    )


WRAPPERS = ("RNN", "Bidirectional")


def without(found, names):
    return {name: one for name, one in found.items() if name not in names}


@claim(
    kind="structure",
    statement="A layer that is made with `trainable=False` is not trained: by itself, as a step "
    "layer inside `RNN`, and inside `Bidirectional`.",
    formula="train_on_batch(x, y) with LSTM(units, trainable=False) leaves its weights",
    cases=named("smallest", "gru-smallest", "rnn-smallest"),
    about=KERAS,
    recipe="moved_though_made_frozen",
    dtypes=("float32",),
)
def test_keras_layers_made_frozen_are_not_trained(adapter, experiment):
    found = without(adapter.moved_though_made_frozen(experiment), WRAPPERS)
    assert_structure(found, dict.fromkeys(found, "stayed"))


@claim(
    kind="structure",
    statement="What stands inside of an `RNN` or a `Bidirectional` that is made with "
    "`trainable=False` is not trained.",
    formula="train_on_batch(x, y) with Bidirectional(layer, trainable=False) leaves its weights",
    cases=named("smallest", "gru-smallest", "rnn-smallest"),
    about=KERAS,
    recipe="moved_though_made_frozen",
    dtypes=("float32",),
)
def test_keras_wrappers_made_frozen_are_not_trained(adapter, experiment):
    found = adapter.moved_though_made_frozen(experiment)
    assert_structure({one: found[one] for one in WRAPPERS}, dict.fromkeys(WRAPPERS, "stayed"))


@claim(
    kind="structure",
    statement="A batch of no rows is taken, and gives an output of no rows.",
    formula="layer(x[:0]).shape == [0, time, units]",
    cases=named("smallest", "gru-smallest", "gru-reset-before-smallest", "rnn-smallest"),
    about=FRAMEWORKS,
    dtypes=("float32",),
)
def test_an_empty_batch_gives_an_empty_output(adapter, experiment, case):
    way = next(iter(adapter.ways(experiment).values()))
    try:
        found = way(experiment.inputs[:0], None).shape
    except adapter.refuses_with() as error:
        found = f"refused by {type(error).__name__}"
    assert_structure(found, (0, case.time, case.units[0]))


@claim(
    kind="structure",
    statement="A graph takes a batch of no rows, too: of that size, and where the size is open.",
    formula="function(layer)(x[:0]).shape == Model(x, layer(x))(x[:0]).shape == [0, time, units]",
    cases=named("smallest", "gru-smallest", "gru-reset-before-smallest", "rnn-smallest"),
    about=GRAPHS,
    dtypes=("float32",),
)
def test_graphs_take_an_empty_batch(adapter, experiment, case):
    found = {}
    for way, call in adapter.ways(experiment).items():
        if way in IN_A_GRAPH:
            try:
                found[way] = call(experiment.inputs[:0], None).shape
            except adapter.refuses_with() as error:
                found[way] = f"refused by {type(error).__name__}"
    assert_structure(found, dict.fromkeys(found, (0, case.time, case.units[0])))


@claim(
    kind="exact",
    statement="A layer that several threads call at once computes in each what it computes alone: "
    "as a layer, a traced function and a model, of which each is called there first.",
    formula="ThreadPoolExecutor(4).map(layer, batches) == [layer(batch) for batch in batches]",
    cases=some(A_LAYER, "smallest", "gru-smallest", "rnn-smallest"),
    about=FRAMEWORKS,
    dtypes=("float32",),
)
def test_threads_leave_each_others_calls_alone(adapter, experiment):
    batches = [np.roll(experiment.inputs, n, axis=2) * 2.0**-n for n in range(THREADS)]
    at_once, in_turn = {}, {}
    with ThreadPoolExecutor(THREADS) as threads:
        for way, call in adapter.ways(experiment).items():
            together = Barrier(THREADS)

            def start(batch, call=call, together=together):
                together.wait()
                return call(batch, None)

            at_once[way] = np.stack(list(threads.map(start, batches)))
            in_turn[way] = np.stack([call(batch, None) for batch in batches])
    assert_same_bits(at_once, in_turn)


@claim(
    kind="exact",
    statement="Inputs of two axes are one sequence, and what comes back has no batch either.",
    formula="lstm(x[0], (h_0[:, 0], c_0[:, 0])) == lstm(x[:1], (h_0[:, :1], c_0[:, :1]))",
    cases=some(kinds.all_of(kinds.one_cell, kinds.given), *NAMES),
    about=TORCH,
)
def test_torch_inputs_of_two_axes_are_one_sequence(adapter, experiment):
    initial = experiment.initial.map(lambda state: state[:1])
    one_row = replace(experiment, inputs=experiment.inputs[:1], initial=initial)
    unbatched, batched = adapter.unbatched(one_row), adapter.run(one_row)
    assert_same_bits(dict(unbatched.tensors()), dict(batched.tensors()))


# Made anew from a config


@claim(
    kind="exact",
    statement="A layer made anew from its config, with its weights, is the same layer.",
    formula="type(layer).from_config(layer.get_config())(x) == layer(x)",
    cases=some(
        kinds.all_of(kinds.one_cell, kinds.few_steps),
        "smallest", "no-bias", "relu-smallest", "peepholes-smallest", "gru-smallest",
        "gru-reset-before-smallest", "rnn-relu-smallest", "bidirectional",
    ),
    about=KERAS,
    dtypes=FLOAT64_TELLS,
)  # fmt: skip
def test_keras_a_layer_from_its_config_is_the_same(adapter, experiment, run):
    assert_same_bits(dict(adapter.from_config(experiment).tensors()), dict(run.tensors()))


@claim(
    kind="exact",
    statement="So are cells stacked inside one `RNN`.",
    formula="RNN.from_config(rnn.get_config())(x) == rnn(x), rnn = RNN(StackedRNNCells(cells))",
    cases=some(
        kinds.all_of(LAYERS, kinds.forward, kinds.several_layers), "two-widths", "gru-two-widths"
    ),
    about=KERAS,
    recipe="stacked_cells",
    dtypes=FLOAT64_TELLS,
)
def test_keras_stacked_cells_from_their_config_are_same(recipe, adapter, experiment):
    anew, stacked = adapter.stacked_cells_from_config(experiment), recipe("stacked_cells")
    assert_same_bits(dict(anew.tensors()), dict(stacked.tensors()))


@claim(
    kind="exact",
    statement="A `Bidirectional` made anew from its config has both of its layers, of another "
    "width and activation each, and merges them as before.",
    formula="Bidirectional.from_config(layer.get_config())(x) == layer(x)",
    cases=some(A_LAYER, "rnn-smallest", "smallest"),
    about=KERAS,
    dtypes=FLOAT64_TELLS,
)
def test_keras_bidirectional_config_keeps_both_layers(adapter, experiment):
    ways = {mode: adapter.two_widths_from_config(experiment, mode) for mode in ("concat", None)}
    built, anew = (
        {f"{mode}, {n}": one for mode, way in ways.items() for n, one in enumerate(way[name])}
        for name in ("built", "anew")
    )
    assert_same_bits(anew, built)


@claim(
    kind="structure",
    statement="A config has every option of a layer or step layer, and a layer made from it has "
    "them all.",
    formula="layer.from_config(layer(**options).get_config()).get_config() has these options",
    cases=named("smallest", "gru-smallest", "rnn-smallest"),
    about=KERAS,
    dtypes=("float32",),
)
def test_keras_configs_keep_every_option(adapter, experiment):
    kept = {layer: adapter.options_kept(experiment, layer) for layer in ("", "Cell")}
    assert_structure(
        {layer: found for layer, (_, found) in kept.items()},
        {layer: given for layer, (given, _) in kept.items()},
    )


@claim(
    kind="exact",
    statement="A model made anew from its config, from its JSON or by `clone_model`, with its "
    "weights, computes the same.",
    formula="Model.from_config(model.get_config())(x) == model(x)",
    cases=some(LAYERS, "rnn-bidirectional-two-layers", "gru-smallest"),
    about=KERAS,
    dtypes=FLOAT64_TELLS,
)
def test_keras_models_made_anew_compute_the_same(adapter, experiment):
    found = adapter.models_made_anew(experiment)
    assert_same_bits(found, dict.fromkeys(found, found["model"]))


@claim(
    kind="exact",
    statement="A model whose layer begins in a state that is a constant keeps it: made anew from "
    "its config, by `clone_model`, and read from a `.keras` or an `.h5` file.",
    formula="Model(x, layer(x, initial_state=constants)); load_model('model.keras')(x) == model(x)",
    cases=some(
        kinds.all_of(LAYERS, kinds.one_layer, kinds.given),
        "smallest",
        "gru-smallest",
        "bidirectional",
    ),
    about=KERAS,
    dtypes=FLOAT64_TELLS,
)
def test_keras_models_keep_a_constant_state(adapter, experiment):
    found = adapter.made_anew_with_constants(experiment, "state")
    assert_same_bits(found, dict.fromkeys(found, found["model"]))


@claim(
    kind="exact",
    statement="So does one whose layer is under a mask that is a constant.",
    formula="Model(x, layer(x, mask=constant)); load_model('model.keras')(x) == model(x)",
    cases=some(
        kinds.all_of(kinds.masked_alone, kinds.one_layer, kinds.few_steps),
        "masked-right-lstm-bidirectional",
        "masked-holes-gru",
    ),
    about=KERAS,
    dtypes=FLOAT64_TELLS,
)
def test_keras_models_keep_a_constant_mask(adapter, experiment):
    found = adapter.made_anew_with_constants(experiment, "mask")
    assert_same_bits(found, dict.fromkeys(found, found["model"]))


# Copies


@claim(
    kind="exact",
    statement="A deep copy of a model, and what comes out of a pickle, compute the same.",
    formula="deepcopy(model)(x) == pickle.loads(pickle.dumps(model))(x) == model(x)",
    cases=some(LAYERS, "rnn-bidirectional-two-layers"),
    about=KERAS,
    dtypes=FLOAT64_TELLS,
)
def test_keras_copies_of_a_model_compute_the_same(adapter, experiment):
    found = adapter.copies_of_a_model(experiment)
    assert_same_bits(found, dict.fromkeys(found, found["model"]))


@claim(
    kind="exact",
    statement="A deep copy of a layer, what comes out of a pickle and what was saved whole compute "
    "what the layer does.",
    formula="deepcopy(lstm)(x) == pickle.loads(pickle.dumps(lstm))(x) == lstm(x)",
    cases=FIVE,
    about=TORCH,
)
def test_torch_copies_compute_the_same(adapter, experiment, run):
    copies = adapter.copies(experiment)
    assert_same_bits(tensors(copies), tensors(dict.fromkeys(copies, run)))


@claim(
    kind="exact",
    statement="A copy's weights are its own: given others it computes with those, and the layer "
    "that it was made of is as it was.",
    formula="other = deepcopy(lstm); other.load_state_dict(weights); lstm(x) is unchanged",
    cases=FIVE,
    about=TORCH,
)
def test_torch_a_copy_has_weights_of_its_own(adapter, experiment, run):
    found = adapter.copies_loaded_later(experiment)
    copies = {way: one for way, (one, _) in found.items()}
    first = {f"{way}, the layer": one for way, (_, one) in found.items()}
    zero = adapter.of_zeros(experiment)
    assert_same_bits(
        tensors(copies | first),
        tensors(dict.fromkeys(copies, run) | dict.fromkeys(first, zero)),
    )


@claim(
    kind="exact",
    statement="Layers that share a weight share it still once they were copied together, saved or "
    "converted: changed in one, it is changed in the other.",
    formula="one, other = deepcopy(both); one.weight_hh_l0.mul_(2); other(x)",
    cases=FIVE,
    about=TORCH,
    recipe="tied",
)
def test_torch_tied_layers_stay_tied(recipe):
    found = recipe("tied")
    assert_same_bits(
        tensors({way: other for way, (other, _) in found.items()}),
        tensors({way: plain for way, (_, plain) in found.items()}),
    )


@claim(
    kind="exact",
    statement="A layer pickled by torch 1.7, which had no `proj_size`, computes what it did.",
    formula="lstm.__setstate__(a state without proj_size); lstm(x)",
    cases=some(
        kinds.layers, "smallest", "bidirectional-two-layers", "gru-smallest", "rnn-smallest"
    ),
    about=TORCH,
)
def test_torch_unpickles_a_layer_without_proj_size(adapter, experiment, run):
    assert_same_bits(dict(adapter.from_torch_1_7(experiment).tensors()), dict(run.tensors()))


@claim(
    kind="exact",
    statement="A layer moved to another precision is the layer made in it.",
    formula="lstm.to(dtype)(x) == LSTM(..., dtype=dtype)(x)",
    cases=FIVE,
    about=TORCH,
)
def test_torch_a_layer_moved_is_one_made_in_that_dtype(adapter, experiment, run):
    assert_same_bits(dict(adapter.moved(experiment).tensors()), dict(run.tensors()))


# Other tensors in place of the parameters. Without `requires_grad` torch may choose other kernels.


@claim(
    kind="rounding",
    statement="`functional_call` computes with the weights that it is given, not with the layer's.",
    formula="functional_call(zeros, weights, x) == lstm(x)",
    cases=FIVE,
    about=TORCH,
)
def test_torch_functional_call_uses_the_weights_given(adapter, experiment, oracle):
    run = adapter.functional_call(experiment)
    assert_within_rounding(dict(run.tensors()), dict(oracle.tensors()))


@claim(
    kind="exact",
    statement="A parameter put in place of another one is the one that is used.",
    formula="lstm.weight_ih_l0 = Parameter(weight); lstm(x)",
    cases=FIVE,
    about=TORCH,
)
def test_torch_a_replaced_parameter_is_used(adapter, experiment, run):
    assert_same_bits(dict(adapter.replaced(experiment).tensors()), dict(run.tensors()))


@claim(
    kind="rounding",
    statement="A parametrized weight is what the parametrization makes of it, of weights loaded "
    "afterwards, too.",
    formula="register_parametrization(lstm, 'weight_ih_l0', doubled); lstm(x) with half of it",
    cases=FIVE,
    about=TORCH,
)
def test_torch_a_parametrized_weight_is_used(adapter, experiment, oracle):
    run = adapter.parametrized(experiment)
    assert_within_rounding(dict(run.tensors()), dict(oracle.tensors()))


@claim(
    kind="exact",
    statement="A weight that is made of others, by a norm or by pruning, is made of them in every "
    "call, as they are then.",
    formula="weight_norm(lstm, 'weight_hh_l0'); g *= 2; lstm(x) == LSTM with weight_hh_l0 (x)",
    cases=some(
        kinds.one_cell, "smallest", "gru-smallest", "rnn-smallest", "bidirectional-two-layers"
    ),
    about=TORCH,
)
def test_torch_a_weight_made_of_others_is_made_anew(adapter, experiment):
    found = adapter.with_weights_made_of_others(experiment)
    assert_same_bits(
        tensors({way: made for way, (made, _) in found.items()}),
        tensors({way: plain for way, (_, plain) in found.items()}),
    )


@claim(
    kind="structure",
    statement="A layer with a parametrized weight can be copied after a call.",
    formula="weight_norm(lstm, 'weight_hh_l0'); lstm(x); copy.deepcopy(lstm)",
    cases=named("smallest", "gru-smallest"),
    about=TORCH,
    dtypes=("float32",),
)
def test_torch_a_parametrized_layer_can_be_copied(adapter, experiment):
    found = adapter.copied_after_a_call(experiment)
    assert_structure(found, dict.fromkeys(found, "copied"))


@claim(
    kind="exact",
    statement="A layer that was made without memory computes with what it is given then: weights "
    "that are assigned, or copied into it once it has memory.",
    formula="LSTM(..., device='meta').load_state_dict(weights, assign=True); lstm(x)",
    cases=FIVE,
    about=TORCH,
    recipe="made_without_memory",
)
def test_torch_a_layer_without_memory_takes_weights(recipe, run):
    found = recipe("made_without_memory")
    assert_same_bits(tensors(found), tensors(dict.fromkeys(found, run)))


@claim(
    kind="structure",
    statement="A state_dict that was assigned to one layer is copied into the next as before: a "
    "plain load keeps the parameters of the layer.",
    formula="one.load_state_dict(weights, assign=True); other.load_state_dict(weights)",
    cases=named("smallest", "gru-smallest"),
    about=TORCH,
    recipe="loaded_after_an_assignment",
    dtypes=("float32",),
)
def test_torch_an_assigned_state_dict_is_left_alone(recipe):
    found = recipe("loaded_after_an_assignment")
    assert_structure(found, {"before": "kept", "after": "kept"})


@claim(
    kind="structure",
    statement="Weights that are assigned to a layer are trained where its own were, and are frozen "
    "where its own were.",
    formula="lstm.requires_grad_(False); lstm.load_state_dict(weights, assign=True); still False",
    cases=FIVE,
    about=TORCH,
    recipe="asking_after_an_assignment",
    dtypes=("float32",),
)
def test_torch_assigned_weights_stay_frozen(recipe):
    found = recipe("asking_after_an_assignment")
    assert_structure(found, {"trained": "trained", "frozen": "frozen"})


@claim(
    kind="exact",
    statement="A layer from which a norm of a weight was taken again computes with the weights "
    "that are loaded into it then.",
    formula="remove_weight_norm(lstm, 'weight_hh_l0'); lstm.load_state_dict(weights); lstm(x)",
    cases=FIVE,
    about=TORCH,
    recipe="loaded_without_norms",
)
def test_torch_a_layer_without_its_norm_takes_weights(recipe, run):
    found = recipe("loaded_without_norms")
    assert_same_bits(tensors(found), tensors(dict.fromkeys(found, run)))


@claim(
    kind="structure",
    statement="A layer takes the weights of a plain one also after `remove_spectral_norm`.",
    formula="remove_spectral_norm(lstm, 'weight_hh_l0'); lstm.load_state_dict(weights)",
    cases=named("smallest", "gru-smallest"),
    about=TORCH,
    recipe="loaded_without_a_spectral_norm",
    dtypes=("float32",),
)
def test_torch_a_removed_spectral_norm_lets_weights_in(recipe):
    assert_structure(recipe("loaded_without_a_spectral_norm"), "taken")


@claim(
    kind="exact",
    statement="A tensor that is refused in a parameter's place leaves the layer as it was.",
    formula="lstm.weight_hh_l0 = tensor raises TypeError; lstm(x) is unchanged",
    cases=some(kinds.all_of(kinds.one_cell, kinds.given), *NAMES),
    about=TORCH,
    recipe="after_a_refused_weight",
)
def test_torch_a_refused_weight_is_not_used(recipe, run):
    assert_same_bits(dict(recipe("after_a_refused_weight").tensors()), dict(run.tensors()))


@claim(
    kind="exact",
    statement="A layer goes by where its inputs lie: another default device changes neither what "
    "it returns, from its own state or a given one, nor what it returns for packed rows.",
    formula="torch.set_default_device('meta'); lstm(x) == lstm(x) without",
    cases=some(kinds.one_cell, *NAMES, "smallest-from-zero", "gru-smallest-from-zero"),
    about=TORCH,
    recipe="under_another_default",
)
def test_torch_another_default_device_changes_nothing(recipe):
    found = recipe("under_another_default")
    assert_same_bits(
        tensors({way: under for way, (under, _) in found.items()}),
        tensors({way: otherwise for way, (_, otherwise) in found.items()}),
    )


@claim(
    kind="structure",
    statement="A layer that `torch.nn.utils.skip_init` makes, without numbers in it, computes with "
    "the weights that are loaded into it.",
    formula="skip_init(LSTM, features, units).load_state_dict(weights); lstm(x)",
    cases=some(A_LAYER, "smallest", "gru-smallest", "rnn-smallest"),
    about=TORCH,
    recipe="made_without_numbers",
    dtypes=("float32",),
)
def test_torch_skip_init_makes_layers_that_take_weights(recipe):
    assert_structure(recipe("made_without_numbers"), "the same")


@claim(
    kind="structure",
    statement="A layer that `torch.jit.script` is given alone, in no model, can be called.",
    formula="torch.jit.script(lstm)(x) == lstm(x)",
    cases=some(A_LAYER, "smallest", "gru-smallest", "rnn-smallest"),
    about=TORCH,
    recipe="scripted_alone",
    dtypes=("float32",),
)
def test_torch_a_scripted_layer_alone_can_be_called(recipe):
    assert_structure(recipe("scripted_alone"), "the same")


@claim(
    kind="exact",
    statement="A layer converted to another precision is the layer made in it also where torch is "
    "told to swap parameters, or to overwrite them.",
    formula="torch.__future__.set_swap_module_params_on_conversion(True); lstm.to(dtype)(x)",
    cases=FIVE,
    about=TORCH,
    recipe="converted",
)
def test_torch_conversions_in_every_way_are_the_same(recipe, run):
    found = recipe("converted")
    assert_same_bits(tensors(found), tensors(dict.fromkeys(found, run)))


@claim(
    kind="structure",
    statement="Weights are loaded into a layer also where torch is told to swap parameters.",
    formula="set_swap_module_params_on_conversion(True); lstm.load_state_dict(weights); lstm(x)",
    cases=FIVE,
    about=TORCH,
    recipe="loaded_by_swapping",
    dtypes=("float32",),
)
def test_torch_weights_are_loaded_by_swapping(recipe):
    assert_structure(recipe("loaded_by_swapping"), "the same")


# Not what oneDNN's kernel or cuDNN's is made for


@claim(
    kind="rounding",
    statement="Gradients by inputs and initial states go through a layer whose weights are frozen.",
    formula="lstm.requires_grad_(False); d loss / d (x, h0, c0) == oracle",
    cases=some(kinds.one_cell, *NAMES),
    about=TORCH,
)
def test_torch_gradients_go_through_a_frozen_layer(adapter, experiment, oracle_gradients):
    found = dict(adapter.gradients_through_frozen(experiment).gradients.tensors())
    given = [name for name in found if name.startswith(("inputs", "initial"))]
    assert_within_rounding(
        {name: found[name] for name in given}, {name: oracle_gradients[name] for name in given}
    )


@claim(
    kind="rounding",
    statement="torch.ao.nn.quantizable.LSTM, made of an LSTM, computes what that does.",
    formula="torch.ao.nn.quantizable.LSTM.from_float(lstm)(x) == lstm(x)",
    cases=some(
        kinds.layers,
        "smallest",
        "no-bias",
        "two-layers",
        "bidirectional",
        "bidirectional-two-layers",
    ),
    about=TORCH,
    dtypes=("float32",),
)
def test_torch_quantizable_lstm_is_the_lstm(adapter, experiment, oracle):
    assert_within_rounding(dict(adapter.quantizable(experiment).tensors()), dict(oracle.tensors()))


@claim(
    kind="structure",
    statement="torch.ao.nn.quantizable.LSTM, made of its sizes alone, takes what the LSTM of these "
    "sizes takes.",
    formula="torch.ao.nn.quantizable.LSTM(features, units, layers, bidirectional=True)(x)",
    cases=named("smallest", "two-layers", "bidirectional", "bidirectional-two-layers"),
    about=TORCH,
    dtypes=("float32",),
)
def test_torch_quantizable_lstm_can_be_made_of_sizes(adapter, experiment, case):
    shape = case.batch, case.time, case.directions * case.units[-1]
    assert_structure(adapter.quantizable_of_sizes(experiment), str(shape))
