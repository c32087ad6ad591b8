"""Numbers of 16 bits and of 8: what is held in what, what is computed in what, and how it rounds.

`fixtures.oracle.models` has the models of rounding that are told apart here.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fixtures.cases import HALVES, named
from fixtures.checks.compare import (
    assert_beyond_rounding,
    assert_each_within_rounding,
    assert_refused,
    assert_same_bits,
    assert_structure,
    assert_within_rounding,
)
from fixtures.claims import KERAS, TORCH, About, claim
from fixtures.model.weights import arrays_of
from fixtures.oracle.models import SumsInFloat32, arithmetic, quantized_oracle_of
from fixtures.oracle.rounding import oracle_of

STACK = named("two-layers")
"""Large enough for a root mean square."""

STACKS = named("two-layers", "bidirectional-two-layers")
ONE_LAYER = named("smallest", "gru-smallest")

QUANTISED_FILES = named("smallest", "bidirectional-two-layers", "gru-two-layers")

LARGE_ENOUGH_FOR_ONEDNN = named("one-feature")
"""Of 30 units: the product with h is one that torch hands to oneDNN."""

SIXTEEN_BITS = named(
    "two-layers", "gru-smallest", "masked-right-lstm-from-zero", "thousand-features"
)

KERAS_3 = About(
    lambda adapter: hasattr(adapter, "quantize"), because="it is about Keras 3's own interface"
)

CASTS_STATES = About(
    lambda adapter: adapter.interface == "keras" and not adapter.strict_about_states,
    because="it is about Keras 3, which casts states; Keras 2 takes its own precision alone",
)


# 16 bits, in every framework


@claim(
    kind="exact",
    statement="Weights of 16 bits read back from the framework are those that were loaded.",
    formula="canonical -> framework -> canonical",
    cases=SIXTEEN_BITS,
    dtypes=HALVES,
    recipe="in_precision",
)
def test_half_weights_read_back_are_those_loaded(recipe, experiment):
    assert_same_bits(arrays_of(recipe("in_precision").weights), arrays_of(experiment.weights))


@claim(
    kind="rounding",
    statement="In float16 and bfloat16 products of matrices are summed up in float32: each "
    "operation rounds once, and no term of a sum does.",
    formula="output, h, c == oracle, to within one rounding of 16 bits for each operation",
    cases=SIXTEEN_BITS,
    dtypes=HALVES,
    recipe="in_precision",
)
def test_half_values_are_the_oracles(recipe, experiment, oracle_of_sums_in_float32):
    runs, counts = (recipe("in_precision"), oracle_of_sums_in_float32), experiment.output_mask
    found, expected = (dict(one.tensors()) for one in runs)
    assert_within_rounding(
        found | {"output": found["output"][counts]},
        expected | {"output": expected["output"][counts]},
    )


@claim(
    kind="different",
    statement="A step of 16 bits rounds each of its operations: more than its states are rounded.",
    formula="output, h, c != oracle, to within one rounding of h and of c in each step",
    cases=STACK,
    about=About(
        lambda adapter: adapter.interface not in ("torch", "onnxruntime", "openvino"),
        because="in torch the CPU decides it (torch-float16-rounds-every-operation), and in "
        "ONNX Runtime and OpenVINO nowhere (onnxruntime-float16-is-float32-rounded)",
    ),
    dtypes=HALVES,
    recipe="in_precision",
)
def test_half_steps_round_every_operation(recipe, oracle_once_a_step):
    run = recipe("in_precision")
    assert_beyond_rounding(dict(run.tensors()), dict(oracle_once_a_step.tensors()))


@claim(
    kind="rounding",
    statement="In float16 and bfloat16 the gradients are those of the equations.",
    formula="d loss / d (x, kernel, recurrent kernel, bias, h0, c0) == oracle, to within one "
    "rounding of 16 bits for each term of each sum",
    cases=SIXTEEN_BITS,
    dtypes=HALVES,
    recipe="gradients_in_precision",
)
def test_half_gradients_are_the_oracles(recipe, oracle_gradients):
    found = recipe("gradients_in_precision").gradients
    assert_within_rounding(dict(found.tensors()), oracle_gradients)


# torch


@claim(
    kind="different",
    statement="On a CPU without arithmetic in float16 torch's LSTM in float16 rounds each of its "
    "operations.",
    formula="output, h_n, c_n != oracle, to within one rounding of h and of c in each step",
    cases=STACKS,
    about=TORCH,
    dtypes=("float16",),
    recipe="float16_lstm_by_operations",
)
def test_torch_float16_rounds_every_operation(recipe, oracle_once_a_step):
    run = recipe("float16_lstm_by_operations")
    assert_beyond_rounding(dict(run.tensors()), dict(oracle_once_a_step.tensors()))


@claim(
    kind="rounding",
    statement="On a CPU with arithmetic in float16, for which oneDNN has a kernel, torch's LSTM in "
    "float16 computes a step in float32 and rounds its states alone.",
    formula="output, h_n, c_n == oracle, to within one rounding of h and of c in each step",
    cases=STACKS,
    about=TORCH,
    dtypes=("float16",),
    recipe="float16_lstm",
)
def test_torch_float16_lstm_rounds_once_a_step(recipe, oracle_once_a_step):
    run = recipe("float16_lstm")
    assert_within_rounding(dict(run.tensors()), dict(oracle_once_a_step.tensors()))


@claim(
    kind="rounding",
    statement="torch's LSTM in bfloat16 computes a step in float32 and rounds its states alone, "
    "where oneDNN has a kernel for it.",
    formula="output, h_n, c_n == oracle, to within one rounding of h and of c in each step",
    cases=STACKS,
    about=TORCH,
    dtypes=("bfloat16",),
    recipe="bfloat16_lstm",
)
def test_torch_bfloat16_lstm_rounds_once_a_step(recipe, oracle_once_a_step):
    run = recipe("bfloat16_lstm")
    assert_within_rounding(dict(run.tensors()), dict(oracle_once_a_step.tensors()))


@claim(
    kind="exact",
    statement="Under autocast an LSTM of float32 does what it does when weights, inputs and states "
    "are cast to bfloat16, and its own weights stay as they are.",
    formula="autocast: lstm(x, state) == lstm.to(bfloat16)(x.to(bfloat16), state.to(bfloat16))",
    cases=STACK,
    about=TORCH,
    dtypes=("float32",),
    recipe="autocast",
)
def test_torch_autocast_is_the_lstm_in_bfloat16(recipe, experiment):
    cast, rounded = recipe("autocast"), recipe("rounded_to_bfloat16")
    assert_same_bits(
        dict(cast.tensors()) | arrays_of(cast.weights),
        dict(rounded.tensors()) | arrays_of(experiment.weights),
    )


@claim(
    kind="exact",
    statement="Under autocast the gradients by weights, inputs and states of float32 are float32, "
    "and those of the LSTM that is cast to bfloat16.",
    formula="autocast: d loss / d (x, w, state) == that of lstm.to(bfloat16), in float32",
    cases=STACK,
    about=TORCH,
    dtypes=("float32",),
    recipe="autocast_gradients",
)
def test_torch_autocast_gradients_are_those_in_bfloat16(recipe):
    cast, rounded = recipe("autocast_gradients"), recipe("gradients_rounded_to_bfloat16")
    assert_same_bits(dict(cast.gradients.tensors()), dict(rounded.gradients.tensors()))


@claim(
    kind="exact",
    statement="Under autocast a call without gradients takes none from the next in the context.",
    formula="autocast: with no_grad(): layer(x); d loss / d (x, w, state) of layer(x) as without",
    cases=named("two-layers", "gru-smallest", "rnn-smallest"),
    about=TORCH,
    dtypes=("float32",),
    recipe="autocast_gradients_after_a_look",
)
def test_torch_autocast_gradients_outlive_a_look(recipe):
    looked, alone = recipe("autocast_gradients_after_a_look"), recipe("autocast_gradients")
    assert_same_bits(dict(looked.gradients.tensors()), dict(alone.gradients.tensors()))


@claim(
    kind="structure",
    statement="On a CPU without arithmetic in float16 an LSTM under autocast to float16 raises.",
    formula='autocast("cpu", float16): lstm(x) raises',
    cases=named("smallest"),
    about=TORCH,
    dtypes=("float32",),
    recipe="autocast_to_float16",
)
def test_torch_autocast_to_float16_refuses_an_lstm(adapter, experiment):
    assert_refused(
        lambda: adapter.autocast_to_float16(experiment),
        RuntimeError,
        "could not create a primitive",
    )


@claim(
    kind="structure",
    statement="Under autocast LSTM and RNN come out in bfloat16; a GRU, a cell with gates, and an "
    "LSTM of a packed batch in float32, but for a packed batch whose rows are of one length.",
    formula="autocast: lstm(x).dtype == bfloat16; gru(x).dtype == lstm(packed).dtype == float32",
    cases=named("two-layers"),
    about=TORCH,
    dtypes=("float32",),
    recipe="autocast_dtypes",
)
def test_torch_autocast_leaves_some_in_float32(recipe):
    half, whole = "bfloat16", "float32"
    assert_structure(
        recipe("autocast_dtypes"),
        {
            "LSTM": [half, half, half],
            "LSTM from a state": [half, half, half],
            "LSTM of a packed batch": [whole, whole, whole],
            "LSTM of a packed batch from a state": [whole, whole, whole],
            "LSTM of a packed batch of one length": [half, half, half],
            "GRU": [whole, whole],
            "RNN": [half, half],
            "LSTMCell": [whole, whole],
            "GRUCell": [whole],
            "RNNCell": [half],
        },
    )


@claim(
    kind="exact",
    statement='On a CPU `set_float32_matmul_precision("medium")` moves no bit of an LSTM that '
    "oneDNN computes: one without a projection, on rows of one length.",
    formula='set_float32_matmul_precision("medium"): lstm(x) == lstm(x) before',
    cases=LARGE_ENOUGH_FOR_ONEDNN,
    about=TORCH,
    dtypes=("float32",),
    recipe="layer_of_medium_precision",
)
def test_torch_medium_precision_spares_an_lstm(recipe, run):
    found = recipe("layer_of_medium_precision")
    assert_same_bits(dict(found.tensors()), dict(run.tensors()))


@claim(
    kind="different",
    statement="Told by `torch.backends.mkldnn.rnn.fp32_precision` to compute layers of float32 in "
    "bfloat16, oneDNN does so where the CPU has AMX.",
    formula='backends.mkldnn.rnn.fp32_precision = "bf16": lstm(x) != oracle of float32',
    cases=LARGE_ENOUGH_FOR_ONEDNN,
    about=TORCH,
    dtypes=("float32",),
    recipe="lstm_in_bfloat16_by_onednn",
)
def test_torch_onednn_heeds_the_precision_of_layers(recipe, oracle):
    run = recipe("lstm_in_bfloat16_by_onednn")
    assert_beyond_rounding(dict(run.tensors()), dict(oracle.tensors()))


@claim(
    kind="different",
    statement='On a CPU with AMX `set_float32_matmul_precision("medium")` takes an LSTMCell of 30 '
    "units away from the LSTM of the same weights.",
    formula="LSTMCell, called at every step != oracle of float32",
    cases=LARGE_ENOUGH_FOR_ONEDNN,
    about=TORCH,
    dtypes=("float32",),
    recipe="steps_of_medium_precision",
)
def test_torch_steps_lose_precision_to_medium(recipe, oracle):
    run = recipe("steps_of_medium_precision")
    assert_beyond_rounding(dict(run.tensors()), dict(oracle.tensors()))


@claim(
    kind="rounding",
    statement='Where `set_float32_matmul_precision("medium")` is heeded, factors of float32 are '
    "rounded to bfloat16 and their products summed up in float32: an LSTMCell goes no further.",
    formula="LSTMCell, called at every step == oracle with factors of bfloat16",
    cases=LARGE_ENOUGH_FOR_ONEDNN,
    about=TORCH,
    dtypes=("float32",),
    recipe="steps_of_medium_precision",
)
def test_torch_medium_precision_rounds_factors_alone(recipe, experiment, run_cache):
    oracle = oracle_of(experiment, run_cache.seed, model=arithmetic("bfloat16"))
    assert_within_rounding(
        dict(recipe("steps_of_medium_precision").tensors()), dict(oracle.tensors())
    )


@claim(
    kind="exact",
    statement="Quantised to int8, each matrix of weights is rounded to the nearest of 256 steps, "
    "which reach as far as the largest of them.",
    formula="step == max(abs(w)) / 127.5; numbers == clip(round(w * (1 / step)), -128, 127)",
    cases=named("two-layers", "gru-smallest"),
    about=TORCH,
    dtypes=("float32",),
    recipe="quantized",
)
def test_torch_int8_weights_are_the_nearest_steps(adapter, experiment):
    held, loaded = adapter.quantized_weights(experiment), adapter.torch_weights(experiment)
    step = {name: np.float32(np.abs(one).max()) / np.float32(127.5) for name, one in loaded.items()}
    assert_same_bits(
        {name: one.numbers for name, one in held.items()}
        | {f"step of {name}": np.array([one.step], np.float32) for name, one in held.items()},
        {
            name: np.clip(np.rint(one * (np.float32(1) / step[name])), -128, 127).astype(np.int8)
            for name, one in loaded.items()
        }
        | {f"step of {name}": np.array([one]) for name, one in step.items()},
    )


@claim(
    kind="rounding",
    statement="Quantised to int8, a layer is as far from float32 as half a step of every weight, "
    "and of every x and h in each call, takes it.",
    formula="output, h_n, c_n == oracle, to within replicas that are half a step away",
    cases=named(
        "smallest", "bidirectional-two-layers", "two-layers", "gru-smallest", "projected-smallest"
    ),
    about=TORCH,
    dtypes=("float32",),
    recipe="quantized",
)
def test_torch_int8_is_half_a_step_away(recipe, experiment, run_cache):
    oracle = quantized_oracle_of(experiment, run_cache.seed)
    assert_within_rounding(dict(recipe("quantized").tensors()), dict(oracle.tensors()))


@claim(
    kind="rounding",
    statement="Quantised to int8, a step layer is as far from float32, too.",
    formula="LSTMCell, GRUCell or RNNCell, called at every step == oracle, to within replicas that "
    "are half a step away",
    cases=named("smallest", "gru-smallest", "rnn-smallest"),
    about=TORCH,
    dtypes=("float32",),
    recipe="quantized_steps",
)
def test_torch_int8_steps_are_half_a_step_away(recipe, experiment, run_cache):
    oracle = quantized_oracle_of(experiment, run_cache.seed)
    assert_within_rounding(dict(recipe("quantized_steps").tensors()), dict(oracle.tensors()))


@claim(
    kind="structure",
    statement="`quantize_dynamic` makes other layers of LSTM, GRU and the step layers, refuses "
    "those without biases, and leaves torch.nn.RNN as it is, without a word.",
    formula="type(quantize_dynamic(Sequential(layer), {type(layer)})[0])",
    cases=named("smallest"),
    about=TORCH,
    dtypes=("float32",),
    recipe="kinds_quantized",
)
def test_torch_quantisation_leaves_rnn_as_it_is(recipe):
    made = ("LSTM", "GRU", "LSTMCell", "GRUCell", "RNNCell")
    assert_structure(
        recipe("kinds_quantized"),
        dict.fromkeys(made, "quantised")
        | dict.fromkeys([f"{name} without biases" for name in made], "refused")
        | dict.fromkeys(["RNN", "RNN without biases"], "left as it was"),
    )


@claim(
    kind="rounding",
    statement="Quantised to float16, an LSTM or GRU computes in float32 with weights rounded to "
    "float16, and rounds nothing else.",
    formula="output, h_n, c_n == oracle of the weights in float16",
    cases=named("two-layers", "bidirectional-two-layers", "gru-two-layers"),
    about=TORCH,
    dtypes=("float32",),
    recipe="with_float16_weights",
)
def test_torch_float16_quantisation_rounds_weights_alone(recipe, experiment):
    def rounded(one):
        kernels = {
            name: array.astype(np.float16).astype(np.float32)
            for name, array in one.by_name()
            if name in ("kernel", "recurrent_kernel")
        }
        return replace(one, **kernels)

    oracle = oracle_of(experiment.with_weights(rounded))
    assert_within_rounding(dict(recipe("with_float16_weights").tensors()), dict(oracle.tensors()))


@claim(
    kind="exact",
    statement="A quantised layer computes the same copied, pickled, saved whole, from its "
    "`state_dict`, and scripted or traced and read from the file of that.",
    formula="quantised.load_state_dict(torch.load(file, weights_only=False)); quantised(x)",
    cases=QUANTISED_FILES,
    about=TORCH,
    dtypes=("float32",),
    recipe="quantized_from_files",
)
def test_torch_quantised_layers_come_back_from_files(recipe):
    found = dict(recipe("quantized_from_files"))
    layer = found.pop("layer")
    assert_same_bits(
        {f"{way}: {name}": one for way, run in found.items() for name, one in run.tensors()},
        {f"{way}: {name}": one for way in found for name, one in layer.tensors()},
    )


@claim(
    kind="structure",
    statement="The file of a quantised layer's `state_dict` is read by `torch.load` as it reads by "
    "default, where nothing but weights comes out of a file.",
    formula="quantised.load_state_dict(torch.load(file, weights_only=True)); quantised(x)",
    cases=QUANTISED_FILES,
    about=TORCH,
    dtypes=("float32",),
    recipe="quantized_from_weights_alone",
)
def test_torch_quantised_files_are_read_by_default(recipe):
    assert_structure(recipe("quantized_from_weights_alone"), "the same")


# Keras


@claim(
    kind="structure",
    statement="A policy of one precision holds and computes everything in it; a mixed one holds "
    "weights in float32 and computes outputs and states in 16 bits: of every layer, whether the "
    "policy is its own or that of all layers.",
    formula="mixed_float16: weights float32, output float16, states float16",
    cases=named("one-step"),
    about=KERAS,
    dtypes=("bfloat16", "float64"),
    recipe="policies",
)
def test_keras_policies_say_what_is_held_in_what(recipe):
    found = recipe("policies")

    def expected(policy):
        computed = policy.removeprefix("mixed_")
        weights = computed if policy == computed else "float32"
        return {"weights": weights, "output": computed, "states": computed}

    assert_structure(
        found, {name: expected(name.partition(", ")[2].partition(" ")[0]) for name in found}
    )


@claim(
    kind="exact",
    statement="A mixed layer keeps its weights in float32 and computes with them, its inputs and "
    "its states rounded to 16 bits: what a layer of 16 bits does with the rounded ones.",
    formula="layer(mixed_float16, w) == layer(float16, w.astype(float16))",
    cases=ONE_LAYER,
    about=KERAS,
    dtypes=("float32",),
    recipe="mixed_and_rounded",
)
def test_keras_mixed_layers_compute_with_rounded_weights(recipe, experiment):
    found = recipe("mixed_and_rounded")
    mixed = {f"{half}, {n}": a for half, (one, _) in found.items() for n, a in one.tensors()}
    rounded = {f"{half}, {n}": a for half, (_, one) in found.items() for n, a in one.tensors()}
    for half, (one, _) in found.items():
        mixed |= {f"{half}, {n}": a for n, a in arrays_of(one.weights).items()}
        rounded |= {f"{half}, {n}": a for n, a in arrays_of(experiment.weights).items()}
    assert_same_bits(mixed, rounded)


@claim(
    kind="exact",
    statement="One step of a mixed layer has gradients by its weights in float32, and those of the "
    "layer of 16 bits.",
    formula="d loss / d w (mixed_float16) == d loss / d w (float16), in float32",
    cases=named("one-step"),
    about=KERAS,
    dtypes=HALVES,
    recipe="mixed_gradients",
)
def test_keras_mixed_gradients_are_float32(recipe):
    mixed, half = recipe("mixed_gradients").gradients, recipe("gradients_in_precision").gradients
    assert_same_bits(arrays_of(mixed.weights), in_float32(arrays_of(half.weights)))


@claim(
    kind="exact",
    statement="A mixed layer of Keras 2, or of Keras 3 on torch, sums up its weights' gradients "
    "over the steps in 16 bits, as the layer of 16 bits does; so does GRU on JAX.",
    formula="d loss / d w (mixed_float16) == d loss / d w (float16), in float32",
    cases=ONE_LAYER,
    about=KERAS,
    dtypes=HALVES,
    recipe="gradients_of_weights_cast_once",
)
def test_keras_mixed_gradients_are_sums_of_16_bits(recipe):
    mixed = recipe("gradients_of_weights_cast_once").gradients
    half = recipe("gradients_in_precision").gradients
    assert_same_bits(arrays_of(mixed.weights), in_float32(arrays_of(half.weights)))


@claim(
    kind="structure",
    statement="A mixed layer of Keras 3 on TensorFlow, or LSTM on JAX, sums up its weights' "
    "gradients over the steps in float32: they have digits that 16 bits have not.",
    formula="d loss / d w (mixed_float16) != float16(d loss / d w (mixed_float16))",
    cases=ONE_LAYER,
    about=KERAS,
    dtypes=("float16",),
    recipe="gradients_of_weights_cast_in_steps",
)
def test_keras_3_mixed_gradients_are_sums_of_float32(recipe):
    found = arrays_of(recipe("gradients_of_weights_cast_in_steps").gradients.weights)
    rounded = {name: one.astype(np.float16) for name, one in found.items()}
    assert_structure(
        {name: bool((one != rounded[name]).any()) for name, one in found.items()},
        dict.fromkeys(found, True),
    )


def in_float32(arrays):
    return {name: one.astype(np.float32) for name, one in arrays.items()}


@claim(
    kind="exact",
    statement="The policy of all layers does what the same dtype of each does.",
    formula="set_dtype_policy(float64); lstm(x) == LSTM(dtype=float64)(x)",
    cases=ONE_LAYER,
    about=KERAS,
    dtypes=("float64",),
    recipe="under_the_policy_of_all",
)
def test_keras_policy_of_all_is_that_of_each(recipe, run):
    assert_same_bits(dict(recipe("under_the_policy_of_all").tensors()), dict(run.tensors()))


@claim(
    kind="exact",
    statement="A mixed layer casts an initial state of float32 to its own precision.",
    formula="layer(x, state.astype(float32)) == layer(x, state)",
    cases=named("smallest"),
    about=CASTS_STATES,
    dtypes=HALVES,
    recipe="from_a_state_of_float32",
)
def test_keras_mixed_layers_cast_a_given_state(recipe):
    cast, own = recipe("from_a_state_of_float32"), recipe("in_mixed_precision")
    assert_same_bits(dict(cast.tensors()), dict(own.tensors()))


@claim(
    kind="rounding",
    statement="In a model under a mixed policy an encoder's states are where a decoder begins.",
    formula="Model(x, decoder(x, encoder(x).states)): encoder from zeros, decoder from its states",
    cases=named("one-step"),
    about=KERAS,
    dtypes=("float16",),
    recipe="mixed_in_a_model",
)
def test_keras_mixed_states_go_from_layer_to_layer(recipe, experiment):
    encoder, decoder = recipe("mixed_in_a_model")
    starts = {"encoder": (encoder, None), "decoder": (decoder, encoder.state)}
    oracles = {
        name: oracle_of(replace(experiment, initial=initial), model=SumsInFloat32)
        for name, (_, initial) in starts.items()
    }
    assert_each_within_rounding(
        {
            name: (dict(run.tensors()), dict(oracles[name].tensors()))
            for name, (run, _) in starts.items()
        }
    )


@claim(
    kind="rounding",
    statement="A stateful layer under a mixed policy goes on from where it was.",
    formula="lstm(x[:, :half]); lstm(x[:, half:]) == lstm(x)",
    cases=named("smallest-from-zero"),
    about=KERAS,
    dtypes=HALVES,
    recipe="mixed_and_stateful",
)
def test_keras_mixed_layers_can_be_stateful(recipe, oracle_of_sums_in_float32):
    run = recipe("mixed_and_stateful")
    assert_within_rounding(dict(run.tensors()), dict(oracle_of_sums_in_float32.tensors()))


@claim(
    kind="structure",
    statement="Keras quantises no recurrent layer.",
    formula='LSTM(units).quantize("int8") raises',
    cases=ONE_LAYER,
    about=KERAS_3,
    dtypes=("float32",),
    recipe="quantize",
)
def test_keras_refuses_to_quantize_a_recurrent_layer(adapter, experiment):
    assert_refused(lambda: adapter.quantize(experiment), NotImplementedError, "quantize")


@claim(
    kind="exact",
    statement="A model that is quantised to int8 leaves a recurrent layer as it is.",
    formula='model.quantize("int8"); lstm(x) == lstm(x) before',
    cases=named("smallest"),
    about=KERAS_3,
    dtypes=("float32",),
    recipe="in_a_quantized_model",
)
def test_keras_quantized_models_leave_recurrent_layers(recipe, run):
    left = recipe("in_a_quantized_model")
    assert_same_bits(
        dict(left.tensors()) | arrays_of(left.weights),
        dict(run.tensors()) | arrays_of(run.weights),
    )
