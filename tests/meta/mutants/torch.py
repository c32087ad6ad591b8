"""torch.nn.LSTM, wrong on purpose: its forward, and for gradients its backward."""

from __future__ import annotations

import functools
import re
import weakref
from collections.abc import Callable
from typing import Any

from tests.meta.mutants import CLOSE, Catalogue
from tests.meta.mutants.cell import EVERY, FAULTS, GRADIENTS, Fault, Ops, step

CATALOGUE = Catalogue("torch")
mutant = CATALOGUE.mutant

ROWS = "torch-h-n-goes-by-layer-then-direction"
LAST_IS_H = "output-last-step-is-h"
ENDS = "backward-half-ends-at-step-zero"


def ops() -> Ops:
    import torch

    return Ops(
        matmul=torch.matmul,
        split=lambda value: torch.chunk(value, 4, dim=-1),
        concat=lambda values: torch.cat(values, dim=-1),
        sigmoid=torch.sigmoid,
        tanh=torch.tanh,
        clip=lambda value: torch.clip(value, 0, 1),
        cast=lambda value, dtype: value.to(
            getattr(torch, dtype) if isinstance(dtype, str) else dtype
        ),
        transpose=lambda value: value.T,
        stop_gradient=lambda value: value.detach(),
    )


def replace_forward(patch, before=None, after=None, weights=None) -> None:
    """torch's own forward between `before(lstm, x, hx)` and `after(lstm, output, h_n, c_n)`.

    `weights(name, weight)` changes what it computes with. Packed sequences pass `before` by.
    """
    import torch

    forward = torch.nn.LSTM.forward

    def wrong(self, x, hx=None):
        if before is not None and isinstance(x, torch.Tensor):
            x, hx = before(self, x, hx)
        own = self._flat_weights
        if weights is not None:
            names = self._flat_weights_names
            self._flat_weights = [weights(*pair) for pair in zip(names, own, strict=True)]
        try:
            output, (h_n, c_n) = forward(self, x, hx)
        finally:
            self._flat_weights = own
        if after is not None and isinstance(output, torch.Tensor):
            output, h_n, c_n = after(self, output, h_n, c_n)
        return output, (h_n, c_n)

    patch.setattr(torch.nn.LSTM, "forward", wrong)


def refused(torch: Any) -> bool:
    """Whether oneDNN has no kernel for the layer as it is called."""
    in_autocast = torch.is_autocast_enabled("cpu")
    return in_autocast and torch.get_autocast_dtype("cpu") == torch.float16


def written_out(
    patch,
    fault: Fault = Fault(),  # noqa: B008
    feeds: Callable[[list[Any]], Any] = lambda outputs: outputs[-1],
) -> None:
    """A forward step by step; `feeds(outputs of the layers below)` is the next layer's input."""
    import torch

    forward, tools = torch.nn.LSTM.forward, ops()

    def wrong(self, x, hx=None):
        if not isinstance(x, torch.Tensor) or x.ndim not in (2, 3) or refused(torch):
            return forward(self, x, hx)
        if x.ndim == 2:  # one sequence, without a batch
            batch = 0 if self.batch_first else 1
            rows = None if hx is None else tuple(one[:, None] for one in hx)
            output, ends = wrong(self, x.unsqueeze(batch), rows)
            return output.squeeze(batch), tuple(one[:, 0] for one in ends)
        if hx is not None:
            self.check_forward_args(x, hx, None)
        x = x.transpose(0, 1) if self.batch_first else x
        directions = 2 if self.bidirectional else 1
        rows = self.num_layers * directions
        zeros = torch.zeros(rows, x.shape[1], self.hidden_size, dtype=x.dtype)
        h_0, c_0 = (zeros, zeros) if hx is None else hx
        outputs, ends = [x], []
        for layer in range(self.num_layers):
            halves = []
            for direction in range(directions):
                suffix = f"l{layer}" + ("_reverse" if direction else "")
                own = {name: getattr(self, f"weight_{name}_{suffix}").T for name in ("ih", "hh")}
                bias = None
                if self.bias:
                    bias = getattr(self, f"bias_ih_{suffix}") + getattr(self, f"bias_hh_{suffix}")
                h, c = h_0[layer * directions + direction], c_0[layer * directions + direction]
                below, steps = feeds(outputs), []
                for t in range(len(x))[:: -1 if direction else 1]:
                    h, c = step(tools, fault, below[t], h, c, own["ih"], own["hh"], bias)
                    steps.append(h)
                halves.append(torch.stack(steps[:: -1 if direction else 1]))
                ends.append((h, c))
            outputs.append(torch.cat(halves, dim=-1))
        output = outputs[-1].transpose(0, 1) if self.batch_first else outputs[-1]
        return output, tuple(torch.stack(states) for states in zip(*ends, strict=True))

    patch.setattr(torch.nn.LSTM, "forward", wrong)


