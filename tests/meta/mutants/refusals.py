"""What is made of a layer takes what the layer refuses: it cuts it to the sizes that it knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fixtures.adapters.tf1 import import_tensorflow
from tests.meta.mutants import Catalogue
from tests.meta.mutants.keras_modes import other_tf_function

REFUSED = "what-does-not-fit-is-refused-in-every-mode"
SMALLEST = ("smallest",)

CUT = "what does not fit cut to size"

TORCH_FUNC = Catalogue("torch:func")
TORCH_SCRIPT = Catalogue("torch:script")
KERAS3_FUNCTION = Catalogue("keras3:function")
KERAS3_MODEL = Catalogue("keras3:model")
KERAS2_FUNCTION = Catalogue("keras2:function")
TF1_FUNCTION = Catalogue("tf1:function")
TF1_STATIC = Catalogue("tf1:static")

CATALOGUES = (
    TORCH_FUNC, TORCH_SCRIPT, KERAS3_FUNCTION, KERAS3_MODEL, KERAS2_FUNCTION, TF1_FUNCTION,
    TF1_STATIC,
)  # fmt: skip


def cut(one: Any, shape: tuple[int, ...]) -> Any:
    """The array's, or tensor's, first numbers along every axis, and no axis too many."""
    while len(one.shape) > len(shape):
        one = one[:, 0]
    return one[tuple(slice(size) for size in shape)]


def cutting(function: Callable[..., Any], flatten: Any, pack: Any) -> Callable[..., Any]:
    """The same function, called with arguments cut to the sizes of its first call."""
    sizes: list[tuple[int, ...]] = []

    def called(*arguments: Any) -> Any:
        flat = flatten(arguments)
        if not sizes:
            sizes.extend(tuple(getattr(one, "shape", ())) for one in flat)
        pairs = zip(flat, sizes, strict=True)
        return function(*pack(arguments, [cut(one, size) if size else one for one, size in pairs]))

    return called


@TORCH_FUNC.mutant(CUT, REFUSED, cases=SMALLEST)
def functional_call_cuts(patch: Any) -> None:
    import torch
    from torch.utils import _pytree as tree

    own = torch.func.functional_call
    sizes: list[tuple[int, ...]] = []

    def functional_call(model: Any, weights: Any, arguments: Any) -> Any:
        flat, spec = tree.tree_flatten(arguments)
        if not sizes:
            sizes.extend(tuple(one.shape) for one in flat)
        fitting = [cut(one, size) for one, size in zip(flat, sizes, strict=True)]
        return own(model, weights, tree.tree_unflatten(fitting, spec))

    patch.setattr(torch.func, "functional_call", functional_call)


@TORCH_SCRIPT.mutant("a script that lost its checks", REFUSED, cases=SMALLEST)
def scripts_are_traces(patch: Any) -> None:
    """A trace has none of the checks that are written in Python
    (<https://github.com/pytorch/pytorch/issues/114874>)."""
    import torch

    class Traced:
        def __init__(self, model: Any) -> None:
            self.model = model
            self.made: Any = None

        def __call__(self, *arguments: Any) -> Any:
            self.made = self.made or torch.jit.trace(self.model, arguments, check_trace=False)
            return self.made(*arguments)

        @property
        def inlined_graph(self) -> Any:
            return self.made.inlined_graph

    patch.setattr(torch.jit, "script", Traced)


def functions_cut(patch: Any) -> None:
    import tensorflow as tf

    def change(own: Any, of: Any, options: Any) -> Any:
        return cutting(own(of, **options), tf.nest.flatten, tf.nest.pack_sequence_as)

    other_tf_function(patch, change)


for catalogue in (KERAS3_FUNCTION, KERAS2_FUNCTION, TF1_FUNCTION):
    catalogue.add("functions-cut-their-arguments", CUT, (REFUSED,), functions_cut, SMALLEST)


@KERAS3_MODEL.mutant(CUT, REFUSED, cases=SMALLEST)
def predict_cuts(patch: Any) -> None:
    import tensorflow as tf

    from fixtures.adapters import adapters

    model = adapters()["keras3"].keras().Model
    own = model.predict
    sizes: list[tuple[int, ...]] = []

    def predict(self: Any, x: Any, **options: Any) -> Any:
        flat = tf.nest.flatten(x)
        if not sizes:
            sizes.extend(one.shape for one in flat)
        fitting = [cut(one, size) for one, size in zip(flat, sizes, strict=True)]
        return own(self, fitting, **options)

    patch.setattr(model, "predict", predict)


@TF1_STATIC.mutant(CUT, REFUSED, cases=SMALLEST)
def static_rnn_cuts_its_inputs(patch: Any) -> None:
    nn = import_tensorflow().compat.v1.nn
    own = nn.static_rnn

    widths: list[int] = []

    def static_rnn(cell: Any, inputs: Any, **options: Any) -> Any:
        widths.append(inputs[0].shape[-1])
        return own(cell, [one[..., : widths[0]] for one in inputs], **options)

    patch.setattr(nn, "static_rnn", static_rnn)
