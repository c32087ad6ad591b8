"""Weights in files: what a file holds, under which names, read without the layers that wrote it."""

from __future__ import annotations

import re

from fixtures.cases import named
from fixtures.checks.compare import (
    assert_each_refused,
    assert_each_within_rounding,
    assert_same_bits,
    assert_structure,
    assert_within_rounding,
)
from fixtures.claims import KERAS, TF1, TORCH, About, claim
from fixtures.model.weights import arrays_of as by_name

FLOAT64_TELLS = ("float64",)
"""What a file makes float32 of shows there alone."""

LAYERS = named(
    "smallest", "gru-smallest", "gru-reset-before-smallest", "rnn-no-bias",
    "rnn-bidirectional-two-layers",
)  # fmt: skip
TORCH_LAYERS = named("bidirectional-two-layers", "no-bias", "projected-smallest", "gru-smallest")
TF1_CELLS = named(
    "two-layers", "bidirectional", "bidirectional-two-layers", "gru-reset-before-smallest",
    "rnn-smallest", "all-variants-smallest",
)  # fmt: skip
READS_KERAS_2 = About(
    lambda one: hasattr(one, "models_of_keras2"),
    because="it is about Keras 3, and what it reads of Keras 2",
)
FROM_ZERO = named(
    "smallest-from-zero", "gru-smallest-from-zero", "gru-reset-before-smallest-from-zero",
    "bidirectional-two-layers-from-zero",
)  # fmt: skip
BOTH_DIRECTIONS = named("bidirectional", "rnn-bidirectional-two-layers")
HDF5 = ("model.keras", "model.weights.h5", "model.h5")
"""The files of Keras that h5py reads."""


# Keras


@claim(
    kind="exact",
    statement="A `.keras` file is a zip file, and `model.weights.h5` in it holds a layer's weights "
    "as they are: `vars/0` is the kernel, `vars/1` the recurrent kernel, `vars/2` the bias.",
    formula="h5py.File(zipfile.ZipFile(path).open('model.weights.h5'))"
    "['layers/lstm/cell/vars/0'] == kernel",
    cases=LAYERS,
    about=KERAS,
    recipe="saved",
    dtypes=FLOAT64_TELLS,
)
def test_weights_in_a_keras_file_are_the_layers(recipe, experiment):
    assert_same_bits(
        by_name(recipe("saved").native["model.keras"].weights), by_name(experiment.weights)
    )


@claim(
    kind="exact",
    statement="So does a `.weights.h5` file.",
    formula="h5py.File(path)['layers/lstm/cell/vars/0'] == kernel",
    cases=LAYERS,
    about=KERAS,
    recipe="saved",
    dtypes=FLOAT64_TELLS,
)
def test_weights_in_a_weights_h5_file_are_the_layers(recipe, experiment):
    assert_same_bits(
        by_name(recipe("saved").native["model.weights.h5"].weights), by_name(experiment.weights)
    )


@claim(
    kind="exact",
    statement="An `.h5` file of the older format holds a layer's weights as they are, under the "
    "names that the attributes `layer_names` and `weight_names` list.",
    formula="h5py.File(path)['model_weights']['lstm']['lstm/lstm_cell/kernel'] == kernel",
    cases=LAYERS,
    about=KERAS,
    recipe="saved",
    dtypes=FLOAT64_TELLS,
)
def test_weights_in_an_h5_file_are_the_layers(recipe, experiment):
    assert_same_bits(
        by_name(recipe("saved").native["model.h5"].weights), by_name(experiment.weights)
    )


def paths_in_a_keras_file(case):
    """Of a case whose layers are all of one class."""
    classes = {"LSTM()": "lstm", "GRU()": "gru", "GRU(reset_after=False)": "gru"}
    made = "bidirectional" if case.directions == 2 else classes.get(str(case.cell), "simple_rnn")
    halves = ("/backward_layer", "/forward_layer") if case.directions == 2 else ("",)
    weights = 2 if case.bias == "none" else 3
    return [
        f"layers/{made}{f'_{layer}' if layer else ''}{half}/cell/vars/{weight}"
        for layer in range(case.layers)
        for half in halves
        for weight in range(weights)
    ]


