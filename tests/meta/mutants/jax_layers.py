"""flax, equinox, haiku and JAX's own LSTM, wrong on purpose: their cells, and what unrolls them.

A cell is replaced by a class of its own kind with another call. JAX traces it anew, as the adapters
forget what was compiled where a mutant is made.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable
from typing import Any

from tests.meta.mutants import Catalogue
from tests.meta.mutants.cell import EVERY, FAULTS, Fault, Ops, step

LINEN = Catalogue("linen")
NNX = Catalogue("nnx")
EQUINOX = Catalogue("equinox")
HAIKU = Catalogue("haiku")
JAX = Catalogue("jax")

CATALOGUES = (LINEN, NNX, EQUINOX, HAIKU, JAX)

LAST_IS_H = "output-last-step-is-h"
ENDS = "backward-half-ends-at-step-zero"
LENGTHS = "a-short-row-is-the-row-cut-short"
MASKED = "masked-values-are-the-oracles"
OTHER_CELLS = "other-cells-values-are-the-oracles"
FLAX_CARRY = "flax-carry-is-c-before-h"
FLAX_GATES = "flax-gates-are-i-f-g-o"
FLAX_BIAS = "flax-has-one-bias-on-the-recurrent-side"
FLAX_PADDING = "flax-goes-on-past-a-rows-end"
FLAX_ORDER = "flax-reverse-keeps-no-order-unless-told"
FLAX_OPTIMIZED = "flax-optimized-cell-is-the-cell"
NNX_IN_JIT = "nnx-layers-in-jit-begin-in-zeros"
NNX_GRU = "nnx-gru-has-no-bias-on-the-recurrent-side"
EQUINOX_GATES = "equinox-gates-are-i-f-g-o"
EQUINOX_GRU = "equinox-gru-gates-are-r-z-n"
HAIKU_GATES = "haiku-gates-are-i-g-f-o"
HAIKU_BIAS = "haiku-forget-bias-is-stored-nowhere"
HAIKU_GRU = "haiku-gru-z-keeps-the-new-h"
JAX_GATES = "jax-gates-are-i-f-g-o"
JAX_VECTOR = "jax-biases-lie-behind-all-kernels"
JAX_SWAP = "jax-swap-lstm-gates-exchanges-g-and-o"
JAX_START = "jax-weights-start-uniform"

GATES = {
    "linen": FLAX_GATES, "nnx": FLAX_GATES, "equinox": EQUINOX_GATES, "haiku": HAIKU_GATES,
    "jax": JAX_GATES,
}  # fmt: skip
GRUS = {"linen": "gru-smallest", "equinox": "gru-smallest", "haiku": "gru-reset-before-smallest"}

LSTMStep = Callable[..., tuple[Any, Any]]
"""`step(x, h, c, kernel, recurrent kernel, bias)` in canonical layout: the new h and c."""


def ops() -> Ops:
    import jax
    import jax.numpy as jnp

    return Ops(
        matmul=jnp.matmul,
        split=lambda value: jnp.split(value, 4, axis=-1),
        concat=lambda values: jnp.concatenate(values, axis=-1),
        sigmoid=jax.nn.sigmoid,
        tanh=jnp.tanh,
        clip=lambda value: jnp.clip(value, 0, 1),
        cast=lambda value, dtype: value.astype(dtype),
        transpose=lambda value: value.T,
        stop_gradient=jax.lax.stop_gradient,
    )


def replace_linen(patch: Any, step: LSTMStep) -> None:
    import jax.numpy as jnp
    from flax import linen

    class Wrong(linen.LSTMCell):
        @linen.compact
        def __call__(self, carry, x):
            own, (c, h) = self.variables["params"], carry
            kernel, recurrent = (
                jnp.concatenate([own[side + gate]["kernel"] for gate in "ifgo"], axis=-1)
                for side in "ih"
            )
            bias = jnp.concatenate([own[f"h{gate}"]["bias"] for gate in "ifgo"])
            h, c = step(x, h, c, kernel, recurrent, bias)
            return (c, h), h

    patch.setattr(linen, "LSTMCell", Wrong)


def replace_nnx(patch: Any, step: LSTMStep) -> None:
    import jax.numpy as jnp
    from flax import nnx

    class Wrong(nnx.LSTMCell):
        def __call__(self, carry, x):
            c, h = carry
            inputs = (self.ii, self.if_, self.ig, self.io)
            from_h = (self.hi, self.hf, self.hg, self.ho)
            kernel, recurrent = (
                jnp.concatenate([one.kernel[...] for one in side], axis=-1)
                for side in (inputs, from_h)
            )
            bias = jnp.concatenate([one.bias[...] for one in from_h])
            h, c = step(x, h, c, kernel, recurrent, bias)
            return (c, h), h

    patch.setattr(nnx, "LSTMCell", Wrong)


def replace_equinox(patch: Any, step: LSTMStep) -> None:
    import equinox

    class Wrong(equinox.nn.LSTMCell):
        def __call__(self, x, hidden, *, key=None):  # noqa: ARG002
            h, c = hidden
            return step(x, h, c, self.weight_ih.T, self.weight_hh.T, self.bias)

    patch.setattr(equinox.nn, "LSTMCell", Wrong)


def replace_haiku(patch: Any, step: LSTMStep) -> None:
    """The kernel that it has is brought into canonical layout, and the forget bias added."""
    import haiku as hk
    import jax.numpy as jnp

    def canonical(array: Any) -> Any:
        i, g, f, o = jnp.split(array, 4, axis=-1)
        return jnp.concatenate([i, f, g, o], axis=-1)

    class Wrong(hk.LSTM):
        def __call__(self, x, state):
            units, features = self.hidden_size, x.shape[-1]
            own = hk.Linear(4 * units)
            own(jnp.concatenate([x, state.hidden], axis=-1))  # for its name
            arrays = own.params_dict()
            kernel, bias = (canonical(arrays[f"{own.module_name}/{one}"]) for one in "wb")
            ones = jnp.concatenate([jnp.full(units, gate == "f", x.dtype) for gate in "ifgo"])
            h, c = step(x, *state, kernel[:features], kernel[features:], bias + ones)
            return h, hk.LSTMState(h, c)

    patch.setattr(hk, "LSTM", Wrong)


def replace_jax(patch: Any, step: LSTMStep) -> None:
    """`lstm_ref` without lengths."""
    import jax
    import jax.numpy as jnp
    from jax.experimental import rnn

    def lstm_ref(x, h, c, w_ih, w_hh, b_ih, b_hh, lengths, *sizes):
        *_, layers, _, both = sizes
        ends = []
        for place in range(0, layers * (1 + both), 1 + both):
            outputs = []
            for one in range(place, place + 1 + both):
                weights = w_ih[one].T, w_hh[one].T, b_ih[one] + b_hh[one]

                def scanned(state, x, weights=weights):
                    state = step(x, *state, *weights)
                    return state, state[0]

                end, output = jax.lax.scan(
                    scanned, (h[one], c[one]), x.swapaxes(0, 1), reverse=one > place
                )
                ends.append(end)
                outputs.append(output.swapaxes(0, 1))
            x = jnp.concatenate(outputs, axis=-1)
        return x, *(jnp.stack(which) for which in zip(*ends, strict=True))

    patch.setattr(rnn, "lstm_ref", lstm_ref)


REPLACE = {
    "linen": replace_linen, "nnx": replace_nnx, "equinox": replace_equinox, "haiku": replace_haiku,
    "jax": replace_jax,
}  # fmt: skip


def replace_cell(patch: Any, adapter: str, fault: Fault = Fault()) -> None:  # noqa: B008
    REPLACE[adapter](patch, functools.partial(step, ops(), fault))


def changed_states(
    patch: Any, adapter: str, before: Callable[..., Any], after: Callable[..., Any]
) -> None:
    """A cell of no fault between `before(h, c)` and `after(h, c)`."""
    healthy = functools.partial(step, ops(), Fault())

    def wrong(x, h, c, *weights):
        h, c = before(h, c)
        return after(*healthy(x, h, c, *weights))

    REPLACE[adapter](patch, wrong)


def same(h: Any, c: Any) -> tuple[Any, Any]:
    return h, c


for catalogue in CATALOGUES:
    name = catalogue.adapter
    for fault in FAULTS:
        claims = (*fault.caught_by, GATES[name]) if "gates" in fault.family else fault.caught_by
        catalogue.add(
            fault.name,
            fault.family,
            claims,
            lambda patch, name=name, fault=fault: replace_cell(patch, name, fault),
            fault.cases,
        )
    catalogue.add(
        "states-exchanged-on-the-way-in",
        "h and c exchanged on the way in",
        [EVERY],
        lambda patch, name=name: changed_states(patch, name, lambda h, c: (c, h), same),
    )
    catalogue.add(
        "carry-in-the-wrong-order",
        "h and c exchanged at every step",
        [EVERY],
        lambda patch, name=name: changed_states(
            patch, name, lambda h, c: (c, h), lambda h, c: (c, h)
        ),
    )
    catalogue.add(
        "no-bias",
        "bias ignored",
        [EVERY],
        lambda patch, name=name: REPLACE[name](
            patch, lambda *given: step(ops(), Fault(), *given[:-1], None)
        ),
    )


# What unrolls a cell


def replace_scan(patch: Any, change: Callable[..., Any]) -> None:
    """`jax.lax.scan`, which is handed to `change`."""
    import jax

    patch.setattr(jax.lax, "scan", functools.partial(change, jax.lax.scan))


@EQUINOX.mutant("backward half not reversed", EVERY, ENDS, cases=("bidirectional",))
def scan_ignores_reverse(patch: Any) -> None:
    replace_scan(patch, lambda scan, *given, reverse, **rest: scan(*given, **rest))


@EQUINOX.mutant("every step's output a step late", EVERY, LAST_IS_H)
def scan_is_a_step_late(patch: Any) -> None:
    import jax.numpy as jnp

    def late(scan, *given, **options):
        ends, outputs = scan(*given, **options)
        return ends, jnp.roll(outputs, 1, axis=0)

    replace_scan(patch, late)


@EQUINOX.mutant("the last step left out", EVERY)
def scan_leaves_out_the_last_step(patch: Any) -> None:
    import jax.numpy as jnp

    def short(scan, step, state, x, **options):
        ends, outputs = scan(step, state, x[:-1], **options)
        return ends, jnp.concatenate([outputs, outputs[-1:]])

    replace_scan(patch, short)


@EQUINOX.mutant("one row's state handed to all", EVERY)
def vmap_maps_the_first_row(patch: Any) -> None:
    import jax
    import jax.numpy as jnp

    vmap = jax.vmap

    def wrong(function, *given, **options):
        mapped = vmap(function, *given, **options)

        def call(x, state):
            first = jax.tree.map(lambda one: jnp.broadcast_to(one[:1], one.shape), state)
            return mapped(x, first)

        return call

    patch.setattr(jax, "vmap", wrong)


def replace_unroll(patch: Any, change: Callable[..., Any]) -> None:
    """`hk.dynamic_unroll`, as the adapter calls it, handed to `change`."""
    import haiku as hk

    patch.setattr(hk, "dynamic_unroll", functools.partial(change, hk.dynamic_unroll))


@HAIKU.mutant("backward half not reversed", EVERY, ENDS, cases=("bidirectional",))
def unroll_ignores_reverse(patch: Any) -> None:
    replace_unroll(
        patch,
        lambda unroll, core, x, state, time_major, reverse, *rest: unroll(
            core, x, state, time_major, False, *rest
        ),
    )


@HAIKU.mutant("the initial state is dropped", EVERY, "a-given-initial-state-is-used")
def unroll_drops_the_state(patch: Any) -> None:
    import jax

    replace_unroll(
        patch,
        lambda unroll, core, x, state, *rest: unroll(
            core, x, jax.tree.map(lambda one: 0 * one, state), *rest
        ),
    )


@HAIKU.mutant("time and batch exchanged", EVERY, "time-major-is-a-transposition", cases=("square",))
def unroll_is_always_time_major(patch: Any) -> None:
    replace_unroll(
        patch,
        lambda unroll, core, x, state, time_major, *rest: unroll(core, x, state, True, *rest),
    )


@HAIKU.mutant("c of every step a step late", "c-of-every-step-is-the-oracles")
def all_states_are_a_step_late(patch: Any) -> None:
    import jax
    import jax.numpy as jnp

    def late(unroll, *given):
        output, states = unroll(*given)
        if given[5]:
            states = jax.tree.map(lambda one: jnp.roll(one, 1, axis=1), states)
        return output, states

    replace_unroll(patch, late)


@HAIKU.mutant("states of a stack in the wrong order", EVERY, cases=("two-layers",))
def deep_states_are_from_the_top(patch: Any) -> None:
    def wrong(unroll, core, x, state, *rest):
        output, ends = unroll(core, x, state, *rest)
        return output, ends[::-1]

    replace_unroll(patch, wrong)


# flax


def flax_module(interface: str) -> Any:
    """Where its RNN, and what it calls, stands."""
    import importlib

    names = {"linen": "flax.linen.recurrent", "nnx": "flax.nnx.nn.recurrent"}
    return importlib.import_module(names[interface])


def replace_flip(patch: Any, interface: str, change: Callable[..., Any]) -> None:
    module = flax_module(interface)
    own = module.flip_sequences
    patch.setattr(
        module,
        "flip_sequences",
        lambda inputs, seq_lengths, **options: change(own, inputs, seq_lengths, options),
    )


def replace_last_carry(patch: Any, interface: str, change: Callable[..., Any]) -> None:
    module = flax_module(interface)
    own = module._select_last_carry
    patch.setattr(
        module,
        "_select_last_carry",
        lambda sequence, seq_lengths: change(own, sequence, seq_lengths),
    )


def replace_call(patch: Any, interface: str, kind: str, change: Callable[..., Any]) -> None:
    """The class, with its call handed to `change`."""
    import importlib

    module = importlib.import_module(f"flax.{interface}")
    own = getattr(module, kind)

    class Wrong(own):
        def __call__(self, inputs, **options):
            return change(super().__call__, inputs, options)

    patch.setattr(module, kind, Wrong)


def add_to_flax(catalogue: Catalogue) -> None:
    interface = catalogue.adapter
    mutant = catalogue.mutant
    backward = ("masked-right-lstm-bidirectional", "bidirectional")

    @mutant("backward half not reversed", EVERY, ENDS, FLAX_ORDER, cases=("bidirectional",))
    def nothing_is_flipped(patch: Any) -> None:
        replace_flip(patch, interface, lambda own, inputs, lengths, options: inputs)

    @mutant("padding flipped to the front", "masked-values-are-the-oracles", cases=backward)
    def flip_ignores_lengths(patch: Any) -> None:
        """What made their own layers of flax's first users wrong:
        <https://github.com/google/flax/issues/2170>."""
        replace_flip(
            patch, interface, lambda own, inputs, lengths, options: own(inputs, None, **options)
        )

    @mutant("backward output in the order of its steps", EVERY, ENDS, FLAX_ORDER)
    def no_order_is_kept(patch: Any) -> None:
        def forget(call, inputs, options):
            return call(inputs, **(options | {"keep_order": False}))

        replace_call(patch, interface, "RNN", forget)

    @mutant("padding counted", LENGTHS, "padding-counts-unless-lengths-are-given")
    def lengths_are_ignored(patch: Any) -> None:
        def forget(call, inputs, options):
            return call(inputs, **(options | {"seq_lengths": None}))

        replace_call(patch, interface, "RNN", forget)

    @mutant("the state a step too late", LENGTHS, "a-short-rows-h-is-its-last-output")
    def carry_is_a_step_late(patch: Any) -> None:
        replace_last_carry(
            patch, interface, lambda own, sequence, lengths: own(sequence, lengths + 1)
        )

    @mutant("one row's length taken for all", LENGTHS)
    def carry_is_at_the_longest(patch: Any) -> None:
        import jax.numpy as jnp

        replace_last_carry(
            patch,
            interface,
            lambda own, sequence, lengths: own(sequence, jnp.full_like(lengths, lengths.max())),
        )

    @mutant("output past a row's end is zero", FLAX_PADDING)
    def padding_is_zeroed(patch: Any) -> None:
        import jax.numpy as jnp

        def zeroed(call, inputs, options):
            ends, output = call(inputs, **options)
            lengths = options.get("seq_lengths")
            if lengths is not None:
                counts = jnp.arange(output.shape[1]) < lengths[:, None]
                output = jnp.where(counts[..., None], output, 0)
            return ends, output

        replace_call(patch, interface, "RNN", zeroed)

    @mutant("the initial state is dropped", EVERY, "a-given-initial-state-is-used")
    def carry_is_dropped(patch: Any) -> None:
        def forget(call, inputs, options):
            return call(inputs, **(options | {"initial_carry": None}))

        replace_call(patch, interface, "RNN", forget)

    @mutant("a default state of ones", "default-initial-state-is-zeros")
    def default_carry_is_ones(patch: Any) -> None:
        import importlib

        import jax
        import jax.numpy as jnp

        cell = importlib.import_module(f"flax.{interface}").LSTMCell
        own = cell.initialize_carry
        patch.setattr(
            cell,
            "initialize_carry",
            lambda *given, **options: jax.tree.map(jnp.ones_like, own(*given, **options)),
        )

    @mutant("the directions' states exchanged", EVERY, ENDS, cases=("bidirectional",))
    def ends_are_exchanged(patch: Any) -> None:
        def exchanged(call, inputs, options):
            (forward, backward), output = call(inputs, **options)
            return (backward, forward), output

        replace_call(patch, interface, "Bidirectional", exchanged)

    @mutant("the backward half first", EVERY, ENDS, cases=("bidirectional",))
    def backward_comes_first(patch: Any) -> None:
        import jax.numpy as jnp

        def exchanged(call, inputs, options):
            ends, output = call(inputs, **options)
            forward, backward = jnp.split(output, 2, axis=-1)
            return ends, jnp.concatenate([backward, forward], axis=-1)

        replace_call(patch, interface, "Bidirectional", exchanged)

    @mutant("carry is (h, c)", FLAX_CARRY, cases=("smallest",))
    def carry_is_h_before_c(patch: Any) -> None:
        def exchanged(call, inputs, options):
            carry, output = call(inputs, **options)
            return carry[::-1], output

        replace_call(patch, interface, "RNN", exchanged)

    @mutant("a gate of the optimized cell is another", FLAX_OPTIMIZED, cases=("smallest",))
    def optimized_cell_has_another_gate(patch: Any) -> None:
        import importlib

        import jax.numpy as jnp

        cell = importlib.import_module(f"flax.{interface}").OptimizedLSTMCell
        own = cell.__call__

        def wrong(self, carry, inputs):
            (c, h), _ = own(self, carry, inputs)
            return (c, jnp.tanh(h)), jnp.tanh(h)

        patch.setattr(cell, "__call__", wrong)


