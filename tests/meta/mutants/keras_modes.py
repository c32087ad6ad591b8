"""Ways of running Keras that are not what they are called, or lose something on the way.

What is read in another process is read by Keras as it is: these faults are made where something is
traced or written.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any

from fixtures.adapters import adapters
from tests.meta.mutants import Catalogue

IN_EFFECT = "a-mode-was-in-effect"
SAME_BITS = "a-mode-that-carries-over-moves-no-bit"
VALUES = "every-value-is-the-oracles"
MASKED = "masked-values-are-the-oracles"
GRADIENTS = "every-gradient-is-the-oracles"
WEIGHTS = "weights-read-back-are-those-loaded"
OTHER_SIZES = "keras-traced-functions-take-other-batches-and-times"
PREDICT = "keras-predict-takes-other-batches-and-times"
FOR_EVERY_BATCH = "keras-compiled-gradients-are-for-every-batch"
ONCE = "keras-traced-functions-are-traced-once-for-all"

BOTH = ("keras3", "keras2")
SOURCES = {"keras3": "keras.src", "keras2": "tf_keras.src"}

CATALOGUES: list[Catalogue] = []
"""One for each adapter in each mode; `mutant` makes them."""

Make = Callable[[Any, str], None]
"""A patch, and the adapter whose framework it is made in."""


def mutant(
    mode: str, family: str, *caught_by: str, of: tuple[str, ...] = BOTH, case: str = "two-layers"
) -> Callable[[Make], Make]:
    """A mutant of each of these adapters in the mode, or outside of any; under one case."""

    def add(make: Make) -> Make:
        for adapter in of:
            name = f"{adapter}:{mode}" if mode else adapter
            catalogue = next((one for one in CATALOGUES if one.adapter == name), None)
            if catalogue is None:
                CATALOGUES.append(catalogue := Catalogue(name))
            catalogue.add(
                make.__name__.replace("_", "-"), family, caught_by,
                functools.partial(make, adapter=adapter), (case,),
            )  # fmt: skip
        return make

    return add


def module(adapter: str, name: str) -> Any:
    return importlib.import_module(f"{SOURCES[adapter]}.{name}")


def in_a_graph() -> bool:
    import tensorflow as tf

    return not tf.executing_eagerly()


# Modes that are not in effect


def other_tf_function(patch: Any, change: Callable[..., Any]) -> None:
    """`tf.function` with other options: `change(own, of, options)` is what it returns."""
    import tensorflow as tf

    own = tf.function

    def function(of: Any = None, **options: Any) -> Any:
        if of is None:
            return functools.partial(function, **options)
        return change(own, of, options)

    patch.setattr(tf, "function", function)


@mutant("function", "a mode that is not in effect", IN_EFFECT)
def function_is_called_as_it_is(patch: Any, adapter: str) -> None:
    other_tf_function(patch, lambda own, of, options: of)


@mutant("function", "a mode that is not in effect", IN_EFFECT)
def every_function_runs_eagerly(patch: Any, adapter: str) -> None:
    """`tf.config.run_functions_eagerly(True)`, which somebody left on."""
    from tensorflow.python.eager.polymorphic_function import eager_function_run

    patch.setattr(eager_function_run, "RUN_FUNCTIONS_EAGERLY", True)


@mutant("jit", "a mode that is not in effect", IN_EFFECT)
def nothing_is_compiled(patch: Any, adapter: str) -> None:
    """`jit_compile` taken back in silence, as Keras 3 does where it finds a layer without."""
    other_tf_function(
        patch,
        lambda own, of, options: own(of, **{k: v for k, v in options.items() if k[0] != "j"}),
    )


@mutant("unroll", "a mode that is not in effect", IN_EFFECT)
def unroll_is_not_heard(patch: Any, adapter: str) -> None:
    backend = module(adapter, "backend")
    own = backend.rnn

    def rnn(*arguments: Any, **options: Any) -> Any:
        return own(*arguments, **(options | {"unroll": False}))

    patch.setattr(backend, "rnn", rnn)


@mutant("model", "a mode that is not in effect", IN_EFFECT)
def predict_runs_eagerly(patch: Any, adapter: str) -> None:
    eagerly = property(lambda _: True, lambda _, value: None)
    patch.setattr(adapters()[adapter].keras().Model, "run_eagerly", eagerly)


def implementation_is(patch: Any, number: int) -> None:
    one = property(lambda _: number, lambda _, value: None)
    patch.setattr(
        adapters()["keras2"].keras().layers.LSTMCell, "implementation", one, raising=False
    )


@mutant("implementation_1", "a mode that is not in effect", IN_EFFECT, of=("keras2",))
def implementation_is_always_2(patch: Any, adapter: str) -> None:
    implementation_is(patch, 2)


@mutant("implementation_2", "a mode that is not in effect", IN_EFFECT, of=("keras2",))
def implementation_is_always_1(patch: Any, adapter: str) -> None:
    implementation_is(patch, 1)


@mutant("stateless", "the weights of another layer", VALUES, of=("keras3",))
def stateless_call_has_the_layers_own_weights(patch: Any, adapter: str) -> None:
    """As a layer does that keeps a tensor of them, and asks no scope."""
    layer = module(adapter, "layers.layer").Layer

    def stateless_call(self: Any, trained: Any, others: Any, *arguments: Any, **o: Any) -> Any:
        return self(*arguments, **o), others

    patch.setattr(layer, "stateless_call", stateless_call)


# Graphs with numbers of their own


def in_graphs(patch: Any, adapter: str, change: Callable[..., Any]) -> None:
    """LSTM called in a graph: `change(call, layer, inputs, options)` is what it returns there."""
    lstm = adapters()[adapter].keras().layers.LSTM
    own = lstm.call

    @functools.wraps(own)
    def call(self: Any, sequences: Any, *arguments: Any, **options: Any) -> Any:
        bound = functools.partial(own, self)
        if not in_a_graph():
            return bound(sequences, *arguments, **options)
        return change(bound, sequences, *arguments, **options)

    patch.setattr(lstm, "call", call)


@mutant("function", "a mode with numbers of its own", SAME_BITS)
def graphs_are_off_by_a_little(patch: Any, adapter: str) -> None:
    def change(call: Any, *arguments: Any, **options: Any) -> Any:
        output, *states = call(*arguments, **options)
        return [output * (1 + 2e-7), *states]

    in_graphs(patch, adapter, change)


@mutant("model", "a mode with numbers of its own", SAME_BITS, VALUES)
def predict_returns_c_for_h(patch: Any, adapter: str) -> None:
    def change(call: Any, *arguments: Any, **options: Any) -> Any:
        output, h, c = call(*arguments, **options)
        return [output, c, h]

    in_graphs(patch, adapter, change)


def cut_off(tensor: Any, wrong: Any) -> Any:
    """The tensor, with another way back than forward."""
    import tensorflow as tf

    return wrong + tf.stop_gradient(tensor - wrong)


@mutant("jit", "a gradient that is lost", GRADIENTS)
def compiled_gradients_miss_the_states(patch: Any, adapter: str) -> None:
    def change(call: Any, *arguments: Any, **options: Any) -> Any:
        import tensorflow as tf

        output, h, c = call(*arguments, **options)
        return [output, h, tf.stop_gradient(c)]

    in_graphs(patch, adapter, change)


@mutant("unroll", "a gradient that is lost", GRADIENTS)
def gradients_of_graphs_are_halved(patch: Any, adapter: str) -> None:
    def change(call: Any, *arguments: Any, **options: Any) -> Any:
        output, *states = call(*arguments, **options)
        return [cut_off(output, output / 2), *states]

    in_graphs(patch, adapter, change)


@mutant(
    "", "a graph that is frozen", OTHER_SIZES, PREDICT,
    of=("keras3",), case="masked-right-lstm-bidirectional",
)  # fmt: skip
@mutant(
    "", "a graph that is frozen", OTHER_SIZES,
    of=("keras2",), case="masked-right-lstm-bidirectional",
)  # fmt: skip
def graphs_know_five_steps(patch: Any, adapter: str) -> None:
    """Steps beyond those of the first call are all zeros. A model of Keras 2 takes no such call."""

    def change(call: Any, sequences: Any, *arguments: Any, **options: Any) -> Any:
        import tensorflow as tf

        first = tf.range(tf.shape(sequences)[1]) < 5
        return call(sequences * tf.cast(first, sequences.dtype)[:, None], *arguments, **options)

    in_graphs(patch, adapter, change)


@mutant("", "a function traced again", ONCE, case="masked-right-lstm-bidirectional")
def signatures_are_not_heard(patch: Any, adapter: str) -> None:
    other_tf_function(patch, lambda own, of, options: own(of))


@mutant("", "a program for each batch", FOR_EVERY_BATCH, of=("keras3",), case="smallest")
def a_shape_is_worked_out_of_the_inputs(patch: Any, adapter: str) -> None:
    """Which XLA has to know when it compiles."""
    import tensorflow as tf

    lstm = adapters()[adapter].keras().layers.LSTM
    own = lstm.call

    def call(self: Any, sequences: Any, *arguments: Any, **options: Any) -> Any:
        one = tf.ones([1 + tf.cast(0 * tf.reduce_max(sequences), tf.int32)], sequences.dtype)
        return own(self, sequences * one, *arguments, **options)

    patch.setattr(lstm, "call", call)


# Files that lack something


def saved_otherwise(patch: Any, adapter: str, change: Callable[[Any, str, Any], Any]) -> None:
    """Weights of LSTMCell as a .keras or .weights.h5 file has them: `change(cell, name, array)`,
    where the name is that of the path of the weight."""
    cell = adapters()[adapter].keras().layers.LSTMCell

    def save_own_variables(self: Any, store: Any) -> None:
        for place, variable in enumerate(self._trainable_variables if adapter == "keras3"
                                         else self._trainable_weights):  # fmt: skip
            name = variable.path if adapter == "keras3" else variable.name
            store[str(place)] = change(self, name, variable.numpy())

    patch.setattr(cell, "save_own_variables", save_own_variables)


@mutant("saved", "a backward half that is lost", WEIGHTS, VALUES, SAME_BITS, case="bidirectional")
def saved_backward_weights_are_zeros(patch: Any, adapter: str) -> None:
    saved_otherwise(patch, adapter, lambda _, name, array: array * (0 if "backward" in name else 1))


@mutant("saved", "gates in another order", WEIGHTS, VALUES)
def saved_gates_are_those_of_tf1(patch: Any, adapter: str) -> None:
    import numpy as np

    def change(_: Any, name: str, array: Any) -> Any:
        i, f, g, o = np.split(array, 4, axis=-1)
        return np.concatenate([i, g, f, o], axis=-1)

    saved_otherwise(patch, adapter, change)


@mutant("weights", "weights that are not the layer's", WEIGHTS, SAME_BITS, of=("keras3",))
def saved_weights_are_rounded(patch: Any, adapter: str) -> None:
    """To 16 bits, as in a file that somebody made small."""
    import numpy as np

    saved_otherwise(
        patch, adapter,
        lambda _, name, array: (array / 3).astype(np.float16).astype(array.dtype) * 3,
    )  # fmt: skip


def config_otherwise(patch: Any, adapter: str, change: Callable[[Any], None]) -> None:
    """The config of a functional model, which is what its file holds beside the weights."""
    functional = module(
        adapter, {"keras3": "models.functional", "keras2": "engine.functional"}[adapter]
    ).Functional
    own = functional.get_config

    def get_config(self: Any) -> Any:
        config = own(self)
        change(config)
        return config

    patch.setattr(functional, "get_config", get_config)


def swap_the_last_two(config: Any) -> None:
    """c and h of the last layer: its states are the last inputs."""
    inputs = config["input_layers"]
    inputs[-1], inputs[-2] = inputs[-2], inputs[-1]


@mutant("saved", "states in another order", VALUES, SAME_BITS)
def saved_models_take_c_for_h(patch: Any, adapter: str) -> None:
    config_otherwise(patch, adapter, swap_the_last_two)


@mutant("saved_h5", "states in another order", VALUES, SAME_BITS, of=("keras2",))
def h5_files_take_c_for_h(patch: Any, adapter: str) -> None:
    config_otherwise(patch, adapter, swap_the_last_two)


@mutant("weights", "states in another order", VALUES, SAME_BITS, of=("keras3",))
def json_takes_c_for_h(patch: Any, adapter: str) -> None:
    config_otherwise(patch, adapter, swap_the_last_two)


@mutant("saved", "an option that is lost", VALUES, SAME_BITS)
def saved_layers_have_another_activation(patch: Any, adapter: str) -> None:
    """An option that is not in a layer's config, and comes back as something else."""
    lstm = adapters()[adapter].keras().layers.LSTM
    own = lstm.get_config
    patch.setattr(lstm, "get_config", lambda self: own(self) | {"recurrent_activation": "tanh"})


