"""One step of an LSTM, written once for all frameworks, with the faults it may have.

Each framework's mutants put it in the place of the framework's own cell. Without a fault it is an
LSTM like any other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from fixtures.cells.lstm import GATES

EVERY = "every-value-is-the-oracles"
GRADIENTS = "every-gradient-is-the-oracles"


@dataclass(frozen=True)
class Ops:
    """A framework's functions; `split` cuts the last axis in four."""

    matmul: Callable[..., Any]
    split: Callable[..., Any]
    concat: Callable[..., Any]
    sigmoid: Callable[..., Any]
    tanh: Callable[..., Any]
    clip: Callable[..., Any]
    cast: Callable[..., Any]
    transpose: Callable[..., Any]
    stop_gradient: Callable[..., Any]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What is wrong with a cell; by default nothing.

    `order` is in which the blocks are taken for gates. `kernel` and `recurrent` are factors by
    precision. `forget` is added to the gate `forget_gate`. `cut` names what the gradient does not
    go through, `steeper` what it is multiplied by 1.001 at: h, c, x, kernel, recurrent or bias.
    """

    name: str = ""
    family: str = ""
    caught_by: tuple[str, ...] = (EVERY,)
    cases: tuple[str, ...] = ()
    order: str = GATES
    kernel: tuple[float, float] = (1.0, 1.0)
    recurrent: tuple[float, float] = (1.0, 1.0)
    forget: float = 0.0
    forget_gate: str = "f"
    transposed_kernel: bool = False
    transposed_recurrent: bool = False
    narrow: bool = False
    hard_sigmoid: bool = False
    tanh_of_c: bool = True
    cut: str = ""
    steeper: str = ""
    bias_gradients_exchanged: bool = False


NEAR = (1 + 3e-6, 1 + 1e-14)
"""The least relative error that a weight matrix must not have, in float32 and in float64."""

NEITHER = "gates-exchanged-make-another-lstm"

FAULTS = (
    *(
        Fault(
            name=f"{first}-and-{second}-exchanged",
            family=f"gates {first} and {second} exchanged",
            order=GATES.translate({ord(first): second, ord(second): first}),
        )
        for first, second in combinations(GATES, 2)
    ),
    Fault(
        name="input-and-forget-gate-one", family="one gate for input and forgetting", order="iigo"
    ),
    Fault(name="kernel-3e-6-off", family="kernel scaled by 1 + 3e-6", kernel=(NEAR[0], 1.0)),
    Fault(name="kernel-1e-14-off", family="kernel scaled by 1 + 1e-14", kernel=(1.0, NEAR[1])),
    Fault(
        name="recurrent-kernel-3e-6-off",
        family="recurrent kernel scaled by 1 + 3e-6",
        recurrent=(NEAR[0], 1.0),
    ),
    Fault(
        name="recurrent-kernel-1e-14-off",
        family="recurrent kernel scaled by 1 + 1e-14",
        recurrent=(1.0, NEAR[1]),
    ),
    Fault(
        name="recurrent-kernel-transposed",
        family="recurrent kernel transposed",
        transposed_recurrent=True,
    ),
    Fault(
        name="kernel-transposed",
        family="kernel transposed",
        transposed_kernel=True,
        cases=("square", "square-two-layers"),
    ),
    Fault(name="float64-in-float32", family="float64 computed in float32", narrow=True),
    Fault(name="hard-sigmoid", family="hard sigmoid", hard_sigmoid=True),
    Fault(name="c-without-tanh", family="tanh left out of the output", tanh_of_c=False),
    Fault(
        name="gradient-steeper-by-weights",
        family="gradient scaled by 1.001",
        caught_by=(GRADIENTS,),
        steeper="kernel",
    ),
    Fault(
        name="gradient-steeper-through-time",
        family="gradient scaled by 1.001 at every step",
        caught_by=(GRADIENTS,),
        steeper="c",
    ),
    *(
        Fault(
            name=f"no-gradient-by-{what}",
            family="gradient missing for one weight",
            caught_by=(GRADIENTS,),
            cut=what,
        )
        for what in ("kernel", "recurrent", "bias")
    ),
    Fault(
        name="gradient-cut-at-a-step",
        family="gradient cut at a time step",
        caught_by=(GRADIENTS,),
        cut="c",
    ),
    Fault(
        name="gradient-cut-at-h",
        family="gradient cut between h and the next step",
        caught_by=(GRADIENTS,),
        cut="h",
    ),
    Fault(
        name="gradient-cut-below",
        family="gradient cut at a layer",
        caught_by=(GRADIENTS,),
        cut="x",
    ),
    Fault(
        name="bias-gradients-exchanged",
        family="bias gradients exchanged",
        caught_by=(GRADIENTS,),
        bias_gradients_exchanged=True,
    ),
)
"""Faults that every framework's cell can have. `order="iigo"` has no forget gate of its own."""


def step(
    ops: Ops, fault: Fault, x: Any, h: Any, c: Any, kernel: Any, recurrent: Any, bias: Any
) -> tuple[Any, Any]:
    """The new h and c; kernels multiply from the right, gates lie in canonical order."""
    given = {"x": x, "h": h, "c": c, "kernel": kernel, "recurrent": recurrent, "bias": bias}
    if fault.cut:
        given[fault.cut] = ops.stop_gradient(given[fault.cut])
    if fault.steeper:
        one = given[fault.steeper]
        given[fault.steeper] = 1.001 * one - 0.001 * ops.stop_gradient(one)
    x, h, c, kernel, recurrent, bias = given.values()
    if fault.bias_gradients_exchanged and bias is not None:
        i, f, g, o = ops.split(bias)
        exchanged = ops.concat([f, i, g, o])
        bias = exchanged + ops.stop_gradient(bias - exchanged)  # the bias, to the bit
    dtype = x.dtype
    wide = "float64" in str(dtype)
    if fault.kernel[wide] != 1.0:
        kernel = kernel * fault.kernel[wide]
    if fault.recurrent[wide] != 1.0:
        recurrent = recurrent * fault.recurrent[wide]
    if fault.transposed_recurrent:
        recurrent = _blocks_transposed(ops, recurrent)
    if fault.transposed_kernel and kernel.shape[0] * 4 == kernel.shape[1]:
        kernel = _blocks_transposed(ops, kernel)
    if fault.narrow:
        x, h, c, kernel, recurrent = (
            ops.cast(one, "float32") for one in (x, h, c, kernel, recurrent)
        )
        bias = None if bias is None else ops.cast(bias, "float32")
    z = ops.matmul(x, kernel) + ops.matmul(h, recurrent)
    if bias is not None:
        z = z + bias
    blocks = ops.split(z)
    gate = {
        name: blocks[fault.order.index(name)] if name in fault.order else blocks[0]
        for name in GATES
    }
    gate[fault.forget_gate] = gate[fault.forget_gate] + fault.forget
    sigmoid = (lambda v: ops.clip(0.2 * v + 0.5)) if fault.hard_sigmoid else ops.sigmoid
    c = sigmoid(gate["f"]) * c + sigmoid(gate["i"]) * ops.tanh(gate["g"])
    h = sigmoid(gate["o"]) * (ops.tanh(c) if fault.tanh_of_c else c)
    return ops.cast(h, dtype), ops.cast(c, dtype)


def _blocks_transposed(ops: Ops, kernel: Any) -> Any:
    return ops.concat([ops.transpose(block) for block in ops.split(kernel)])