for catalogue in (LINEN, NNX):
    add_to_flax(catalogue)


@LINEN.mutant("a bias on the input's side, too", FLAX_BIAS, cases=("smallest",))
def linen_has_two_biases(patch: Any) -> None:
    from flax.linen import recurrent

    own = recurrent.Dense
    patch.setattr(recurrent, "Dense", lambda **options: own(**(options | {"use_bias": True})))


@NNX.mutant("a bias on the input's side, too", FLAX_BIAS, cases=("smallest",))
def nnx_has_two_biases(patch: Any) -> None:
    from flax.nnx.nn import recurrent

    own = recurrent.Linear
    patch.setattr(recurrent, "Linear", lambda **options: own(**(options | {"use_bias": True})))


# GRU and RNN


def gru(x: Any, h: Any, kernels: Any, recurrent: Any, bias: Any, last: Any, **faults: bool) -> Any:
    """A step with the gates z, r, n of lists; `last` is the candidate's bias on the recurrent side,
    None where the cell resets before."""
    import jax
    import jax.numpy as jnp

    z, r = (
        jax.nn.sigmoid(x @ kernels[n] + h @ recurrent[n] + bias[n])
        for n in ((1, 0) if faults.get("exchanged") else (0, 1))
    )
    if last is None or faults.get("before"):
        reset = (r * h) @ recurrent[2]
    elif faults.get("outside"):
        reset = r * (h @ recurrent[2]) + last
    else:
        reset = r * (h @ recurrent[2] + (0 if faults.get("no_last") else last))
    n = jnp.tanh(x @ kernels[2] + bias[2] + reset)
    if faults.get("turned"):
        z = 1 - z
    return z * h + (1 - z) * n


