"""Reads vectors recorded from TensorFlow 1.15.5 into experiments and canonical results."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import fixtures
from fixtures.perlayer import Array, PerLayer, State
from fixtures.run import Experiment
from fixtures.weights import LayerWeights

FOLDER = Path(fixtures.__file__).parent / "data" / "tensorflow-1.15"


@dataclass(frozen=True)
class Recorded:
    """What went into TensorFlow 1.15.5, and what came out, by the names of `Oracle.tensors`."""

    version: str
    experiment: Experiment
    tensors: dict[str, Array]


def read(name: str, tf1_gates: str = "ijfo", add_forget_bias: bool = True) -> Recorded:
    """A recorded vector; the last two parameters are there to be got wrong on purpose."""
    with np.load(FOLDER / f"{name}__f64.npz", allow_pickle=False) as archive:
        arrays = {key: archive[key] for key in archive.files}
    meta = json.loads(str(arrays.pop("meta")))
    directions = ("fw.", "bw.") if "fw.layer0.bias" in arrays else ("",)
    layers = 1
    while f"{directions[0]}layer{layers}.bias" in arrays:
        layers += 1
    at = {
        (layer, direction): f"{prefix}layer{layer}"
        for layer in range(layers)
        for direction, prefix in enumerate(directions)
    }
    forget = [args["forget_bias"] for args in _arguments(meta) if "forget_bias" in args]

    def weights(layer: int, direction: int) -> LayerWeights:
        of = at[layer, direction]
        if meta["kind"] == "keras":
            return LayerWeights(
                arrays[f"{of}.kernel"], arrays[f"{of}.recurrent_kernel"], arrays[f"{of}.bias"], None
            )
        bias = dict(zip(tf1_gates, np.split(arrays[f"{of}.bias"], 4), strict=True))
        kernel = dict(zip(tf1_gates, np.split(arrays[f"{of}.kernel"], 4, axis=1), strict=True))
        if add_forget_bias:
            bias["f"] = _exact_sum(bias["f"], forget[layer * len(directions) + direction])
        units = len(bias["f"])
        rows = np.concatenate([kernel[gate] for gate in "ifjo"], axis=1)
        return LayerWeights(
            rows[:-units], rows[-units:], np.concatenate([bias[g] for g in "ifjo"]), None
        )

    def states(moment: str, which: str) -> PerLayer[Array]:
        return PerLayer.build(
            layers, len(directions), lambda n, d: _state(arrays, f"{moment}.{at[n, d]}", which)
        )

    inputs, outputs = arrays["inputs"], _outputs(arrays)
    if meta["time_major"]:
        inputs, outputs = inputs.swapaxes(0, 1), outputs.swapaxes(0, 1)
    if any(args.get("go_backwards") for args in _arguments(meta)):
        inputs = inputs[:, ::-1]
    final = {which: states("final", which) for which in "hc"}
    tensors = {"output": outputs} | {
        f"{which}[{layer}, {direction}]": state
        for which in "hc"
        for (layer, direction), state in final[which].items()
    }
    experiment = Experiment(
        dtype=meta["dtype"],
        weights=PerLayer.build(layers, len(directions), weights),
        inputs=inputs,
        initial=State(h=states("init", "h"), c=states("init", "c")),
    )
    return Recorded(meta["recorder"]["tf_version"], experiment, tensors)


def _arguments(meta: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [cell["args"] for cell in meta["cells"]]


def _exact_sum(bias: Array, forget: float) -> Array:
    """TensorFlow adds the forget bias to the gate; adding it to the bias may not cost a bit."""
    whole: Array = bias + forget
    assert np.array_equal(whole - forget, bias)
    return whole


def _outputs(arrays: Mapping[str, Array]) -> Array:
    if "outputs" in arrays:
        return arrays["outputs"]
    return np.concatenate([arrays["outputs.fw"], arrays["outputs.bw"]], axis=-1)


def _state(arrays: Mapping[str, Array], of: str, which: str) -> Array:
    """h or c; a state that was not a tuple is c and h side by side."""
    if f"{of}.state" in arrays:
        return np.split(arrays[f"{of}.state"], 2, axis=-1)["ch".index(which)]
    return arrays[f"{of}.{which}"]
