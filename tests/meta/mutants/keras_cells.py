"""Keras's GRU, SimpleRNN, RNN and their options, wrong on purpose: what Keras 2 and 3 share."""

from __future__ import annotations

import functools
import sys
import weakref
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from fixtures.adapters import adapters
from tests.meta.mutants import Catalogue
from tests.meta.mutants.cell import NEAR, Fault, Ops
from tests.meta.mutants.keras import Seams

VALUES = "other-cells-values-are-the-oracles"
GRADIENTS = "other-cells-gradients-are-the-oracles"
READ_BACK = "other-cells-weights-read-back-are-those-loaded"
CUT_SHORT = "other-cells-short-row-is-the-row-cut-short"
STATES = "keras-other-cells-return-output-then-states"
STEPS = "step-layers-give-what-layers-give"
UNROLLED = "keras-unrolled-is-the-loop"
IMPLEMENTATIONS = "keras-implementations-compute-the-same"
STACKED = "keras-stacked-cells-are-one-layer-after-another"
MERGED = "keras-merge-modes-combine-both-directions"
IN_GRU = (VALUES, "keras-gru-gates-are-z-r-h")
IN_RNN = (VALUES, "keras-simple-rnn-is-one-sum")
KINDS = {"GRU": "gru", "SimpleRNN": "rnn"}
"""What the names of a step layer's mutants begin with."""

LAYERS = {"GRU": ("gru", "gru-reset-before"), "RNN": ("rnn", "peepholes")}
"""What the names of a layer's cases begin with: `RNN` runs SimpleRNN and cells of one's own."""


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
    """The faults of the cells, of their layers, and of what is made of them."""
    _add_steps(catalogue, seams)
    _add_layers(catalogue, seams)
    _add_options(catalogue, seams)


def _add_steps(catalogue: Catalogue, seams: Seams) -> None:
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


def around(
    patch: Any, seams: Seams, layer: str,
    before: Callable[..., Any] = lambda _, x, initial, mask: (x, initial, mask),
    after: Callable[..., Any] = lambda _, output, *states: (output, *states),
) -> None:  # fmt: skip
    """A call between `before(layer, x, initial, mask)` and `after(layer, output, *states)`."""
    one = getattr(seams.layers, layer)
    call = one.call

    @functools.wraps(call)  # Keras 3 knows arguments by their names
    def wrong(self, x, mask=None, training=None, initial_state=None, **kwargs):
        x, initial_state, mask = before(self, x, initial_state, mask)
        training = {} if training is None else {"training": training}
        result = call(self, x, mask=mask, initial_state=initial_state, **training, **kwargs)
        return type(result)(after(self, *result)) if self.return_state else result

    patch.setattr(one, "call", wrong)


