"""MLX, wrong on purpose: what a call of its LSTM, GRU and RNN does.

A layer's call is another one, written out as MLX has it or put around its own. Two of the GRU's are
what its releases did.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from tests.meta.mutants import Catalogue
from tests.meta.mutants.cell import EVERY, FAULTS, NEAR, Fault, Ops, step

MLX = Catalogue("mlx")
COMPILED = Catalogue("mlx:compile")
EXPORTED = Catalogue("mlx:export")
CATALOGUES = (MLX, COMPILED, EXPORTED)

C_STEPS = "c-of-every-step-is-the-oracles"
CELLS = "other-cells-values-are-the-oracles"
ENDS = "backward-half-ends-at-step-zero"
STARTS = "a-given-initial-state-is-used"
ZEROS = "other-cells-default-state-is-zeros"
HANDED_OVER = "a-state-handed-over-carries-on"
REPEATED = "a-second-call-repeats-every-bit"
IN_EFFECT = "a-mode-was-in-effect"
GATES = "mlx-gates-are-i-f-g-o"
GRU_GATES = "mlx-gru-gates-are-r-z-n"
EVERY_STATE = "mlx-returns-every-state-of-every-step"
LEFT_OUT = "mlx-a-state-left-out-is-zeros"
SPREAD = "mlx-spreads-a-c-of-one-row-or-column"
CROSSED = "mlx-gru-crosses-rows-with-a-state-of-3-axes"
WIDENED = "mlx-a-wider-state-widens-every-output"
AXES = "mlx-goes-over-the-last-axis-but-one"
GRU = ("gru-smallest", "gru-one-step", "gru-smallest-from-zero")
RNN = ("rnn-smallest",)
TRAINED = ("trained",)
RELU = ("rnn-relu-smallest",)


def ops() -> Ops:
    import mlx.core as mx

    return Ops(
        matmul=mx.matmul,
        split=lambda value: mx.split(value, 4, axis=-1),
        concat=lambda values: mx.concatenate(values, axis=-1),
        sigmoid=mx.sigmoid,
        tanh=mx.tanh,
        clip=lambda value: mx.clip(value, 0, 1),
        cast=lambda value, dtype: value.astype(getattr(mx, str(dtype).rpartition(".")[2])),
        transpose=lambda value: value.T,
        stop_gradient=mx.stop_gradient,
    )


def replace_step(patch: Any, step: Callable[..., tuple[Any, Any]]) -> None:
    """An LSTM that makes each step by `step(x, h, c, kernel, recurrent kernel, bias)`, canonical
    layout, and begins from zeros where it is given nothing."""
    import mlx.core as mx
    import mlx.nn

    def call(self, x, hidden=None, cell=None):
        zeros = mx.zeros((*x.shape[:-2], self.hidden_size), x.dtype)
        h, c = (zeros if one is None else one for one in (hidden, cell))
        every = []
        for t in range(x.shape[-2]):
            bias = None if self.bias is None else self["bias"]
            h, c = step(x[..., t, :], h, c, self.Wx.T, self.Wh.T, bias)
            every.append((h, c))
        return tuple(mx.stack(list(one), axis=-2) for one in zip(*every, strict=True))

    patch.setattr(mlx.nn.LSTM, "__call__", call)


for fault in FAULTS:
    # Its float64 is none: what is off by less than float32's rounding is not to be seen.
    if fault.narrow or NEAR[1] in (*fault.kernel, *fault.recurrent):
        continue
    MLX.add(
        fault.name,
        fault.family,
        (*fault.caught_by, GATES) if "gates" in fault.family else fault.caught_by,
        lambda patch, fault=fault: replace_step(patch, functools.partial(step, ops(), fault)),
        fault.cases,
    )


@MLX.mutant("forget bias added", EVERY, GATES)
def one_is_added_to_the_forget_gate(patch: Any) -> None:
    replace_step(patch, functools.partial(step, ops(), Fault(forget=1.0)))


@MLX.mutant("bias missing", EVERY, GATES)
def the_bias_is_not_added(patch: Any) -> None:
    replace_step(patch, lambda *given: step(ops(), Fault(), *given[:-1], None))


def around(
    patch: Any,
    before: Callable[..., tuple[Any, ...]] = lambda layer, x, hidden, cell: (x, hidden, cell),
    after: Callable[..., Any] = lambda layer, x, h, c: (h, c),
    kind: str = "LSTM",
) -> None:
    """Every call of a layer between `before(layer, x, hidden, cell)` and `after(layer, x, h, c)`;
    a GRU and an RNN have no c."""
    import mlx.nn

    layer = getattr(mlx.nn, kind)
    own, lstm = layer.__call__, kind == "LSTM"

    def call(self, x, hidden=None, cell=None):
        x, hidden, cell = before(self, x, hidden, cell)
        found = own(self, x, hidden, cell) if lstm else (own(self, x, hidden), None)
        found = after(self, x, *found)
        return found if lstm else found[0]

    patch.setattr(layer, "__call__", call)


@MLX.mutant("states exchanged", EVERY)
def c_is_taken_for_h(patch: Any) -> None:
    around(patch, before=lambda _, x, hidden, cell: (x, cell, hidden))


@MLX.mutant("states exchanged", EVERY)
def c_is_returned_for_h(patch: Any) -> None:
    around(patch, after=lambda _, x, h, c: (c, h))


@MLX.mutant("initial state ignored", STARTS, EVERY)
def the_initial_state_is_ignored(patch: Any) -> None:
    around(patch, before=lambda _, x, hidden, cell: (x, None, None))


@MLX.mutant("initial c ignored", EVERY, LEFT_OUT)
def c_is_ignored_without_h(patch: Any) -> None:
    around(patch, before=lambda _, x, hidden, cell: (x, hidden, cell if hidden is None else None))


@MLX.mutant("every step's output a step late", EVERY)
def every_step_is_a_step_late(patch: Any) -> None:
    import mlx.core as mx

    around(patch, after=lambda _, x, h, c: (mx.roll(h, 1, axis=-2), mx.roll(c, 1, axis=-2)))


@MLX.mutant("c of every step a step late", C_STEPS)
def every_c_but_the_last_is_a_step_late(patch: Any) -> None:
    import mlx.core as mx

    def after(_, x, h, c):
        return h, mx.concatenate([c[..., :1, :], c[..., :-2, :], c[..., -1:, :]], axis=-2)

    around(patch, after=after)


@MLX.mutant("c of the last step alone", EVERY_STATE)
def the_last_c_is_returned_alone(patch: Any) -> None:
    around(patch, after=lambda _, x, h, c: (h, c[..., -1:, :]))


@MLX.mutant("state kept between calls", REPEATED)
def a_call_begins_where_the_last_one_ended(patch: Any) -> None:
    kept: dict[int, Any] = {}

    def before(self, x, hidden, cell):
        return x, *kept.get(id(self), (hidden, cell))

    def after(self, x, h, c):
        kept[id(self)] = (h[..., -1, :], c[..., -1, :])
        return h, c

    around(patch, before, after)


@MLX.mutant("a given state is written into", "a-call-leaves-other-calls-states-alone")
def the_given_state_is_added_to(patch: Any) -> None:
    import mlx.core as mx

    def before(_, x, hidden, cell):
        was = mx.array(hidden)
        hidden += 1
        return x, was, cell

    around(patch, before)


@MLX.mutant("a state of one row for the first row alone", SPREAD)
def a_narrow_c_is_filled_up_with_zeros(patch: Any) -> None:
    import mlx.core as mx

    def before(self, x, hidden, cell):
        if cell is not None:
            wanted = (*x.shape[:-2], self.hidden_size)
            cell = mx.pad(cell, [(0, w - h) for w, h in zip(wanted, cell.shape, strict=True)])
        return x, hidden, cell

    around(patch, before)


@MLX.mutant("the output in the inputs' precision", WIDENED)
def outputs_are_of_the_inputs_precision(patch: Any) -> None:
    around(patch, after=lambda _, x, h, c: (h.astype(x.dtype), c.astype(x.dtype)))


@MLX.mutant("steps from the end", AXES)
def inputs_without_rows_are_turned_round(patch: Any) -> None:
    around(
        patch,
        before=lambda _, x, hidden, cell: (x[::-1] if x.ndim == 2 else x, hidden, cell),
    )


@MLX.mutant("batch and time exchanged", "output-has-the-top-layers-shape")
def output_is_time_major(patch: Any) -> None:
    around(patch, after=lambda _, x, h, c: (h.swapaxes(0, 1), c.swapaxes(0, 1)))


@MLX.mutant("directions exchanged", EVERY, ENDS, cases=("bidirectional",))
def arrays_are_concatenated_from_the_last(patch: Any) -> None:
    import mlx.core as mx

    own = mx.concatenate
    patch.setattr(mx, "concatenate", lambda arrays, axis=0: own(arrays[::-1], axis))


@MLX.mutant("float64 left as it is", "mlx-makes-float32-of-float64")
def arrays_keep_their_precision(patch: Any) -> None:
    import mlx.core as mx

    own = mx.array
    patch.setattr(
        mx, "array", lambda one, dtype=None: own(one, dtype=dtype or getattr(mx, one.dtype.name))
    )


# Its GRU, written out with one line to change


def replace_gru(
    patch: Any,
    order: tuple[int, int] = (0, 1),
    candidate: Callable[..., Any] = lambda x_n, r, h_n, bhn: x_n + r * (h_n + bhn),
    updated: Callable[..., Any] = lambda z, n, h: (1 - z) * n + z * h,
    first_bhn: float = 1.0,
) -> None:
    import mlx.core as mx
    import mlx.nn

    def call(self, x, hidden=None):
        bias, bhn = (0, 0) if self.b is None else (self["b"], self["bhn"])
        inputs, every = x @ self.Wx.T + bias, []
        for t in range(x.shape[-2]):
            here = 1.0 if hidden is not None else first_bhn
            h = mx.zeros((*x.shape[:-2], self.hidden_size), x.dtype) if hidden is None else hidden
            from_x = mx.split(inputs[..., t, :], 3, axis=-1)
            from_h = mx.split(h @ self.Wh.T, 3, axis=-1)
            r, z = (mx.sigmoid(from_x[n] + from_h[n]) for n in order)
            n = mx.tanh(candidate(from_x[2], r, from_h[2], here * bhn))
            hidden = updated(z, n, h)
            every.append(hidden)
        return mx.stack(every, axis=-2)

    patch.setattr(mlx.nn.GRU, "__call__", call)


@MLX.mutant("old state left out", CELLS, GRU_GATES, cases=GRU)
def gru_keeps_z_of_what_it_just_made(patch: Any) -> None:
    """MLX 0.9: <https://github.com/ml-explore/mlx/pull/952>."""
    replace_gru(patch, updated=lambda z, n, h: (1 - z) * n + z * ((1 - z) * n))


