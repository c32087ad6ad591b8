"""Ways of running torch that are not what they are called, or lose something on the way."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable
from typing import Any

from tests.meta.mutants import Catalogue

IN_EFFECT = "a-mode-was-in-effect"
SAME_BITS = "a-mode-that-carries-over-moves-no-bit"
VALUES = "every-value-is-the-oracles"
GRADIENTS = "every-gradient-is-the-oracles"
WEIGHTS = "weights-read-back-are-those-loaded"
OTHER_BATCH = "what-was-made-for-one-batch-takes-another"
OTHER_LENGTH = "what-was-made-for-one-length-takes-another"
OTHER_LENGTHS = "what-was-made-for-some-lengths-takes-others"
SHAPES = "exported-programs-tell-the-shapes-that-they-return"
WEIGHTS_LEARN = "weights-learn-where-inputs-do-not"
LEFT_ALONE = "what-is-made-of-a-layer-leaves-it-alone"
DROPS = "stacks-drop-out-however-they-are-run"
VMAP = "vmap-over-weights-is-a-layer-for-each"

SMALLEST = ("smallest",)
BIDIRECTIONAL = ("bidirectional-two-layers",)

TORCH_INFERENCE = Catalogue("torch:inference")
TORCH_SCRIPT = Catalogue("torch:script")
TORCH_TRACE = Catalogue("torch:trace")
TORCH_EXPORT = Catalogue("torch:export")
TORCH_STRICT = Catalogue("torch:export_strict")
TORCH_DECOMPOSED = Catalogue("torch:export_decomposed")
TORCH_COMPILE = Catalogue("torch:compile")
TORCH_INDUCTOR = Catalogue("torch:inductor")
TORCH_NO_ONEDNN = Catalogue("torch:no_onednn")
TORCH_FUNC = Catalogue("torch:func")
TORCH_COPIED = Catalogue("torch:copied")
TORCH_SAVED = Catalogue("torch:saved")
TORCH_EXPORT_SAVED = Catalogue("torch:export_saved")
TORCH_ONNX_DYNAMO = Catalogue("torch:onnx_dynamo")

CATALOGUES = (
    TORCH_INFERENCE,
    TORCH_SCRIPT,
    TORCH_TRACE,
    TORCH_EXPORT,
    TORCH_STRICT,
    TORCH_DECOMPOSED,
    TORCH_COMPILE,
    TORCH_INDUCTOR,
    TORCH_NO_ONEDNN,
    TORCH_FUNC,
    TORCH_COPIED,
    TORCH_SAVED,
    TORCH_EXPORT_SAVED,
    TORCH_ONNX_DYNAMO,
)


@TORCH_INFERENCE.mutant("a mode that is not in effect", IN_EFFECT)
def no_inference(patch: Any) -> None:
    import torch

    patch.setattr(torch, "inference_mode", torch.no_grad)


@TORCH_INFERENCE.mutant("a mode with numbers of its own", SAME_BITS)
def other_numbers(patch: Any) -> None:
    import torch

    own = torch._VF.lstm

    def lstm(*arguments: Any) -> Any:
        output, *states = own(*arguments)
        return output * (1 + 1e-6 * torch.is_inference_mode_enabled()), *states

    patch.setattr(torch._VF, "lstm", lstm)


# TorchScript


@TORCH_SCRIPT.mutant("a mode that is not in effect", IN_EFFECT)
def no_script(patch: Any) -> None:
    import torch

    patch.setattr(torch.jit, "script", lambda model: model)


def leave_stale_weights(layer: Any) -> None:
    """Other tensors in the list that its kernels read, as export once left those that it traced
    with."""
    import torch

    layer._flat_weights = [torch.zeros_like(weight) for weight in layer._flat_weights]
    names = layer._flat_weights_names
    layer._flat_weight_refs = [weakref.ref(getattr(layer, name)) for name in names]


@TORCH_TRACE.mutant("a mode that is not in effect", IN_EFFECT)
def no_trace(patch: Any) -> None:
    import torch

    patch.setattr(torch.jit, "trace", lambda model, arguments, **_: model)


@TORCH_TRACE.mutant(
    "the first batch's lengths frozen", OTHER_LENGTHS, cases=("masked-right-lstm-two-layers",)
)
def lengths_are_frozen(patch: Any) -> None:
    """<https://github.com/pytorch/pytorch/issues/12906>"""
    import torch

    own = torch.jit.trace

    def trace(model: Any, arguments: tuple[Any, ...], **options: Any) -> Any:
        class Frozen(torch.nn.Module):  # type: ignore[misc]
            def __init__(self) -> None:
                super().__init__()
                self.model, self.lengths = model, arguments[1].clone()

            def forward(self, x: Any, lengths: Any, state: Any) -> Any:
                del lengths
                return self.model(x, self.lengths, state)

        return own(Frozen(), arguments, **options)

    patch.setattr(torch.jit, "trace", trace)


