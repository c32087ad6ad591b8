"""Files that hold something else than the weights, or under other names, in every framework."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from fixtures.adapters import adapters
from tests.meta.mutants import Catalogue
from tests.meta.mutants.models import around, in_config, with_other_default

TORCH, KERAS3, KERAS2, TF1 = (Catalogue(name) for name in ("torch", "keras3", "keras2", "tf1"))
CATALOGUES = (TORCH, KERAS3, KERAS2, TF1)

BOTH = ("rnn-bidirectional-two-layers",)
CELLS = ("rnn-two-layers",)

IN_KERAS_FILE = "weights-in-a-keras-file-are-the-layers"
IN_WEIGHTS_H5 = "weights-in-a-weights-h5-file-are-the-layers"
IN_H5 = "weights-in-an-h5-file-are-the-layers"
KERAS_NAMES = "keras-files-call-layers-after-their-class"
CHECKPOINT_NAMES = "keras-checkpoints-call-weights-by-attributes"
IN_CHECKPOINT = "weights-in-a-keras-checkpoint-are-the-layers"
OF_TF1 = "weights-in-a-tf1-checkpoint-are-the-cells"
TF1_NAMES = "tf1-checkpoints-call-variables-after-scopes"
OF_TORCH = "weights-in-a-torch-file-are-the-layers"
TORCH_NAMES = "torch-files-call-weights-after-the-attribute"
TF1_IN_TORCH, TF1_IN_KERAS = (
    f"a-tf1-checkpoint-in-{other}-computes-the-same" for other in ("torch", "keras")
)
TORCH_IN_KERAS, TORCH_IN_TF1 = (
    f"a-torch-file-in-{other}-computes-the-same" for other in ("keras", "tf1")
)
KERAS_IN_TORCH = "a-keras-file-in-torch-computes-the-same"
BACK_FROM_KERAS_FILE = "keras-files-bring-back-a-frozen-half"
BACK_FROM_H5 = "keras-h5-files-bring-back-a-frozen-half"
FROM_KERAS_2 = "keras-3-reads-the-weights-that-keras-2-wrote"
SAME_AS_KERAS_2 = "a-keras-2-file-in-keras-3-computes-the-same"


def exchanged(name: str, one: str, other: str) -> str:
    """The name with each of the two in the other's place."""
    return name.replace(one, "\0").replace(other, one).replace("\0", other)


# torch