def linen_gru(patch: Any, **faults: bool) -> None:
    from flax import linen

    class Wrong(linen.GRUCell):
        @linen.compact
        def __call__(self, h, x):
            own = self.variables["params"]
            kernels, recurrent = ([own[side + gate]["kernel"] for gate in "zrn"] for side in "ih")
            bias = [own[f"i{gate}"]["bias"] for gate in "zrn"]
            h = gru(x, h, kernels, recurrent, bias, own["hn"]["bias"], **faults)
            return h, h

    patch.setattr(linen, "GRUCell", Wrong)


def equinox_gru(patch: Any, **faults: bool) -> None:
    import equinox
    import jax.numpy as jnp

    class Wrong(equinox.nn.GRUCell):
        def __call__(self, x, h, *, key=None):  # noqa: ARG002
            def in_order(array: Any) -> Any:
                r, z, n = jnp.split(array, 3)
                return [z.T, r.T, n.T]

            weights = map(in_order, (self.weight_ih, self.weight_hh, self.bias))
            return gru(x, h, *weights, self.bias_n, **faults)

    patch.setattr(equinox.nn, "GRUCell", Wrong)


def haiku_gru(patch: Any, **faults: bool) -> None:
    import haiku as hk
    import jax.numpy as jnp

    class Wrong(hk.GRU):
        def __call__(self, x, h):
            units = 3 * self.hidden_size
            shapes = {"w_i": [x.shape[-1], units], "w_h": [h.shape[-1], units], "b": [units]}
            weights = [
                jnp.split(hk.get_parameter(name, shape, x.dtype, init=jnp.zeros), 3, axis=-1)
                for name, shape in shapes.items()
            ]
            # Its z keeps the new h.
            h = gru(x, h, *weights, None, **(faults | {"turned": not faults.get("turned")}))
            return h, h

    patch.setattr(hk, "GRU", Wrong)