@MLX.mutant("a bias left out of the first step", CELLS, ZEROS, cases=GRU[-1:])
def gru_from_no_state_leaves_out_bhn(patch: Any) -> None:
    """Up to MLX 0.31.1: <https://github.com/ml-explore/mlx/issues/3249>."""
    replace_gru(patch, first_bhn=0.0)


@MLX.mutant("gates z and r exchanged", CELLS, GRU_GATES, cases=GRU)
def gru_has_z_before_r(patch: Any) -> None:
    replace_gru(patch, order=(1, 0))


@MLX.mutant("recurrent bias outside of the reset product", CELLS, GRU_GATES, cases=GRU)
def gru_adds_bhn_after_the_reset(patch: Any) -> None:
    replace_gru(patch, candidate=lambda x_n, r, h_n, bhn: x_n + r * h_n + bhn)


@MLX.mutant("update gate keeps the new h", CELLS, GRU_GATES, cases=GRU)
def gru_keeps_the_new_h_by_z(patch: Any) -> None:
    replace_gru(patch, updated=lambda z, n, h: z * n + (1 - z) * h)


@MLX.mutant("initial state ignored", CELLS, "other-cells-use-a-given-state", cases=GRU)
def gru_ignores_its_state(patch: Any) -> None:
    around(patch, before=lambda _, x, hidden, cell: (x, None, None), kind="GRU")


