"""ONNX Runtime and onnx's reference evaluator, wrong on purpose.

Either is given another model than the one that was made, or other inputs, or has something done to
what it returns: `InferenceSession` and `ReferenceEvaluator` are what their users call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.meta.mutants import CLOSE, Catalogue, torch

RUNTIME = Catalogue("onnxruntime")
EVALUATOR = Catalogue("onnxreference")

TORCH_ONNX = Catalogue("torch:onnx")

CATALOGUES = (RUNTIME, EVALUATOR, TORCH_ONNX)

VALUES = "every-value-is-the-oracles"
OTHERS = "other-cells-values-are-the-oracles"
LSTM_BY_HAND = "onnx-lstm-gates-are-i-o-f-c"
GRU_BY_HAND = "onnx-gru-gates-are-z-r-h"
PEEPHOLES = "onnx-peepholes-are-of-i-o-f"
IN_TIME = "onnx-y-is-in-the-order-of-time"
LAST_STEP = "output-last-step-is-h"
REPEATS = "other-cells-repeat-every-bit"
CUT_SHORT = "a-short-row-is-the-row-cut-short"
OTHER_LENGTHS = "what-was-made-for-some-lengths-takes-others"
READ_BACK = "weights-read-back-are-those-loaded"

ONE_STEP = ("one-step",)
GRUS = ("gru-smallest", "gru-one-step", "gru-reset-before-smallest", "gru-reset-before-one-step")
RNNS = ("rnn-smallest", "rnn-two-layers")
OF_PEEPHOLES = ("peepholes-smallest",)
OF_COUPLED = ("coupled-smallest",)
BIDIRECTIONAL = ("bidirectional",)

Arrays = dict[str, np.ndarray]


def place(adapter: str) -> tuple[Any, str]:
    """What an adapter's users call: where it stands, and its name there."""
    if adapter == "onnxruntime":
        import onnxruntime

        return onnxruntime, "InferenceSession"
    import onnx.reference

    return onnx.reference, "ReferenceEvaluator"


def replaced(
    patch: Any,
    adapter: str,
    edit: Callable[[Any], None] = lambda model: None,
    before: Callable[[Any, Arrays], Arrays] = lambda model, feeds: feeds,
    after: Callable[[Any, Arrays, Arrays], Arrays] = lambda run, feeds, results: results,
) -> None:
    """`edit` is done to the model before it is read, `before` to what a run is given; `after` is
    given the run, too, what it was given, and what it returned."""
    import onnx

    where, name = place(adapter)
    own = getattr(where, name)

    class Wrong:
        def __init__(self, model: Any, *arguments: Any, **options: Any) -> None:
            as_bytes = isinstance(model, bytes)
            self.model = onnx.load_from_string(model if as_bytes else model.SerializeToString())
            edit(self.model)
            given = self.model.SerializeToString() if as_bytes else self.model
            self.session = own(given, *arguments, **options)
            self.names = [one.name for one in self.model.graph.output]

        def get_inputs(self) -> Any:
            return self.session.get_inputs()

        def run(self, names: Any, feeds: Arrays) -> list[Any]:
            def call(feeds: Arrays) -> Arrays:
                return dict(zip(self.names, self.session.run(names, feeds), strict=True))

            given = before(self.model, feeds)
            return list(after(call, given, call(given)).values())

    patch.setattr(where, name, Wrong)


def weights(change: Callable[[str, str, np.ndarray], np.ndarray]) -> Callable[[Any], None]:
    """An edit of the model: `change` is given the operator, W, R, B or P, and the array."""
    from onnx import numpy_helper

    def edit(model: Any) -> None:
        [kind] = {one.op_type for one in layers(model)}
        for one in model.graph.initializer:
            if one.name[:2] in ("W_", "R_", "B_", "P_"):
                array = change(kind, one.name[0], numpy_helper.to_array(one).copy())
                one.CopyFrom(numpy_helper.from_array(array, one.name))

    return edit


