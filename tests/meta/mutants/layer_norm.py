"""Layer normalisation inside Keras's cells, wrong on purpose.

The norms are `keras.layers.LayerNormalization`, and most faults are its own. How they are put into
the gates is the cell's: those faults are made in the loop around it, `keras.layers.RNN`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from tests.meta.mutants import Catalogue, keras2, keras3
from tests.meta.mutants.keras import Seams
from tests.meta.mutants.keras_cells import GRADIENTS, VALUES

GATE_BY_GATE = "layer-norm-goes-over-the-units-of-each-gate"
EPSILON = "layer-norm-adds-its-epsilon-to-the-variance"
SHARED = "layer-norm-takes-off-what-all-units-share"
AT_ONCE = "layer-norm-over-all-gates-makes-another-lstm"
KERAS_EPSILON = "layer-norm-with-keras-epsilon-makes-another-lstm"
HANDED_ON = "layer-norm-hands-on-the-normalised-cell-state"
CASES = ("layer-norm-smallest",)


def functions(seams: Seams) -> Any:
    """Where this Keras has `mean`, `sqrt` and `stack`, called as NumPy's are."""
    if seams.adapter == "keras3":
        import keras

        return keras.ops
    import tensorflow as tf

    return tf.experimental.numpy


def norm(
    seams: Seams, x: Any, gain: Any, shift: Any, epsilon: float = 1e-12, outside: float = 0.0,
    centred: bool = True, squares: str = "of differences", fewer: int = 0, axis: int = -1,
    cut: str = "",
) -> Any:  # fmt: skip
    """`outside` is added to the root, `squares` says of what the variance is the mean, which counts
    so many `fewer` units than there are; `cut` is what the gradient does not go through."""
    where, stop = functions(seams), seams.ops().stop_gradient

    def mean(of: Any) -> Any:
        return where.mean(of, axis=axis, keepdims=True)

    middle = mean(x) if centred else 0 * x
    off = x - (stop(middle) if cut == "mean" else middle)
    variance = mean(x * x) - middle * middle if squares == "less a square" else mean(off * off)
    if fewer:
        variance = variance * (x.shape[axis] / (x.shape[axis] - fewer))
    root = where.sqrt(variance + epsilon) + outside
    gain = stop(gain) if cut == "gain" else gain
    shift = stop(shift) if cut == "shift" else shift
    return off / (stop(root) if cut == "root" else root) * gain + shift


def norm_written_out(patch: Any, seams: Seams, **fault: Any) -> None:
    """LayerNormalization with a fault; without one it is a layer norm like any other."""

    def call(self: Any, inputs: Any) -> Any:
        return norm(seams, inputs, self.gamma, self.beta, **({"epsilon": self.epsilon} | fault))

    patch.setattr(seams.layers.LayerNormalization, "call", call)


def loop_written_out(
    patch: Any, seams: Seams, at_once: bool = False, hands_on_normed: bool = True
) -> None:
    """RNN with the cell's step in it; where the cell has no norms, or no state is given, its own.

    `at_once` normalises the four gates together.
    """
    rnn = seams.layers.RNN
    healthy = rnn.call

    @functools.wraps(healthy)
    def call(self: Any, x: Any, *args: Any, initial_state: Any = None, **kwargs: Any) -> Any:
        cell, ops = self.cell, seams.ops()
        if not getattr(cell, "norms", ()) or initial_state is None:
            return healthy(self, x, *args, initial_state=initial_state, **kwargs)
        *of_gates, of_c = [(one.gamma, one.beta) for one in cell.norms]
        h, c = initial_state
        outputs = []
        for t in range(x.shape[1]):
            z = ops.matmul(x[:, t], cell.kernel) + ops.matmul(h, cell.recurrent_kernel)
            gates = ops.split(norm(seams, z, 1.0, 0.0) if at_once else z)
            i, f, g, o = (
                gate * gain + shift if at_once else norm(seams, gate, gain, shift)
                for gate, (gain, shift) in zip(gates, of_gates, strict=True)
            )
            c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
            seen = norm(seams, c, *of_c)
            h = ops.sigmoid(o) * ops.tanh(seen)
            c = seen if hands_on_normed else c
            outputs.append(h)
        return [functions(seams).stack(outputs, axis=1), h, c]

    patch.setattr(rnn, "call", call)