GRU_OF = {"linen": linen_gru, "equinox": equinox_gru, "haiku": haiku_gru}
GRU_FAULTS = {
    "exchanged": "gates z and r exchanged",
    "turned": "z keeps the new h",
    "before": "reset before the product",
    "outside": "the candidate's recurrent bias outside of the reset",
    "no_last": "the candidate's recurrent bias ignored",
}
BY_HAND = {"equinox": EQUINOX_GRU, "haiku": HAIKU_GRU}

for catalogue in (LINEN, EQUINOX, HAIKU):
    name = catalogue.adapter
    for which, words in GRU_FAULTS.items():
        if name == "haiku" and which in ("before", "outside", "no_last"):
            continue
        catalogue.add(
            f"gru-{which.replace('_', '-')}",
            f"GRU: {words}",
            [OTHER_CELLS, *([BY_HAND[name]] if name in BY_HAND else [])],
            lambda patch, name=name, which=which: GRU_OF[name](patch, **{which: True}),
            (GRUS[name],),
        )


@EQUINOX.mutant("GRU: biases ignored", OTHER_CELLS, cases=("gru-smallest",))
def gru_without_biases(patch: Any) -> None:
    """<https://github.com/patrick-kidger/equinox/pull/215>"""
    import equinox
    import jax.numpy as jnp

    own = equinox.nn.GRUCell.__call__

    class Wrong(equinox.nn.GRUCell):
        def __call__(self, x, h, *, key=None):  # noqa: ARG002
            zeros = equinox.tree_at(
                lambda cell: (cell.bias, cell.bias_n),
                self,
                (jnp.zeros_like(self.bias), jnp.zeros_like(self.bias_n)),
            )
            return own(zeros, x, h)

    patch.setattr(equinox.nn, "GRUCell", Wrong)