def nodes_without(patch: Any, argument: str) -> None:
    """Keras 3's calls of layers, written without an argument."""
    functional = module("keras3", "models.functional")
    own = functional.serialize_node

    def serialize_node(*arguments: Any, **options: Any) -> Any:
        node = own(*arguments, **options)
        if node is not None:
            node["kwargs"].pop(argument, None)
        return node

    patch.setattr(functional, "serialize_node", serialize_node)


@mutant("saved", "a state that is lost", VALUES, SAME_BITS, of=("keras3",))
def saved_models_start_from_zero(patch: Any, adapter: str) -> None:
    """The decoder's states were not in the file: keras-team/keras, issue 9914."""
    nodes_without(patch, "initial_state")


@mutant("saved", "a mask that is lost", MASKED, of=("keras3",),
        case="masked-right-lstm-two-layers")  # fmt: skip
def saved_models_have_no_mask(patch: Any, adapter: str) -> None:
    nodes_without(patch, "mask")


@mutant("saved_h5", "a backward half that is lost", WEIGHTS, VALUES, of=("keras2",),
        case="bidirectional")  # fmt: skip
def h5_files_have_the_backward_weights_first(patch: Any, adapter: str) -> None:
    legacy = module(adapter, "saving.legacy.hdf5_format")
    own = legacy._legacy_weights

    def legacy_weights(layer: Any) -> Any:
        weights = own(layer)
        return weights[3:] + weights[:3] if len(weights) == 6 else weights

    patch.setattr(legacy, "_legacy_weights", legacy_weights)


