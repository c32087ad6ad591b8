"""OpenVINO, wrong on purpose: the functions that put an operator into a model, the call of a
compiled model, and what compiles, saves and reads one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.meta.mutants import CLOSE, Catalogue

OPENVINO = Catalogue("openvino")
CATALOGUES = (OPENVINO,)

VALUES = "every-value-is-the-oracles"
OTHERS = "other-cells-values-are-the-oracles"
LSTM_BY_HAND = "openvino-lstm-gates-are-f-i-c-o"
GRU_BY_HAND = "openvino-gru-gates-are-z-r-h"
IN_TIME = "openvino-y-is-in-the-order-of-time"
REVERSE = "openvino-reverse-is-the-backward-half"
CLIP = "openvino-clip-is-of-the-gates-sums"
LAST_STEP = "output-last-step-is-h"
CUT_SHORT = "a-short-row-is-the-row-cut-short"

GRUS = ("gru-smallest", "gru-one-step", "gru-reset-before-smallest", "gru-reset-before-one-step")
BIDIRECTIONAL = ("bidirectional",)

Arrays = dict[str, np.ndarray]
Node = Any
Change = Callable[[str, str, np.ndarray], np.ndarray]


# What is put into a model


def operators(patch: Any, change: Callable[..., Node], *names: str) -> None:
    """`change(own, name, inputs, attributes)` for `own(*inputs, **attributes)`; the last three of
    the inputs are W, R and B, before which a sequence has its lengths."""
    from openvino import opset14

    for name in names or ("lstm_sequence", "gru_sequence", "rnn_sequence"):
        own = getattr(opset14, name)

        def wrong(*inputs: Node, own: Any = own, name: str = name, **attributes: Any) -> Node:
            return change(own, name, list(inputs), attributes)

        patch.setattr(opset14, name, wrong)


def weights(patch: Any, change: Change, *names: str) -> None:
    """`change(operator, W, R or B, array)` for the array."""
    from openvino import opset14

    def changed(own: Any, name: str, inputs: list[Node], attributes: dict[str, Any]) -> Node:
        for place, which in zip((-3, -2, -1), "WRB", strict=True):
            array = change(name, which, np.array(inputs[place].get_data()))
            inputs[place] = opset14.constant(
                np.array(array, order="C"), name=inputs[place].get_friendly_name()
            )
        return own(*inputs, **attributes)

    operators(patch, changed, *names)


def in_order(order: str, own: str) -> Change:
    """Gates put where others are looked for; a fourth block of a GRU's B stays."""

    def change(name: str, which: str, array: np.ndarray) -> np.ndarray:
        blocks = np.split(array, len(own) + (which == "B" and name.startswith("gru") and
                          array.shape[1] % 4 == 0 and len(own) == 3), axis=1)  # fmt: skip
        gates = dict(zip(own, blocks, strict=False))
        return np.concatenate([*(gates[gate] for gate in order), *blocks[len(own) :]], axis=1)

    return change