def _add_layers(catalogue: Catalogue, seams: Seams) -> None:
    import numpy as np

    def tensor(array: Any) -> Any:
        return adapters()[seams.adapter]._tensor(array)

    def exchanged(states: Any) -> Any:
        half = len(states) // 2
        return [*states[half:], *states[:half]]

    def one_ulp_off(_, output, h, *rest):
        return output, seams.array(lambda v: np.nextafter(v, v + 1), h), *rest

    def not_zeros(self, x, initial, mask):
        if initial is None:
            size = self.cell.state_size
            sizes = size if isinstance(size, list | tuple) else [size]
            initial = [tensor(np.full((x.shape[0], size), 1e-3, self.compute_dtype))
                       for size in sizes]  # fmt: skip
        return x, initial, mask

    def step_before(self, output, h, *rest):
        early = self.return_sequences and not self.go_backwards and output.shape[1] > 1
        return output, output[:, -2] if early else h, *rest

    def stopped(initial: Any) -> Any:
        return initial and [seams.ops().stop_gradient(state) for state in initial]

    def steeper(output: Any) -> Any:
        return 1.001 * output - 0.001 * seams.ops().stop_gradient(output)

    def single(self: Any, output: Any) -> Any:
        return output if self.return_sequences else output * (1 + 1e-6)

    last_is_h = "other-cells-last-output-is-h"
    at_both_ends = "other-cells-backward-half-ends-at-step-zero"
    uses_state = ("other-cells-use-a-given-state", "other-cells-step-by-step-is-the-whole")
    under_a_mask = "keras-other-cells-output-under-a-mask-repeats"
    single_output = "keras-other-cells-single-output-is-the-last-step"
    table: dict[str, tuple[str, tuple[str, ...], dict[str, Any]]] = {
        "state-one-ulp-off": (
            "h one ulp off", (last_is_h, at_both_ends), {"after": one_ulp_off}),
        "state-saved-at-t-1": (
            "a state saved at T - 1", (VALUES, last_is_h), {"after": step_before}),
        "initial-state-ignored": (
            "initial state ignored", (VALUES, *uses_state),
            {"before": lambda _, x, initial, mask: (x, None, mask)}),
        "mask-ignored": (
            "sequence lengths ignored", (CUT_SHORT,),
            {"before": lambda _, x, initial, mask: (x, initial, None)}),
        "gradient-cut-at-the-initial-state": (
            "gradient cut at the initial state", (GRADIENTS,),
            {"before": lambda _, x, initial, mask: (x, stopped(initial), mask)}),
        "gradient-through-the-output-scaled": (
            "gradient through the output scaled", (GRADIENTS,),
            {"after": lambda _, output, *states: (steeper(output), *states)}),
        "another-last-step": (
            "the single output is not the last step", (single_output,),
            {"after": lambda self, output, *states: (single(self, output), *states)}),
        "returns-h-again": (
            "a state too many", (STATES,),
            {"after": lambda _, output, h, *rest: (output, h, *rest, h)}),
    }  # fmt: skip
    for layer, kinds in LAYERS.items():
        kind, cases = f"{layer.lower()}-layer", cases_of(*kinds)
        for name, (family, caught_by, how) in table.items():
            catalogue.add(
                f"{kind}-{name}", family, caught_by,
                lambda patch, layer=layer, how=how: around(patch, seams, layer, **how), cases,
            )  # fmt: skip
        catalogue.add(
            f"{kind}-zeros-under-a-mask", "past a row's end the output is zero", (under_a_mask,),
            lambda patch, layer=layer: zeros_under_a_mask(patch, seams, layer), cases,
        )  # fmt: skip
        catalogue.add(
            f"{kind}-stale-state", "stale state carried into the next call",
            ("other-cells-repeat-every-bit",),
            lambda patch, layer=layer: stale_state(patch, seams, layer), cases,
        )  # fmt: skip
        catalogue.add(
            f"{kind}-default-state-is-not-zeros", "another default than zeros",
            ("other-cells-default-state-is-zeros",),
            lambda patch, layer=layer: around(patch, seams, layer, before=not_zeros),
            (f"{kinds[0]}-smallest-from-zero",),
        )  # fmt: skip

    @catalogue.mutant("(h, c) returned as (c, h)", VALUES, "other-cells-last-output-is-h",
                      cases=cases_of("peepholes"))  # fmt: skip
    def rnn_layer_returns_states_exchanged(patch):
        around(patch, seams, "RNN", after=lambda _, output, *states: (output, *states[::-1]))

    @catalogue.mutant("h0 and c0 exchanged", VALUES, cases=cases_of("peepholes"))
    def rnn_layer_takes_states_exchanged(patch):
        def before(_, x, initial, mask):
            return x, initial and list(initial)[::-1], mask

        around(patch, seams, "RNN", before=before)

    everything = cases_of("gru", "rnn", "peepholes")

    def bidirectional(patch, before=None, after=None, merged=lambda mode: mode):
        one = seams.layers.Bidirectional
        call = one.call

        def wrong(self, x, *args, initial_state=None, **kwargs):
            if before is not None and initial_state is not None:
                initial_state = before(list(initial_state))
            mode, self.merge_mode = self.merge_mode, merged(self.merge_mode)
            try:
                result = call(self, x, *args, initial_state=initial_state, **kwargs)
            finally:
                self.merge_mode = mode
            return result if after is None else after(*result)

        patch.setattr(one, "call", wrong)

    @catalogue.mutant("directions' initial states exchanged", VALUES, cases=everything)
    def other_cells_initial_states_of_directions_exchanged(patch):
        bidirectional(patch, before=exchanged)

    @catalogue.mutant("directions' final states exchanged", VALUES,
                      "other-cells-backward-half-ends-at-step-zero", cases=everything)  # fmt: skip
    def other_cells_final_states_of_directions_exchanged(patch):
        bidirectional(patch, after=lambda output, *states: [output, *exchanged(states)])

    @catalogue.mutant("backward half not reversed back", VALUES, STACK_OF_ANY, cases=everything)
    def other_cells_backward_half_not_reversed_back(patch):
        def after(output, *states):
            half = output.shape[-1] // 2
            back = output[:, ::-1, half:]
            return [seams.ops().concat([output[..., :half], back]), *states]

        bidirectional(patch, after=after)

    for right, wrong in (("sum", "ave"), ("mul", "sum"), ("ave", "sum")):
        catalogue.add(
            f"merge-mode-{right}-is-{wrong}", "another merge mode", (MERGED,),
            lambda patch, right=right, wrong=wrong: bidirectional(
                patch, merged=lambda mode: wrong if mode == right else mode),
        )  # fmt: skip

    @catalogue.mutant("merge mode concat turned round", MERGED, VALUES, cases=everything)
    def merge_mode_concat_puts_backward_first(patch):
        one = seams.layers.Bidirectional
        call = one.call

        def wrong(self, *args, **kwargs):
            output, *states = call(self, *args, **kwargs)
            if self.merge_mode == "concat":
                half = output.shape[-1] // 2
                output = seams.ops().concat([output[..., half:], output[..., :half]])
            return [output, *states]

        patch.setattr(one, "call", wrong)

    # Weights

    @catalogue.mutant("two biases of a GRU exchanged", READ_BACK, VALUES, cases=cases_of("gru"))
    def gru_loads_biases_exchanged(patch):
        set_weights = seams.layers.GRU.set_weights

        def wrong(self, weights):
            kernel, recurrent, *bias = weights
            set_weights(self, [kernel, recurrent, *(one[::-1] for one in bias)])

        patch.setattr(seams.layers.GRU, "set_weights", wrong)

    @catalogue.mutant("a GRU's bias in another shape", READ_BACK,
                      "keras-gru-has-two-biases-if-it-resets-after",
                      cases=cases_of("gru-reset-before"))  # fmt: skip
    def gru_hands_out_one_bias_as_a_row(patch):
        get_weights = seams.layers.GRU.get_weights
        patch.setattr(
            seams.layers.GRU, "get_weights",
            lambda self: [one[None] if one.ndim == 1 else one for one in get_weights(self)],
        )  # fmt: skip

    @catalogue.mutant("weights saved wrongly", READ_BACK, "other-cells-parameters-are-so-many",
                      cases=cases_of("rnn"))  # fmt: skip
    def rnn_hands_out_a_bias_twice_as_long(patch):
        get_weights = seams.layers.SimpleRNN.get_weights
        patch.setattr(
            seams.layers.SimpleRNN, "get_weights",
            lambda self: [np.tile(one, 2) if one.ndim == 1 else one for one in get_weights(self)],
        )  # fmt: skip