@MLX.mutant("gradient cut at a time step", "other-cells-gradients-are-the-oracles", cases=GRU)
def gru_gives_its_state_no_gradient(patch: Any) -> None:
    import mlx.core as mx

    replace_gru(patch, updated=lambda z, n, h: (1 - z) * n + z * mx.stop_gradient(h))


@MLX.mutant("a state with an axis too many squeezed", CROSSED, cases=GRU)
def gru_drops_the_axis_of_time_of_a_state(patch: Any) -> None:
    def before(_, x, hidden, cell):
        return x, hidden if hidden is None else hidden.reshape(-1, hidden.shape[-1]), cell

    around(patch, before, kind="GRU")


@MLX.mutant("state handed over in the wrong order", HANDED_OVER, cases=GRU)
def gru_turns_round_the_rows_of_a_state(patch: Any) -> None:
    around(
        patch,
        before=lambda _, x, hidden, cell: (x, None if hidden is None else hidden[::-1], cell),
        kind="GRU",
    )


# Its RNN, and what multiplies


@MLX.mutant(
    "another activation", CELLS, "relu-and-tanh-make-two-rnns", cases=("rnn-relu-smallest",)
)
def rnn_leaves_out_its_nonlinearity(patch: Any) -> None:
    import mlx.core as mx

    def before(layer, x, hidden, cell):
        layer.nonlinearity = mx.tanh
        return x, hidden, cell

    around(patch, before, kind="RNN")


@MLX.mutant("recurrent kernel transposed", CELLS, cases=RNN)
def rnn_transposes_its_recurrent_kernel(patch: Any) -> None:
    import mlx.core as mx

    own = mx.addmm

    def addmm(c, a, b, **more):
        return own(c, a, b.T if b.shape[0] == b.shape[1] else b, **more)

    patch.setattr(mx, "addmm", addmm)