@claim(
    kind="structure",
    statement="In both, layers are called after their class and counted, whatever their own names, "
    "and nothing is there but weights.",
    formula="layers/bidirectional_1/forward_layer/cell/vars/0",
    cases=LAYERS,
    about=KERAS,
    recipe="saved",
    dtypes=FLOAT64_TELLS,
)
def test_keras_files_call_layers_after_their_class(recipe, case):
    files = ("model.keras", "model.weights.h5")
    found = {name: sorted(recipe("saved").native[name].arrays) for name in files}
    assert_structure(found, dict.fromkeys(files, paths_in_a_keras_file(case)))


@claim(
    kind="structure",
    statement="An `.h5` file lists of every layer kernel, recurrent kernel and bias, of forward_ "
    "before those of backward_; Keras 2 puts `:0` behind each name.",
    formula="weight_names == ['bidirectional/forward_lstm/lstm_cell/kernel', ...]",
    cases=LAYERS,
    about=KERAS,
    recipe="saved",
    dtypes=FLOAT64_TELLS,
)
def test_keras_h5_files_list_forward_before_backward(recipe, case):
    weights = ["kernel", "recurrent_kernel", "bias"][: 2 if case.bias == "none" else 3]
    halves = ["forward", "backward"] if case.directions == 2 else [None]
    assert_structure(
        halves_and_ends(recipe("saved").native["model.h5"].arrays),
        [(half, end) for _ in range(case.layers) for half in halves for end in weights],
    )


def halves_and_ends(names):
    """Of names in an `.h5` file, in their order, the half of a `Bidirectional` and the weight."""
    halves = {"/forward_": "forward", "/backward_": "backward"}
    return [
        (
            next((half for part, half in halves.items() if part in f"/{name}"), None),
            name.rpartition("/")[2].removesuffix(":0"),
        )
        for name in names
    ]


@claim(
    kind="structure",
    statement="Where the forward half is not trained, it lists the backward half first.",
    formula="bidirectional.forward_layer.trainable = False; weight_names[0] is backward_...",
    cases=named("rnn-bidirectional-two-layers"),
    about=KERAS,
    recipe="saved",
    dtypes=FLOAT64_TELLS,
)
def test_keras_h5_files_list_a_frozen_half_last(recipe, case):
    weights = ["kernel", "recurrent_kernel", "bias"]
    each_layer = [(half, end) for half in ("backward", "forward") for end in weights]
    found = halves_and_ends(recipe("saved").native["frozen.h5"].arrays)
    assert_structure(found, each_layer * case.layers)


@claim(
    kind="exact",
    statement="Each half's weights are then still those under its name.",
    formula="h5py.File(path)['model_weights']['bidirectional']"
    "['bidirectional/forward_lstm/lstm_cell/kernel'] == kernel of the forward layer",
    cases=named("rnn-bidirectional-two-layers"),
    about=KERAS,
    recipe="saved",
    dtypes=FLOAT64_TELLS,
)
def test_keras_h5_files_keep_a_frozen_half_by_its_name(recipe, experiment):
    found = recipe("saved").native["frozen.h5"].weights
    assert_same_bits(by_name(found), by_name(experiment.weights))


@claim(
    kind="exact",
    statement="Cells stacked inside one `RNN` lose nothing in a file of any kind, though they have "
    "one class and one width.",
    formula="layers/rnn/cell/cells/lstm_cell_1/vars/0 == kernel of the second cell",
    cases=named("rnn-two-layers"),
    about=KERAS,
    recipe="saved_cells",
    dtypes=FLOAT64_TELLS,
)
def test_keras_files_hold_each_of_the_stacked_cells(recipe, experiment):
    saved = recipe("saved_cells").native
    found, expected = (
        {f"{file}: {name}": array for file in HDF5 for name, array in by_name(of(file)).items()}
        for of in (lambda file: saved[file].weights, lambda _: experiment.weights)
    )
    assert_same_bits(found, expected)