# Exported programs


@TORCH_STRICT.mutant("a mode that is not in effect", IN_EFFECT)
@TORCH_EXPORT.mutant("a mode that is not in effect", IN_EFFECT)
def a_program_runs_the_layer_itself(patch: Any) -> None:
    import torch

    models: list[Any] = []
    own = torch.export.export

    def export(model: Any, *arguments: Any, **options: Any) -> Any:
        models.append(model)
        return own(model, *arguments, **options)

    patch.setattr(torch.export, "export", export)
    patch.setattr(torch.export.ExportedProgram, "module", lambda _: models[-1])


def another_model_in(patch: Any, owner: Any, name: str, forward: Callable[..., Any]) -> None:
    """`torch.export.export` and the like, given a model that calls `forward(model, x, state)`."""
    import torch

    own = getattr(owner, name)

    class Another(torch.nn.Module):  # type: ignore[misc]
        def __init__(self, model: Any) -> None:
            super().__init__()
            self.model = model

        def forward(self, x: Any, state: Any = None) -> Any:
            return forward(self.model, x, state)

    patch.setattr(
        owner, name, lambda model, *rest, **options: own(Another(model), *rest, **options)
    )


@TORCH_STRICT.mutant("the initial state is dropped", VALUES, SAME_BITS)
@TORCH_EXPORT.mutant("the initial state is dropped", VALUES, SAME_BITS)
def export_drops_the_state(patch: Any) -> None:
    import torch

    another_model_in(patch, torch.export, "export", lambda model, x, _: model(x))


@TORCH_EXPORT.mutant("a layer that is changed by what is made of it", LEFT_ALONE, cases=SMALLEST)
def exporting_spends_the_layer(patch: Any) -> None:
    """<https://github.com/pytorch/pytorch/pull/163207>"""
    import torch

    own = torch.export.export

    def export(model: Any, *arguments: Any, **options: Any) -> Any:
        program = own(model, *arguments, **options)
        leave_stale_weights(model.layer)
        return program

    patch.setattr(torch.export, "export", export)


@TORCH_EXPORT.mutant("h_n has a fourth axis", SHAPES, cases=SMALLEST)
def exported_states_have_four_axes(patch: Any) -> None:
    """<https://github.com/pytorch/pytorch/issues/151200>"""
    keep_the_steps_axis(patch)


@TORCH_DECOMPOSED.mutant("h_n has a fourth axis", VALUES)
def decomposed_states_have_four_axes(patch: Any) -> None:
    """<https://github.com/pytorch/pytorch/issues/130791>"""
    keep_the_steps_axis(patch)


def keep_the_steps_axis(patch: Any) -> None:
    from torch._decomp import decompositions

    def kept(own: Callable[..., Any]) -> Callable[..., Any]:
        def one_layer(*arguments: Any, **options: Any) -> Any:
            output, states = own(*arguments, **options)
            return output, tuple(one.unsqueeze(0) for one in states)

        return one_layer

    for name in ("one_layer_lstm", "mkldnn_one_layer_lstm"):
        patch.setattr(decompositions, name, kept(getattr(decompositions, name)))


@TORCH_DECOMPOSED.mutant("a mode that is not in effect", IN_EFFECT)
def nothing_is_decomposed(patch: Any) -> None:
    import torch

    patch.setattr(torch.export.ExportedProgram, "run_decompositions", lambda program: program)


# torch.compile


@TORCH_INDUCTOR.mutant("a mode that is not in effect", IN_EFFECT)
@TORCH_COMPILE.mutant("a mode that is not in effect", IN_EFFECT)
def nothing_is_compiled(patch: Any) -> None:
    import torch

    patch.setattr(torch, "compile", lambda model, **_: model)