def saving(patch: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """torch.save writes what `change` makes of a `state_dict`."""
    import torch

    def wrong(healthy: Any, state_dict: Any, path: Any) -> None:
        healthy(change(dict(state_dict)), path)

    around(patch, torch, "save", wrong)


@TORCH.mutant("a file in half precision", OF_TORCH)
def file_is_in_half_precision(patch):
    saving(patch, lambda weights: {name: one.half() for name, one in weights.items()})


@TORCH.mutant("halves exchanged in a file", OF_TORCH, TORCH_IN_KERAS, TORCH_IN_TF1)
def file_exchanges_directions(patch):
    def change(weights):
        return {
            name: weights[name.removesuffix("_reverse") if "reverse" in name else other]
            if (other := f"{name}_reverse") in weights or "reverse" in name
            else one
            for name, one in weights.items()
        }

    saving(patch, change)


@TORCH.mutant("other names in a file", TORCH_NAMES)
def file_calls_the_first_layer_one(patch):
    def change(weights):
        return weights | {f"{name}_copy": one for name, one in weights.items()}

    saving(patch, change)


@TORCH.mutant("a wrapper that leaves names alone", "torch-data-parallel-puts-module-before-names")
def data_parallel_hides_itself(patch):
    import torch

    patch.setattr(torch.nn.DataParallel, "state_dict", lambda self: self.module.state_dict())


@TORCH.mutant("names that do not fit passed over", "torch-files-that-do-not-fit-are-refused")
def loading_is_not_strict(patch):
    import torch

    def wrong(healthy, self, weights, *args, **options):
        return healthy(self, weights, strict=False)

    around(patch, torch.nn.Module, "load_state_dict", wrong)


@TORCH.mutant("halves exchanged in reading", "torch-reads-layers-of-earlier-releases")
def loading_exchanges_directions(patch):
    import torch

    def wrong(healthy, self, weights, *args, **options):
        found = {exchanged(name, "_l0_reverse", "_l0"): one for name, one in weights.items()}
        return healthy(self, found, *args, **options)

    around(patch, torch.nn.Module, "load_state_dict", wrong)


# Keras 3 and Keras 2


def keras_of(adapter: str) -> Any:
    return adapters()[adapter].keras()  # type: ignore[attr-defined]


def internal(adapter: str, name: str) -> Any:
    """A module of Keras's own, by its name in `src`."""
    root = keras_of(adapter).layers.LSTM.__module__.partition(".src.")[0]
    return importlib.import_module(f"{root}.src.{name}")


def attributes(patch: Any, adapter: str, change: Callable[[str], str | None]) -> None:
    """`.keras` and `.weights.h5` files call what a layer is made of by `change(name)`, and leave it
    out where that is None."""
    module = internal(adapter, "saving.saving_lib")
    name = next(one for one in ("_walk_saveable", "_walk_trackable") if hasattr(module, one))

    def wrong(healthy: Any, saveable: Any) -> Any:
        for attribute, child in healthy(saveable):
            if (called := change(attribute)) is not None:
                yield called, child

    around(patch, module, name, wrong)


def values(patch: Any, made: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """A layer stores what `change` makes of its arrays, in `.keras` and `.weights.h5` files."""
    import numpy as np

    def wrong(healthy: Any, self: Any, store: Any) -> None:
        arrays: dict[str, Any] = {}
        healthy(self, arrays)
        for name, array in change({n: np.array(one) for n, one in arrays.items()}).items():
            store[name] = array

    around(patch, made, "save_own_variables", wrong)


def in_h5(patch: Any, adapter: str, change: Callable[[Any, list[str]], None]) -> None:
    """`change(group, names)` of what was written of a layer into an `.h5` file."""
    module = (
        "legacy.saving.legacy_h5_format" if adapter == "keras3" else "saving.legacy.hdf5_format"
    )

    def wrong(healthy: Any, group: Any, weights: Any) -> None:
        healthy(group, weights)
        change(group, [str(name) for name in group.attrs["weight_names"]])

    around(patch, internal(adapter, module), "save_subset_weights_to_hdf5_group", wrong)


def listed(patch: Any, adapter: str, change: Callable[[list[Any]], list[Any]]) -> None:
    """An `.h5` file lists a layer's weights in the order `change(weights)`."""
    module = (
        "legacy.saving.legacy_h5_format" if adapter == "keras3" else "saving.legacy.hdf5_format"
    )

    def wrong(healthy: Any, layer: Any) -> list[Any]:
        return change(list(healthy(layer)))

    around(patch, internal(adapter, module), "_legacy_weights", wrong)


def add_keras(catalogue: Catalogue, adapter: str) -> None:
    mutant = catalogue.mutant

    def layers() -> Any:
        return keras_of(adapter).layers

    @mutant("a half lost in a file", IN_KERAS_FILE, IN_WEIGHTS_H5, KERAS_NAMES, cases=BOTH)
    def file_loses_the_backward_layer(patch):
        attributes(patch, adapter, lambda name: None if name == "backward_layer" else name)

    @mutant("halves exchanged in a file", IN_KERAS_FILE, IN_WEIGHTS_H5, KERAS_IN_TORCH,
            "keras-reads-models-of-earlier-releases", cases=BOTH)  # fmt: skip
    def file_exchanges_the_halves(patch):
        attributes(patch, adapter, lambda name: exchanged(name, "forward_layer", "backward_layer"))

    @mutant("a bias lost in a file", IN_KERAS_FILE, IN_WEIGHTS_H5, KERAS_NAMES)
    def file_loses_the_bias_of_an_lstm(patch):
        def change(arrays):
            return {name: array for name, array in arrays.items() if name != "2"}

        values(patch, layers().LSTMCell, change)

    @mutant("a file in half precision", IN_KERAS_FILE, IN_WEIGHTS_H5, BACK_FROM_KERAS_FILE)
    def file_is_in_half_precision(patch):
        def change(arrays):
            return {name: array.astype("float16") for name, array in arrays.items()}

        values(patch, layers().LSTMCell, change)

    @mutant("another order of gates in a file", IN_KERAS_FILE, IN_WEIGHTS_H5, KERAS_IN_TORCH)
    def file_has_the_gates_of_tf1(patch):
        import numpy as np

        def change(arrays):
            parts = {name: np.split(array, 4, axis=-1) for name, array in arrays.items()}
            return {
                name: np.concatenate([i, g, f, o], axis=-1) for name, (i, f, g, o) in parts.items()
            }

        values(patch, layers().LSTMCell, change)

    @mutant("states among the weights of a file", "keras-files-hold-no-states",
            cases=("rnn-no-bias",))  # fmt: skip
    def file_holds_the_states(patch):
        import numpy as np

        def wrong(healthy, self, store):
            healthy(self, store)
            if self.stateful and self.states[0] is not None:
                store["3"] = np.array(self.states[0])

        around(patch, layers().RNN, "save_own_variables", wrong)

    @mutant("of layers with one name one in a file", KERAS_NAMES,
            "keras-files-hold-each-of-the-stacked-cells", cases=BOTH + CELLS)  # fmt: skip
    def file_holds_one_layer_of_a_class(patch):
        def wrong(healthy, container, *args, **options):
            found = {}
            for one in container:
                found.setdefault(type(one), one)
            return healthy(list(found.values()), *args, **options)

        around(patch, internal(adapter, "saving.saving_lib"), "_save_container_state", wrong)

    @mutant("another order of gates in a file", IN_H5)
    def h5_file_has_the_gates_of_tf1(patch):
        import numpy as np

        def change(group, names):
            for name in names:
                if "lstm_cell" in name:
                    i, f, g, o = np.split(group[name][()], 4, axis=-1)
                    group[name][...] = np.concatenate([i, g, f, o], axis=-1)

        in_h5(patch, adapter, change)

    @mutant("halves exchanged in a file", "keras-h5-files-keep-a-frozen-half-by-its-name",
            cases=BOTH)  # fmt: skip
    def h5_file_writes_values_in_another_order_than_names(patch):
        def change(group, names):
            if names and "backward_" in names[0]:
                half = len(names) // 2
                for one, other in zip(names[:half], names[half:], strict=True):
                    first, second = group[one][()], group[other][()]
                    group[one][...], group[other][...] = second, first

        in_h5(patch, adapter, change)

    @mutant("weights listed in another order", "keras-h5-files-list-a-frozen-half-last",
            "keras-h5-weights-of-a-frozen-half-come-exchanged", cases=BOTH)  # fmt: skip
    def h5_file_lists_forward_first_whatever_is_trained(patch):
        def change(weights):
            paths = {id(one): getattr(one, "path", one.name) for one in weights}
            return sorted(weights, key=lambda one: "backward_" in paths[id(one)])

        listed(patch, adapter, change)

    @mutant("weights listed in another order", "keras-h5-files-list-forward-before-backward")
    def h5_file_lists_the_bias_first(patch):
        listed(patch, adapter, lambda weights: weights[::-1])

    @mutant("a half lost in a file", IN_CHECKPOINT, CHECKPOINT_NAMES, cases=BOTH)
    def checkpoint_loses_the_backward_layer(patch):
        def wrong(healthy, self, *args, **options):
            children = dict(healthy(self, *args, **options))
            children.pop("backward_layer", None)
            return children

        around(patch, layers().Bidirectional, "_trackable_children", wrong)


add_keras(KERAS3, "keras3")
add_keras(KERAS2, "keras2")


@KERAS3.mutant("halves exchanged in a file", BACK_FROM_H5, cases=BOTH)
def config_forgets_which_half_is_trained(patch):
    """What Keras 2 does: docs/upstream/tf-keras-h5-exchanges-halves.md."""

    def change(config):
        for half in ("layer", "backward_layer"):
            config[half]["config"]["trainable"] = True

    in_config(patch, keras_of("keras3").layers.Bidirectional, change)


@KERAS3.mutant("layers in a list not followed", "keras-files-hold-layers-in-lists-of-lists",
               cases=CELLS)  # fmt: skip
def file_follows_no_list_in_a_list(patch):
    """<https://github.com/keras-team/keras/issues/20598>"""

    def wrong(healthy, container, *args, **options):
        if not isinstance(container, dict):
            container = [one for one in container if not isinstance(one, list)]
        return healthy(container, *args, **options)

    around(patch, internal("keras3", "saving.saving_lib"), "_save_container_state", wrong)


@KERAS3.mutant("weights of an older file not read", FROM_KERAS_2, SAME_AS_KERAS_2)
def legacy_weights_are_not_read(patch):
    module = internal("keras3", "legacy.saving.legacy_h5_format")
    patch.setattr(module, "load_weights_from_hdf5_group", lambda *_, **__: None)


@KERAS3.mutant("another order of gates in a file", FROM_KERAS_2, SAME_AS_KERAS_2)
def cells_read_the_gates_of_tf1(patch):
    import numpy as np

    def wrong(healthy, self, store):
        names = [name for name in "012" if name in store]
        parts = {name: np.split(store[name][()], 4, axis=-1) for name in names}
        healthy(
            self,
            {name: np.concatenate([i, g, f, o], axis=-1) for name, (i, f, g, o) in parts.items()},
        )

    around(patch, keras_of("keras3").layers.LSTMCell, "load_own_variables", wrong)


@KERAS3.mutant("an option of an older release taken", "keras-3-refuses-models-that-keras-2-wrote")
def time_major_is_taken(patch):
    def wrong(healthy, self, *args, time_major=False, **options):
        healthy(self, *args, **options)

    around(patch, keras_of("keras3").layers.Layer, "__init__", wrong)


@KERAS2.mutant("cells in a list not followed", "keras-checkpoints-hold-each-of-the-stacked-cells",
               cases=CELLS)  # fmt: skip
def checkpoint_follows_no_list(patch):
    """What Keras 3 does: <https://github.com/keras-team/keras/issues/18398>."""

    def wrong(healthy, self, *args, **options):
        children = dict(healthy(self, *args, **options))
        return {name: one for name, one in children.items() if name != "cells"}

    around(patch, keras_of("keras2").layers.StackedRNNCells, "_trackable_children", wrong)


# TensorFlow 1


def v1() -> Any:
    from fixtures.adapters.tf1 import import_tensorflow

    return import_tensorflow().compat.v1


def names_in_a_checkpoint(patch: Any, change: Callable[[str], str | None]) -> None:
    """A Saver calls every variable by `change(name)`, and leaves out those of None."""

    def wrong(healthy: Any, self: Any, *args: Any, **options: Any) -> None:
        variables = {one.op.name: one for one in v1().global_variables()}
        called = {change(name): one for name, one in variables.items()}
        healthy(self, {name: one for name, one in called.items() if name is not None})

    around(patch, v1().train.Saver, "__init__", wrong)


def changed_when_saved(patch: Any, change: Callable[[Any], Any]) -> None:
    """A Saver writes `change(variable)` of every variable."""

    def wrong(healthy: Any, self: Any, session: Any, *args: Any, **options: Any) -> Any:
        session.run([v1().assign(one, change(one)) for one in v1().global_variables()])
        return healthy(self, session, *args, **options)

    around(patch, v1().train.Saver, "save", wrong)


@TF1.mutant("halves exchanged in a file", OF_TF1, TF1_IN_TORCH, TF1_IN_KERAS)
def checkpoint_exchanges_directions(patch):
    names_in_a_checkpoint(patch, lambda name: exchanged(name, "/fw/", "/bw/"))


@TF1.mutant("a half lost in a file", OF_TF1, TF1_NAMES)
def checkpoint_loses_the_backward_cells(patch):
    names_in_a_checkpoint(patch, lambda name: None if "/bw/" in name else name)


@TF1.mutant("other names in a file", OF_TF1, TF1_NAMES)
def checkpoint_has_the_names_of_tensorflow_1_1(patch):
    """<https://github.com/tensorflow/tensorflow/issues/7490>"""

    def change(name):
        return name.replace("/kernel", "/weights").replace("/bias", "/biases")

    names_in_a_checkpoint(patch, change)


@TF1.mutant("a file in half precision", OF_TF1)
def checkpoint_is_in_half_precision(patch):
    def change(variable):
        return v1().cast(v1().cast(variable, "float16"), variable.dtype.base_dtype)

    changed_when_saved(patch, change)


@TF1.mutant("the forget bias stored", OF_TF1, TF1_IN_TORCH, TF1_IN_KERAS)
def checkpoint_holds_the_forget_bias(patch):
    def change(variable):
        if not variable.op.name.endswith("basic_lstm_cell/bias"):
            return variable
        i, j, f, o = v1().split(variable, 4)
        return v1().concat([i, j, f + 1.0, o], axis=0)

    changed_when_saved(patch, change)


@TF1.mutant("other names in a file", "tf1-checkpoints-hold-slots-under-the-weights")
def optimizer_calls_its_slots_after_itself(patch):
    with_other_default(patch, v1().train.AdamOptimizer, name="AdamOptimizer")


@TF1.mutant("states among the weights of a file", TF1_NAMES)
def checkpoint_holds_a_counter(patch):
    def wrong(healthy, self, *args, **options):
        v1().train.get_or_create_global_step()
        healthy(self, *args, **options)
        v1().get_default_session().run(v1().train.get_global_step().initializer)

    around(patch, v1().train.Saver, "__init__", wrong)
