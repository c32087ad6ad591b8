"""One step of Keras's GRU and SimpleRNN, wrong on purpose: what Keras 2 and Keras 3 share."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from tests.meta.mutants import Catalogue
from tests.meta.mutants.cell import NEAR, Ops
from tests.meta.mutants.keras import Seams

VALUES = "other-cells-values-are-the-oracles"
GRADIENTS = "other-cells-gradients-are-the-oracles"
READ_BACK = "other-cells-weights-read-back-are-those-loaded"
IN_GRU = (VALUES, "keras-gru-gates-are-z-r-h")
IN_RNN = (VALUES, "keras-simple-rnn-is-one-sum")
KINDS = {"GRU": "gru", "SimpleRNN": "rnn"}
"""What the names of a step layer's mutants begin with."""


def cases_of(*kinds: str) -> tuple[str, ...]:
    shapes = ("smallest", "two-layers", "bidirectional-two-layers", "one-step")
    return tuple(f"{kind}-{shape}" for kind in kinds for shape in shapes)


GRUS = cases_of("gru", "gru-reset-before", "gru-hard-sigmoid", "gru-hard-sigmoid-keras2")
RNNS = cases_of("rnn", "rnn-relu")
ACTIVATIONS = {"gate", "candidate", "activation"}
"""Options of a step, below, that name a function of Keras's."""


# One step, with a fault. `cell` says what the healthy one does: its activations, and where it
# resets. A written-out cell whose faults are all left out is a cell like any other.


def prepared(ops: Ops, x: Any, h: Any, weights: dict[str, Any], cut: str, steeper: str) -> Any:
    """What a step is made of, with no gradient through `cut`, and too much of it by `steeper`."""
    given = {"x": x, "h": h} | weights
    if cut:
        given[cut] = ops.stop_gradient(given[cut])
    if steeper:
        given[steeper] = 1.001 * given[steeper] - 0.001 * ops.stop_gradient(given[steeper])
    return given.values()


def gru(
    ops: Ops, cell: Any, x: Any, h: Any, kernel: Any, recurrent: Any, bias: Any,
    order: str = "zrn", keeps: str = "h", resets: str = "", biases: str = "both",
    near_kernel: tuple[float, float] = (1.0, 1.0),
    near_recurrent: tuple[float, float] = (1.0, 1.0),
    transposed: bool = False, gate: Callable[[Any], Any] | None = None,
    candidate: Callable[[Any], Any] | None = None,
    gradients_exchanged: bool = False, cut: str = "", steeper: str = "",
) -> Any:  # fmt: skip
    """`order` is in which the blocks are taken for gates, `keeps` what z multiplies, `resets` where
    r comes in if not where the healthy cell has it. `biases` are those that count: both, input,
    recurrent, none; or outside, where r multiplies neither."""
    weights = {"kernel": kernel, "recurrent": recurrent, "bias": bias}
    x, h, kernel, recurrent, bias = prepared(ops, x, h, weights, cut, steeper)
    wide, units = "float64" in str(x.dtype), h.shape[-1]
    if transposed:
        blocks = [recurrent[:, n * units :][:, :units] for n in range(3)]
        recurrent = ops.concat([ops.transpose(block) for block in blocks])
    if gradients_exchanged and bias is not None and cell.reset_after:
        bias = bias[::-1] + ops.stop_gradient(bias - bias[::-1])  # the biases, to the bit

    def of(name: str, array: Any) -> Any:
        """The columns of one gate."""
        return array[..., order.index(name) * units :][..., :units]

    from_x = ops.matmul(x, kernel)
    from_x = from_x if near_kernel[wide] == 1.0 else from_x * near_kernel[wide]
    if near_recurrent[wide] != 1.0:
        recurrent = recurrent * near_recurrent[wide]
    from_h = ops.matmul(h, recurrent)
    outside = 0.0
    if bias is not None and biases != "none":
        if not cell.reset_after:
            from_x = from_x + bias
        elif biases == "outside":
            outside = bias[1]
            from_x = from_x + bias[0]
        else:
            from_x = from_x + bias[0] if biases in ("both", "input") else from_x
            from_h = from_h + bias[1] if biases in ("both", "recurrent") else from_h
    if biases == "outside" and bias is not None and cell.reset_after:
        from_x = from_x + outside
    opened = gate or cell.recurrent_activation
    z, r = (opened(of(name, from_x) + of(name, from_h)) for name in "zr")
    where = resets or ("after" if cell.reset_after else "before")
    if where == "after":
        reset = r * of("n", from_h)
    elif where == "before":
        reset = ops.matmul(r * h, of("n", recurrent))
        if cell.reset_after and bias is not None and biases in ("both", "recurrent"):
            reset = reset + of("n", bias[1])
    else:
        reset = of("n", from_h)
    n = (candidate or cell.activation)(of("n", from_x) + reset)
    if keeps == "half":
        z = 0 * z + 0.5
    return z * h + (1 - z) * n if keeps != "n" else z * n + (1 - z) * h


