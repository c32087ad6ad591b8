"""Step layers, and layers without a batch, that take what they should not, or return too much."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from fixtures.adapters import adapters
from fixtures.adapters.tf1 import import_tensorflow
from tests.meta.mutants import Catalogue

SINGLE_ROWS = "torch-step-layers-take-single-rows"
BATCH_OF_ONE = "torch-without-a-batch-is-a-batch-of-one"
NUMBER = "torch-step-layers-refuse-a-wrong-number-of-states"
NUMBER_OF_A_ROW = "torch-rows-refuse-a-wrong-number-of-states"

BACK = "torch-step-layers-have-the-layers-gradients"
SEVERAL = "torch-vmap-over-step-layers-is-one-for-each"

COMPILED = "torch-compiled-packing-moves-no-bit"
NO_GRAPH = "torch-compiles-no-packing-into-a-graph"

PACKED = ("masked-right-lstm-two-layers",)
PLAIN = ("smallest", "gru-smallest", "rnn-smallest")

NO_BATCH = "a batch axis where there is no batch"
ANY_NUMBER = "states too many taken for the right number"

TORCH = Catalogue("torch")


def forward_of(patch: Any, ends: str, wrong: Callable[..., Any]) -> None:
    """`wrong(forward, layer, x, hx)` in the place of the forward of each of torch's layers, or step
    layers."""
    import torch

    for name in ("LSTM", "GRU", "RNN"):
        layer = getattr(torch.nn, name + ends)
        patch.setattr(layer, "forward", functools.partialmethod(_called, wrong, layer.forward))


def _called(self: Any, wrong: Any, forward: Any, x: Any, hx: Any = None) -> Any:
    return wrong(forward, self, x, hx)


@TORCH.mutant(NO_BATCH, SINGLE_ROWS, cases=PLAIN)
def step_layers_keep_the_batch_axis(patch):
    def wrong(forward, self, x, hx):
        found = forward(self, x, hx)
        if x.dim() == 2:
            return found
        return tuple(one[None] for one in found) if isinstance(found, tuple) else found[None]

    forward_of(patch, "Cell", wrong)


@TORCH.mutant("a state lost where there is no batch", SINGLE_ROWS, cases=PLAIN)
def step_layers_begin_rows_from_zeros(patch):
    def wrong(forward, self, x, hx):
        return forward(self, x, hx if x.dim() == 2 else None)

    forward_of(patch, "Cell", wrong)


@TORCH.mutant(NO_BATCH, BATCH_OF_ONE, cases=PLAIN)
def layers_return_states_of_a_batch(patch):
    def wrong(forward, self, x, hx):
        output, state = forward(self, x, hx)
        if x.dim() == 2:
            one = isinstance(state, tuple)
            state = tuple(part[:, None] for part in state) if one else state[:, None]
        return output, state

    forward_of(patch, "", wrong)


@TORCH.mutant("steps taken for rows where there is no batch", BATCH_OF_ONE, cases=PLAIN)
def layers_take_steps_for_rows(patch):
    """A batch axis put second, where `batch_first` wants it first."""

    def wrong(forward, self, x, hx):
        if x.dim() == 3 or hx is not None or not self.batch_first:
            return forward(self, x, hx)
        output, state = forward(self, x[:, None], None)
        own = tuple(part[:, -1] for part in state) if isinstance(state, tuple) else state[:, -1]
        return output[:, 0], own

    forward_of(patch, "", wrong)


def first_of(states: Any, wanted: int) -> Any:
    """So many of the states, bare where one is wanted."""
    if not isinstance(states, tuple | list) or len(states) <= wanted:
        return states
    return states[0] if wanted == 1 else tuple(states[:wanted])


@TORCH.mutant(ANY_NUMBER, NUMBER, NUMBER_OF_A_ROW, cases=("gru-smallest", "rnn-smallest"))
def step_layers_take_the_first_states(patch):
    """https://github.com/pytorch/pytorch/pull/193883"""
    import torch

    def wrong(forward, self, x, hx):
        return forward(self, x, first_of(hx, 2 if isinstance(self, torch.nn.LSTMCell) else 1))

    forward_of(patch, "Cell", wrong)


@TORCH.mutant("c taken to be zeros where it is left out", NUMBER, NUMBER_OF_A_ROW, cases=PLAIN)
def step_layers_take_h_alone(patch):
    import torch

    def wrong(forward, self, x, hx):
        alone = isinstance(hx, tuple) and len(hx) == 1
        if not alone:
            return forward(self, x, hx)
        lstm = isinstance(self, torch.nn.LSTMCell)
        return forward(self, x, (hx[0], torch.zeros_like(hx[0])) if lstm else hx[0])

    forward_of(patch, "Cell", wrong)