@claim(
    kind="structure",
    statement="A layer that keeps its state over calls saves its weights, and no state.",
    formula="the names in the file of LSTM(stateful=True) == those in the file of LSTM()",
    cases=named("rnn-no-bias"),
    about=KERAS,
    recipe="saved_stateful",
    dtypes=FLOAT64_TELLS,
)
def test_keras_files_hold_no_states(recipe):
    saved = {way: recipe(way).native for way in ("saved_stateful", "saved")}
    with_states, without = (
        {name: halves_and_ends(files[name].arrays) for name in HDF5} for files in saved.values()
    )
    assert_structure(with_states, without)


@claim(
    kind="exact",
    statement="A Sequential model with a model inside of TimeDistributed, and a layer above, comes "
    "back from a `.keras` and an `.h5` file as it was.",
    formula="load_model(path)(x) == model(x), "
    "model = Sequential([TimeDistributed(Sequential([Dense])), layer])",
    cases=named("smallest", "gru-smallest"),
    about=KERAS,
    recipe="saved_above_a_model_of_steps",
    dtypes=("float32",),
)
def test_keras_files_hold_a_model_in_time_distributed(adapter, experiment):
    found = adapter.saved_above_a_model_of_steps(experiment)
    assert_same_bits(found, dict.fromkeys(found, found["model"]))


@claim(
    kind="exact",
    statement="A layer whose activation is a layer, such as `ReLU(max_value=0.25)`, comes back "
    "from a `.keras` and an `.h5` file as it was.",
    formula="load_model(path)(x) == model(x), model = LSTM(units, activation=ReLU(max_value=0.25))",
    cases=named("smallest", "gru-smallest", "rnn-smallest"),
    about=KERAS,
    recipe="saved_with_a_layer_as_activation",
    dtypes=("float32",),
)
def test_keras_files_hold_a_layer_as_activation(recipe):
    found = recipe("saved_with_a_layer_as_activation")
    assert_same_bits(found, dict.fromkeys(found, found["model"]))


@claim(
    kind="exact",
    statement="Layers that a layer of one's own holds in a list of lists are in a file of weights.",
    formula="self.stack = [[layer], [layer]]; save_weights(path); load_weights(path)",
    cases=named("rnn-two-layers"),
    about=KERAS,
    recipe="weights_of_nested_layers",
    dtypes=("float32",),
)
def test_keras_files_hold_layers_in_lists_of_lists(recipe):
    found = recipe("weights_of_nested_layers")
    saved, loaded = (dict(enumerate(found[at])) for at in ("saved", "loaded"))
    assert_same_bits(loaded, saved)


@claim(
    kind="exact",
    statement="Of a model's `.h5` file `load_weights(by_name=True)` gives a layer the weights of "
    "the layer of its name, and leaves a layer whose name is not there as it was.",
    formula="model.load_weights(path, by_name=True); model.layers[1].get_weights() == those saved",
    cases=named("two-layers", "bidirectional-two-layers", "gru-two-layers"),
    about=KERAS,
    recipe="loaded_by_name",
    dtypes=("float32",),
)
def test_keras_weights_go_to_layers_of_their_name(recipe):
    written, before, after = (recipe("loaded_by_name")[at] for at in ("written", "before", "after"))
    of_the_first = len(written) // 2
    expected = [*written[:of_the_first], *before[of_the_first:]]
    assert_same_bits(dict(enumerate(after)), dict(enumerate(expected)))


@claim(
    kind="exact",
    statement="A checkpoint of TensorFlow holds a Keras layer's weights as they are, under the "
    "names of the attributes that they are.",
    formula="tf.train.load_checkpoint(path).get_tensor("
    "'model/layer_with_weights-0/cell/kernel/.ATTRIBUTES/VARIABLE_VALUE') == kernel",
    cases=LAYERS,
    about=KERAS,
    recipe="checkpoint",
    dtypes=FLOAT64_TELLS,
)
def test_weights_in_a_keras_checkpoint_are_the_layers(recipe, experiment):
    found = recipe("saved").native["checkpoint"].weights
    assert_same_bits(by_name(found), by_name(experiment.weights))