for fault in FAULTS:
    claims = fault.caught_by
    if "gates" in fault.family:
        claims = (*claims, "torch-gates-are-i-f-g-o")
    CATALOGUE.add(
        fault.name,
        fault.family,
        claims,
        lambda patch, fault=fault: written_out(patch, fault),
        fault.cases,
    )


# Weights


def one_bias(patch, which: str, factor: float) -> None:
    def change(name, weight):
        return factor * weight if name.startswith(which) else weight

    replace_forward(patch, weights=change)


for which in ("bias_ih", "bias_hh"):
    CATALOGUE.add(
        f"{which.replace('_', '-')}-ignored",
        "one of two biases ignored",
        [EVERY, "torch-biases-are-seen-as-a-sum", "torch-gates-are-i-f-g-o"],
        lambda patch, which=which: one_bias(patch, which, 0.0),
    )
    CATALOGUE.add(
        f"{which.replace('_', '-')}-doubled",
        "one of two biases doubled",
        [EVERY, "torch-biases-are-seen-as-a-sum"],
        lambda patch, which=which: one_bias(patch, which, 2.0),
    )


@mutant(
    "a forget bias beside the bias",
    EVERY,
    "torch-gates-are-i-f-g-o",
    "recorded-values-are-still-computed",
    "recorded-residual-output-is-still-computed",
)
def forget_bias_added(patch):
    import torch

    def change(name, weight):
        i, f, g, o = weight.chunk(4)
        return torch.cat([i, f + 1, g, o]) if name.startswith("bias_ih") else weight

    replace_forward(patch, weights=change)


def slightly_off(patch, kind: str, of: str, dtype: str, by: float) -> None:
    """One kind of kernel, in the layers or directions whose names hold `of`."""
    import torch

    def change(name, weight):
        found = name.startswith(f"weight_{kind}") and of in name
        return weight * (1 + by) if found and weight.dtype == getattr(torch, dtype) else weight

    replace_forward(patch, weights=change)


for whose, of in (("bottom layer's", "_l0"), ("second layer's", "_l1"), ("backward", "_reverse")):
    for which, kind in (("kernel", "ih"), ("recurrent kernel", "hh")):
        for dtype, by in CLOSE:
            family = f"{whose} {which} scaled by 1 + {by:.0e}".replace("-06", "-6")
            CATALOGUE.add(
                re.sub("[^a-z0-9-]+", "-", family.replace("'", "")),
                family,
                [EVERY],
                functools.partial(slightly_off, kind=kind, of=of, dtype=dtype, by=by),
            )


@mutant("every gate the same", EVERY, "gates-exchanged-make-another-lstm")
def all_gates_are_the_first(patch):
    def change(_, weight):
        return weight.chunk(4)[0].repeat(4, *[1] * (weight.ndim - 1))

    replace_forward(patch, weights=change)


@mutant("recurrent kernel ignored", EVERY, "a-transposed-recurrent-kernel-makes-another-lstm")
def recurrent_kernel_ignored(patch):
    replace_forward(
        patch, weights=lambda name, weight: weight * ("hh" not in name or weight.ndim < 2)
    )


# Stacks