@NNX.mutant("a carry that is not zeros", NNX_IN_JIT, cases=("smallest-from-zero",))
def nnx_carry_begins_in_ones(patch: Any) -> None:
    """In flax 0.10.5 it raised: <https://github.com/google/flax/issues/4713>."""
    from flax import nnx

    own = nnx.LSTMCell.initialize_carry

    def ones(self, *args, **options):
        return tuple(one + 1 for one in own(self, *args, **options))

    patch.setattr(nnx.LSTMCell, "initialize_carry", ones)


@NNX.mutant("GRU: a gate takes another's place", NNX_GRU, cases=("smallest",))
def nnx_gru_has_other_gates(patch: Any) -> None:
    import jax.numpy as jnp
    from flax import nnx

    class Wrong(nnx.GRUCell):
        def __call__(self, h, x):
            r, z, n = jnp.split(self.dense_i(x), 3, axis=-1)
            h_r, h_z, h_n = jnp.split(self.dense_h(h), 3, axis=-1)
            z, r = self.gate_fn(r + h_r), self.gate_fn(z + h_z)
            h = (1 - z) * self.activation_fn(n + r * h_n) + z * h
            return h, h

    patch.setattr(nnx, "GRUCell", Wrong)


@HAIKU.mutant("forget bias in the bias from the start", HAIKU_BIAS, cases=("smallest",))
def forget_bias_is_stored(patch: Any) -> None:
    import haiku as hk
    from haiku._src import recurrent

    ones = hk.initializers.Constant(1.0)
    patch.setattr(recurrent.hk, "Linear", functools.partial(hk.Linear, b_init=ones))