def layers(model: Any) -> list[Any]:
    return [one for one in model.graph.node if one.op_type in ("LSTM", "GRU", "RNN")]


def in_order(order: str, have: dict[str, str]) -> Callable[[str, str, np.ndarray], np.ndarray]:
    """Gates of W, R and B put where others are looked for."""

    def change(kind: str, name: str, array: np.ndarray) -> np.ndarray:
        if kind not in have or name == "P":
            return array
        gates = have[kind]
        halves = np.split(array, 2 if name == "B" else 1, axis=1)
        blocks = [dict(zip(gates, np.split(half, len(gates), axis=1), strict=True))
                  for half in halves]  # fmt: skip
        return np.concatenate([half[gate] for half in blocks for gate in order], axis=1)

    return change


def scaled(which: str, factor: float, dtype: str) -> Callable[[str, str, np.ndarray], np.ndarray]:
    def change(kind: str, name: str, array: np.ndarray) -> np.ndarray:
        return array * array.dtype.type(factor) if (name, array.dtype) == (which, dtype) else array

    return change


def half_of_biases(which: int) -> Callable[[str, str, np.ndarray], np.ndarray]:
    """One half of B set to zeros."""

    def change(kind: str, name: str, array: np.ndarray) -> np.ndarray:
        if name == "B":
            np.split(array, 2, axis=1)[which][:] = 0
        return array

    return change