@claim(
    kind="structure",
    statement="In it a weight is called after the attributes on the way to it, from a layer that "
    "is counted, and nothing else is there; Keras 3 counts the inputs as the first layer.",
    formula="model/layer_with_weights-0/forward_layer/cell/kernel in Keras 2, "
    "model/_operations/1/forward_layer/cell/kernel in Keras 3",
    cases=LAYERS,
    about=KERAS,
    recipe="checkpoint",
    dtypes=FLOAT64_TELLS,
)
def test_keras_checkpoints_call_weights_by_attributes(recipe, adapter, case):
    layer_name, first = adapter.layers_in_a_checkpoint
    halves = ("backward_layer/", "forward_layer/") if case.directions == 2 else ("",)
    weights = ("kernel", "recurrent_kernel") if case.bias == "none" else (
        "bias", "kernel", "recurrent_kernel",
    )  # fmt: skip
    expected = [
        f"model/{layer_name.format(layer + first)}/{half}cell/{weight}"
        for layer in range(case.layers)
        for half in halves
        for weight in weights
    ]
    assert_structure(sorted(recipe("saved").native["checkpoint"].arrays), expected)


@claim(
    kind="exact",
    statement="So it does with cells stacked inside one `RNN`.",
    formula="tf.train.load_checkpoint(path).get_tensor("
    "'model/layer_with_weights-0/cell/cells/1/kernel/.ATTRIBUTES/VARIABLE_VALUE') == kernel",
    cases=named("rnn-two-layers"),
    about=KERAS,
    recipe="checkpoint",
    dtypes=FLOAT64_TELLS,
)
def test_keras_checkpoints_hold_each_of_the_stacked_cells(recipe, experiment):
    found = recipe("saved_cells").native["checkpoint"].weights
    assert_same_bits(by_name(found), by_name(experiment.weights))


@claim(
    kind="rounding",
    statement="The weights in a `.keras` file, read without Keras and put into torch, compute the "
    "same there.",
    formula="torch.nn.LSTM with the file's kernel.T, recurrent_kernel.T, bias and zeros",
    cases=named("smallest", "gru-smallest", "rnn-bidirectional-two-layers"),
    about=KERAS,
    recipe="in_torch",
    dtypes=FLOAT64_TELLS,
)
def test_a_keras_file_in_torch_computes_the_same(recipe, adapter, experiment, oracle):
    run = adapter.in_torch(experiment, recipe("saved").native["model.keras"].weights)
    assert_within_rounding(dict(run.tensors()), dict(oracle.tensors()))


# From Keras 2 to Keras 3


@claim(
    kind="structure",
    statement="Keras 3 refuses a model with a recurrent layer that Keras 2 saved, as `.h5` and as "
    "`.keras`; Keras 2 reads both.",
    formula="keras.models.load_model(path) raises, tf_keras.models.load_model(path) does not",
    cases=named("smallest", "gru-smallest", "rnn-bidirectional-two-layers"),
    about=READS_KERAS_2,
    recipe="models_of_keras2",
    dtypes=("float32",),
)
def test_keras_3_refuses_models_that_keras_2_wrote(adapter, experiment):
    told = {"Keras 3": "refused", "Keras 2": "taken"}
    found = adapter.models_of_keras2(experiment)
    assert_structure(found, {"model.h5": told, "model.keras": told})


@claim(
    kind="exact",
    statement="A model of the same layers, built anew in Keras 3, takes the weights out of every "
    "kind of file that Keras 2 writes, each to its place.",
    formula="model.load_weights(path); model.get_weights() == those of the model of Keras 2",
    cases=named(
        "two-widths", "no-bias", "gru-smallest", "gru-reset-before-smallest",
        "rnn-bidirectional-two-layers", "bidirectional",
    ),
    about=READS_KERAS_2,
    recipe="weights_of_keras2",
    dtypes=FLOAT64_TELLS,
)  # fmt: skip
def test_keras_3_reads_the_weights_that_keras_2_wrote(adapter, experiment):
    read = adapter.weights_of_keras2(experiment)
    found, expected = (
        {f"{file}: {name}": array for file in read for name, array in by_name(of(file)).items()}
        for of in (lambda file: read[file], lambda _: experiment.weights)
    )
    assert_same_bits(found, expected)