@mutant("layer 2 fed by the wrong layer", EVERY, "a-stack-is-its-layers-one-after-another",
        cases=["bidirectional-three-layers", "three-layers"])  # fmt: skip
def upper_layers_fed_by_the_one_below_the_next(patch):
    written_out(patch, feeds=lambda outputs: outputs[-1 if len(outputs) < 3 else -2])


@mutant("layer 2 fed by one direction only", EVERY, "a-stack-is-its-layers-one-after-another")
def upper_layers_fed_by_one_direction(patch):
    import torch

    def feeds(outputs):
        if len(outputs) == 1 or outputs[-1].shape[-1] == outputs[0].shape[-1]:
            return outputs[-1]
        forward, backward = outputs[-1].chunk(2, dim=-1)
        return torch.cat([forward, torch.zeros_like(backward)], dim=-1)

    written_out(patch, feeds=feeds)


@mutant("dropout active when it must not be", EVERY, "a-second-call-repeats-every-bit")
def dropout_between_steps(patch):
    import torch

    replace_forward(
        patch, before=lambda _, x, hx: (torch.nn.functional.dropout(x, 0.5, training=True), hx)
    )


# Initial states


@mutant(
    "initial state ignored", EVERY, "a-given-initial-state-is-used", "step-by-step-is-the-whole"
)
def initial_state_ignored(patch):
    replace_forward(patch, before=lambda _, x, hx: (x, None))


@mutant("initial state used for one layer only", EVERY)
def initial_state_of_upper_layers_ignored(patch):
    import torch

    def before(_, x, hx):
        if hx is None:
            return x, hx
        return x, tuple(torch.cat([one[:1], torch.zeros_like(one[1:])]) for one in hx)

    replace_forward(patch, before=before)


@mutant("h0 and c0 exchanged", EVERY, "torch-gates-are-i-f-g-o")
def h_0_and_c_0_exchanged(patch):
    replace_forward(patch, before=lambda _, x, hx: (x, hx and hx[::-1]))


@mutant("h0 taken for c0 too", EVERY, "h0-and-c0-do-not-take-each-others-place")
def sum_of_h_0_and_c_0_taken_for_both(patch):
    def before(_, x, hx):
        return x, hx and 2 * (hx[0] + hx[1],)

    replace_forward(patch, before=before)


@mutant("directions' initial states exchanged", EVERY, "a-bidirectional-layer-is-two-lstms")
def initial_states_of_directions_exchanged(patch):
    replace_forward(
        patch, before=lambda lstm, x, hx: (x, hx and tuple(exchanged(lstm, s) for s in hx))
    )


@mutant("another default than zeros", "default-initial-state-is-zeros", EVERY,
        "one-step-from-zero-ignores-the-recurrent-kernel",
        cases=["smallest-from-zero", "one-step-from-zero"])  # fmt: skip
def default_state_is_not_zeros(patch):
    import torch

    def before(self, x, hx):
        rows = self.num_layers * (2 if self.bidirectional else 1)
        shape = (rows, x.shape[0 if self.batch_first else 1], self.hidden_size)
        return x, 2 * (torch.full(shape, 1e-3, dtype=x.dtype),) if hx is None else hx

    replace_forward(patch, before=before)


@mutant("stale state carried into the next call", "a-second-call-repeats-every-bit",
        cases=["bidirectional-two-layers-from-zero"])  # fmt: skip
def last_state_is_the_next_default(patch):
    last = weakref.WeakKeyDictionary()

    def before(self, x, hx):
        return x, last.get(self) if hx is None else hx

    def after(self, output, h_n, c_n):
        last[self] = (h_n.detach(), c_n.detach())
        return output, h_n, c_n

    replace_forward(patch, before=before, after=after)


@mutant("gradient cut at the initial state", GRADIENTS)
def gradient_cut_at_the_initial_state(patch):
    replace_forward(patch, before=lambda _, x, hx: (x, hx and tuple(one.detach() for one in hx)))


# Final states


def exchanged(lstm, states):
    """Rows forward, backward, forward, ... with the two of every layer exchanged."""
    return states.unflatten(0, (-1, 2)).flip(1).flatten(0, 1) if lstm.bidirectional else states