@HAIKU.mutant("forget bias left out", EVERY, HAIKU_GATES)
def forget_bias_is_left_out(patch: Any) -> None:
    replace_cell(patch, "haiku", Fault(forget=-1.0))


@HAIKU.mutant("forget bias added to another gate", EVERY, HAIKU_GATES)
def forget_bias_is_on_another_gate(patch: Any) -> None:
    def wrong(x, h, c, kernel, recurrent, bias):
        once = functools.partial(step, ops(), Fault(forget=1.0, forget_gate="g"))
        units = h.shape[-1]
        return once(x, h, c, kernel, recurrent, bias.at[units : 2 * units].add(-1))

    replace_haiku(patch, wrong)


@HAIKU.mutant("RNN: one of two biases ignored", OTHER_CELLS, cases=("rnn-relu-smallest",))
def rnn_has_one_bias(patch: Any) -> None:
    import haiku as hk

    own = hk.VanillaRNN
    patch.setattr(hk, "VanillaRNN", lambda units, name: own(units, double_bias=False, name=name))


@HAIKU.mutant("RNN: tanh in place of relu", OTHER_CELLS, cases=("rnn-relu-smallest",))
def rnn_has_a_tanh(patch: Any) -> None:
    import haiku as hk
    import jax.numpy as jnp

    class Wrong(hk.VanillaRNN):
        def __call__(self, x, h):
            h = jnp.tanh(hk.Linear(self.hidden_size)(x) + hk.Linear(self.hidden_size)(h))
            return h, h

    patch.setattr(hk, "VanillaRNN", Wrong)


