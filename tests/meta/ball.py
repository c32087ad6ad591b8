"""An LSTM in ball arithmetic: every number is an interval that is proven to hold the true one.

Written from the equations on plain lists, gate by gate and unit by unit, and sharing no code with
`fixtures.oracle.reference`, so that both can hardly be wrong in the same way.
"""

from __future__ import annotations

from typing import Any

import flint

from fixtures.model.experiment import Experiment

BITS = 256
"""Wide enough for balls far smaller than a long double's last bit, even after 100 steps."""

Vector = list[Any]


def lstm(experiment: Experiment) -> dict[str, Any]:
    """Output, h and c by the names of `Oracle.tensors`: nested lists of balls."""
    flint.ctx.prec = BITS
    below = _balls(experiment.inputs.tolist())
    h, c = {}, {}
    for layer in range(experiment.layers):
        halves = []
        for direction in range(experiment.directions):
            one = experiment.weights[layer, direction]
            kernel, recurrent = _balls(one.kernel.tolist()), _balls(one.recurrent_kernel.tolist())
            bias = _balls([0.0] * 4 * one.units if one.bias is None else one.bias.tolist())
            half, last_h, last_c = [], [], []
            for row, sequence in enumerate(below):
                h_now, c_now = _initial(experiment, layer, direction, row)
                outputs = []
                for x in reversed(sequence) if direction else sequence:
                    h_now, c_now = _step(kernel, recurrent, bias, x, h_now, c_now)
                    outputs.append(h_now)
                half.append(outputs[::-1] if direction else outputs)
                last_h.append(h_now)
                last_c.append(c_now)
            halves.append(half)
            h[f"h[{layer}, {direction}]"], c[f"c[{layer}, {direction}]"] = last_h, last_c
        below = [
            [[value for part in parts for value in part] for parts in zip(*rows, strict=True)]
            for rows in zip(*halves, strict=True)
        ]
    return {"output": below} | h | c


def _step(
    kernel: list[Vector], recurrent: list[Vector], bias: Vector, x: Vector, h: Vector, c: Vector
) -> tuple[Vector, Vector]:
    units = len(h)
    new_h, new_c = [], []
    for unit in range(units):
        i, f, g, o = (
            sum((x[k] * kernel[k][column] for k in range(len(x))), bias[column])
            + sum(h[k] * recurrent[k][column] for k in range(units))
            for column in (unit, units + unit, 2 * units + unit, 3 * units + unit)
        )
        cell = _sigmoid(f) * c[unit] + _sigmoid(i) * g.tanh()
        new_c.append(cell)
        new_h.append(_sigmoid(o) * cell.tanh())
    return new_h, new_c


def _sigmoid(value: Any) -> Any:
    return 1 / (1 + (-value).exp())


def _initial(experiment: Experiment, layer: int, direction: int, row: int) -> tuple[Vector, Vector]:
    if experiment.initial is None:
        zeros = [flint.arb(0)] * experiment.units[layer]
        return zeros, zeros
    states = experiment.initial.h[layer, direction], experiment.initial.c[layer, direction]
    h, c = (_balls(state[row].tolist()) for state in states)
    return h, c


def _balls(numbers: Any) -> Any:
    """Nested lists of floats as balls of radius zero."""
    if isinstance(numbers, list):
        return [_balls(one) for one in numbers]
    return flint.arb(numbers)
