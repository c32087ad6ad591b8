"""torch.nn.GRU, RNN and the LSTM with a projection, wrong on purpose."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from typing import Any

from tests.meta.mutants import Catalogue

CATALOGUE = Catalogue("torch")

VALUES = "other-cells-values-are-the-oracles"
GRADIENTS = "other-cells-gradients-are-the-oracles"
READ_BACK = "other-cells-weights-read-back-are-those-loaded"
SUM = "gru-biases-are-not-seen-as-a-sum"
BY_HAND = {"GRU": "torch-gru-gates-are-r-z-n", "RNN": "torch-rnn-is-one-row-of-units"}
KINDS = {"GRU": "gru", "RNN": "rnn", "LSTM": "projected"}
"""What the names of a layer's cases begin with."""


def cases_of(layer: str) -> tuple[str, ...]:
    shapes = ("smallest", "two-layers", "bidirectional-two-layers")
    return tuple(f"{KINDS[layer]}-{shape}" for shape in shapes)


def add(name: str, family: str, layer: str, caught_by: list[str], make: Any, *cases: str) -> None:
    CATALOGUE.add(
        f"{layer.lower()}-{name}", family, caught_by, make, (*cases_of(layer), *cases)
    )  # fmt: skip


# One step, with a fault: `w` are the weights of one layer and direction by torch's names.


def gru(
    w: dict[str, Any],
    x: Any,
    h: Any,
    order: str = "rzn",
    kernel: tuple[float, float] = (1.0, 1.0),
    recurrent: tuple[float, float] = (1.0, 1.0),
    keeps: str = "h",
    reset: str = "after",
    biases: str = "ih hh",
    gate: str = "sigmoid",
    cut: str = "",
) -> tuple[Any]:
    """`keeps` is what z multiplies, `reset` where r comes in; `biases` those that are there;
    `cut` what no gradient goes through."""
    import torch

    wide = x.dtype == torch.float64
    weights = dict(w)
    if cut in weights:
        weights[cut] = weights[cut].detach()
    h_in = h.detach() if cut == "h" else h
    b_ih, b_hh = (
        weights[f"bias_{side}"] if side in biases else torch.zeros_like(weights[f"bias_{side}"])
        for side in ("ih", "hh")
    )
    if biases == "outside":
        b_ih, b_hh = weights["bias_ih"] + weights["bias_hh"], torch.zeros_like(b_hh)
    from_x = x @ weights["weight_ih"].T * kernel[wide] + b_ih
    from_h = h_in @ weights["weight_hh"].T * recurrent[wide] + b_hh
    by_x = dict(zip(order, from_x.chunk(3, dim=-1), strict=True))
    by_h = dict(zip(order, from_h.chunk(3, dim=-1), strict=True))
    squash = {"sigmoid": torch.sigmoid, "hard": torch.nn.functional.hardsigmoid}[gate]
    r, z = (squash(by_x[name] + by_h[name]) for name in "rz")
    z = z if keeps != "half" else torch.full_like(z, 0.5)
    if reset == "before":
        rows = weights["weight_hh"].chunk(3)[2]
        n = torch.tanh(by_x["n"] + (r * h_in) @ rows.T + b_hh.chunk(3)[2])
    else:
        n = torch.tanh(by_x["n"] + (by_h["n"] if reset == "never" else r * by_h["n"]))
    old, new = (n, h_in) if keeps == "n" else (h_in, n)
    return (z * old + (1 - z) * new,)


def rnn(
    w: dict[str, Any],
    x: Any,
    h: Any,
    nonlinearity: str = "",
    kernel: tuple[float, float] = (1.0, 1.0),
    recurrent: tuple[float, float] = (1.0, 1.0),
    biases: str = "ih hh",
    cut: str = "",
    transposed: bool = False,
) -> tuple[Any]:
    import torch

    wide = x.dtype == torch.float64
    weights = dict(w)
    if cut in weights:
        weights[cut] = weights[cut].detach()
    h_in = h.detach() if cut == "h" else h
    if transposed:
        weights["weight_hh"] = weights["weight_hh"].T
    total = (
        x @ weights["weight_ih"].T * kernel[wide] + h_in @ weights["weight_hh"].T * recurrent[wide]
    )
    for side in ("ih", "hh"):
        if side in biases:
            total = total + weights[f"bias_{side}"]
    return (getattr(torch, nonlinearity or w["nonlinearity"])(total),)


