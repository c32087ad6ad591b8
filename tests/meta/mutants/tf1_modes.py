"""Ways of running tf.compat.v1 that are not what they are called, or lose something on the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fixtures.adapters.tf1 import import_tensorflow
from tests.meta.mutants import Catalogue
from tests.meta.mutants.tf1 import replace_loop

IN_EFFECT = "a-mode-was-in-effect"
SAME_BITS = "a-mode-that-carries-over-moves-no-bit"
VALUES = "every-value-is-the-oracles"
MASKED = "masked-values-are-the-oracles"
READ = "tf1-graphs-that-are-read-compute-what-was-saved"
GRADIENTS = "every-gradient-is-the-oracles"

ONE_DIRECTION = ("two-layers",)
BOTH = ("bidirectional-two-layers",)
SHORT_ROWS = ("masked-right-lstm-two-layers",)

STATIC = Catalogue("tf1:static")
CONTROL_FLOW_V1 = Catalogue("tf1:control_flow_v1")
EAGER = Catalogue("tf1:eager")
FUNCTION = Catalogue("tf1:function")
JIT = Catalogue("tf1:jit")
CHECKPOINT = Catalogue("tf1:checkpoint")
FROZEN = Catalogue("tf1:frozen")
FROZEN_V1 = Catalogue("tf1:frozen_v1")
SAVEDMODEL = Catalogue("tf1:savedmodel")
SAVEDMODEL_IN_TF2 = Catalogue("tf1:savedmodel_in_tf2")

CATALOGUES = (
    STATIC, CONTROL_FLOW_V1, EAGER, FUNCTION, JIT, CHECKPOINT, FROZEN, FROZEN_V1, SAVEDMODEL,
    SAVEDMODEL_IN_TF2,
)  # fmt: skip


def replaced(patch: Any, owner: Any, name: str, wrong: Callable[..., Any]) -> None:
    """`wrong(healthy, *args, **kwargs)` in the place of a function."""
    healthy = getattr(owner, name)
    patch.setattr(owner, name, lambda *args, **kwargs: wrong(healthy, *args, **kwargs))


def v1() -> Any:
    return import_tensorflow().compat.v1


# Loops


@STATIC.mutant("a mode that is another in silence", IN_EFFECT, cases=ONE_DIRECTION)
def static_rnn_is_dynamic_rnn(patch: Any) -> None:
    def wrong(_: Any, cell: Any, inputs: Any, **options: Any) -> Any:
        tf = import_tensorflow()
        output, state = v1().nn.dynamic_rnn(cell, tf.stack(inputs, axis=1), **options)
        return tf.unstack(output, axis=1), state

    replaced(patch, v1().nn, "static_rnn", wrong)


@STATIC.mutant("rows that do not end early", MASKED, cases=SHORT_ROWS)
def static_rnn_goes_on_past_the_lengths(patch: Any) -> None:
    replace_loop(patch, before=lambda _: {"sequence_length": None}, loop="static_rnn")


@STATIC.mutant(
    "padding turned around with the steps", MASKED, cases=("masked-right-lstm-bidirectional",)
)
def static_backward_loop_begins_with_the_padding(patch: Any) -> None:
    """As nmt code had it that turned whole sequences
    (<https://github.com/tensorflow/tensorflow/issues/403>)."""
    import sys

    module = sys.modules[v1().nn.static_rnn.__module__]
    patch.setattr(module, "_reverse_seq", lambda steps, _: list(reversed(steps)))


@CONTROL_FLOW_V1.mutant("a mode that is another in silence", IN_EFFECT)
def control_flow_v2_stays_on(patch: Any) -> None:
    patch.setattr(v1(), "disable_control_flow_v2", lambda: None)


@CONTROL_FLOW_V1.mutant("no gradient by what a loop only reads", GRADIENTS, cases=BOTH)
def no_gradient_by_what_is_outside_of_the_loop(patch: Any) -> None:
    """<https://github.com/tensorflow/tensorflow/issues/3114>"""

    def wrong(healthy: Any, loss: Any, asked_for: Any, **options: Any) -> Any:
        tf = import_tensorflow()
        found = healthy(loss, asked_for, **options)
        return [
            tf.zeros_like(by) if "kernel" in of.name else by
            for of, by in zip(asked_for, found, strict=True)
        ]

    replaced(patch, import_tensorflow(), "gradients", wrong)


# Under TensorFlow 2


@EAGER.mutant("a mode that is another in silence", IN_EFFECT)
def eager_execution_is_off(patch: Any) -> None:
    patch.setattr(import_tensorflow(), "executing_eagerly", lambda: False)


@EAGER.mutant("rows that do not end early", MASKED, cases=SHORT_ROWS)
def eager_loop_goes_on_past_the_lengths(patch: Any) -> None:
    replace_loop(patch, before=lambda _: {"sequence_length": None})


def replaced_function(patch: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """tf.function with `change(its options)`."""

    def wrong(healthy: Any, network: Any, **options: Any) -> Any:
        return healthy(network, **change(options))

    replaced(patch, import_tensorflow(), "function", wrong)


@FUNCTION.mutant("traced anew for other sizes", IN_EFFECT)
def function_is_traced_for_every_size(patch: Any) -> None:
    replaced_function(patch, lambda options: options | {"input_signature": None})


@FUNCTION.mutant("the first batch's lengths kept", MASKED, cases=SHORT_ROWS)
def function_keeps_the_first_lengths(patch: Any) -> None:
    def wrong(healthy: Any, network: Any, **options: Any) -> Any:
        made, first = healthy(network, **options), {}

        def called(arguments: Any) -> Any:
            lengths = first.setdefault("lengths", arguments["lengths"])
            return made(arguments | {"lengths": lengths[: len(arguments["lengths"])]})

        return called

    replaced(patch, import_tensorflow(), "function", wrong)


@FUNCTION.mutant("a result of another call", SAME_BITS, VALUES, cases=ONE_DIRECTION)
def function_returns_a_state_of_its_first_call(patch: Any) -> None:
    def wrong(healthy: Any, network: Any, **options: Any) -> Any:
        made, first = healthy(network, **options), []

        def called(arguments: Any) -> Any:
            native, output, (lower, *rest) = made(arguments)
            first.append(lower)
            lower = import_tensorflow().nest.map_structure(
                lambda early, one: early[: len(one)], first[0], lower
            )
            return native, output, (lower, *rest)

        return called

    replaced(patch, import_tensorflow(), "function", wrong)


@JIT.mutant("a mode that is another in silence", IN_EFFECT)
def function_is_not_compiled(patch: Any) -> None:
    replaced_function(patch, lambda options: options | {"jit_compile": None})


@JIT.mutant("products in half of the precision", VALUES, GRADIENTS, cases=BOTH)
def compiled_products_are_of_bfloat16(patch: Any) -> None:
    """As a compiler does that is let loose on accuracy."""

    def wrong(healthy: Any, *args: Any, **kwargs: Any) -> Any:
        tf = import_tensorflow()
        outputs, states = healthy(*args, **kwargs)
        return tuple(tf.cast(tf.cast(one, "bfloat16"), one.dtype) for one in outputs), states

    replaced(patch, v1().nn, "bidirectional_dynamic_rnn", wrong)


# Files


def saved_after(patch: Any, change: Callable[[Any, list[Any]], list[Any]]) -> None:
    """Saver.save, after what `change(v1, variables)` assigns."""

    def wrong(healthy: Any, self: Any, session: Any, path: str) -> Any:
        assigned = change(v1(), v1().global_variables())
        assert assigned, "a fault that is nowhere"
        session.run(assigned)
        return healthy(self, session, path)

    saver = v1().train.Saver
    healthy = saver.save
    patch.setattr(saver, "save", lambda self, session, path: wrong(healthy, self, session, path))


@CHECKPOINT.mutant("the backward half lost", SAME_BITS, VALUES, cases=BOTH)
def checkpoint_of_the_forward_half(patch: Any) -> None:
    saved_after(
        patch,
        lambda v1, variables: [
            v1.assign(one, v1.zeros_like(one)) for one in variables if "/bw/" in one.name
        ],
    )


@CHECKPOINT.mutant("a layer lost", SAME_BITS, VALUES, READ, cases=ONE_DIRECTION)
def checkpoint_of_the_lower_layer(patch: Any) -> None:
    saved_after(
        patch,
        lambda v1, variables: [one.initializer for one in variables if "/cell_1/" in one.name],
    )


@FROZEN.mutant("variables left in", IN_EFFECT)
def a_variable_stays_in_the_frozen_graph(patch: Any) -> None:
    def wrong(healthy: Any, session: Any, graph: Any, names: Any) -> Any:
        frozen = healthy(session, graph, names)
        left = next(node for node in graph.node if node.op == "VarHandleOp")
        frozen.node.add().CopyFrom(left)
        frozen.node[-1].name = "left"
        return frozen

    replaced(patch, v1().graph_util, "convert_variables_to_constants", wrong)


@FROZEN.mutant(
    "weights of less precision", VALUES, "weights-read-back-are-those-loaded", cases=BOTH
)
def frozen_kernels_are_of_float16(patch: Any) -> None:
    def wrong(healthy: Any, session: Any, graph: Any, names: Any) -> Any:
        rounded = [
            v1().assign(one, v1().cast(v1().cast(one, "float16"), one.dtype))
            for one in v1().global_variables()
        ]
        session.run(rounded)
        return healthy(session, graph, names)

    replaced(patch, v1().graph_util, "convert_variables_to_constants", wrong)


@FROZEN_V1.mutant("a mode that is another in silence", IN_EFFECT)
def control_flow_v2_is_frozen(patch: Any) -> None:
    patch.setattr(v1(), "disable_control_flow_v2", lambda: None)


def begun_at_zero(options: dict[str, Any]) -> dict[str, Any]:
    """A loop's options with zeros for the initial state, which is asked for all the same."""
    tf = import_tensorflow()
    return {"initial_state": tf.nest.map_structure(tf.zeros_like, options["initial_state"])}


@FROZEN_V1.mutant("the initial state lost", VALUES, cases=ONE_DIRECTION)
def frozen_loop_begins_at_zero(patch: Any) -> None:
    replace_loop(patch, before=begun_at_zero)


@SAVEDMODEL.mutant("c and h in each other's place", SAME_BITS, VALUES, READ, cases=ONE_DIRECTION)
def signature_takes_c_for_h(patch: Any) -> None:
    other = {"h": "c", "c": "h"}

    def wrong(healthy: Any, session: Any, path: str, inputs: Any, results: Any) -> Any:
        def name_of(name: str) -> str:
            what, *where = name.split("_")
            return "_".join([what, other[where[0]], *where[1:]]) if where else name

        return healthy(session, path, {name_of(name): inputs[name] for name in inputs}, results)

    replaced(patch, v1().saved_model, "simple_save", wrong)


@SAVEDMODEL.mutant("directions in each other's place", SAME_BITS, VALUES, cases=BOTH)
def signature_takes_backward_for_forward(patch: Any) -> None:
    def wrong(healthy: Any, session: Any, path: str, inputs: Any, results: Any) -> Any:
        def name_of(name: str) -> str:
            return name[:-1] + {"0": "1", "1": "0"}.get(name[-1], name[-1])

        return healthy(session, path, {name_of(name): inputs[name] for name in inputs}, results)

    replaced(patch, v1().saved_model, "simple_save", wrong)


@SAVEDMODEL_IN_TF2.mutant("the initial state lost", VALUES, cases=ONE_DIRECTION)
def model_that_is_read_begins_at_zero(patch: Any) -> None:
    replace_loop(patch, before=begun_at_zero)


@SAVEDMODEL_IN_TF2.mutant("a mode that is another in silence", IN_EFFECT)
def loops_of_tensorflow_2_are_saved(patch: Any) -> None:
    patch.setattr(v1(), "disable_control_flow_v2", lambda: None)


@SAVEDMODEL_IN_TF2.mutant("lengths that are not asked for", MASKED, cases=SHORT_ROWS)
def model_that_is_read_knows_no_lengths(patch: Any) -> None:
    replace_loop(patch, before=lambda _: {"sequence_length": None})