@claim(
    kind="rounding",
    statement="With them it computes the same.",
    formula="model.load_weights(path); model(x) == oracle(x)",
    cases=FROM_ZERO,
    about=READS_KERAS_2,
    recipe="outputs_of_keras2",
    dtypes=("float32",),
)
def test_a_keras_2_file_in_keras_3_computes_the_same(adapter, experiment, oracle):
    expected = {"output": dict(oracle.tensors())["output"]}
    assert_each_within_rounding(
        {
            file: ({"output": output}, expected)
            for file, output in adapter.outputs_of_keras2(experiment).items()
        }
    )


@claim(
    kind="exact",
    statement="A model in both directions, of which one is not trained, comes back from a `.keras` "
    "file with each half's weights in its place.",
    formula="bidirectional.forward_layer.trainable = False; load_model('model.keras') has the same "
    "weights in each half",
    cases=BOTH_DIRECTIONS,
    about=KERAS,
    recipe="frozen_half",
    dtypes=FLOAT64_TELLS,
)
def test_keras_files_bring_back_a_frozen_half(recipe):
    found = recipe("frozen_half").native
    assert_same_bits(found["load_model, model.keras"], found["as it is"])


@claim(
    kind="exact",
    statement="So it does from an `.h5` file.",
    formula="bidirectional.forward_layer.trainable = False; load_model('model.h5') has the same "
    "weights in each half",
    cases=BOTH_DIRECTIONS,
    about=KERAS,
    recipe="frozen_half",
    dtypes=FLOAT64_TELLS,
)
def test_keras_h5_files_bring_back_a_frozen_half(recipe):
    found = recipe("frozen_half").native
    assert_same_bits(found["load_model, model.h5"], found["as it is"])


@claim(
    kind="exact",
    statement="A model that trains both halves takes the weights of such an `.h5` file with the "
    "halves exchanged, without a word: they are read in the order in which they were listed.",
    formula="other.load_weights('model.h5'); the forward layer has the weights of the backward one",
    cases=BOTH_DIRECTIONS,
    about=KERAS,
    recipe="frozen_half",
    dtypes=FLOAT64_TELLS,
)
def test_keras_h5_weights_of_a_frozen_half_come_exchanged(recipe):
    found = recipe("frozen_half").native
    saved, other = found["as it is"], {"forward": "backward", "backward": "forward"}
    exchanged = {
        name: saved[re.sub("forward|backward", lambda half: other[half[0]], name)] for name in saved
    }
    assert_same_bits(found["load_weights, model.h5"], exchanged)


@claim(
    kind="structure",
    statement="A `.weights.h5` file is not loaded between a layer and a subclass that adds nothing "
    "to it: the names in it come of the class. An `.h5` file of the same model is.",
    formula="load_weights raises ValueError where class Derived(LSTM) wrote what LSTM is to read",
    cases=named("smallest"),
    about=KERAS,
    recipe="loaded_into_a_subclass",
    dtypes=("float32",),
)
def test_keras_weights_files_are_of_one_class(recipe):
    loaded = {
        f"{of} into {into}": "loaded"
        for of in ("layer", "subclass")
        for into in ("layer", "subclass")
    }
    refused = {name: "raises ValueError" for name in loaded if len(set(name.split())) == 3}
    expected = {"model.weights.h5": loaded | refused, "model.h5": loaded}
    assert_structure(recipe("loaded_into_a_subclass"), expected)


# TensorFlow 1


@claim(
    kind="exact",
    statement="A checkpoint that a Saver wrote holds a cell's variables as they are; the forget "
    "bias is in none of them.",
    formula="tf.train.load_checkpoint(path).get_tensor('rnn/basic_lstm_cell/kernel')",
    cases=TF1_CELLS,
    about=TF1,
    recipe="saved",
    dtypes=("float32",),
)
def test_weights_in_a_tf1_checkpoint_are_the_cells(recipe, experiment):
    found = recipe("saved").native["checkpoint"].weights
    assert_same_bits(by_name(found), by_name(experiment.weights))