def projected(
    w: dict[str, Any], x: Any, h: Any, c: Any, by: tuple[float, float] = (1.0, 1.0),
    where: str = "after the gate", cut: str = "",
) -> tuple[Any, Any]:  # fmt: skip
    import torch

    width = w["weight_hr"].shape[0]
    if where == "afterwards":
        h = w.get("whole", h)[..., :width]
    total = x @ w["weight_ih"].T + h @ w["weight_hh"].T + w["bias_ih"] + w["bias_hh"]
    i, f, g, o = total.chunk(4, dim=-1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    rows = w["weight_hr"].detach() if cut == "weight_hr" else w["weight_hr"]
    rows = rows * by[x.dtype == torch.float64]
    if where == "afterwards":
        w["whole"] = torch.sigmoid(o) * torch.tanh(c)
    if where == "before the tanh":
        return (torch.sigmoid(o) @ rows.abs().T) * torch.tanh(c @ rows.T), c
    if where == "cut short":
        return (torch.sigmoid(o) * torch.tanh(c))[..., : len(rows)], c
    if where == "tanh of it":
        return torch.tanh((torch.sigmoid(o) * torch.tanh(c)) @ rows.T), c
    return (torch.sigmoid(o) * torch.tanh(c)) @ rows.T, c


def written_out(
    patch: Any,
    layer: str,
    step: Callable[..., tuple[Any, ...]],
    feeds: Callable[[list[Any]], Any] = lambda outputs: outputs[-1],
    reads: Callable[[int, int], range] = lambda time, d: range(time)[:: -1 if d else 1],
) -> None:
    """The layer's forward step by step. `feeds` is what the next layer is fed with, of the outputs
    of all below; `reads` the order in which a direction goes through the steps."""
    import torch

    forward = getattr(torch.nn, layer).forward

    def wrong(self: Any, x: Any, hx: Any = None) -> Any:
        # One without biases, or a packed one, has its mutants elsewhere.
        if not isinstance(x, torch.Tensor) or not self.bias:
            return forward(self, x, hx)
        x = x.transpose(0, 1) if self.batch_first else x
        directions = 2 if self.bidirectional else 1
        rows, batch = self.num_layers * directions, x.shape[1]
        if hx is None:
            widths = [self.proj_size or self.hidden_size, self.hidden_size][: 1 + (layer == "LSTM")]
            hx = tuple(torch.zeros(rows, batch, width, dtype=x.dtype) for width in widths)
        given = hx if isinstance(hx, tuple) else (hx,)
        outputs, ends = [x], []
        for number in range(self.num_layers):
            halves = []
            for direction in range(directions):
                suffix = f"_l{number}" + ("_reverse" if direction else "")
                own = {name.removesuffix(suffix): weight for name, weight in self.named_parameters()
                       if name.endswith(suffix)}  # fmt: skip
                own["nonlinearity"] = getattr(self, "nonlinearity", "")
                states = tuple(one[number * directions + direction] for one in given)
                below, steps = feeds(outputs), {}
                for t in reads(len(x), direction):
                    states = step(own, below[t], *states)
                    steps[t] = states[0]
                halves.append(torch.stack([steps[t] for t in range(len(x))]))
                ends.append(states)
            outputs.append(torch.cat(halves, dim=-1))
        output = outputs[-1].transpose(0, 1) if self.batch_first else outputs[-1]
        last = tuple(torch.stack(one) for one in zip(*ends, strict=True))
        return output, last if layer == "LSTM" else last[0]

    patch.setattr(getattr(torch.nn, layer), "forward", wrong)


def faults(layer: str, step: Any, table: dict[str, tuple[str, list[str], dict[str, Any]]]) -> None:
    for name, (family, caught_by, how) in table.items():
        add(
            name, family, layer, caught_by,
            lambda patch, how=how: written_out(patch, layer, functools.partial(step, **how)),
            f"{KINDS[layer]}-one-step", "rnn-relu-smallest",
        )  # fmt: skip


def close(of: str) -> dict[str, tuple[str, list[str], dict[str, Any]]]:
    """The least relative errors that no kernel may have unnoticed."""
    words = {"kernel": "kernel", "recurrent": "recurrent kernel", "by": "projection"}[of]
    near = {"3e-6": (1 + 3e-6, 1.0), "1e-14": (1.0, 1 + 1e-14)}
    return {
        f"{words.replace(' ', '-')}-{size}-off": (
            f"{words} scaled by 1 + {size}", [VALUES], {of: factors}
        )
        for size, factors in near.items()
    }  # fmt: skip


def cut(*names: str) -> dict[str, tuple[str, list[str], dict[str, Any]]]:
    """No gradient through one weight, or from step to step."""
    table = {
        name.replace("_", "-"): ("gradient missing for one weight", [GRADIENTS], {"cut": name})
        for name in names
    }
    return {f"no-gradient-by-{name}": row for name, row in table.items()}


TWO_KINDS = "reset-after-and-reset-before-are-two-grus"
IN_GRU = [VALUES, BY_HAND["GRU"]]
BIASES_Z_R = "gru-biases-of-z-and-r-are-seen-as-a-sum"
faults(
    "GRU",
    gru,
    {
        "r-and-z-exchanged": ("gates r and z exchanged", IN_GRU, {"order": "zrn"}),
        "r-and-n-exchanged": ("gates r and n exchanged", IN_GRU, {"order": "nzr"}),
        "z-and-n-exchanged": ("gates z and n exchanged", IN_GRU, {"order": "rnz"}),
        "z-is-a-half": ("z ignored", [VALUES, "gru-update-gate-keeps-the-old-h"],
                        {"keeps": "half"}),
        "z-keeps-the-candidate": ("z and 1 - z exchanged", IN_GRU, {"keeps": "n"}),
        "reset-before": ("reset before for reset after", [*IN_GRU, TWO_KINDS],
                         {"reset": "before"}),
        "never-reset": ("candidate without r", IN_GRU, {"reset": "never"}),
        "recurrent-bias-outside-of-the-reset": (
            "two biases of a GRU seen as a sum", [VALUES, SUM], {"biases": "outside"}),
        "input-bias-ignored": ("one of two biases ignored", [VALUES, BIASES_Z_R],
                               {"biases": "hh"}),
        "recurrent-bias-ignored": ("one of two biases ignored", [VALUES, BIASES_Z_R],
                                   {"biases": "ih"}),
        "hard-sigmoid": ("hard sigmoid", IN_GRU, {"gate": "hard"}),
        "gradient-cut-at-a-step": ("gradient cut at a time step", [GRADIENTS], {"cut": "h"}),
    }
    | close("kernel")
    | close("recurrent")
    | cut("weight_ih", "weight_hh", "bias_ih", "bias_hh"),
)  # fmt: skip
TWO_RNNS = "relu-and-tanh-make-two-rnns"
faults(
    "RNN",
    rnn,
    {
        "tanh-for-relu": ("tanh for relu", [VALUES, TWO_RNNS], {"nonlinearity": "tanh"}),
        "relu-for-tanh": ("relu for tanh", [VALUES, BY_HAND["RNN"]], {"nonlinearity": "relu"}),
        "input-bias-ignored": ("one of two biases ignored",
                               [VALUES, "torch-rnn-biases-are-seen-as-a-sum"], {"biases": "hh"}),
        "recurrent-bias-ignored": ("one of two biases ignored", [VALUES, BY_HAND["RNN"]],
                                   {"biases": "ih"}),
        "recurrent-kernel-ignored": (
            "recurrent kernel ignored", [VALUES, "a-transposed-recurrent-kernel-makes-another-rnn"],
            {"recurrent": (0.0, 0.0)},
        ),
        "recurrent-kernel-transposed": ("recurrent kernel transposed", [VALUES],
                                        {"transposed": True}),
        "gradient-cut-at-a-step": ("gradient cut at a time step", [GRADIENTS], {"cut": "h"}),
    }
    | close("kernel")
    | close("recurrent")
    | cut("weight_ih", "weight_hh", "bias_ih"),
)  # fmt: skip
AFTER_THE_GATE = "torch-projection-is-a-product-after-the-gate"
faults(
    "LSTM",
    projected,
    {
        "projection-after-the-last-step": (
            "projection outside of the recurrence",
            [VALUES, "a-projection-is-part-of-the-recurrence"], {"where": "afterwards"},
        ),
        "projection-cuts-short": ("projection left out", [VALUES, AFTER_THE_GATE],
                                  {"where": "cut short"}),
        "projection-before-the-tanh": ("projection before the output gate",
                                       [VALUES, AFTER_THE_GATE], {"where": "before the tanh"}),
        "tanh-of-the-projection": ("tanh of the projection", [VALUES, AFTER_THE_GATE],
                                   {"where": "tanh of it"}),
    }
    | close("by")
    | cut("weight_hr"),
)  # fmt: skip


# Around the layer's own forward.


def around(
    patch: Any,
    layer: str,
    before: Callable[..., Any] = lambda _, x, hx: (x, hx),
    after: Callable[..., Any] = lambda _, output, state: (output, state),
) -> None:
    """torch's own forward between `before(layer, x, hx)` and `after(layer, output, state)`."""
    import torch

    forward = getattr(torch.nn, layer).forward

    def wrong(self: Any, x: Any, hx: Any = None) -> Any:
        if not isinstance(x, torch.Tensor):
            return forward(self, x, hx)
        return after(self, *forward(self, *before(self, x, hx)))

    patch.setattr(getattr(torch.nn, layer), "forward", wrong)


def in_state(change: Callable[[Any], Any]) -> Callable[..., Any]:
    """What changes h and, if there is one, c."""
    return lambda state: tuple(map(change, state)) if isinstance(state, tuple) else change(state)


def one_ulp_off(patch: Any, layer: str) -> None:
    import torch

    def off(h: Any) -> Any:
        return torch.nextafter(h, h + 1)

    around(patch, layer, after=lambda _, output, state: (output, in_state(off)(state)))


def default_is_not_zeros(patch: Any, layer: str) -> None:
    import torch

    def before(self: Any, x: Any, hx: Any) -> Any:
        if hx is not None:
            return x, hx
        rows = self.num_layers * (2 if self.bidirectional else 1)
        shape = (rows, x.shape[0 if self.batch_first else 1], self.hidden_size)
        return x, torch.full(shape, 1e-3, dtype=x.dtype)

    around(patch, layer, before=before)


def state_kept(patch: Any, layer: str) -> None:
    """The state that a call ends in moves the next one's output a little."""
    calls: Any = weakref.WeakKeyDictionary()

    def before(self: Any, x: Any, hx: Any) -> Any:
        calls[self] = calls.get(self, 0) + 1
        return (x, hx) if calls[self] == 1 else (x * (1 + 1e-6), hx)

    around(patch, layer, before=before)


def directions_exchanged(patch: Any, layer: str) -> None:
    def after(self: Any, output: Any, state: Any) -> Any:
        def exchange(rows: Any) -> Any:
            return rows.unflatten(0, (-1, 2)).flip(1).flatten(0, 1) if self.bidirectional else rows

        return output, in_state(exchange)(state)

    around(patch, layer, after=after)


def packed_not_put_back(patch: Any, layer: str) -> None:
    """h_n of packed rows stays in the order in which they were sorted."""
    import torch

    forward = getattr(torch.nn, layer).forward

    def wrong(self: Any, x: Any, hx: Any = None) -> Any:
        output, state = forward(self, x, hx)
        if isinstance(x, torch.Tensor):
            return output, state
        return output, in_state(lambda rows: rows[:, x.sorted_indices])(state)

    patch.setattr(getattr(torch.nn, layer), "forward", wrong)


def upper_layer_sees_both(patch: Any, layer: str) -> None:
    step = {"GRU": gru, "RNN": rnn, "LSTM": projected}[layer]

    def feeds(outputs: list[Any]) -> Any:
        return outputs[-1] if len(outputs) < 2 else outputs[-1] + 0.01

    written_out(patch, layer, step, feeds=feeds)


def backward_reads_forward(patch: Any, layer: str) -> None:
    step = {"GRU": gru, "RNN": rnn, "LSTM": projected}[layer]
    written_out(patch, layer, step, reads=lambda time, _: range(time))


for layer in KINDS:
    add("state-one-ulp-off", "h one ulp off", layer,
        ["other-cells-last-output-is-h", "other-cells-backward-half-ends-at-step-zero"],
        lambda patch, layer=layer: one_ulp_off(patch, layer))  # fmt: skip
    add("initial-state-ignored", "initial state ignored", layer,
        [VALUES, "other-cells-use-a-given-state", "other-cells-step-by-step-is-the-whole"],
        lambda patch, layer=layer: around(
            patch, layer, before=lambda _, x, hx: (x, None)))  # fmt: skip
    add("state-kept", "stale state carried into the next call", layer,
        ["other-cells-repeat-every-bit"],
        lambda patch, layer=layer: state_kept(patch, layer))  # fmt: skip
    add("directions-exchanged", "h_n's directions exchanged", layer,
        [VALUES, "other-cells-backward-half-ends-at-step-zero"],
        lambda patch, layer=layer: directions_exchanged(patch, layer))  # fmt: skip
    add("packed-h-n-not-put-back", "h_n of packed rows in another order", layer,
        ["other-cells-short-row-is-the-row-cut-short"],
        lambda patch, layer=layer: packed_not_put_back(patch, layer))  # fmt: skip
    add("upper-layer-fed-with-more", "layer 2 fed by the wrong layer", layer,
        [VALUES, "other-cells-stack-is-its-layers"],
        lambda patch, layer=layer: upper_layer_sees_both(patch, layer))  # fmt: skip
    add("backward-reads-forward", "backward half not reversed", layer, [VALUES],
        lambda patch, layer=layer: backward_reads_forward(patch, layer))  # fmt: skip

for layer in ("GRU", "RNN"):
    add("default-state-is-not-zeros", "another default than zeros", layer,
        ["other-cells-default-state-is-zeros"],
        lambda patch, layer=layer: default_is_not_zeros(patch, layer),
        f"{KINDS[layer]}-smallest-from-zero")  # fmt: skip


@CATALOGUE.mutant("state of another class", "torch-gru-returns-h-n-alone", cases=cases_of("GRU"))
def gru_returns_a_pair(patch):
    around(patch, "GRU", after=lambda _, output, h_n: (output, (h_n,)))


@CATALOGUE.mutant(
    "c projected, too", "torch-projects-h-and-not-c", "other-cells-states-have-their-widths",
    cases=cases_of("LSTM"),
)  # fmt: skip
def lstm_projects_c_too(patch):
    def after(self, output, state):
        h_n, c_n = state
        return output, (h_n, c_n[..., : self.proj_size] if self.proj_size else c_n)

    around(patch, "LSTM", after=after)


# Mutants for the claims that two of a kind are different: here they are made the same.


@CATALOGUE.mutant("every gate the same", "gru-gates-exchanged-make-another-gru", VALUES,
                  cases=cases_of("GRU"))  # fmt: skip
def gru_gates_are_all_the_first(patch):
    def first(w, x, h):
        same = {name: one.chunk(3)[0].repeat(3, *[1] * (one.ndim - 1))
                for name, one in w.items() if name != "nonlinearity"}  # fmt: skip
        return gru(same, x, h)

    written_out(patch, "GRU", first)


@CATALOGUE.mutant(
    "recurrent kernel ignored", "a-transposed-recurrent-kernel-makes-another-gru",
    cases=cases_of("GRU"),
)  # fmt: skip
def gru_recurrent_kernel_ignored(patch):
    written_out(patch, "GRU", functools.partial(gru, recurrent=(0.0, 0.0)))


@CATALOGUE.mutant(
    "weights saved wrongly", READ_BACK, "other-cells-parameters-are-so-many", cases=cases_of("GRU")
)
def gru_saves_one_bias_of_two(patch):
    import torch

    state_dict = torch.nn.GRU.state_dict

    def wrong(self, *args, **kwargs):
        own = state_dict(self, *args, **kwargs)
        return {name: one for name, one in own.items() if not name.startswith("bias_hh")}

    patch.setattr(torch.nn.GRU, "state_dict", wrong)


@CATALOGUE.mutant("two biases of a GRU exchanged", VALUES, READ_BACK, cases=cases_of("GRU"))
def gru_loads_biases_exchanged(patch):
    import torch

    load = torch.nn.GRU.load_state_dict

    def wrong(self, own, *args, **kwargs):
        other = {"bias_ih": "bias_hh", "bias_hh": "bias_ih"}
        moved = {other.get(name[:7], name[:7]) + name[7:]: one for name, one in own.items()}
        return load(self, moved, *args, **kwargs)

    patch.setattr(torch.nn.GRU, "load_state_dict", wrong)


for name in ("GRUCell", "RNNCell", "LSTMCell"):

    def forgets_a_bias(patch, name=name):
        import torch

        forward = getattr(torch.nn, name).forward

        def wrong(self, x, hx=None):
            kept = self.bias_hh
            self.bias_hh = None if kept is None else torch.nn.Parameter(torch.zeros_like(kept))
            try:
                return forward(self, x, hx)
            finally:
                self.bias_hh = kept

        patch.setattr(getattr(torch.nn, name), "forward", wrong)

    CATALOGUE.add(
        f"{name.lower()}-forgets-a-bias", "one of two biases ignored",
        ["the-lstms-step-layer-gives-what-the-layer-gives" if name == "LSTMCell"
         else "step-layers-give-what-layers-give"],
        forgets_a_bias, () if name == "LSTMCell" else ("gru-smallest", "rnn-smallest"),
    )  # fmt: skip