def transposed(kind: str, name: str, array: np.ndarray) -> np.ndarray:
    """R's blocks, one for each gate."""
    if name != "R":
        return array
    units = array.shape[2]
    blocks = np.split(array, array.shape[1] // units, axis=1)
    return np.concatenate([one.swapaxes(1, 2) for one in blocks], axis=1)


def peepholes(order: list[int]) -> Callable[[str, str, np.ndarray], np.ndarray]:
    def change(kind: str, name: str, array: np.ndarray) -> np.ndarray:
        if name != "P":
            return array
        blocks = np.split(array, 3, axis=1)
        return np.concatenate([blocks[place] for place in order], axis=1)

    return change


def without_inputs(*places: int) -> Callable[[Any], None]:
    """An edit that takes inputs away from every node: they are not read."""

    def edit(model: Any) -> None:
        for node in layers(model):
            for one in places:
                if one < len(node.input):
                    node.input[one] = ""

    return edit


def without_attributes(*names: str) -> Callable[[Any], None]:
    def edit(model: Any) -> None:
        for node in layers(model):
            kept = [one for one in node.attribute if one.name not in names]
            del node.attribute[:]
            node.attribute.extend(kept)

    return edit


def other_reset(model: Any) -> None:
    """The other value of `linear_before_reset`."""
    from onnx import helper

    for node in layers(model):
        if node.op_type == "GRU":
            had = [one for one in node.attribute if one.name == "linear_before_reset"]
            if had:
                node.attribute.remove(had[0])
            else:
                node.attribute.append(helper.make_attribute("linear_before_reset", 1))


def states_exchanged(model: Any) -> None:
    for node in layers(model):
        if node.op_type == "LSTM" and len(node.input) > 6:
            node.input[5], node.input[6] = node.input[6], node.input[5]


def directions_exchanged(kind: str, name: str, array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array[::-1])


def backward_reads_forward(run: Any, feeds: Arrays, results: Arrays) -> Arrays:
    """The backward half of a layer alone goes through the steps as they come."""
    y = results.get("Y_0")
    if y is None or y.shape[1] != 2 or "X" not in feeds:
        return results
    other = run({**feeds, "X": np.ascontiguousarray(feeds["X"][:, ::-1])})
    units, found = y.shape[-1], dict(results)
    found["output"] = np.concatenate(
        [results["output"][..., :units], other["output"][:, ::-1, units:]], axis=-1
    )
    for name in found:
        if name.startswith("Y_h") or name.startswith("Y_c"):
            found[name] = np.stack([results[name][0], other[name][1]])
    return found


def backward_in_its_own_order(run: Any, feeds: Arrays, results: Arrays) -> Arrays:
    """Y of the backward direction as it was computed, step by step from the end."""
    name = next(one for one in results if one.startswith("Y_") and one[2:].isdigit())
    y = results[name].copy()
    if y.shape[1] == 2:
        y[:, 1] = y[::-1, 1]
    output = y.transpose(2, 0, 1, 3).reshape(y.shape[2], y.shape[0], -1)
    return results | {name: y, "output": output}


def one_ulp_off(run: Any, feeds: Arrays, results: Arrays) -> Arrays:
    return {
        name: np.nextafter(one, np.inf, dtype=one.dtype) if name.startswith("Y_h") else one
        for name, one in results.items()
    }


def a_step_late(run: Any, feeds: Arrays, results: Arrays) -> Arrays:
    return results | {"output": np.roll(results["output"], 1, axis=1)}


def c_is_h(run: Any, feeds: Arrays, results: Arrays) -> Arrays:
    return results | {
        name: results[name.replace("Y_c", "Y_h")] for name in results if name.startswith("Y_c")
    }


def without_the_axis(run: Any, feeds: Arrays, results: Arrays) -> Arrays:
    return {
        name: one[:, 0] if one.ndim == 4 and one.shape[1] == 1 else one
        for name, one in results.items()
    }


def kept_from_the_last_call() -> Callable[[Any, Arrays], Arrays]:
    """The second call of a model sees inputs a little larger."""
    calls: dict[int, int] = {}

    def before(model: Any, feeds: Arrays) -> Arrays:
        calls[id(model)] = calls.get(id(model), 0) + 1
        if calls[id(model)] == 1 or "X" not in feeds:
            return feeds
        return {**feeds, "X": feeds["X"] * feeds["X"].dtype.type(1 + 1e-6)}

    return before


GATES = {"LSTM": "iofc", "GRU": "zrh"}


def of_weights(change: Callable[..., np.ndarray]) -> Callable[[Any, str], None]:
    return lambda patch, adapter: replaced(patch, adapter, edit=weights(change))


def of_model(edit: Callable[[Any], None]) -> Callable[[Any, str], None]:
    return lambda patch, adapter: replaced(patch, adapter, edit=edit)


def of_results(after: Callable[..., Arrays]) -> Callable[[Any, str], None]:
    return lambda patch, adapter: replaced(patch, adapter, after=after)


def of_lstm(order: str) -> Callable[[Any, str], None]:
    return of_weights(in_order(order, {"LSTM": "iofc"}))


def of_gru(order: str) -> Callable[[Any, str], None]:
    return of_weights(in_order(order, {"GRU": "zrh"}))


Row = tuple[str, tuple[str, ...], Callable[[Any, str], None], tuple[str, ...]]
TWO_GRUS = "reset-after-and-reset-before-are-two-grus"
IN_GRU = (OTHERS, GRU_BY_HAND)

FAULTS: dict[str, Row] = {
    "i-and-o-exchanged": ("gates i and o exchanged", (VALUES, LSTM_BY_HAND), of_lstm("oifc"), ()),
    "f-and-c-exchanged": ("gates f and g exchanged", (VALUES, LSTM_BY_HAND), of_lstm("iocf"), ()),
    "gates-in-torchs-order": (
        "gates in another framework's order", (VALUES, LSTM_BY_HAND), of_lstm("ifco"), ()),
    "r-transposed": ("recurrent kernel transposed", (VALUES, LSTM_BY_HAND),
                     of_weights(transposed), ()),
    "biases-of-w-ignored": ("one of two biases ignored", (VALUES, LSTM_BY_HAND),
                            of_weights(half_of_biases(0)), ()),
    "biases-of-r-ignored": ("one of two biases ignored", (VALUES, LSTM_BY_HAND),
                            of_weights(half_of_biases(1)), ()),
    "peepholes-in-gates-order": ("peepholes in another order", (OTHERS, PEEPHOLES),
                                 of_weights(peepholes([0, 2, 1])), OF_PEEPHOLES),
    "peepholes-ignored": (
        "peepholes ignored", (OTHERS, PEEPHOLES, "peepholes-make-another-lstm"),
        of_model(without_inputs(7)), OF_PEEPHOLES),
    "states-exchanged": ("h0 and c0 exchanged", (VALUES, LSTM_BY_HAND),
                         of_model(states_exchanged), ()),
    "initial-c-ignored": ("initial state ignored", (VALUES, LSTM_BY_HAND),
                          of_model(without_inputs(6)), ()),
    "initial-state-ignored": (
        "initial state ignored", (VALUES, "a-given-initial-state-is-used"),
        of_model(without_inputs(5, 6)), ()),
    "directions-exchanged": ("forward and backward weights exchanged", (VALUES,),
                             of_weights(directions_exchanged), BIDIRECTIONAL),
    "backward-reads-forward": ("backward half not reversed", (VALUES,),
                               of_results(backward_reads_forward), BIDIRECTIONAL),
    "backward-in-its-own-order": (
        "backward outputs not put back in order", (VALUES, IN_TIME),
        of_results(backward_in_its_own_order), BIDIRECTIONAL),
    "y-h-one-ulp-off": ("h one ulp off", (LAST_STEP,), of_results(one_ulp_off), ()),
    "output-comes-a-step-late": ("every step's output a step late", (VALUES, LAST_STEP),
                                 of_results(a_step_late), ()),
    "y-c-is-y-h": ("c is h", (VALUES, "output-last-step-is-not-c"), of_results(c_is_h), ()),
    "y-without-directions": ("an axis left out", ("onnx-y-has-an-axis-of-directions",),
                             of_results(without_the_axis), ()),
    "z-and-r-exchanged": ("gates r and z exchanged", IN_GRU, of_gru("rzh"), GRUS),
    "r-and-h-exchanged": ("gates r and n exchanged", IN_GRU, of_gru("zhr"), GRUS),
    "the-other-reset": ("reset before for reset after", (*IN_GRU, TWO_GRUS),
                        of_model(other_reset), GRUS),
    "gru-biases-of-r-ignored": ("one of two biases ignored", IN_GRU,
                                of_weights(half_of_biases(1)), GRUS),
    "rnn-r-transposed": ("recurrent kernel transposed", (OTHERS,), of_weights(transposed), RNNS),
    "state-kept": (
        "stale state carried into the next call", (REPEATS,),
        lambda patch, adapter: replaced(patch, adapter, before=kept_from_the_last_call()),
        ("gru-smallest",)),
    **{
        f"{name.lower()}-{size:g}-off": (
            f"{what} scaled by 1 + {size:g}", (VALUES,), of_weights(scaled(name, 1 + size, dtype)),
            ())
        for name, what in (("W", "kernel"), ("R", "recurrent kernel"))
        for dtype, size in CLOSE
    },
}  # fmt: skip

for catalogue in (RUNTIME, EVALUATOR):
    for name, (family, caught_by, make, cases) in FAULTS.items():
        if catalogue is RUNTIME and "1e-14" in name:
            continue  # it has no float64
        catalogue.add(
            name, family, caught_by,
            lambda patch, make=make, adapter=catalogue.adapter: make(patch, adapter), cases,
        )  # fmt: skip


def weights_in_half(patch: Any) -> None:
    """Weights are written into the model in fewer digits."""
    from onnx import numpy_helper

    own = numpy_helper.from_array

    def wrong(array: np.ndarray, *arguments: Any, **options: Any) -> Any:
        if array.dtype.kind == "f":
            array = array.astype(np.float16).astype(array.dtype)
        return own(array, *arguments, **options)

    patch.setattr(numpy_helper, "from_array", wrong)


for catalogue in (RUNTIME, EVALUATOR):
    catalogue.add("weights-in-half", "weights saved wrongly", (READ_BACK, VALUES), weights_in_half)


# ONNX Runtime


def in_runtime(family: str, *caught_by: str, cases: tuple[str, ...] = ()) -> Any:
    """A mutant made by what the function gives to `replaced`."""

    def add(how: Callable[[], dict[str, Any]]) -> None:
        RUNTIME.add(
            how.__name__.replace("_", "-"), family, caught_by,
            lambda patch: replaced(patch, "onnxruntime", **how()), cases,
        )  # fmt: skip

    return add


@in_runtime("lengths ignored", CUT_SHORT, "masked-values-are-the-oracles",
            cases=("masked-right-lstm-two-layers",))  # fmt: skip
def lengths_ignored():
    return {"edit": without_inputs(4)}


@in_runtime("lengths ignored", "output-past-a-rows-end-is-zero")
def padding_is_left_as_it_was():
    def after(run: Any, feeds: Arrays, results: Arrays) -> Arrays:
        if "lengths" not in feeds:
            return results
        output = results["output"].copy()
        output[output == 0] = 1
        return results | {"output": output}

    return {"after": after}


@in_runtime("coupled gates uncoupled", OTHERS, "onnxruntime-input-forget-takes-f-from-i",
            cases=OF_COUPLED)  # fmt: skip
def input_forget_ignored():
    return {"edit": without_attributes("input_forget")}


@in_runtime("another activation", OTHERS, "hard-sigmoid-is-not-the-sigmoid",
            cases=("hard-sigmoid-smallest",))  # fmt: skip
def activations_ignored():
    return {"edit": without_attributes("activations", "activation_alpha", "activation_beta")}


@in_runtime("another activation", OTHERS, "hard-sigmoid-is-another-function-in-keras-2",
            cases=("hard-sigmoid-smallest", "hard-sigmoid-keras2-smallest"))  # fmt: skip
def alphas_ignored():
    return {"edit": without_attributes("activation_alpha", "activation_beta")}


@in_runtime("tanh for relu", OTHERS, "relu-and-tanh-make-two-rnns",
            cases=("rnn-relu-smallest", "rnn-smallest"))  # fmt: skip
def relu_is_tanh():
    return {"edit": without_attributes("activations")}


@in_runtime("clip ignored", "onnxruntime-clip-is-of-the-gates-sums")
def clip_ignored():
    return {"edit": without_attributes("clip")}


def clip_of(model: Any) -> float | None:
    found = [one.f for node in layers(model) for one in node.attribute if one.name == "clip"]
    return found[0] if found else None


@RUNTIME.mutant("clip of another thing", "onnxruntime-clip-leaves-the-last-tanh",
                "onnxruntime-clip-is-of-the-gates-sums")  # fmt: skip
def clip_of_the_last_tanh(patch):
    """As the operator's description has it."""
    clips: list[float | None] = []

    def after(run: Any, feeds: Arrays, results: Arrays) -> Arrays:
        if clips[-1] is None or "Y_c_0" not in results:
            return results
        c, h = results["Y_c_0"], results["Y_h_0"]
        new = h / np.tanh(c) * np.tanh(np.clip(c, -clips[-1], clips[-1]))
        return results | {"Y_h_0": new, "output": np.ascontiguousarray(new.swapaxes(0, 1))}

    replaced(patch, "onnxruntime", edit=lambda model: clips.append(clip_of(model)), after=after)


@RUNTIME.mutant("clip of another thing", "onnxruntime-clip-is-not-tf1s")
def clip_of_c(patch):
    """c clipped after every step, and the gates' sums not: TensorFlow 1's."""
    clips: list[float | None] = []

    def edit(model: Any) -> None:
        clips.append(clip_of(model))
        without_attributes("clip")(model)

    def after(run: Any, feeds: Arrays, results: Arrays) -> Arrays:
        clip = clips[-1]
        if clip is None or "initial_c_0" not in feeds or "Y_c_1" in results:
            return results
        given, outputs = dict(feeds), []
        for t in range(feeds["X"].shape[1]):
            given["X"] = np.ascontiguousarray(feeds["X"][:, t : t + 1])
            found = run(given)
            c = np.clip(found["Y_c_0"], -clip, clip)
            h = found["Y_h_0"] / np.tanh(found["Y_c_0"]) * np.tanh(c)
            given |= {"initial_h_0": h, "initial_c_0": c}
            outputs.append(h.swapaxes(0, 1))
        return results | {"Y_h_0": h, "Y_c_0": c, "output": np.concatenate(outputs, axis=1)}

    replaced(patch, "onnxruntime", edit=edit, after=after)


@in_runtime("alphas of each function", "onnxruntime-alphas-are-of-functions-that-have-one",
            cases=("hard-sigmoid-bidirectional-two-layers",))  # fmt: skip
def alphas_are_of_each_function():
    def edit(model: Any) -> None:
        """A list with one for each function is taken as it was meant."""
        for node in layers(model):
            for one in node.attribute:
                if one.name in ("activation_alpha", "activation_beta") and len(one.floats) == 6:
                    kept = [number for number in one.floats if number]
                    del one.floats[:]
                    one.floats.extend(kept)

    return {"edit": edit}


@in_runtime("an option taken and ignored", "onnxruntime-refuses-layout-1")
def layout_ignored():
    return {"edit": without_attributes("layout")}


@RUNTIME.mutant("float64 taken", "onnxruntime-refuses-float64", cases=("smallest",))
def float64_taken(patch):
    """The reference evaluator has it."""
    import onnx
    import onnxruntime
    from onnx.reference import ReferenceEvaluator

    own = onnxruntime.InferenceSession

    def session(model: bytes, *arguments: Any, **options: Any) -> Any:
        read = onnx.load_from_string(model)
        if read.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.DOUBLE:
            return ReferenceEvaluator(read)
        return own(model, *arguments, **options)

    patch.setattr(onnxruntime, "InferenceSession", session)


def by_the_evaluator(patch: Any, kind: str) -> None:
    """Models with such a node are run in NumPy, whose functions are right to the last digits."""
    import onnx
    import onnxruntime
    from onnx.reference import ReferenceEvaluator

    own = onnxruntime.InferenceSession

    def session(model: bytes, *arguments: Any, **options: Any) -> Any:
        read = onnx.load_from_string(model)
        if any(node.op_type == kind for node in read.graph.node):
            return ReferenceEvaluator(read)
        return own(model, *arguments, **options)

    patch.setattr(onnxruntime, "InferenceSession", session)


@RUNTIME.mutant("an exact activation", "onnxruntime-rnn-tanh-loses-digits", cases=RNNS)
def rnn_tanh_is_exact(patch):
    by_the_evaluator(patch, "RNN")


@RUNTIME.mutant("an exact activation", "onnxruntime-sigmoid-loses-digits", cases=("two-layers",))
def lstm_sigmoid_is_exact(patch):
    by_the_evaluator(patch, "LSTM")


@in_runtime("rounded once more", "onnxruntime-float16-is-float32-rounded")
def float16_rounded_otherwise():
    def after(run: Any, feeds: Arrays, results: Arrays) -> Arrays:
        return {
            name: np.nextafter(one, np.float16(2)) if one.dtype == np.float16 else one
            for name, one in results.items()
        }

    return {"after": after}


@in_runtime("a row without a step keeps its state",
            "onnxruntime-a-row-without-a-step-ends-in-zeros")  # fmt: skip
def a_row_without_a_step_keeps_its_state():
    def after(run: Any, feeds: Arrays, results: Arrays) -> Arrays:
        if "lengths" not in feeds:
            return results
        found = dict(results)
        for name, state in feeds.items():
            if name.startswith("initial_"):
                key = f"Y_{name.removeprefix('initial_')}"
                found[key] = np.where(feeds["lengths"][:, None] == 0, state, results[key])
        return found

    return {"after": after}


# The reference evaluator


@EVALUATOR.mutant("an option taken and ignored", "onnx-layout-1-is-a-transposition")
def layout_ignored_by_y_h(patch):
    from onnx.reference.ops import op_gru, op_lstm, op_rnn

    for kind in (op_lstm.CommonLSTM, op_gru.CommonGRU, op_rnn.CommonRNN):
        own = kind._run

        def wrong(self: Any, *arguments: Any, own: Any = own, **options: Any) -> Any:
            y, *states = own(self, *arguments, **options)
            if self.layout:
                states = [np.repeat(one[:1], len(one), axis=0) for one in states]
            return (y, *states)

        patch.setattr(kind, "_run", wrong)


@EVALUATOR.mutant("lengths read", "onnx-reference-reads-no-lengths")
def lengths_read(patch):
    """In its h, where there is one layer."""

    def after(run: Any, feeds: Arrays, results: Arrays) -> Arrays:
        if "lengths" not in feeds or "Y_h_1" in results:
            return results
        h = np.stack(
            [row[n - 1] for row, n in zip(results["output"], feeds["lengths"], strict=True)]
        )
        return results | {"Y_h_0": h[None]}

    replaced(patch, "onnxreference", after=after)


@EVALUATOR.mutant("activations read", "onnx-reference-reads-few-attributes")
def activations_read(patch):
    from onnx.reference.ops.op_lstm import CommonLSTM

    def relu(self: Any) -> bool:
        return bool(self.activations) and "Relu" in self.activations

    def f(self: Any, x: np.ndarray) -> np.ndarray:
        hard = bool(self.activations) and "HardSigmoid" in self.activations
        return (
            np.clip(x / x.dtype.type(6) + x.dtype.type(0.5), 0, 1) if hard else 1 / (1 + np.exp(-x))
        )

    def g(self: Any, x: np.ndarray) -> np.ndarray:
        return np.maximum(x, 0) if relu(self) else np.tanh(x)

    for name, function in (("f", f), ("g", g), ("h", g)):
        patch.setattr(CommonLSTM, name, function)


@EVALUATOR.mutant("shapes and types checked", "onnx-reference-takes-states-that-do-not-fit")
def states_are_checked(patch):
    def before(model: Any, feeds: Arrays) -> Arrays:
        states = [one for name, one in feeds.items() if name.startswith("initial")]
        if any(one.dtype != feeds["X"].dtype for one in states):
            raise TypeError("a state of another precision")
        return feeds

    replaced(patch, "onnxreference", before=before)


# Models that torch exports


def in_files(*caught_by: str, family: str, cases: tuple[str, ...]) -> Any:
    """A mutant of `torch.onnx.export`: the nodes that it writes are others."""

    def add(edit: Callable[[Any], None]) -> Callable[[Any], None]:
        TORCH_ONNX.add(
            edit.__name__.replace("_", "-"), family, caught_by,
            lambda patch: replaced(patch, "onnxruntime", edit=edit), cases,
        )  # fmt: skip
        return edit

    return add


@in_files(OTHERS, family="reset before for reset after", cases=("gru-smallest",))
def linear_before_reset_left_out(model):
    """https://github.com/microsoft/onnxscript/issues/2852"""
    without_attributes("linear_before_reset")(model)


@in_files(VALUES, family="initial state ignored", cases=("two-layers",))
def states_left_out(model):
    without_inputs(5, 6)(model)


@in_files(
    "masked-values-are-the-oracles", OTHER_LENGTHS, family="lengths ignored",
    cases=("masked-right-lstm-two-layers",),
)  # fmt: skip
def lengths_left_out(model):
    without_inputs(4)(model)


@TORCH_ONNX.mutant("a mode that is not in effect", "a-mode-was-in-effect", cases=("two-layers",))
def written_in_steps(patch):
    """The layer is written in operations, and no operator LSTM is found in the file."""
    torch.written_out(patch)