def top_repeated(lstm, states):
    return states[-1:].expand_as(states)


NO_LOWER = "output-last-step-is-no-lower-layers-h"
for name, family, change, caught_by in (
    ("layers-reversed", "h_n's layers reversed", lambda lstm, states: states.flip(0), LAST_IS_H),
    ("directions-exchanged", "h_n's directions exchanged", exchanged, ENDS),
    ("top-row-repeated", "one layer's row of h_n repeated", top_repeated, NO_LOWER),
):
    for which, touched in (("h-n-and-c-n", "hc"), ("h-n", "h"), ("c-n", "c")):

        def after(lstm, output, h_n, c_n, change=change, touched=touched):
            h_n = change(lstm, h_n) if "h" in touched else h_n
            return output, h_n, change(lstm, c_n) if "c" in touched else c_n

        CATALOGUE.add(
            f"{which}-{name}",
            family if touched == "hc" else f"{family}, {which.replace('-', '_')} alone",
            [EVERY, ROWS, *[caught_by] * ("h" in touched)],
            lambda patch, after=after: replace_forward(patch, after=after),
        )


@mutant("c returned for h", EVERY, ROWS, LAST_IS_H, "torch-last-output-is-the-last-row-of-h-n")
def c_n_returned_for_h_n(patch):
    replace_forward(patch, after=lambda _, output, h_n, c_n: (output, c_n, c_n))


@mutant("(h, c) returned as (c, h)", EVERY, ROWS, LAST_IS_H)
def h_n_and_c_n_exchanged(patch):
    replace_forward(patch, after=lambda _, output, h_n, c_n: (output, c_n, h_n))


@mutant("h returned for c", EVERY, "output-last-step-is-not-c")
def h_n_returned_for_c_n(patch):
    replace_forward(patch, after=lambda _, output, h_n, c_n: (output, h_n, h_n))


@mutant("final state one ULP off", LAST_IS_H, "torch-last-output-is-the-last-row-of-h-n")
def h_n_one_ulp_off(patch):
    import torch

    def after(_, output, h_n, c_n):
        return output, torch.nextafter(h_n, torch.ones_like(h_n)), c_n

    replace_forward(patch, after=after)


@mutant("a state saved at T - 1", EVERY, LAST_IS_H)
def h_n_is_of_the_step_before(patch):
    def after(lstm, output, h_n, c_n):
        steps = output if lstm.batch_first else output.transpose(0, 1)
        if not lstm.bidirectional and steps.shape[1] > 1:
            h_n = h_n.clone()
            h_n[-1] = steps[:, -2]
        return output, h_n, c_n

    replace_forward(patch, after=after)


# Directions


def backward_half(change):
    """An `after` that changes the backward half of the output, `[batch, time, units]`."""
    import torch

    def after(lstm, output, h_n, c_n):
        if lstm.bidirectional:
            first = output if lstm.batch_first else output.transpose(0, 1)
            forward, backward = first.chunk(2, dim=-1)
            output = torch.cat(change(forward, backward), dim=-1)
            output = output if lstm.batch_first else output.transpose(0, 1)
        return output, h_n, c_n

    return after


@mutant("backward half not reversed back", EVERY, ENDS)
def backward_half_not_reversed_back(patch):
    replace_forward(patch, after=backward_half(lambda f, b: [f, b.flip(1)]))


@mutant("directions' outputs exchanged", EVERY, ENDS,
        "a-bidirectional-layer-is-two-lstms",
        "at-one-step-last-output-is-the-final-states")  # fmt: skip
def halves_exchanged(patch):
    replace_forward(patch, after=backward_half(lambda f, b: [b, f]))


@mutant("backward final state taken at the wrong end", EVERY, "last-output-is-not-the-final-states",
        ENDS)  # fmt: skip