def rnn(
    ops: Ops, cell: Any, x: Any, h: Any, kernel: Any, recurrent: Any, bias: Any,
    activation: Callable[[Any], Any] | None = None, with_bias: bool = True,
    near_kernel: tuple[float, float] = (1.0, 1.0),
    near_recurrent: tuple[float, float] = (1.0, 1.0),
    transposed: bool = False, cut: str = "", steeper: str = "",
) -> Any:  # fmt: skip
    weights = {"kernel": kernel, "recurrent": recurrent, "bias": bias}
    x, h, kernel, recurrent, bias = prepared(ops, x, h, weights, cut, steeper)
    wide = "float64" in str(x.dtype)
    recurrent = ops.transpose(recurrent) if transposed else recurrent
    kernel = kernel if near_kernel[wide] == 1.0 else kernel * near_kernel[wide]
    recurrent = recurrent if near_recurrent[wide] == 1.0 else recurrent * near_recurrent[wide]
    total = ops.matmul(x, kernel) + ops.matmul(h, recurrent)
    if bias is not None and with_bias:
        total = total + bias
    return (activation or cell.activation)(total)


def written_out(
    patch: Any, seams: Seams, layer: str, step: Any, only: Callable[[Any], bool] = lambda _: True
) -> None:
    """`step` in place of the step layer's own; `only` picks the cells."""
    cell = getattr(seams.layers, f"{layer}Cell")
    healthy = cell.call

    def wrong(self: Any, inputs: Any, states: Any, training: Any = None) -> Any:
        if not only(self):
            return healthy(self, inputs, states, training=bool(training))
        nested = isinstance(states, list | tuple)
        h, bias = states[0] if nested else states, self.bias if self.use_bias else None
        new = step(seams.ops(), self, inputs, h, self.kernel, self.recurrent_kernel, bias)
        return new, [new] if nested else new

    patch.setattr(cell, "call", wrong)
    if layer == "GRU" and only(DEFAULT_GRU):
        own_function_written_out(patch, seams, step)


DEFAULT_GRU = SimpleNamespace(implementation=2, reset_after=True, use_bias=True)
"""What Keras 2 runs by a function that has no cell."""


def own_function_written_out(patch: Any, seams: Seams, step: Any) -> None:
    """Keras 2's GRU goes through a function of its own, unless an option is not the default."""
    module = sys.modules[seams.layers.GRU.__module__]
    healthy = getattr(module, "standard_gru", None)
    if healthy is None:
        return
    ops = seams.ops()
    cell = SimpleNamespace(
        **vars(DEFAULT_GRU), activation=ops.tanh, recurrent_activation=ops.sigmoid
    )

    def wrong(
        inputs: Any, init_h: Any, kernel: Any, recurrent_kernel: Any, bias: Any, **options: Any
    ) -> Any:
        loop = module.backend.rnn

        def one_step(x: Any, states: Any) -> Any:
            new = step(ops, cell, x, states[0], kernel, recurrent_kernel, bias)
            return new, [new]

        with patch.context() as here:
            here.setattr(module.backend, "rnn", lambda _, *args, **kw: loop(one_step, *args, **kw))
            return healthy(inputs, init_h, kernel, recurrent_kernel, bias, **options)

    patch.setattr(module, "standard_gru", wrong)


def close() -> dict[str, tuple[str, tuple[str, ...], dict[str, Any]]]:
    """The least relative errors that no kernel may have unnoticed."""
    words = {"near_kernel": "kernel", "near_recurrent": "recurrent kernel"}
    sizes = {"3e-6": (NEAR[0], 1.0), "1e-14": (1.0, NEAR[1])}
    return {
        f"{what.replace(' ', '-')}-{size}-off": (
            f"{what} scaled by 1 + {size}", (VALUES,), {option: factors}
        )
        for option, what in words.items()
        for size, factors in sizes.items()
    }  # fmt: skip


def cut() -> dict[str, tuple[str, tuple[str, ...], dict[str, Any]]]:
    """Gradients that are not there, or steeper than they are."""
    weights = {
        f"no-gradient-by-{name}": ("gradient missing for one weight", (GRADIENTS,), {"cut": name})
        for name in ("kernel", "recurrent", "bias")
    }
    return weights | {
        "gradient-cut-at-a-step": ("gradient cut at a time step", (GRADIENTS,), {"cut": "h"}),
        "gradient-cut-below": ("gradient cut at a layer", (GRADIENTS,), {"cut": "x"}),
        "gradient-steeper-through-time": (
            "gradient scaled by 1.001 at every step", (GRADIENTS,), {"steeper": "h"}),
        "gradient-steeper-by-weights": (
            "gradient scaled by 1.001", (GRADIENTS,), {"steeper": "kernel"}),
    }  # fmt: skip