def add_rnn_residual(catalogue: Catalogue) -> None:
    @catalogue.mutant("RNN: h added to the sum", OTHER_CELLS, cases=("rnn-smallest",))
    def rnn_is_residual(patch: Any) -> None:
        import importlib

        module = importlib.import_module(f"flax.{catalogue.adapter}")
        own = module.SimpleCell
        patch.setattr(
            module,
            "SimpleCell",
            lambda *given, **options: own(*given, **options, residual=True),
        )


for catalogue in (LINEN, NNX):
    add_rnn_residual(catalogue)


# jax.experimental.rnn


def replace_of_rnn(patch: Any, name: str, change: Callable[..., Any]) -> None:
    """A function of jax.experimental.rnn, which is handed to `change`."""
    from jax.experimental import rnn

    patch.setattr(rnn, name, functools.partial(change, getattr(rnn, name)))


@JAX.mutant("states in the order of another framework", EVERY, cases=("bidirectional-two-layers",))
def states_go_by_direction_then_layer(patch: Any) -> None:
    def by_direction(one):
        return one.reshape(-1, 2, *one.shape[1:]).swapaxes(0, 1).reshape(one.shape)

    def wrong(lstm_ref, *given):
        output, *ends = lstm_ref(*given)
        return output, *map(by_direction, ends)

    replace_of_rnn(patch, "lstm_ref", wrong)


