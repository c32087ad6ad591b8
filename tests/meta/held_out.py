"""Faults that are no mutants, each with the mutants' fault that it is of a kind with.

They are made another way or are of another size than any mutant, so a diagnosis has to find what it
has not seen.
"""

from __future__ import annotations

from tests.meta.mutants import Catalogue
from tests.meta.mutants.torch import replace_forward

CLAIMS = (
    "every-value-is-the-oracles", "every-gradient-is-the-oracles", "output-last-step-is-h",
    "torch-gates-are-i-f-g-o", "torch-h-n-goes-by-layer-then-direction",
    "a-second-call-repeats-every-bit", "default-initial-state-is-zeros",
    "a-stack-is-its-layers-one-after-another", "a-bidirectional-layer-is-two-lstms",
    "backward-half-ends-at-step-zero", "a-short-row-is-the-row-cut-short",
    "weights-read-back-are-those-loaded",
)  # fmt: skip
"""What is tried on each of them."""

CATALOGUE = Catalogue("torch")


def fault(kind_of: str, *cases: str):
    return CATALOGUE.mutant(kind_of, *CLAIMS, cases=cases)


def rows_of_gates(weight, order):
    import torch

    parts = dict(zip("ifgo", torch.chunk(weight, 4), strict=True))
    return torch.cat([parts[gate] for gate in order])


@fault("gates i and g exchanged")
def blocks_loaded_in_the_order_g_f_i_o(patch):
    replace_forward(patch, weights=lambda _, weight: rows_of_gates(weight, "gfio"))


@fault("gates g and o exchanged")
def blocks_loaded_in_the_order_i_f_o_g(patch):
    replace_forward(patch, weights=lambda _, weight: rows_of_gates(weight, "ifog"))


@fault("a forget bias beside the bias")
def half_a_forget_bias(patch):
    def change(name, weight):
        if not name.startswith("bias_hh"):
            return weight
        weight = weight.clone()
        units = len(weight) // 4
        weight[units : 2 * units] += 0.5
        return weight

    replace_forward(patch, weights=change)


@fault("kernel scaled by 1 + 3e-6")
def kernel_off_by_1e_5(patch):
    def change(name, weight):
        return weight * (1 + 1e-5) if name.startswith("weight_ih") else weight

    replace_forward(patch, weights=change)


@fault("recurrent kernel transposed")
def recurrent_blocks_transposed_at_loading(patch):
    import torch

    def change(name, weight):
        if not name.startswith("weight_hh"):
            return weight
        return torch.cat([part.T for part in torch.chunk(weight, 4)])

    replace_forward(patch, weights=change)


@fault("float64 computed in float32")
def all_that_is_returned_has_been_float32(patch):
    replace_forward(
        patch, after=lambda _, *returned: tuple(one.float().to(one.dtype) for one in returned)
    )


@fault("initial state ignored")
def initial_state_overwritten_with_zeros(patch):
    import torch

    def before(_, x, hx):
        return x, hx and tuple(map(torch.zeros_like, hx))

    replace_forward(patch, before=before)


@fault("h0 and c0 exchanged")
def initial_states_unpacked_in_the_other_order(patch):
    replace_forward(patch, before=lambda _, x, hx: (x, hx and (hx[1].clone(), hx[0].clone())))


@fault("another default than zeros")
def default_state_of_one_half(patch):
    import torch

    def before(lstm, x, hx):
        if hx is None:
            rows = lstm.num_layers * (2 if lstm.bidirectional else 1)
            batch = x.shape[0 if lstm.batch_first else 1]
            half = torch.full((rows, batch, lstm.hidden_size), 0.5, dtype=x.dtype)
            hx = half, half.clone()
        return x, hx

    replace_forward(patch, before=before)


@fault("(h, c) returned as (c, h)")
def states_stacked_in_the_other_order(patch):
    import torch

    def after(_, output, h_n, c_n):
        both = torch.stack([c_n, h_n])
        return output, both[0], both[1]

    replace_forward(patch, after=after)


@fault("final state one ULP off")
def h_n_two_ulps_off(patch):
    import torch

    def after(_, output, h_n, c_n):
        for _ in range(2):
            h_n = torch.nextafter(h_n, torch.full_like(h_n, 2.0))
        return output, h_n, c_n

    replace_forward(patch, after=after)


@fault("a state saved at T - 1")
def h_n_is_of_the_first_step(patch):
    def after(lstm, output, h_n, c_n):
        steps = output if not lstm.batch_first else output.transpose(0, 1)
        if lstm.num_layers == 1 and not lstm.bidirectional and output.ndim == 3:
            h_n = steps[:1]
        return output, h_n, c_n

    replace_forward(patch, after=after)


@fault("dropout active when it must not be")
def noise_in_the_output(patch):
    import torch

    def after(_, output, h_n, c_n):
        return torch.nn.functional.dropout(output, 0.2, training=True), h_n, c_n

    replace_forward(patch, after=after)


@fault("gradient scaled by 1.001")
def gradient_through_the_kernels_one_percent_steeper(patch):
    def change(name, weight):
        return 1.01 * weight - 0.01 * weight.detach() if name.startswith("weight_ih") else weight

    replace_forward(patch, weights=change)


@fault("gradient cut at the initial state")
def initial_state_copied_out_of_the_graph(patch):
    replace_forward(
        patch, before=lambda _, x, hx: (x, hx and tuple(one.detach().clone() for one in hx))
    )


@fault("gradient missing for one weight")
def no_gradient_by_any_bias(patch):
    def change(name, weight):
        return weight.detach() if name.startswith("bias") else weight

    replace_forward(patch, weights=change)


@fault("directions' outputs exchanged")
def halves_concatenated_backward_first(patch):
    def after(lstm, output, h_n, c_n):
        return (output.roll(lstm.hidden_size, -1) if lstm.bidirectional else output), h_n, c_n

    replace_forward(patch, after=after)


@fault("h_n's layers reversed")
def states_of_stacks_listed_from_the_top(patch):
    def after(lstm, output, h_n, c_n):
        if lstm.num_layers > 1 and not lstm.bidirectional:
            h_n, c_n = h_n.flip(0), c_n.flip(0)
        return output, h_n, c_n

    replace_forward(patch, after=after)


@fault("recurrent kernel ignored")
def recurrent_kernel_hardly_used(patch):
    replace_forward(
        patch,
        weights=lambda name, weight: weight * (1e-3 if name.startswith("weight_hh") else 1.0),
    )