BASIC = ("basic_lstm_cell/bias", "basic_lstm_cell/kernel")
GRU_OF_TF1 = (
    "gru_cell/candidate/bias", "gru_cell/candidate/kernel", "gru_cell/gates/bias",
    "gru_cell/gates/kernel",
)  # fmt: skip
LSTM_OF_TF1 = (
    "lstm_cell/bias", "lstm_cell/kernel", "lstm_cell/projection/kernel", "lstm_cell/w_f_diag",
    "lstm_cell/w_i_diag", "lstm_cell/w_o_diag",
)  # fmt: skip
SCOPES_OF_TF1 = {
    "two-layers": (("rnn/multi_rnn_cell/cell_0", "rnn/multi_rnn_cell/cell_1"), BASIC),
    "bidirectional": (("bidirectional_rnn/bw", "bidirectional_rnn/fw"), BASIC),
    "bidirectional-two-layers": (
        tuple(
            f"stack_bidirectional_rnn/cell_{layer}/bidirectional_rnn/{half}"
            for layer in range(2)
            for half in ("bw", "fw")
        ),
        BASIC,
    ),
    "gru-reset-before-smallest": (("rnn",), GRU_OF_TF1),
    "rnn-smallest": (("rnn",), ("basic_rnn_cell/bias", "basic_rnn_cell/kernel")),
    "all-variants-smallest": (("rnn",), LSTM_OF_TF1),
}
"""Of each case the scopes of its cells, and the variables in each."""


@claim(
    kind="structure",
    statement="In it a variable is called after its scopes and its cell's class, and nothing else "
    "is there.",
    formula="rnn/multi_rnn_cell/cell_0/basic_lstm_cell/kernel, "
    "bidirectional_rnn/fw/basic_lstm_cell/kernel",
    cases=TF1_CELLS,
    about=TF1,
    recipe="saved",
    dtypes=("float32",),
)
def test_tf1_checkpoints_call_variables_after_scopes(recipe, case):
    scopes, variables = SCOPES_OF_TF1[case.name]
    expected = [f"{scope}/{variable}" for scope in scopes for variable in variables]
    assert_structure(list(recipe("saved").native["checkpoint"].arrays), expected)


@claim(
    kind="structure",
    statement="Where they are trained with Adam, its two numbers for each are beside them, under "
    "their names and `/Adam`, `/Adam_1`.",
    formula="rnn/basic_lstm_cell/kernel, rnn/basic_lstm_cell/kernel/Adam, .../kernel/Adam_1",
    cases=named("smallest"),
    about=TF1,
    recipe="saved_in_training",
    dtypes=("float32",),
)
def test_tf1_checkpoints_hold_slots_under_the_weights(recipe):
    slots = ("", "/Adam", "/Adam_1")
    expected = [f"rnn/{variable}{slot}" for variable in BASIC for slot in slots]
    found = list(recipe("saved_in_training").native["checkpoint"].arrays)
    assert_structure(found, ["beta1_power", "beta2_power", *expected])


@claim(
    kind="rounding",
    statement="The weights in a checkpoint of TensorFlow 1, put into torch, compute the same.",
    formula="torch.nn.LSTM with the gates i, j, f, o as i, f, j, o, and 1.0 added to the bias of f",
    cases=named("bidirectional-two-layers"),
    about=TF1,
    recipe="in_torch",
    dtypes=("float32",),
)
def test_a_tf1_checkpoint_in_torch_computes_the_same(recipe, adapter, experiment, oracle):
    run = adapter.in_torch(experiment, recipe("saved").native["checkpoint"].weights)
    assert_within_rounding(dict(run.tensors()), dict(oracle.tensors()))


@claim(
    kind="rounding",
    statement="Put into Keras, they do so there; those of GRUCell in `GRU(reset_after=False)`.",
    formula="keras.layers.LSTM with the gates i, j, f, o as i, f, j, o, and 1.0 added to the bias "
    "of f",
    cases=named("bidirectional-two-layers", "gru-reset-before-smallest"),
    about=TF1,
    recipe="in_keras",
    dtypes=("float32",),
)
def test_a_tf1_checkpoint_in_keras_computes_the_same(recipe, adapter, experiment, oracle):
    run = adapter.in_keras(experiment, recipe("saved").native["checkpoint"].weights)
    assert_within_rounding(dict(run.tensors()), dict(oracle.tensors()))