@JAX.mutant("the initial state is dropped", EVERY, "a-given-initial-state-is-used")
def lstm_ref_drops_the_state(patch: Any) -> None:
    replace_of_rnn(
        patch, "lstm_ref", lambda lstm_ref, x, h, c, *rest: lstm_ref(x, 0 * h, 0 * c, *rest)
    )


@JAX.mutant("lengths of rows ignored", LENGTHS)
def lstm_ref_ignores_lengths(patch: Any) -> None:
    import jax.numpy as jnp

    def wrong(lstm_ref, x, h, c, w_ih, w_hh, b_ih, b_hh, lengths, *sizes):
        every = jnp.full_like(lengths, x.shape[1])
        return lstm_ref(x, h, c, w_ih, w_hh, b_ih, b_hh, every, *sizes)

    replace_of_rnn(patch, "lstm_ref", wrong)


@JAX.mutant("padding turned round with the row", MASKED, cases=("masked-right-lstm-bidirectional",))
def rows_are_turned_round_whole(patch: Any) -> None:
    """As lstm_ref once did (https://github.com/jax-ml/jax/pull/15169)."""
    replace_of_rnn(patch, "_flip_sequence", lambda flip, sequences, lengths: sequences[::-1])


@JAX.mutant("output past a row's end", "output-past-a-rows-end-is-zero")
def output_goes_on_past_the_end(patch: Any) -> None:
    def wrong(extract, lengths, out):
        ends, _ = extract(lengths, out)
        return ends, out[1][1]

    replace_of_rnn(patch, "_extract_output", wrong)


def arrays_of(vector: Any, shapes: list[tuple[int, ...]]) -> list[Any]:
    """A vector cut into arrays of these shapes."""
    import jax.numpy as jnp

    ends = list(itertools.accumulate(map(math.prod, shapes)))
    parts = jnp.split(vector, ends[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


@JAX.mutant("biases beside their kernels", JAX_VECTOR, EVERY, cases=("two-layers",))
def the_vector_is_read_as_documented(patch: Any) -> None:
    """Layer by layer, each with its four arrays."""
    from jax.experimental import rnn

    def wrong(own, vector, *sizes):
        shapes = rnn._get_params_shapes_in_lstm(*sizes)
        kernels, biases = shapes[: len(shapes) // 2], shapes[len(shapes) // 2 :]
        by_layer = zip(kernels[::2], kernels[1::2], biases[::2], biases[1::2], strict=True)
        arrays = arrays_of(vector, [shape for four in by_layer for shape in four])
        return tuple(dict(enumerate(arrays[name::4])) for name in range(4))

    replace_of_rnn(patch, "unpack_lstm_weights", wrong)


@JAX.mutant("the gates exchanged that are spoken of", JAX_SWAP)
def swap_exchanges_i_and_o(patch: Any) -> None:
    """As the docstring has it."""
    import jax.numpy as jnp
    from jax.experimental import rnn

    def exchanged(array):
        i, f, g, o = jnp.split(array, 4)
        return jnp.concatenate([o, f, g, i]).ravel()

    def wrong(own, vector, *sizes):
        arrays = arrays_of(vector, rnn._get_params_shapes_in_lstm(*sizes))
        return jnp.concatenate(list(map(exchanged, arrays)))

    replace_of_rnn(patch, "swap_lstm_gates", wrong)


@JAX.mutant("weights start otherwise", JAX_START)
def weights_start_normal(patch: Any) -> None:
    import jax

    def wrong(own, key, *sizes):
        drawn = own(key, *sizes)
        return jax.random.normal(key, drawn.shape) * abs(drawn).max()

    replace_of_rnn(patch, "init_lstm_weight", wrong)