def transposed(name: str, which: str, array: np.ndarray) -> np.ndarray:
    """R's blocks, one for each gate."""
    if which != "R":
        return array
    blocks = np.split(array, array.shape[-2] // array.shape[-1], axis=-2)
    return np.concatenate([one.swapaxes(-1, -2) for one in blocks], axis=-2)


def without_biases(name: str, which: str, array: np.ndarray) -> np.ndarray:
    return np.zeros_like(array) if which == "B" else array


def directions_exchanged(name: str, which: str, array: np.ndarray) -> np.ndarray:
    return array[::-1]


def scaled(of: str, factor: float) -> Change:
    def change(name: str, which: str, array: np.ndarray) -> np.ndarray:
        return array * array.dtype.type(factor) if which == of else array

    return change


def of_weights(
    name: str, family: str, caught_by: tuple[str, ...], change: Change, *names: str,
    cases: tuple[str, ...] = (),
) -> None:  # fmt: skip
    OPENVINO.add(
        name, family, caught_by, lambda patch: weights(patch, change, *names), cases
    )  # fmt: skip


IN_LSTM, IN_GRU = (VALUES, LSTM_BY_HAND), (OTHERS, GRU_BY_HAND)
of_weights("gates-in-kerass-order", "gates in another framework's order", IN_LSTM,
           in_order("ifco", "fico"), "lstm_sequence")  # fmt: skip
of_weights("c-and-o-exchanged", "gates g and o exchanged", IN_LSTM,
           in_order("fioc", "fico"), "lstm_sequence")  # fmt: skip
of_weights("r-transposed", "recurrent kernel transposed", IN_LSTM, transposed)
of_weights("biases-ignored", "one of two biases ignored", IN_LSTM, without_biases)
of_weights("directions-exchanged", "forward and backward weights exchanged", (VALUES,),
           directions_exchanged, cases=BIDIRECTIONAL)  # fmt: skip
of_weights("z-and-r-exchanged", "gates r and z exchanged", IN_GRU,
           in_order("rzh", "zrh"), "gru_sequence", cases=GRUS)  # fmt: skip
of_weights("r-and-h-exchanged", "gates r and n exchanged", IN_GRU,
           in_order("zhr", "zrh"), "gru_sequence", cases=GRUS)  # fmt: skip
of_weights("rnn-r-transposed", "recurrent kernel transposed", (OTHERS,), transposed,
           cases=("rnn-smallest", "rnn-two-layers"))  # fmt: skip
of_weights("step-r-transposed", "recurrent kernel transposed",
           ("the-lstms-step-layer-gives-what-the-layer-gives",),
           transposed, "lstm_cell")  # fmt: skip
of_weights("gru-step-r-transposed", "recurrent kernel transposed",
           ("step-layers-give-what-layers-give",),
           transposed, "gru_cell", "rnn_cell", cases=("gru-smallest", "rnn-smallest"))  # fmt: skip
for _which, _what in (("W", "kernel"), ("R", "recurrent kernel")):
    _size = CLOSE[0][1]
    of_weights(f"{_which.lower()}-{_size:g}-off", f"{_what} scaled by 1 + {_size:g}", (VALUES,),
               scaled(_which, 1 + _size))  # fmt: skip


@OPENVINO.mutant("one of two biases ignored", *IN_GRU, cases=GRUS)
def gru_bias_is_reset_on_the_other_side(patch):
    """The candidate's two biases one for the other."""

    def change(name: str, which: str, array: np.ndarray) -> np.ndarray:
        if which != "B":
            return array
        *zr, of_x, of_h = np.split(array, 4, axis=1)
        return np.concatenate([*zr, of_h, of_x], axis=1)

    def only_if_reset(own: Any, name: str, inputs: list[Node], attributes: dict[str, Any]) -> Node:
        from openvino import opset14

        if attributes.get("linear_before_reset"):
            b = inputs[-1]
            changed = change(name, "B", np.array(b.get_data()))
            inputs[-1] = opset14.constant(changed, name=b.get_friendly_name())
        return own(*inputs, **attributes)

    operators(patch, only_if_reset, "gru_sequence")


@OPENVINO.mutant("reset before for reset after", *IN_GRU,
                 "reset-after-and-reset-before-are-two-grus", cases=GRUS)  # fmt: skip
def the_other_reset(patch):
    """`linear_before_reset` not read: the default is taken."""
    from openvino import opset14

    def change(own: Any, name: str, inputs: list[Node], attributes: dict[str, Any]) -> Node:
        if attributes.pop("linear_before_reset", False):
            b = np.array(inputs[-1].get_data())
            z, r, of_x, of_h = np.split(b, 4, axis=1)
            three = opset14.constant(np.concatenate([z, r, of_x + of_h], axis=1))
            # The four are left in the model, where they are read back from.
            whole = opset14.reduce_sum(
                opset14.multiply(inputs[-1], np.float32(0)), np.array([1]), True
            )
            inputs[-1] = opset14.add(three, whole)
        return own(*inputs, **attributes)

    operators(patch, change, "gru_sequence")


def left_out(*places: int) -> Callable[..., Node]:
    """These inputs, states or lengths, are not read."""
    from openvino import opset14

    def change(own: Any, name: str, inputs: list[Node], attributes: dict[str, Any]) -> Node:
        for place in places:
            inputs[place] = opset14.multiply(inputs[place], np.zeros(1, np.float32))
        return own(*inputs, **attributes)

    return change


@OPENVINO.mutant("h0 and c0 exchanged", *IN_LSTM)
def states_exchanged(patch):
    def change(own: Any, name: str, inputs: list[Node], attributes: dict[str, Any]) -> Node:
        x, h, c, *rest = inputs
        return own(x, c, h, *rest, **attributes)

    operators(patch, change, "lstm_sequence")


@OPENVINO.mutant("initial state ignored", *IN_LSTM)
def initial_c_ignored(patch):
    operators(patch, left_out(2), "lstm_sequence")


@OPENVINO.mutant("initial state ignored", VALUES, "a-given-initial-state-is-used")
def initial_state_ignored(patch):
    operators(patch, left_out(1, 2), "lstm_sequence")


@OPENVINO.mutant("lengths ignored", CUT_SHORT, "masked-values-are-the-oracles",
                 cases=("masked-right-lstm-two-layers",))  # fmt: skip
def lengths_ignored(patch):
    """As where batch and time are open: https://github.com/openvinotoolkit/openvino/pull/10710"""
    from openvino import opset14

    def change(own: Any, name: str, inputs: list[Node], attributes: dict[str, Any]) -> Node:
        time = inputs[0].get_output_shape(0)[1]
        zeros = opset14.multiply(inputs[-4], np.int32(0))
        inputs[-4] = opset14.add(zeros, np.int32(time))
        return own(*inputs, **attributes)

    operators(patch, change)


@OPENVINO.mutant("backward half not reversed", REVERSE)
def reverse_is_forward(patch):
    def change(own: Any, name: str, inputs: list[Node], attributes: dict[str, Any]) -> Node:
        if attributes["direction"] == "reverse":
            attributes["direction"] = "forward"
        return own(*inputs, **attributes)

    operators(patch, change)


@OPENVINO.mutant("tanh for relu", OTHERS, "relu-and-tanh-make-two-rnns",
                 cases=("rnn-relu-smallest", "rnn-smallest"))  # fmt: skip
def relu_is_tanh(patch):
    def change(own: Any, name: str, inputs: list[Node], attributes: dict[str, Any]) -> Node:
        return own(*inputs, **attributes | {"activations": ["tanh"]})

    operators(patch, change, "rnn_sequence")


@OPENVINO.mutant("another activation", "openvino-refuses-other-activations")
def hardsigmoid_is_sigmoid(patch):
    def change(own: Any, name: str, inputs: list[Node], attributes: dict[str, Any]) -> Node:
        attributes.pop("activations", None)
        return own(*inputs, **attributes)

    operators(patch, change, "lstm_sequence")


@OPENVINO.mutant("clip ignored", CLIP)
def clip_ignored(patch):
    def change(own: Any, name: str, inputs: list[Node], attributes: dict[str, Any]) -> Node:
        attributes.pop("clip", None)
        return own(*inputs, **attributes)

    operators(patch, change, "lstm_sequence")


@OPENVINO.mutant("clip of another thing", "openvino-clip-is-not-tf1s", CLIP)
def clip_of_c(patch):
    """c clipped after every step, and the gates' sums not: TensorFlow 1's."""
    from openvino import opset14 as ops

    class Unrolled:
        def __init__(self, *outputs: Node) -> None:
            self.ends = outputs

        def outputs(self) -> list[Node]:
            return [one.output(0) for one in self.ends]

    def change(own: Any, name: str, inputs: list[Node], attributes: dict[str, Any]) -> Node:
        if not (clip := attributes.get("clip")):
            return own(*inputs, **attributes)
        (x, h, c, _), (w, r, b) = inputs[:4], inputs[4:]
        axis, hs = np.array(1), []
        h, c, w, r = (ops.squeeze(one, place) for one, place in
                      ((h, axis), (c, axis), (w, np.array(0)), (r, np.array(0))))  # fmt: skip
        b = ops.squeeze(b, np.array(0))
        for t in range(x.get_output_shape(0)[1]):
            cell = ops.lstm_cell(ops.gather(x, np.array(t), axis), h, c, w, r, b,
                                 hidden_size=attributes["hidden_size"])  # fmt: skip
            whole = cell.output(1)
            c = ops.clamp(whole, -clip, clip)
            h = ops.multiply(ops.divide(cell.output(0), ops.tanh(whole)), ops.tanh(c))
            hs.append(ops.unsqueeze(h, axis))
        y = ops.unsqueeze(ops.concat(hs, 1), axis)
        return Unrolled(y, ops.unsqueeze(h, axis), ops.unsqueeze(c, axis))

    operators(patch, change, "lstm_sequence")


@OPENVINO.mutant("weights saved wrongly", "weights-read-back-are-those-loaded", VALUES)
def weights_in_half(patch):
    from openvino import opset14

    own = opset14.constant

    def wrong(array: np.ndarray, *arguments: Any, **options: Any) -> Node:
        if array.dtype.kind == "f":
            array = array.astype(np.float16).astype(array.dtype)
        return own(array, *arguments, **options)

    patch.setattr(opset14, "constant", wrong)


# What a compiled model is given and returns


def calls(
    patch: Any,
    before: Callable[[Any, Arrays], Arrays] = lambda compiled, feeds: feeds,
    after: Callable[[Arrays, Arrays], Arrays] = lambda feeds, results: results,
) -> None:
    """`before` is done to what a model is called with, `after` to what it returns; both by name."""
    import openvino

    own = openvino.CompiledModel.__call__

    def wrong(self: Any, feeds: Arrays, **options: Any) -> dict[Any, np.ndarray]:
        given = before(self, feeds)
        found = own(self, given, **options)
        results = {one.get_any_name(): np.array(found[one]) for one in self.outputs}
        changed = after(given, results)
        return {one: changed[one.get_any_name()] for one in self.outputs}

    patch.setattr(openvino.CompiledModel, "__call__", wrong)


def of_results(*caught_by: str, family: str, cases: tuple[str, ...] = ()) -> Any:
    """A mutant made by a function of what a model is given and of what it returns."""

    def add(after: Callable[[Arrays, Arrays], Arrays]) -> Callable[[Arrays, Arrays], Arrays]:
        OPENVINO.add(
            after.__name__.replace("_", "-"), family, caught_by,
            lambda patch: calls(patch, after=after), cases,
        )  # fmt: skip
        return after

    return add


@of_results(VALUES, LAST_STEP, family="every step's output a step late")
def output_comes_a_step_late(feeds, results):
    return results | {"output": np.roll(results["output"], 1, axis=1)}


@of_results(LAST_STEP, family="h one ulp off")
def h_one_ulp_off(feeds, results):
    return {
        name: np.nextafter(one, np.inf, dtype=one.dtype) if name.startswith("Ho") else one
        for name, one in results.items()
    }


@of_results(VALUES, "output-last-step-is-not-c", family="c is h")
def co_is_ho(feeds, results):
    return results | {
        name: results[name.replace("Co", "Ho")] for name in results if name.startswith("Co")
    }


@of_results("openvino-y-has-an-axis-of-directions", family="an axis left out",
            cases=("smallest",))  # fmt: skip
def y_without_directions(feeds, results):
    return {name: one[:, 0] if one.ndim == 4 else one for name, one in results.items()}


@of_results(VALUES, IN_TIME, family="backward outputs not put back in order",
            cases=BIDIRECTIONAL)  # fmt: skip
def backward_in_its_own_order(feeds, results):
    y = results.get("Y_0")
    if y is None or y.shape[1] != 2:
        return results
    y = np.stack([y[:, 0], y[:, 1, ::-1]], axis=1)
    output = np.concatenate([y[:, 0], y[:, 1]], axis=-1)
    return results | {"Y_0": y, "output": output}


@of_results("output-past-a-rows-end-is-zero", family="lengths ignored")
def padding_is_left_as_it_was(feeds, results):
    if "lengths" not in feeds:
        return results
    output = results["output"].copy()
    output[output == 0] = 1
    return results | {"output": output}


@of_results("openvino-a-row-without-a-step-ends-in-zeros",
            family="a row without a step keeps its state")  # fmt: skip
def a_row_without_a_step_keeps_its_state(feeds, results):
    if "lengths" not in feeds:
        return results
    found, ended = dict(results), (feeds["lengths"] == 0)[:, None, None]
    for name, state in feeds.items():
        if name.startswith("initial_"):
            key = f"{name[8].upper()}o_{name[10:]}"
            found[key] = np.where(ended, state, results[key])
    return found


@of_results("openvino-float64-is-computed-in-float32", family="float64 taken")
def float64_is_real(feeds, results):
    return {
        name: one * (1 + 2.0**-40) if one.dtype == np.float64 else one
        for name, one in results.items()
    }


@of_results("openvino-float16-is-float32-rounded", family="rounded once more")
def float16_rounded_otherwise(feeds, results):
    return {
        name: np.nextafter(one, np.float16(2)) if one.dtype == np.float16 else one
        for name, one in results.items()
    }


@OPENVINO.mutant("stale state carried into the next call", "other-cells-repeat-every-bit",
                 cases=("gru-smallest",))  # fmt: skip
def state_kept(patch):
    """The second call of a compiled model sees inputs a little larger."""
    seen: list[Any] = []

    def before(compiled: Any, feeds: Arrays) -> Arrays:
        if not any(compiled is one for one in seen):
            seen.append(compiled)
            return feeds
        return {**feeds, "X": feeds["X"] * feeds["X"].dtype.type(1 + 1e-6)}

    calls(patch, before=before)


@OPENVINO.mutant("zeros for what is left out", "openvino-keeps-the-states-of-the-last-call")
def what_is_left_out_is_zeros(patch):
    def before(compiled: Any, feeds: Arrays) -> Arrays:
        shapes = {one.get_any_name(): one for one in compiled.inputs if one.partial_shape.is_static}
        zeros = {
            name: np.zeros(tuple(one.shape), one.element_type.to_dtype())
            for name, one in shapes.items()
            if name not in feeds
        }
        return {**feeds, **zeros}

    calls(patch, before=before)


@OPENVINO.mutant("an input cast otherwise", "openvino-casts-what-it-is-given")
def inputs_cast_to_half(patch):
    """What is not of the model's own precision loses digits on the way."""

    def before(compiled: Any, feeds: Arrays) -> Arrays:
        return {
            name: one.astype(np.float16) if one.dtype == np.float64 else one
            for name, one in feeds.items()
        }

    calls(patch, before=before)


# What compiles, saves and reads


def compiling(patch: Any, change: Callable[[Any, Any, dict[str, Any]], Any]) -> None:
    """`change(own, model, settings)` for a model of layers."""
    import openvino

    own = openvino.Core.compile_model

    def wrong(self: Any, model: Any, device: str, settings: dict[str, Any]) -> Any:
        def compile_it(model: Any, settings: dict[str, Any]) -> Any:
            return own(self, model, device, settings)

        if model.get_friendly_name() != "layers":
            return compile_it(model, settings)
        return change(compile_it, model, settings)

    patch.setattr(openvino.Core, "compile_model", wrong)


@OPENVINO.mutant("lengths read", "openvino-open-shapes-read-no-lengths")
def open_shapes_read_lengths(patch):
    """A model whose shapes are open is made for those that it is called with."""

    class Made:
        def __init__(self, own: Any, model: Any, settings: dict[str, Any]) -> None:
            self.own, self.model, self.settings = own, model, settings

        def __call__(self, feeds: Arrays) -> Any:
            self.model.reshape({name: list(one.shape) for name, one in feeds.items()})
            self.compiled = self.own(self.model, self.settings)
            return self.compiled(feeds)

        @property
        def outputs(self) -> Any:
            return self.compiled.outputs

    def change(own: Any, model: Any, settings: dict[str, Any]) -> Any:
        return Made(own, model, settings) if model.is_dynamic() else own(model, settings)

    compiling(patch, change)


@OPENVINO.mutant("an option taken and ignored", "openvino-bfloat16-has-few-right-digits",
                 cases=("two-layers",))  # fmt: skip
def bfloat16_ignored(patch):
    compiling(
        patch,
        lambda own, model, settings: own(model, settings | {"INFERENCE_PRECISION_HINT": "f32"}),
    )


@OPENVINO.mutant("another default", "openvino-default-is-bfloat16-where-there-is-any")
def the_default_is_the_other_precision(patch):
    import openvino

    own = openvino.Core.get_property

    def wrong(self: Any, *names: str) -> Any:
        found = own(self, *names)
        if names[-1] == "INFERENCE_PRECISION_HINT":
            return openvino.Type.f32 if found == openvino.Type.bf16 else openvino.Type.bf16
        return found

    patch.setattr(openvino.Core, "get_property", wrong)


def saved_always(patch: Any, compress: bool) -> None:
    import openvino

    own = openvino.save_model

    def wrong(model: Any, path: Any, compress_to_fp16: bool = True) -> None:
        own(model, path, compress)

    patch.setattr(openvino, "save_model", wrong)


@OPENVINO.mutant("another default", "openvino-save-model-halves-the-weights")
def saved_whole(patch):
    """https://github.com/openvinotoolkit/openvino/pull/16854"""
    saved_always(patch, False)


@OPENVINO.mutant("an option taken and ignored", "openvino-a-model-saved-whole-is-the-same")
def saved_in_half(patch):
    """https://github.com/openvinotoolkit/openvino/pull/15488"""
    saved_always(patch, True)
