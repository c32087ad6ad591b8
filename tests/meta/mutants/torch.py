"""torch.nn.LSTM, wrong on purpose."""

from __future__ import annotations

from tests.meta.mutants import Catalogue

CATALOGUE = Catalogue("torch")


def _wrap_torch(patch, before=lambda weight: weight, after=lambda *result: result):
    """A forward that computes with `before(weight)` and returns `after(output, h_n, c_n)`."""
    import torch

    forward = torch.nn.LSTM.forward

    def wrong(self, x, hx=None):
        own = self._flat_weights
        self._flat_weights = [before(weight) for weight in own]
        try:
            output, (h_n, c_n) = forward(self, x, hx)
        finally:
            self._flat_weights = own
        output, h_n, c_n = after(output, h_n, c_n)
        return output, (h_n, c_n)

    patch.setattr(torch.nn.LSTM, "forward", wrong)


@CATALOGUE.mutant("f and g exchanged", "torch-gates-are-i-f-g-o")
def f_and_g_exchanged(patch):
    import torch

    def exchange(weight):
        i, f, g, o = weight.chunk(4)
        return torch.cat([i, g, f, o])

    _wrap_torch(patch, before=exchange)


@CATALOGUE.mutant("weights off by 3e 6", "every-value-is-the-oracles")
def weights_off_by_3e_6(patch):
    _wrap_torch(patch, before=lambda weight: weight * (1 + 3e-6))


@CATALOGUE.mutant("h n layers reversed", "torch-h-n-goes-by-layer-then-direction")
def h_n_layers_reversed(patch):
    _wrap_torch(patch, after=lambda output, h_n, c_n: (output, h_n.flip(0), c_n))


@CATALOGUE.mutant("c n directions exchanged", "torch-h-n-goes-by-layer-then-direction")
def c_n_directions_exchanged(patch):
    def exchange(output, h_n, c_n):
        if output.data.shape[-1] == 2 * c_n.shape[-1]:
            c_n = c_n.unflatten(0, (-1, 2)).flip(1).flatten(0, 1)
        return output, h_n, c_n

    _wrap_torch(patch, after=exchange)


@CATALOGUE.mutant("h n one ulp off", "output-last-step-is-h")
def h_n_one_ulp_off(patch):
    import torch

    def nudge(output, h_n, c_n):
        return output, torch.nextafter(h_n, torch.ones_like(h_n)), c_n

    _wrap_torch(patch, after=nudge)


@CATALOGUE.mutant("default state is not zeros", "default-initial-state-is-zeros")
def default_state_is_not_zeros(patch):
    import torch

    forward = torch.nn.LSTM.forward

    def wrong(self, x, hx=None):
        if hx is None and isinstance(x, torch.Tensor):
            batch = x.shape[0 if self.batch_first else 1]
            rows = self.num_layers * (2 if self.bidirectional else 1)
            hx = 2 * (torch.full((rows, batch, self.hidden_size), 1e-3, dtype=x.dtype),)
        return forward(self, x, hx)

    patch.setattr(torch.nn.LSTM, "forward", wrong)