# torch


@claim(
    kind="exact",
    statement="A saved `state_dict`, loaded with `weights_only=True`, holds a layer's weights as "
    "they are.",
    formula="torch.load(path, weights_only=True)['lstm.weight_ih_l0'] == kernel.T",
    cases=TORCH_LAYERS,
    about=TORCH,
    recipe="saved",
    dtypes=FLOAT64_TELLS,
)
def test_weights_in_a_torch_file_are_the_layers(recipe, experiment):
    found = recipe("saved").native["model.pt"].weights
    assert_same_bits(by_name(found), by_name(experiment.weights))


def names_in_a_torch_file(case):
    names = ["weight_ih", "weight_hh"]
    names += ["bias_ih", "bias_hh"] if case.bias != "none" else []
    names += ["weight_hr"] if getattr(case.cell, "projection", None) else []
    return [
        f"lstm.{name}_l{layer}{direction}"
        for layer in range(case.layers)
        for direction in ("", "_reverse")[: case.directions]
        for name in names
    ]


@claim(
    kind="structure",
    statement="In it the weights of a layer that is a model's attribute `lstm` are called so, "
    "forward before backward.",
    formula="lstm.weight_ih_l0, ..., lstm.weight_ih_l0_reverse, ..., lstm.weight_ih_l1",
    cases=TORCH_LAYERS,
    about=TORCH,
    recipe="saved",
    dtypes=FLOAT64_TELLS,
)
def test_torch_files_call_weights_after_the_attribute(recipe, case):
    assert_structure(list(recipe("saved").native["model.pt"].arrays), names_in_a_torch_file(case))


@claim(
    kind="structure",
    statement="`DataParallel` puts `module.` in front of every name.",
    formula="DataParallel(model).state_dict() has module.lstm.weight_ih_l0",
    cases=named("bidirectional", "gru-smallest"),
    about=TORCH,
    dtypes=FLOAT64_TELLS,
)
def test_torch_data_parallel_puts_module_before_names(adapter, experiment):
    names = adapter.names_of_a_wrapped_module(experiment)
    assert_structure(names["wrapped"], [f"module.{name}" for name in names["alone"]])


@claim(
    kind="structure",
    statement="A `state_dict` with names or shapes that are not the model's is refused, and "
    "nothing passed over.",
    formula="model.load_state_dict({'module.lstm.weight_ih_l0': ...}) raises RuntimeError",
    cases=named("bidirectional", "gru-smallest"),
    about=TORCH,
    dtypes=FLOAT64_TELLS,
)
def test_torch_files_that_do_not_fit_are_refused(adapter, experiment):
    assert_each_refused(adapter.loads_what_does_not_fit(experiment), (RuntimeError,))


@claim(
    kind="rounding",
    statement="The weights in a file of torch, put into Keras, compute the same there.",
    formula="keras.layers.LSTM with weight_ih.T, weight_hh.T and bias_ih + bias_hh; a GRU with its "
    "gates as z, r, h and both biases",
    cases=named("bidirectional-two-layers", "gru-smallest"),
    about=TORCH,
    recipe="in_keras",
    dtypes=("float32",),
)
def test_a_torch_file_in_keras_computes_the_same(recipe, adapter, experiment, oracle):
    run = adapter.in_keras(experiment, recipe("saved").native["model.pt"].weights)
    assert_within_rounding(dict(run.tensors()), dict(oracle.tensors()))


@claim(
    kind="rounding",
    statement="Put into BasicLSTMCell, they do so there.",
    formula="kernel [weight_ih.T; weight_hh.T] with the gates as i, j, f, o, and 1.0 taken off the "
    "bias of f",
    cases=named("bidirectional-two-layers"),
    about=TORCH,
    recipe="in_tf1",
    dtypes=("float32",),
)
def test_a_torch_file_in_tf1_computes_the_same(recipe, adapter, experiment, oracle):
    run = adapter.in_tf1(experiment, recipe("saved").native["model.pt"].weights)
    assert_within_rounding(dict(run.tensors()), dict(oracle.tensors()))