def add_cells(catalogue: Catalogue, seams: Seams) -> None:
    """The faults of a step."""

    def faults(layer: str, step: Any, cases: tuple[str, ...], table: Any) -> None:
        for name, (family, caught_by, how) in table.items():

            def make(patch: Any, how: Any = how) -> None:
                get = seams.activations.get
                ready = {k: get(v) if k in ACTIVATIONS else v for k, v in how.items()}
                written_out(patch, seams, layer, functools.partial(step, **ready))

            catalogue.add(f"{KINDS[layer]}-{name}", family, caught_by, make, cases)

    two_kinds = "reset-after-and-reset-before-are-two-grus"
    biases = "gru-biases-of-z-and-r-are-seen-as-a-sum"
    faults("GRU", gru, GRUS, {
        "z-and-r-exchanged": ("gates r and z exchanged", IN_GRU, {"order": "rzn"}),
        "r-and-n-exchanged": ("gates r and n exchanged", IN_GRU, {"order": "znr"}),
        "z-and-n-exchanged": ("gates z and n exchanged", IN_GRU, {"order": "nrz"}),
        "z-is-a-half": ("z ignored", (VALUES, "gru-update-gate-keeps-the-old-h"),
                        {"keeps": "half"}),
        "z-keeps-the-candidate": ("z and 1 - z exchanged", IN_GRU, {"keeps": "n"}),
        "reset-before-for-after": ("reset before for reset after", (*IN_GRU, two_kinds),
                                   {"resets": "before"}),
        "reset-after-for-before": ("reset after for reset before", IN_GRU,
                                   {"resets": "after"}),
        "never-reset": ("candidate without r", IN_GRU, {"resets": "never"}),
        "recurrent-bias-outside-of-the-reset": (
            "two biases of a GRU seen as a sum", (VALUES, "gru-biases-are-not-seen-as-a-sum"),
            {"biases": "outside"}),
        "input-bias-ignored": ("one of two biases ignored", (VALUES, biases),
                               {"biases": "recurrent"}),
        "recurrent-bias-ignored": ("one of two biases ignored", (VALUES, biases),
                                   {"biases": "input"}),
        "biases-ignored": ("bias ignored", IN_GRU, {"biases": "none"}),
        "recurrent-kernel-transposed": ("recurrent kernel transposed", IN_GRU,
                                        {"transposed": True}),
        "recurrent-kernel-ignored": (
            "recurrent kernel ignored",
            (VALUES, "a-transposed-recurrent-kernel-makes-another-gru"),
            {"near_recurrent": (0.0, 0.0)}),
        "tanh-for-the-gates": ("tanh for the gates' sigmoid", IN_GRU, {"gate": "tanh"}),
        "relu-for-tanh": ("relu for tanh", IN_GRU, {"candidate": "relu"}),
        "bias-gradients-exchanged": ("bias gradients exchanged", (GRADIENTS,),
                                     {"gradients_exchanged": True}),
    } | close() | cut())  # fmt: skip
    two_rnns = "relu-and-tanh-make-two-rnns"
    faults("SimpleRNN", rnn, RNNS, {
        "tanh-for-relu": ("tanh for relu", (VALUES, two_rnns), {"activation": "tanh"}),
        "relu-for-tanh": ("relu for tanh", (*IN_RNN, two_rnns), {"activation": "relu"}),
        "bias-ignored": ("bias ignored", IN_RNN, {"with_bias": False}),
        "recurrent-kernel-ignored": (
            "recurrent kernel ignored",
            (VALUES, "a-transposed-recurrent-kernel-makes-another-rnn"),
            {"near_recurrent": (0.0, 0.0)}),
        "recurrent-kernel-transposed": ("recurrent kernel transposed", IN_RNN,
                                        {"transposed": True}),
    } | close() | cut())  # fmt: skip

    @catalogue.mutant("every gate the same", "gru-gates-exchanged-make-another-gru", VALUES,
                      cases=GRUS)  # fmt: skip
    def gru_gates_are_all_the_first(patch):
        def first(ops, cell, x, h, kernel, recurrent, bias):
            def same(array):
                return ops.concat(3 * [array[..., : h.shape[-1]]])

            bias = None if bias is None else same(bias)
            return gru(ops, cell, x, h, same(kernel), same(recurrent), bias)

        written_out(patch, seams, "GRU", first)