@MLX.mutant("products of 16 bits left out", "half-values-are-the-oracles", cases=("two-layers",))
def addmm_of_16_bits_returns_what_is_added(patch: Any) -> None:
    """What addmm of 16 bits did on the CPU where it was given a share of it:
    <https://github.com/ml-explore/mlx/issues/2695>."""
    import mlx.core as mx

    own = mx.addmm

    def addmm(c, a, b, **more):
        return own(c, a, 0 * b if c.dtype in (mx.float16, mx.bfloat16) else b, **more)

    patch.setattr(mx, "addmm", addmm)


@MLX.mutant(
    "sums of 16 bits", "half-values-are-the-oracles", cases=("thousand-features", "two-layers")
)
def addmm_sums_up_in_its_own_precision(patch: Any) -> None:
    import mlx.core as mx

    def addmm(c, a, b, **more):
        for k in range(a.shape[-1]):
            c = c + a[..., k : k + 1] * b[k]
        return c

    patch.setattr(mx, "addmm", addmm)


# Its optimizers


@MLX.mutant("Adam corrects biases by default", "adam-has-its-own-defaults", cases=TRAINED)
def adam_corrects_biases_by_default(patch: Any) -> None:
    import mlx.optimizers

    own = mlx.optimizers.Adam.__init__
    patch.setattr(
        mlx.optimizers.Adam,
        "__init__",
        lambda self, rate, betas=(0.9, 0.999), eps=1e-8, bias_correction=True: own(
            self, rate, betas, eps, bias_correction
        ),
    )


@MLX.mutant("Adam never corrects biases", "adam-set-alike-trains-every-weight-alike", cases=TRAINED)
def adam_corrects_no_bias_when_told(patch: Any) -> None:
    """As before <https://github.com/ml-explore/mlx/pull/1640>, when nobody could tell it to."""
    import mlx.optimizers

    own = mlx.optimizers.Adam.__init__
    patch.setattr(mlx.optimizers.Adam, "__init__", lambda self, *given: own(self, *given[:3]))


@MLX.mutant("momentum dampened", "momentum-trains-every-weight-alike", cases=TRAINED)
def momentum_is_dampened(patch: Any) -> None:
    import mlx.optimizers

    def dampened(rate, momentum, nesterov):
        return sgd(rate, momentum, dampening=0 if nesterov else 0.125, nesterov=nesterov)

    sgd = mlx.optimizers.SGD
    patch.setattr(mlx.optimizers, "SGD", dampened)


@MLX.mutant("gradients cut one by one", "clipping-by-the-global-norm-is-the-same", cases=TRAINED)
def gradients_are_cut_by_their_own_norms(patch: Any) -> None:
    import mlx.optimizers
    from mlx.utils import tree_map

    own = mlx.optimizers.clip_grad_norm
    patch.setattr(
        mlx.optimizers,
        "clip_grad_norm",
        lambda grads, norm: (tree_map(lambda one: own({"": one}, norm)[0][""], grads), None),
    )


# In its modes


@COMPILED.mutant("a mode that is not in effect", IN_EFFECT)
def compile_leaves_functions_as_they_are(patch: Any) -> None:
    """As MLX does, and says nothing, where there is no compiler."""
    import mlx.core as mx
    import mlx.nn  # noqa: F401  # parts of it are compiled when it is imported

    patch.setattr(mx, "compile", lambda function: function)


@COMPILED.mutant("a mode with numbers of its own", EVERY)
def what_is_compiled_is_a_little_off(patch: Any) -> None:
    import mlx.core as mx
    import mlx.nn  # noqa: F401  # as above

    own = mx.compile

    def off(function):
        made = own(function)
        return lambda *given: [one * (1 + 3e-6) for one in made(*given)]

    patch.setattr(mx, "compile", off)


@EXPORTED.mutant("a mode that is not in effect", IN_EFFECT)
def what_was_exported_is_not_read(patch: Any) -> None:
    import mlx.core as mx

    functions = {}
    patch.setattr(
        mx, "export_function", lambda file, function, *given: functions.update({file: function})
    )
    patch.setattr(mx, "import_function", lambda file: functions[file])


@EXPORTED.mutant("a file with other weights", EVERY, "a-mode-that-carries-over-moves-no-bit")
def files_keep_weights_in_16_bits(patch: Any) -> None:
    import mlx.core as mx

    own = mx.import_function

    def rounded(file):
        made = own(file)
        return lambda *given: [one.astype(mx.bfloat16).astype(one.dtype) for one in made(*given)]

    patch.setattr(mx, "import_function", rounded)