def backward_state_taken_at_the_last_step(patch):
    def after(lstm, output, h_n, c_n):
        if lstm.bidirectional:
            h_n = h_n.clone()
            last = output[:, -1] if lstm.batch_first else output[-1]
            h_n[-1] = last.chunk(2, dim=-1)[1]
        return output, h_n, c_n

    replace_forward(patch, after=after)


# Layouts


@mutant("time and batch exchanged when equal", EVERY, cases=["square", "square-bidirectional"])
def batch_first_ignored_when_batch_is_time(patch):
    def before(_, x, hx):
        return x.transpose(0, 1) if x.shape[0] == x.shape[1] else x, hx

    replace_forward(patch, before=before)


@mutant("batch_first ignored", "torch-batch-first-is-a-transposition", cases=["square"])
def time_major_reads_batch_first(patch):
    def before(lstm, x, hx):
        if not lstm.batch_first and x.shape[0] == x.shape[1]:
            x = x.transpose(0, 1)
        return x, hx

    replace_forward(patch, before=before)


def states_batch_first(lstm, output, h_n, c_n):
    if lstm.batch_first:
        h_n, c_n = h_n.transpose(0, 1), c_n.transpose(0, 1)
    return output, h_n, c_n


@mutant("batch_first applied to states", "torch-h-n-has-a-row-per-direction",
        "one-state-per-layer-and-direction",
        "torch-batch-first-leaves-the-states-alone")  # fmt: skip
def states_returned_batch_first(patch):
    replace_forward(patch, after=states_batch_first)


@mutant("batch_first applied to initial states", "torch-refuses-batch-first-states")
def states_taken_batch_first(patch):
    def before(lstm, x, hx):
        if lstm.batch_first and hx is not None and hx[0].shape[0] == x.shape[0] != hx[0].shape[1]:
            hx = tuple(one.transpose(0, 1).contiguous() for one in hx)
        return x, hx

    replace_forward(patch, before=before)


@mutant("an output of another width", "output-has-the-top-layers-shape")
def output_is_one_feature_wider(patch):
    import torch

    replace_forward(
        patch, after=lambda _, output, h, c: (torch.cat([output, output[..., :1]], dim=-1), h, c)
    )


@mutant("a state of another shape", "one-state-per-layer-and-direction")
def states_hold_every_row_twice(patch):
    import torch

    replace_forward(patch, after=lambda _, output, h, c: (output, torch.cat([h, h], 1), c))


@mutant("weights held as columns", "torch-weights-are-rows")
def weights_held_as_columns(patch):
    import torch

    state_dict = torch.nn.LSTM.state_dict

    def wrong(self, *args, **kwargs):
        own = state_dict(self, *args, **kwargs)
        return {name: value.T if value.ndim > 1 else value for name, value in own.items()}

    patch.setattr(torch.nn.LSTM, "state_dict", wrong)


@mutant("weights stored rounded", "weights-read-back-are-those-loaded", EVERY)
def weights_stored_as_bfloat16(patch):
    import torch

    load = torch.nn.LSTM.load_state_dict

    def wrong(self, state_dict, *args, **kwargs):
        coarse = {name: value.bfloat16().to(value.dtype) for name, value in state_dict.items()}
        return load(self, coarse, *args, **kwargs)

    patch.setattr(torch.nn.LSTM, "load_state_dict", wrong)


# Rows that end early


def packed(patch, change) -> None:
    """`change(padded output, lengths, h_n, c_n)` on the results for packed sequences."""
    import torch
    from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

    forward = torch.nn.LSTM.forward

    def wrong(self, x, hx=None):
        output, (h_n, c_n) = forward(self, x, hx)
        if isinstance(output, PackedSequence):
            padded, lengths = pad_packed_sequence(output, batch_first=True)
            h_n, c_n = change(padded, lengths, h_n, c_n)
        return output, (h_n, c_n)

    patch.setattr(torch.nn.LSTM, "forward", wrong)


@mutant("a short row's state taken at time's end", "a-short-rows-h-is-its-last-output",
        "a-short-row-is-the-row-cut-short")  # fmt: skip
def state_of_short_rows_is_the_longest_rows(patch):
    packed(patch, lambda output, lengths, h, c: (h[:, -1:].expand_as(h), c))