@TORCH_COMPILE.mutant("the graph breaks at the layer", IN_EFFECT)
def dynamo_breaks_at_layers(patch: Any) -> None:
    """What it does unless it is told otherwise:
    <https://github.com/pytorch/pytorch/issues/167275>."""
    import torch

    config = type(torch._dynamo.config)
    own = config.patch

    def patched(*arguments: Any, **options: Any) -> Any:
        if "allow_rnn" in options:
            return contextlib.nullcontext()
        return own(*arguments, **options)

    patch.setattr(config, "patch", patched)


@TORCH_COMPILE.mutant("gradients that are lost", GRADIENTS, cases=BIDIRECTIONAL)
def compiled_states_get_no_gradient(patch: Any) -> None:
    """<https://github.com/pytorch/functorch/issues/586>"""
    import torch

    own = torch.compile

    def compiled(model: Any, **options: Any) -> Any:
        made = own(model, **options)
        return lambda x, state: made(x, tuple(one.detach() for one in state))

    patch.setattr(torch, "compile", compiled)


@TORCH_INDUCTOR.mutant("the initial state is dropped", VALUES, cases=SMALLEST)
@TORCH_COMPILE.mutant("the initial state is dropped", VALUES, cases=SMALLEST)
def compiled_layers_begin_at_zero(patch: Any) -> None:
    import torch

    own = torch.compile

    def compiled(model: Any, **options: Any) -> Any:
        made = own(model, **options)
        return lambda x, state: made(x, tuple(map(torch.zeros_like, state)))

    patch.setattr(torch, "compile", compiled)


@TORCH_INDUCTOR.mutant("made anew for other sizes", OTHER_BATCH, OTHER_LENGTH, cases=SMALLEST)
@TORCH_COMPILE.mutant("made anew for other sizes", OTHER_BATCH, OTHER_LENGTH, cases=SMALLEST)
def every_size_is_compiled_anew(patch: Any) -> None:
    import torch

    own = torch.compile

    def compiled(model: Any, **options: Any) -> Any:
        return own(model, **{**options, "dynamic": False})

    patch.setattr(torch, "compile", compiled)


# The same layer in other hands


@TORCH_NO_ONEDNN.mutant("a mode that is not in effect", IN_EFFECT)
def onednn_stays(patch: Any) -> None:
    import torch

    patch.setattr(torch.backends.mkldnn, "flags", lambda **_: contextlib.nullcontext())


@TORCH_FUNC.mutant("weights that are handed over are not used", VALUES, SAME_BITS)
def own_weights_are_used(patch: Any) -> None:
    """<https://github.com/pytorch/pytorch/issues/90500>"""
    import torch

    def functional_call(model: Any, _: Any, arguments: Any) -> Any:
        return model(*arguments)

    patch.setattr(torch.func, "functional_call", functional_call)


@TORCH_FUNC.mutant("weights that learn nothing", WEIGHTS_LEARN, cases=SMALLEST)
def handed_weights_learn_nothing(patch: Any) -> None:
    import torch

    own = torch.func.functional_call

    def functional_call(model: Any, weights: Any, arguments: Any) -> Any:
        detached = {name: one.detach().requires_grad_() for name, one in weights.items()}
        return own(model, detached, arguments)

    patch.setattr(torch.func, "functional_call", functional_call)


@TORCH_FUNC.mutant("every layer gets the first one's weights", VMAP, cases=SMALLEST)
def vmap_calls_the_first_layer(patch: Any) -> None:
    import torch

    def vmap(function: Callable[..., Any]) -> Callable[..., Any]:
        def mapped(weights: Any) -> Any:
            output, states = function({name: one[0] for name, one in weights.items()})
            twice = tuple(torch.stack([one, one]) for one in states)
            return torch.stack([output, output]), twice

        return mapped

    patch.setattr(torch.func, "vmap", vmap)


@TORCH_COPIED.mutant("a copy that shares its weights", IN_EFFECT)
def copies_share_weights(patch: Any) -> None:
    import torch

    patch.setattr(torch.nn.Parameter, "__deepcopy__", lambda parameter, _: parameter)


@TORCH_COPIED.mutant("a copy whose kernels read other weights", VALUES, SAME_BITS)
def copies_read_stale_weights(patch: Any) -> None:
    """<https://github.com/pytorch/pytorch/issues/90500> is about the same list."""
    import torch

    own = torch.nn.RNNBase.__setstate__

    def restored(layer: Any, state: Any) -> None:
        own(layer, state)
        leave_stale_weights(layer)

    patch.setattr(torch.nn.RNNBase, "__setstate__", restored)