STACK_OF_ANY = "other-cells-stack-is-its-layers"


def zeros_under_a_mask(patch: Any, seams: Seams, layer: str) -> None:
    one = getattr(seams.layers, layer)
    init = one.__init__

    def wrong(self, *args, **kwargs):
        init(self, *args, **kwargs)
        self.zero_output_for_mask = True

    patch.setattr(one, "__init__", wrong)


def stale_state(patch: Any, seams: Seams, layer: str) -> None:
    """What a call ends in moves the next one's inputs a little."""
    calls: Any = weakref.WeakKeyDictionary()

    def before(self: Any, x: Any, initial: Any, mask: Any) -> Any:
        calls[self] = calls.get(self, 0) + 1
        return (x if calls[self] == 1 else x * (1 + 1e-6)), initial, mask

    around(patch, seams, layer, before=before)


def _add_options(catalogue: Catalogue, seams: Seams) -> None:
    @catalogue.mutant(
        "initial state ignored", VALUES, "coupled-gates-are-an-lstm-with-i-from-f",
        "peepholes-of-zero-change-nothing", cases=cases_of("coupled", "peepholes"),
    )  # fmt: skip
    def a_custom_cell_starts_from_zero(patch):
        around(patch, seams, "RNN", before=lambda _, x, initial, mask: (x, None, mask))

    # Step layers, implementations, unrolled loops

    @catalogue.mutant("the step layer takes r for z", STEPS, cases=cases_of("gru"))
    def gru_step_layer_exchanges_gates(patch):
        step = functools.partial(gru, order="rzn")
        written_out(patch, seams, "GRU", step)

    @catalogue.mutant("gates r and z exchanged", IMPLEMENTATIONS,
                      cases=cases_of("gru", "gru-reset-before"))  # fmt: skip
    def gru_implementation_1_takes_a_wrong_block(patch):
        step = functools.partial(gru, order="rzn")
        written_out(patch, seams, "GRU", step, only=lambda cell: cell.implementation == 1)

    @catalogue.mutant("one gate for input and forgetting", IMPLEMENTATIONS)
    def lstm_implementation_1_takes_a_wrong_block(patch):
        cell = seams.layers.LSTMCell
        healthy = cell.call

        def wrong(self, inputs, states, training=None):
            if self.implementation != 1:
                return healthy(self, inputs, states, training=bool(training))
            with patch.context() as here:
                seams.cell(here, seams, Fault(order="iigo"))
                return cell.call(self, inputs, states)

        patch.setattr(cell, "call", wrong)

    for layer, case in {
        "LSTM": "smallest",
        "GRU": "gru-smallest",
        "SimpleRNN": "rnn-smallest",
    }.items():
        catalogue.add(
            f"{layer.lower()}-unrolled-from-zero", "initial state ignored", (UNROLLED,),
            lambda patch, layer=layer: around(
                patch, seams, layer,
                before=lambda self, x, initial, mask: (x, None if self.unroll else initial, mask)),
            (case,),
        )  # fmt: skip
        catalogue.add(
            f"{layer.lower()}-unrolled-misses-a-step", "a step left out", (UNROLLED,),
            lambda patch, layer=layer: around(
                patch, seams, layer,
                before=lambda self, x, initial, mask: (
                    seams.ops().concat([x[..., :1] * 0, x[..., 1:]]) if self.unroll else x,
                    initial, mask)),
            (case,),
        )  # fmt: skip

    # Stacked cells

    def stacked_cells(patch, before=lambda initial: initial, after=lambda states: states):
        call = seams.layers.RNN.call

        @functools.wraps(call)
        def wrong(self, x, initial_state=None, **kwargs):
            many = isinstance(self.cell, seams.layers.StackedRNNCells)
            if many and initial_state is not None:
                initial_state = before(initial_state)
            output, *states = call(self, x, initial_state=initial_state, **kwargs)
            return [output, *(after(states) if many else states)]

        patch.setattr(seams.layers.RNN, "call", wrong)

    several = ("two-widths", "gru-two-widths", "rnn-two-widths", "two-layers")

    @catalogue.mutant("stacked states reversed", STACKED, cases=several)
    def stacked_cells_return_the_top_states_first(patch):
        stacked_cells(patch, after=lambda states: states[::-1])

    @catalogue.mutant("stacked initial states reversed", STACKED, cases=several)
    def stacked_cells_take_the_top_states_first(patch):
        stacked_cells(patch, before=lambda initial: list(initial)[::-1])

    @catalogue.mutant("stacked initial states ignored", STACKED, cases=several)
    def stacked_cells_start_from_zero(patch):
        stacked_cells(patch, before=lambda _: None)

    @catalogue.mutant("stacked cells fed with more", STACKED, cases=several)
    def stacked_cells_double_what_comes_from_below(patch):
        one = seams.layers.StackedRNNCells
        call = one.call
        patch.setattr(
            one, "call", lambda self, inputs, states, **kw: call(self, 2 * inputs, states, **kw)
        )

    # Activations

    def hard_sigmoid_is(patch, function):
        """The function that both Keras call by that name, behind `keras.activations`."""
        keras = adapters()[seams.adapter].keras()
        module = sys.modules[keras.activations.hard_sigmoid.__module__]
        home = module.ops if hasattr(module, "ops") else module.backend
        patch.setattr(home, "hard_sigmoid", function)

    hard = tuple(
        f"{kind}-smallest"
        for kind in ("hard-sigmoid", "hard-sigmoid-keras2", "gru-hard-sigmoid",
                     "gru-hard-sigmoid-keras2")
    )  # fmt: skip

    @catalogue.mutant("hard_sigmoid with the other Keras's slope", VALUES,
                      "hard-sigmoid-is-another-function-in-keras-2", cases=hard)  # fmt: skip
    def hard_sigmoid_is_the_other_keras(patch):
        by = 5 if seams.adapter == "keras3" else 6
        hard_sigmoid_is(patch, lambda x: seams.ops().clip(x / by + 0.5))

    @catalogue.mutant("sigmoid for hard_sigmoid", VALUES, "hard-sigmoid-is-not-the-sigmoid",
                      cases=hard)  # fmt: skip
    def hard_sigmoid_is_the_sigmoid(patch):
        hard_sigmoid_is(patch, lambda x: seams.ops().sigmoid(x))

    def lstm_cell_with(patch, **wanted):
        """LSTMCell.call with another activation than it was made with."""
        cell = seams.layers.LSTMCell
        call = cell.call

        def wrong(self, inputs, states, training=False):
            was = {name: getattr(self, name) for name in wanted}
            for name, function in wanted.items():
                setattr(self, name, function(self))
            try:
                return call(self, inputs, states, training=training)
            finally:
                for name, function in was.items():
                    setattr(self, name, function)

        patch.setattr(cell, "call", wrong)

    activation = "keras-activation-is-the-candidates-and-the-outputs"

    @catalogue.mutant("tanh for relu", VALUES, activation, "relu-makes-another-lstm",
                      cases=("relu-smallest", "relu-two-layers"))  # fmt: skip
    def lstm_activation_ignored(patch):
        lstm_cell_with(patch, activation=lambda _: seams.ops().tanh)

    @catalogue.mutant("the candidate's activation used for the gates", VALUES, activation,
                      cases=("relu-smallest", "relu-two-layers"))  # fmt: skip
    def lstm_gates_use_the_candidates_activation(patch):
        lstm_cell_with(patch, recurrent_activation=lambda cell: cell.activation)


def without_a_fault(patch: Any, seams: Seams) -> None:
    """Every cell and layer taken apart and put together as for these mutants, and nothing wrong."""
    written_out(patch, seams, "GRU", gru)
    written_out(patch, seams, "SimpleRNN", rnn)
    for layer in LAYERS:
        around(patch, seams, layer)