@TORCH.mutant("a step layer goes back by half", BACK, cases=(*PLAIN, "rnn-relu-smallest"))
def step_layers_go_back_by_half(patch):
    """<https://github.com/pytorch/pytorch/issues/11662> was about a step layer with a relu."""

    def half(one):
        return (one + one.detach()) / 2

    def wrong(forward, self, x, hx):
        found = forward(self, x, hx)
        return tuple(map(half, found)) if isinstance(found, tuple) else half(found)

    forward_of(patch, "Cell", wrong)


@TORCH.mutant("step layers in each other's place", SEVERAL, cases=("gru-smallest", "rnn-smallest"))
def vmapped_step_layers_are_rolled(patch):
    import torch
    from torch.utils._pytree import tree_map

    healthy = torch.func.vmap

    def vmap(function, *args, **options):
        of = healthy(function, *args, **options)
        return lambda *given: tree_map(lambda one: one.roll(1, dims=0), of(*given))

    patch.setattr(torch.func, "vmap", vmap)


# torch.compile of what packs


def other_compile(patch: Any, change: Callable[..., Any]) -> None:
    """`torch.compile` with `change(own, model, options)` for what it returns."""
    import torch

    own = torch.compile
    patch.setattr(torch, "compile", lambda model, **options: change(own, model, options))


@TORCH.mutant("the first batch's lengths frozen", COMPILED, cases=PACKED)
def compiled_lengths_are_frozen(patch):
    """As a graph would have them that has taken them for constants."""

    def change(own, model, options):
        made, first = own(model, **options), []

        def call(x, lengths, *rest):
            first.append(lengths)
            return made(x, first[0], *rest)

        return call

    other_compile(patch, change)


@TORCH.mutant("a packing in a graph in silence", NO_GRAPH, cases=PACKED)
def fullgraph_is_not_heard(patch):
    """Falling back to Python where it was to be refused."""

    def change(own, model, options):
        return own(model, **{name: one for name, one in options.items() if name != "fullgraph"})

    other_compile(patch, change)


# Every framework: too few axes, states too many

KERAS3, KERAS2, TF1 = Catalogue("keras3"), Catalogue("keras2"), Catalogue("tf1")
CATALOGUES = (TORCH, KERAS3, KERAS2, TF1)

TOO_FEW = "inputs-with-an-axis-too-few-are-refused"
EXTRA = "keras-step-layers-pass-over-states-too-many"
H_ALONE = "step-layers-of-lstms-refuse-h-without-c"

AN_AXIS = "inputs with an axis too few taken"


@TORCH.mutant(AN_AXIS, TOO_FEW, cases=PLAIN)
def layers_take_inputs_of_one_axis(patch):
    forward_of(patch, "", lambda own, self, x, hx: own(self, x[None] if x.dim() == 1 else x, hx))


def add_keras(catalogue: Catalogue) -> None:
    def layers() -> Any:
        return adapters()[catalogue.adapter].keras().layers

    @catalogue.mutant(AN_AXIS, TOO_FEW, cases=PLAIN)
    def layers_take_rows_without_steps(patch):
        """As a sequence of one step each."""
        for name in ("LSTM", "GRU", "SimpleRNN"):
            layer = getattr(layers(), name)
            own = layer.__call__

            @functools.wraps(own)
            def called(self, x, *args, own=own, **kwargs):
                return own(self, x[:, None] if len(x.shape) == 2 else x, *args, **kwargs)

            patch.setattr(layer, "__call__", called)

    @catalogue.mutant("the last of the states taken for the first", EXTRA, cases=PLAIN)
    def step_layers_take_the_last_states(patch):
        with_states(patch, layers().LSTMCell, lambda states: states[-2:])

    @catalogue.mutant("h alone taken for h and c", H_ALONE, cases=PLAIN)
    def step_layers_take_h_for_c(patch):
        with_states(patch, layers().LSTMCell, lambda states: [*states, *states][:2])


def with_states(patch: Any, cell: Any, change: Callable[[Any], Any]) -> None:
    own = cell.call

    @functools.wraps(own)
    def call(self: Any, inputs: Any, states: Any, *args: Any, **kwargs: Any) -> Any:
        return own(self, inputs, change(list(states)), *args, **kwargs)

    patch.setattr(cell, "call", call)


add_keras(KERAS3)
add_keras(KERAS2)


@TF1.mutant(AN_AXIS, TOO_FEW, cases=PLAIN)
def loops_take_rows_without_steps(patch):
    nn = import_tensorflow().compat.v1.nn
    own = nn.dynamic_rnn

    def dynamic_rnn(cell, x, *args, **kwargs):
        return own(cell, x[:, None] if len(x.shape) == 2 else x, *args, **kwargs)

    patch.setattr(nn, "dynamic_rnn", dynamic_rnn)
