"""Every cell in ball arithmetic: each number is an interval that is proven to hold the true one.

Written from papers and documentation on plain lists, gate by gate and unit by unit, and sharing no
code with `fixtures.cells` and `fixtures.oracle`, so that both can hardly be wrong in the same way:
LSTM from torch.nn.LSTM's page, its peepholes, clipping and projection from Gers and Schmidhuber
2000, Sak, Senior and Beaufays 2014 and TensorFlow 1's LSTMCell, coupled gates from Greff et al.
2017, layer normalisation from Ba, Kiros and Hinton 2016 and the source of TensorFlow 1's
LayerNormBasicLSTMCell, GRU from torch.nn.GRU's page and Cho et al. 2014, RNN from torch.nn.RNN's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flint

from fixtures.cells import GRU, LSTM, RNN
from fixtures.model.experiment import Experiment
from fixtures.model.weights import LayerWeights

BITS = 256
"""Wide enough for balls far smaller than a long double's last bit, even after 100 steps."""

Vector = list[Any]


def run(experiment: Experiment) -> dict[str, Any]:
    """Output and states by the names of `Oracle.tensors`: nested lists of balls."""
    flint.ctx.prec = BITS
    below = _balls(experiment.inputs.tolist())
    ends: dict[str, dict[str, Any]] = {name: {} for name in experiment.cell.states}
    for layer in range(experiment.layers):
        halves = []
        for direction in range(experiment.directions):
            at = f"[{layer}, {direction}]"
            one = experiment.weights[layer, direction]
            step = STEPS[type(one.cell)](Weights(one))
            half = []
            for name in one.cell.states:
                ends[name][name + at] = []
            for row, sequence in enumerate(below):
                states = _initial(experiment, layer, direction, row)
                outputs = []
                for x in reversed(sequence) if direction else sequence:
                    states = step(x, *states)
                    outputs.append(states[0])
                half.append(outputs[::-1] if direction else outputs)
                for name, state in zip(one.cell.states, states, strict=True):
                    ends[name][name + at].append(state)
            halves.append(half)
        below = [
            [[value for part in parts for value in part] for parts in zip(*rows, strict=True)]
            for rows in zip(*halves, strict=True)
        ]
    found = {"output": below}
    for states_of_all in ends.values():
        found |= states_of_all
    return found


class Weights:
    """The weights of a layer as balls; sums of a gate's column by the gate's name."""

    def __init__(self, one: LayerWeights) -> None:
        self.cell: Any = one.cell
        self.units, self.gates = one.units, one.cell.gates
        self.kernel, self.recurrent = (
            _balls(kernel.tolist()) for kernel in (one.kernel, one.recurrent_kernel)
        )
        zeros = [0.0] * len(self.gates) * self.units
        self.bias = _balls(zeros if one.bias is None else one.bias.tolist())
        self.recurrent_bias = _balls(
            zeros if one.recurrent_bias is None else one.recurrent_bias.tolist()
        )
        self.peepholes = None if one.peepholes is None else _balls(one.peepholes.tolist())
        self.projection = None if one.projection is None else _balls(one.projection.tolist())
        self.gains, self.shifts = (
            None if rows is None else _balls(rows.tolist()) for rows in (one.gains, one.shifts)
        )

    def column(self, gate: str, unit: int) -> int:
        return self.gates.index(gate) * self.units + unit

    def from_x(self, gate: str, unit: int, x: Vector) -> Any:
        """W x + b."""
        column = self.column(gate, unit)
        return sum((x[k] * self.kernel[k][column] for k in range(len(x))), self.bias[column])

    def from_h(self, gate: str, unit: int, h: Vector) -> Any:
        """U h, without a bias."""
        column = self.column(gate, unit)
        return sum((h[k] * self.recurrent[k][column] for k in range(len(h))), flint.arb(0))


Step = Callable[..., tuple[Vector, ...]]


def normed(w: Weights, name: str, values: Vector) -> Vector:
    """A gate, or the cell state, of all units: as `LayerNormBasicLSTMCell._norm` has it."""
    if w.gains is None or w.shifts is None:
        return values
    row = w.gates.index(name) if name in w.gates else len(w.gates)
    mean = sum(values) / len(values)
    variance = sum((value - mean) ** 2 for value in values) / len(values)
    root = (variance + flint.arb(1e-12)).sqrt()
    return [
        (value - mean) / root * gain + shift
        for value, gain, shift in zip(values, w.gains[row], w.shifts[row], strict=True)
    ]