FAULTS: dict[str, tuple[str, tuple[str, ...], dict[str, Any]]] = {
    # A graph that TensorFlow had rewritten lost the epsilon that it was told, for the default one:
    # <https://github.com/tensorflow/tensorflow/pull/58863>.
    "epsilon-is-the-default": ("another epsilon", (VALUES, EPSILON, KERAS_EPSILON),
                               {"epsilon": 1e-3}),
    "epsilon-ignored": ("no epsilon", (EPSILON,), {"epsilon": 0.0}),
    # Keras on CNTK: <https://github.com/keras-team/keras/pull/10427>.
    "epsilon-outside-of-the-root": ("epsilon added to the root", (EPSILON,),
                                    {"epsilon": 0.0, "outside": 1e-12}),
    # Keras Core 0.1.7, of which Keras 3 was made: <https://github.com/keras-team/keras/pull/18795>.
    "variance-is-a-difference-of-squares": (
        "variance as a difference of squares", (SHARED,), {"squares": "less a square"}),
    # BatchNormalization where it is fused:
    # <https://github.com/tensorflow/tensorflow/issues/55545>.
    "variance-of-a-sample": ("variance over one unit less", (VALUES, GATE_BY_GATE), {"fewer": 1}),
    "mean-left-in": ("mean not taken off", (VALUES, GATE_BY_GATE, SHARED), {"centred": False}),
    "over-the-batch": ("normalised over the batch", (VALUES, GATE_BY_GATE), {"axis": 0}),
    "no-gradient-through-the-mean": ("gradient missing through the mean", (GRADIENTS,),
                                     {"cut": "mean"}),
    "no-gradient-through-the-root": ("gradient missing through the variance", (GRADIENTS,),
                                     {"cut": "root"}),
    "no-gradient-by-gain": ("gradient missing for one weight", (GRADIENTS,), {"cut": "gain"}),
    "no-gradient-by-shift": ("gradient missing for one weight", (GRADIENTS,), {"cut": "shift"}),
}  # fmt: skip


def add_layer_norm(catalogue: Catalogue, seams: Seams) -> None:
    for name, (family, caught_by, how) in FAULTS.items():
        catalogue.add(
            f"layer-norm-{name}",
            family,
            caught_by,
            lambda patch, how=how: norm_written_out(patch, seams, **how),
            CASES,
        )

    def weights_are(patch: Any, change: Callable[[Any, Any], tuple[Any, Any]]) -> None:
        """LayerNormalization with another gain and shift: `change(gain, shift)`."""

        def call(self: Any, inputs: Any) -> Any:
            return norm(seams, inputs, *change(self.gamma, self.beta), epsilon=self.epsilon)

        patch.setattr(seams.layers.LayerNormalization, "call", call)

    @catalogue.mutant("gain ignored", VALUES, GATE_BY_GATE, cases=CASES)
    def layer_norm_has_no_gain(patch):
        weights_are(patch, lambda _, shift: (1.0, shift))

    @catalogue.mutant("shift ignored", VALUES, GATE_BY_GATE, cases=CASES)
    def layer_norm_has_no_shift(patch):
        weights_are(patch, lambda gain, _: (gain, 0.0))

    @catalogue.mutant("gain and shift exchanged", VALUES, GATE_BY_GATE, cases=CASES)
    def layer_norm_gain_and_shift_exchanged(patch):
        weights_are(patch, lambda gain, shift: (shift, gain))

    # TensorFlow Addons: <https://github.com/tensorflow/addons/pull/210>.
    @catalogue.mutant("all gates normalised at once", VALUES, GATE_BY_GATE, AT_ONCE, cases=CASES)
    def layer_norm_goes_over_all_gates(patch):
        loop_written_out(patch, seams, at_once=True)

    @catalogue.mutant("cell state handed on as it was", VALUES, GATE_BY_GATE, HANDED_ON,
                      cases=CASES)  # fmt: skip
    def layer_norm_of_c_is_for_the_output_alone(patch):
        loop_written_out(patch, seams, hands_on_normed=False)


CATALOGUES = (Catalogue("keras3"), Catalogue("keras2"))
for catalogue, keras in zip(CATALOGUES, (keras3, keras2), strict=True):
    add_layer_norm(catalogue, keras.SEAMS)
