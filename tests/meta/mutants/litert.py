"""LiteRT, wrong on purpose: what TensorFlow's converter makes of a model, and what LiteRT's
interpreter is given and returns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.meta.mutants import Catalogue

KERAS3 = Catalogue("keras3:litert")
KERAS2 = Catalogue("keras2:litert")
CATALOGUES = (KERAS3, KERAS2)

VALUES = "every-value-is-the-oracles"
LAST_STEP = "output-last-step-is-h"
SMALL = "litert-small-layers-are-not-optimized"
GOES_ON = "litert-operator-goes-on-from-the-last-call"
FUSED = "UNIDIRECTIONAL_SEQUENCE_LSTM"
TWO = ("two-layers",)
ROWS = ("masked-right-lstm-two-layers",)


def interpreting(
    patch: Any,
    given: Callable[[np.ndarray], np.ndarray] = lambda array: array,
    returned: Callable[[np.ndarray], np.ndarray] = lambda array: array,
    inputs: Callable[[list[Any]], list[Any]] = lambda details: details,
    operators: Callable[[list[Any]], list[Any]] = lambda details: details,
) -> None:
    """An interpreter with these changes of what it is given, and tells, and returns."""
    from ai_edge_litert import interpreter

    class Wrong(interpreter.Interpreter):
        def set_tensor(self, index: int, array: np.ndarray) -> None:
            super().set_tensor(index, given(array))

        def get_tensor(self, index: int) -> np.ndarray:
            return returned(super().get_tensor(index))

        def get_input_details(self) -> list[Any]:
            return inputs(super().get_input_details())

        def _get_ops_details(self) -> list[Any]:
            return operators(super()._get_ops_details())

    patch.setattr(interpreter, "Interpreter", Wrong)


def converting(patch: Any, change: Callable[[Any], None]) -> None:
    """`change` is done to every converter just before it converts."""
    import tensorflow as tf

    whole = tf.lite.TFLiteConverter.from_concrete_functions

    def wrong(*arguments: Any) -> Any:
        converter = whole(*arguments)
        own = converter.convert

        def convert() -> bytes:
            change(converter)
            return own()

        converter.convert = convert
        return converter

    patch.setattr(tf.lite.TFLiteConverter, "from_concrete_functions", wrong)


@KERAS3.mutant("h0 and c0 exchanged", VALUES, cases=TWO)
def states_exchanged(patch):
    """Inputs of one shape in another order, as `from_keras_model` has them."""

    def inputs(details: list[Any]) -> list[Any]:
        x, *states = details
        return [x, *(one for pair in zip(states[1::2], states[::2], strict=True) for one in pair)]

    interpreting(patch, inputs=inputs)


@KERAS3.mutant("initial state ignored", VALUES, cases=TWO)
def states_ignored(patch):
    interpreting(patch, given=lambda array: array * 0 if array.ndim == 2 else array)


@KERAS3.mutant("lengths ignored", "masked-values-are-the-oracles", cases=ROWS)
def mask_ignored(patch):
    interpreting(patch, given=lambda array: array | True if array.dtype == bool else array)


@KERAS3.mutant("every step's output a step late", VALUES, LAST_STEP, cases=TWO)
def output_comes_a_step_late(patch):
    interpreting(patch, returned=lambda one: np.roll(one, 1, axis=1) if one.ndim == 3 else one)


@KERAS3.mutant("h one ulp off", LAST_STEP, cases=TWO)
def states_one_ulp_off(patch):
    interpreting(
        patch,
        returned=lambda one: np.nextafter(one, np.float32(2)) if one.ndim == 2 else one,
    )


@KERAS3.mutant("weights rounded", VALUES, SMALL, cases=(*TWO, "smallest"))
def weights_of_16_bits_by_default(patch):
    import tensorflow as tf

    def change(converter: Any) -> None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]

    converting(patch, change)


@KERAS3.mutant("an option taken and ignored", "litert-optimized-layers-are-others",
               "litert-float16-weights-make-another-layer", cases=("one-feature",))  # fmt: skip
def optimizations_ignored(patch):
    converting(patch, lambda converter: setattr(converter, "optimizations", []))


@KERAS3.mutant("a mode that is not in effect", "a-mode-was-in-effect", cases=TWO)
def steps_are_written_out(patch):
    """Every step is operators of its own, and no loop is found."""
    interpreting(
        patch,
        operators=lambda details: [one for one in details if one["op_name"] != "WHILE"],
    )


@KERAS3.mutant("stale state carried into the next call", "a-second-call-repeats-every-bit",
               cases=TWO)  # fmt: skip
def the_second_model_differs(patch):
    """Weights of what is converted again are a little larger; so is what it is given."""
    seen: list[int] = []

    def inputs(details: list[Any]) -> list[Any]:
        seen.append(1)
        return details

    def given(array: np.ndarray) -> np.ndarray:
        again = len(seen) > 1 and array.ndim == 3
        return array * np.float32(1 + 1e-6) if again else array

    interpreting(patch, inputs=inputs, given=given)


@KERAS3.mutant("fused", "litert-makes-a-loop-of-keras-3s-lstm", cases=("smallest-from-zero",))
def keras_3_has_the_operator_too(patch):
    interpreting(patch, operators=lambda details: [*details, {"op_name": FUSED}])


@KERAS2.mutant("not fused", "litert-has-an-operator-for-keras-2s-lstm",
               cases=("smallest-from-zero",))  # fmt: skip
def the_operator_is_a_loop(patch):
    """As where the layer returns its states, too."""
    interpreting(
        patch,
        operators=lambda details: [
            {"op_name": one["op_name"].replace(FUSED, "WHILE")} for one in details
        ],
    )


@KERAS2.mutant("every step's output a step late", "litert-operator-is-keras-2s-lstm",
               cases=("smallest-from-zero",))  # fmt: skip
def the_operators_output_comes_late(patch):
    interpreting(patch, returned=lambda one: np.roll(one, 1, axis=1))


@KERAS2.mutant("each call from zero", GOES_ON, cases=("smallest-from-zero",))
def every_call_begins_at_zero(patch):
    from ai_edge_litert.interpreter import Interpreter

    healthy = Interpreter.invoke

    def invoke(self):
        self.reset_all_variables()
        healthy(self)

    patch.setattr(Interpreter, "invoke", invoke)


@KERAS2.mutant("a reset that leaves the states", GOES_ON, cases=("smallest-from-zero",))
def a_reset_leaves_the_states(patch):
    from ai_edge_litert.interpreter import Interpreter

    patch.setattr(Interpreter, "reset_all_variables", lambda _: None)