def lstm(w: Weights) -> Step:
    def step(x: Vector, h: Vector, c: Vector) -> tuple[Vector, Vector]:
        units = range(w.units)
        sums = {
            name: normed(w, name, [w.from_x(name, k, x) + w.from_h(name, k, h) for k in units])
            for name in w.gates
        }

        def gate(name: str, unit: int, sees: Any) -> Any:
            total = sums[name][unit]
            if w.peepholes is not None:
                row = {"ifgo": "ifo", "fgo": "fo"}[w.gates].index(name)
                total = total + w.peepholes[row][unit] * sees
            return _function(w.cell.recurrent_activation, total)

        new_c = []
        for unit in units:
            f = gate("f", unit, c[unit])
            i = 1 - f if w.cell.coupled else gate("i", unit, c[unit])
            new_c.append(f * c[unit] + i * _function(w.cell.activation, sums["g"][unit]))
        new_c = normed(w, "c", new_c)
        if w.cell.cell_clip is not None:
            new_c = [_between(one, -w.cell.cell_clip, w.cell.cell_clip) for one in new_c]
        hidden = [
            gate("o", unit, new_c[unit]) * _function(w.cell.activation, new_c[unit])
            for unit in units
        ]
        if w.projection is not None:
            hidden = [
                sum((hidden[unit] * w.projection[unit][k] for unit in range(w.units)), flint.arb(0))
                for k in range(len(w.projection[0]))
            ]
        if w.cell.projection_clip is not None:
            limit = w.cell.projection_clip
            hidden = [_between(one, -limit, limit) for one in hidden]
        return hidden, new_c

    return step


def gru(w: Weights) -> Step:
    """As the frameworks have it, with z for what is kept; Cho et al. have 1 - z there."""

    def step(x: Vector, h: Vector) -> tuple[Vector]:
        def recurrent_bias(gate: str, unit: int) -> Any:
            return w.recurrent_bias[w.column(gate, unit)] if w.cell.reset_after else 0

        def gate(name: str, unit: int) -> Any:
            total = w.from_x(name, unit, x) + w.from_h(name, unit, h)
            return _function(w.cell.recurrent_activation, total + recurrent_bias(name, unit))

        r = [gate("r", unit) for unit in range(w.units)]
        reset = [r[unit] * h[unit] for unit in range(w.units)]
        new = []
        for unit in range(w.units):
            if w.cell.reset_after:
                from_h = r[unit] * (w.from_h("n", unit, h) + recurrent_bias("n", unit))
            else:
                from_h = w.from_h("n", unit, reset)
            n = _function(w.cell.activation, w.from_x("n", unit, x) + from_h)
            z = gate("z", unit)
            new.append((1 - z) * n + z * h[unit])
        return (new,)

    return step


def rnn(w: Weights) -> Step:
    def step(x: Vector, h: Vector) -> tuple[Vector]:
        sums = (w.from_x("h", unit, x) + w.from_h("h", unit, h) for unit in range(w.units))
        return ([_function(w.cell.activation, total) for total in sums],)

    return step


STEPS: dict[type, Callable[[Weights], Step]] = {LSTM: lstm, GRU: gru, RNN: rnn}


def _function(name: str, x: Any) -> Any:
    match name:
        case "sigmoid":
            return 1 / (1 + (-x).exp())
        case "tanh":
            return x.tanh()
        case "relu":
            return x if _above(x, 0) else flint.arb(0)
        case "hard_sigmoid":
            return _between(x / 6 + flint.arb(1) / 2, 0, 1)
        case "hard_sigmoid_keras2":
            return _between(x / 5 + flint.arb(1) / 2, 0, 1)
    raise ValueError(f"{name} is not written in balls yet")


def _between(x: Any, low: float, high: float) -> Any:
    if not _above(x, low):
        return flint.arb(low)
    return flint.arb(high) if _above(x, high) else x


def _above(x: Any, limit: float) -> bool:
    """Whether the number is larger; its ball must leave no doubt, and the limit is none of it."""
    assert x != limit, f"{x} may be either side of {limit}"
    return bool(x > limit)


def _initial(experiment: Experiment, layer: int, direction: int, row: int) -> tuple[Vector, ...]:
    states = (experiment.initial or experiment.zero_state()).at(layer, direction)
    return tuple(_balls(state[row].tolist()) for state in states)


def _balls(numbers: Any) -> Any:
    """Nested lists of floats as balls of radius zero."""
    if isinstance(numbers, list):
        return [_balls(one) for one in numbers]
    return flint.arb(numbers)