@mutant("sequence lengths ignored", "a-short-row-is-the-row-cut-short",
        "output-past-a-rows-end-is-zero", "padding-counts-unless-lengths-are-given",
        "recorded-short-rows-are-still-computed")  # fmt: skip
def lengths_ignored(patch):
    from torch.nn.utils import rnn

    pack = rnn.pack_padded_sequence

    def wrong(x, lengths, **kwargs):
        return pack(x, lengths * 0 + x.shape[1], **kwargs)

    patch.setattr(rnn, "pack_padded_sequence", wrong)


@mutant("past a row's end the output repeats", "the-last-step-of-a-short-row-is-not-h",
        "output-past-a-rows-end-is-zero")  # fmt: skip
def padding_repeats_the_last_output(patch):
    import torch
    import torch.nn.utils.rnn as rnn

    pad = rnn.pad_packed_sequence

    def wrong(*args, **kwargs):
        output, lengths = pad(*args, **kwargs)
        last = (lengths - 1)[:, None]
        steps = torch.minimum(torch.arange(output.shape[1])[None], last)
        return output.gather(1, steps[..., None].expand_as(output)), lengths

    patch.setattr(rnn, "pad_packed_sequence", wrong)


# Gradients


@mutant("gradient by one of two biases scaled", "torch-both-biases-have-one-gradient")
def bias_hh_gradient_scaled(patch):
    import torch

    replace_forward(
        patch,
        weights=lambda name, weight: (
            1.001 * weight - 0.001 * weight.detach()
            if name.startswith("bias_hh") and torch.is_grad_enabled()
            else weight
        ),
    )


@mutant("gradient through the output scaled", "gradients-through-last-output-are-those-through-h",
        GRADIENTS, "recorded-gradients-are-still-computed")  # fmt: skip
def gradient_through_the_output_scaled(patch):
    def after(_, output, h_n, c_n):
        return 1.001 * output - 0.001 * output.detach(), h_n, c_n

    replace_forward(patch, after=after)


@mutant(
    "another result while gradients are recorded", "values-under-differentiation-are-the-oracles"
)
def output_off_while_gradients_are_recorded(patch):
    import torch

    replace_forward(
        patch,
        after=lambda _, output, h, c: (output * (1 + 1e-5 * torch.is_grad_enabled()), h, c),
    )


# What is on top, and steps one by one


@mutant("a dense layer without its bias", "mnist-logits-are-the-oracles")
def dense_bias_ignored(patch):
    import torch

    patch.setattr(torch.nn.Linear, "forward", lambda self, x: x @ self.weight.T)


@mutant("a dense layer whose kernel is reversed", "mnist-digits-are-the-oracles")
def classes_reversed(patch):
    import torch

    forward = torch.nn.Linear.forward
    patch.setattr(torch.nn.Linear, "forward", lambda self, x: forward(self, x).flip(-1))


@mutant("a dense layer that sees no image", "mnist-digits-depend-on-the-image")
def logits_do_not_depend_on_the_image(patch):
    import torch

    forward = torch.nn.Linear.forward
    patch.setattr(torch.nn.Linear, "forward", lambda self, x: forward(self, 0 * x))


@mutant(
    "c off after every call", "c-of-every-step-is-the-oracles", "step-by-step-is-the-whole", EVERY
)
def c_n_one_in_ten_thousand_off(patch):
    replace_forward(patch, after=lambda _, output, h_n, c_n: (output, h_n, 1.0001 * c_n))


@mutant("more parameters", "parameters-do-not-depend-on-time")
def one_more_row_of_weights(patch):
    import torch

    state_dict = torch.nn.LSTM.state_dict

    def wrong(self, *args, **kwargs):
        own = state_dict(self, *args, **kwargs)
        return {name: torch.cat([value, value[:, :1]], 1) if name.startswith("weight_ih") else value
                for name, value in own.items()}  # fmt: skip

    patch.setattr(torch.nn.LSTM, "state_dict", wrong)