# Files


def save_other_weights(patch: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    import torch

    own = torch.save
    patch.setattr(torch, "save", lambda weights, *rest: own(change(dict(weights)), *rest))


@TORCH_SAVED.mutant("the backward half is lost", VALUES, WEIGHTS, cases=BIDIRECTIONAL)
def forward_weights_are_saved_twice(patch: Any) -> None:
    def forward_twice(own: dict[str, Any]) -> dict[str, Any]:
        return {name: own[name.removesuffix("_reverse")].clone() for name in own}

    save_other_weights(patch, forward_twice)


@TORCH_SAVED.mutant("gates in another order in the file", VALUES, SAME_BITS)
def gates_are_saved_in_another_order(patch: Any) -> None:
    import torch

    def exchanged(weight: Any) -> Any:
        i, f, g, o = weight.chunk(4)
        return torch.cat([i, f, o, g])

    save_other_weights(patch, lambda own: {name: exchanged(one) for name, one in own.items()})


@TORCH_SAVED.mutant("saved in less precision", SAME_BITS)
def weights_are_saved_in_half(patch: Any) -> None:
    save_other_weights(
        patch, lambda own: {name: one.half().to(one.dtype) for name, one in own.items()}
    )


def save_another_program(patch: Any, change: Callable[[str, Any], Any]) -> None:
    """`torch.export.save` with each weight changed, of which it is given the name."""
    import torch

    own = torch.export.save

    def save(program: Any, *rest: Any, **options: Any) -> None:
        with torch.no_grad():
            for name, one in program.state_dict.items():
                one.copy_(change(name, one))
        own(program, *rest, **options)

    patch.setattr(torch.export, "save", save)


@TORCH_EXPORT_SAVED.mutant("the backward half is lost", VALUES, WEIGHTS, cases=BIDIRECTIONAL)
def programs_are_saved_without_their_backward_half(patch: Any) -> None:
    save_another_program(patch, lambda name, one: one * (not name.endswith("_reverse")))


@TORCH_EXPORT_SAVED.mutant("saved in less precision", SAME_BITS)
def programs_are_saved_in_half(patch: Any) -> None:
    save_another_program(patch, lambda _, one: one.half().to(one.dtype))


# ONNX


@TORCH_ONNX_DYNAMO.mutant("a mode that is not in effect", IN_EFFECT)
def steps_are_written_for_nodes(patch: Any) -> None:
    """As of layers that the exporter has no operator for."""
    import torch

    own = torch.onnx.export

    def export(model: Any, arguments: Any, path: str, **options: Any) -> Any:
        program = torch.export.export(model, arguments).run_decompositions()
        return own(program, (), path, **options)

    patch.setattr(torch.onnx, "export", export)


@TORCH_ONNX_DYNAMO.mutant("h and c are exchanged", VALUES)
def exported_nodes_take_c_for_h(patch: Any) -> None:
    import torch

    another_model_in(
        patch, torch.onnx, "export", lambda model, x, state: model(x, (state[1], state[0]))
    )


@TORCH_ONNX_DYNAMO.mutant("h_n has a fourth axis", VALUES)
def exported_nodes_keep_the_axis_of_directions(patch: Any) -> None:
    """Y_h and Y_c have one of each layer's directions, and those of the layers are stacked."""
    import torch

    def forward(model: Any, x: Any, state: Any) -> Any:
        output, states = model(x, state)
        return output, tuple(one[:, None] for one in states)

    another_model_in(patch, torch.onnx, "export", forward)


def dropping_nothing(patch: Any) -> None:
    """What a compiled stack does: docs/upstream/torch-compiled-stacks-drop-nothing.md."""
    import torch

    own = torch._VF.lstm

    def lstm(x: Any, hx: Any, weights: Any, biases: Any, layers: Any, _: Any, *more: Any) -> Any:
        return own(x, hx, weights, biases, layers, 0.0, *more)

    patch.setattr(torch._VF, "lstm", lstm)


for catalogue in (TORCH_TRACE, TORCH_EXPORT, TORCH_STRICT, TORCH_FUNC, TORCH_NO_ONEDNN):
    catalogue.add("stacks-drop-nothing", "no dropout in training", (DROPS,), dropping_nothing)