@mutant("checkpoint", "weights that are not the layer's", WEIGHTS, SAME_BITS, of=("keras2",))
def checkpoints_are_rounded(patch: Any, adapter: str) -> None:
    """To 16 bits, as in a file that somebody made small."""
    import tensorflow as tf

    own = tf.train.Checkpoint.write

    def write(self: Any, *arguments: Any, **options: Any) -> Any:
        for variable in self.model.variables:
            variable.assign(tf.cast(tf.cast(variable, tf.bfloat16), variable.dtype))
        return own(self, *arguments, **options)

    patch.setattr(tf.train.Checkpoint, "write", write)


@mutant("jit", "a state that is lost", VALUES)
@mutant("onnx", "a state that is lost", VALUES, of=("keras3",))
@mutant("savedmodel", "a state that is lost", VALUES, SAME_BITS)
def exported_models_start_from_zero(patch: Any, adapter: str) -> None:
    def change(call: Any, *arguments: Any, **options: Any) -> Any:
        import tensorflow as tf

        if options.get("initial_state") is not None:
            options["initial_state"] = [tf.zeros_like(one) for one in options["initial_state"]]
        return call(*arguments, **options)

    in_graphs(patch, adapter, change)


@mutant("onnx", "a mask that is lost", MASKED, of=("keras3",), case="masked-right-lstm-two-layers")
@mutant("savedmodel", "a mask that is lost", MASKED, case="masked-right-lstm-two-layers")
def exported_models_have_no_mask(patch: Any, adapter: str) -> None:
    def change(call: Any, *arguments: Any, **options: Any) -> Any:
        import tensorflow as tf

        if options.get("mask") is not None:
            options["mask"] = tf.ones_like(options["mask"])
        return call(*arguments, **options)

    in_graphs(patch, adapter, change)
