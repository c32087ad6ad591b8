"""Derivatives beyond the gradients of a loss: along a direction, of the gradients themselves, of
each row of the batch, and through what is computed again.

A penalty on gradients, meta-learning and a Hessian times a vector go twice through a layer; forward
mode, per-sample gradients and recomputation are each a way of its own through the same layer, and
kernels that have one of them need not have the others.
"""

from __future__ import annotations

from dataclasses import replace

from fixtures.cases import named, plain, some
from fixtures.cells import GRU, LSTM, RNN
from fixtures.checks.compare import (
    assert_each_within_rounding,
    assert_same_bits,
    assert_structure,
    assert_within_rounding,
)
from fixtures.claims import KERAS, TORCH, claim
from fixtures.model.experiment import Upstream
from fixtures.model.weights import arrays_of
from fixtures.oracle.rounding import gradients_of
from fixtures.oracle.tangents import derivatives_of, second_gradients_of


def smooth(case):
    """Without kinks, which have no second derivative; nor is one of a layer norm written here."""

    def of(cell):
        match cell:
            case LSTM():
                plain_lstm = replace(cell, projection=None, peepholes=False, coupled=False)
                return plain_lstm == LSTM()
            case GRU() | RNN():
                return cell in (GRU(), GRU(reset_after=False), RNN())
        return False

    return case.loop.return_sequences and all(map(of, case.cells))


def plain_and_smooth(case):
    return plain(case) and smooth(case)


OF_EACH_KIND = ("smallest", "bidirectional", "gru-smallest", "rnn-smallest")
TWICE = some(
    smooth, *OF_EACH_KIND, "two-layers", "gru-reset-before-smallest", "peepholes-smallest",
    "projected-smallest", "masked-right-lstm-two-layers", "masked-right-gru-two-layers-from-zero",
)  # fmt: skip
ONE_WAY = some(plain_and_smooth, *OF_EACH_KIND)
ROW_BY_ROW = some(
    plain_and_smooth, "smallest", "gru-smallest", "rnn-smallest",
    "smallest-from-zero", "gru-smallest-from-zero",
)  # fmt: skip


@claim(
    kind="rounding",
    statement="The gradients of gradients are those of the equations: a loss's gradients, weighed "
    "with a direction, are differentiated once more by all that goes in.",
    formula="d <d loss / d everything, direction> / d (x, kernel, recurrent kernel, bias, h0, c0)",
    cases=TWICE,
    recipe="second_gradients",
)
def test_second_gradients_are_the_oracles(along, experiment, direction):
    found = along("second_gradients")
    assert_within_rounding(dict(found.tensors()), second_gradients_of(experiment, direction))


@claim(
    kind="rounding",
    statement="How fast output and final states move along a direction, in forward mode, is what "
    "the equations say.",
    formula="d (output, h, c) / d everything @ direction == oracle",
    cases=ONE_WAY,
    recipe="directional_derivatives",
)
def test_directional_derivatives_are_the_oracles(along, experiment, direction):
    found = along("directional_derivatives")
    assert_within_rounding(dict(found.tensors()), derivatives_of(experiment, direction))


@claim(
    kind="rounding",
    statement="The gradients that each row of a batch has by itself, computed for all rows at "
    "once, are those of a batch of that row alone.",
    formula="vmap(grad(loss))(x)[b] == grad(loss)(x[b:b + 1])",
    cases=ROW_BY_ROW,
    recipe="gradients_of_each_row",
)
def test_gradients_of_each_row_are_those_of_it_alone(adapter, experiment):
    rows = {}
    for row, found in enumerate(adapter.gradients_of_each_row(experiment)):
        arrays, alone = arrays_of(found), gradients_of(with_its_loss(experiment, row))
        rows[f"row {row}"] = (arrays, {name: alone[name] for name in arrays})
    assert_each_within_rounding(rows)


@claim(
    kind="rounding",
    statement="Of one call for the whole batch, the losses of its rows are differentiated by the "
    "weights all at once, by `jacrev` or `is_grads_batched`: to the gradients of each row alone.",
    formula="jacrev(losses)(weights)[b] == grad(loss)(x[b:b + 1])",
    cases=some(plain_and_smooth, *OF_EACH_KIND, "two-layers"),
    about=TORCH,
    recipe="jacobians",
)
def test_torch_jacobians_are_gradients_row_by_row(adapter, experiment):
    rows = {}
    for way, found in adapter.jacobians(experiment).items():
        for row, one in enumerate(found):
            arrays, alone = arrays_of(one), gradients_of(with_its_loss(experiment, row))
            rows[f"{way}, row {row}"] = (arrays, {name: alone[name] for name in arrays})
    assert_each_within_rounding(rows)


@claim(
    kind="rounding",
    statement="The gradients by inputs and weights are the equations' also where a layer is "
    "computed again on the way back, for its memory.",
    formula="d loss(recomputed(layer)) / d (x, kernel, recurrent kernel, bias) == oracle",
    cases=ONE_WAY,
    recipe="recomputed_gradients",
)
def test_recomputed_gradients_are_the_oracles(recipe, oracle_gradients):
    found = dict(recipe("recomputed_gradients").gradients.tensors())
    these = [name for name in found if not name.startswith("initial")]
    assert_within_rounding(
        {name: found[name] for name in these}, {name: oracle_gradients[name] for name in these}
    )


@claim(
    kind="rounding",
    statement="The gradients by the initial states, too, come through a layer that is computed "
    "again on the way back.",
    formula="d loss(recomputed(layer)) / d (h0, c0) == oracle",
    cases=ONE_WAY,
    recipe="recomputed_gradients",
)
def test_recomputed_gradients_reach_the_states(recipe, oracle_gradients):
    found = dict(recipe("recomputed_gradients").gradients.tensors())
    these = [name for name in found if name.startswith("initial")]
    assert_within_rounding(
        {name: found[name] for name in these}, {name: oracle_gradients[name] for name in these}
    )


@claim(
    kind="rounding",
    statement="Under `checkpoint(..., use_reentrant=True)` what an LSTM's h_n and c_n put into the "
    "loss reaches no gradient, and nothing is said: they lie in a pair, into which it does not "
    "look. A GRU's h_n lies beside the output, and does.",
    formula="d loss(checkpoint(lstm, x, use_reentrant=True)) == d loss(output, 0 h_n, 0 c_n)",
    cases=some(plain_and_smooth, "smallest", "bidirectional", "two-layers", "gru-smallest"),
    about=TORCH,
    recipe="gradients_recomputed_in_between",
)
def test_torch_reentrant_checkpoints_lose_the_states(recipe, experiment):
    found = dict(recipe("gradients_recomputed_in_between").gradients.tensors())
    loss, nothing = experiment.upstream, experiment.zero_state()
    if len(experiment.cell.states) > 1:
        loss = Upstream(loss.output, nothing.h, nothing.c)
    assert_within_rounding(found, gradients_of(replace(experiment, upstream=loss)))


@claim(
    kind="exact",
    statement="Hooks that look on, on the way there and back, change no bit of what a layer "
    "returns and of its gradients.",
    formula="lstm.register_full_backward_hook(looks_on); d loss == d loss without",
    cases=some(
        plain_and_smooth, *OF_EACH_KIND, "two-layers", "masked-right-lstm-two-layers",
    ),
    about=TORCH,
    recipe="gradients_with_hooks",
)  # fmt: skip
def test_torch_hooks_that_look_on_change_no_bit(adapter, recipe, experiment):
    found, plain = recipe("gradients_with_hooks"), adapter.gradients(experiment)
    assert_same_bits(
        dict(found.tensors()) | dict(found.gradients.tensors()),
        dict(plain.tensors()) | dict(plain.gradients.tensors()),
    )


@claim(
    kind="structure",
    statement="A full backward hook on an LSTM hears what gradient the output has, and nothing of "
    "those of h_n and c_n: they lie in a pair, into which it does not look. A GRU's h_n lies "
    "beside the output, and is heard of.",
    formula="lstm.register_full_backward_hook(hook); h_n.sum().backward() does not call it",
    cases=named("smallest", "bidirectional", "gru-smallest", "rnn-smallest"),
    about=TORCH,
    recipe="heard_by_a_hook",
    dtypes=("float32",),
)
def test_torch_backward_hooks_hear_of_no_pair(recipe, experiment):
    states = experiment.cell.states
    heard = "heard" if len(states) == 1 else "not heard"
    assert_structure(recipe("heard_by_a_hook"), {"output": "heard"} | dict.fromkeys(states, heard))


@claim(
    kind="exact",
    statement="The way back through a graph that is kept leads to the same bits each time.",
    formula="grad(loss, (x, w, h0), retain_graph=True) == grad(loss, (x, w, h0))",
    cases=some(
        plain_and_smooth, *OF_EACH_KIND, "two-layers", "projected-smallest",
        "masked-right-lstm-two-layers", "masked-right-gru-two-layers-from-zero",
    ),
    about=TORCH,
    recipe="gone_back_again",
)  # fmt: skip
def test_torch_a_kept_graph_repeats_its_gradients(recipe):
    found = recipe("gone_back_again")
    first = dict(found["first"].tensors())
    assert_same_bits(
        {f"{time}: {name}": one for time, of in found.items() for name, one in of.tensors()},
        {f"{time}: {name}": one for time in found for name, one in first.items()},
    )


@claim(
    kind="rounding",
    statement="A weight has its gradient also where all others are frozen, and neither inputs nor "
    "states ask for one.",
    formula="lstm.requires_grad_(False); lstm.weight_hh_l0.requires_grad_(); d loss / d w",
    cases=some(plain_and_smooth, *OF_EACH_KIND, "two-layers", "no-bias"),
    about=TORCH,
    recipe="gradients_by_one_weight",
)
def test_torch_one_weight_of_a_frozen_layer_is_trained(recipe, oracle_gradients):
    found = arrays_of(recipe("gradients_by_one_weight"))
    assert_within_rounding(found, {name: oracle_gradients[name] for name in found})


@claim(
    kind="exact",
    statement="Where weights, inputs, states or results were changed in place after a call, the "
    "way back is refused, or leads to the gradients that it would have led to: never to others.",
    formula="lstm(x); lstm.weight_hh_l0.mul_(2); backward() raises, or d == d without mul_",
    cases=some(plain_and_smooth, *OF_EACH_KIND, "two-layers"),
    about=TORCH,
    recipe="changed_before_the_way_back",
)
def test_torch_what_was_changed_makes_no_gradient(adapter, experiment):
    found = adapter.changed_before_the_way_back(experiment)
    right = dict(found["nothing"].tensors())
    taken = {way: one for way, one in found.items() if one is not None}
    assert_same_bits(
        {f"{way}: {name}": array for way, one in taken.items() for name, array in one.tensors()},
        {f"{way}: {name}": array for way in taken for name, array in right.items()},
    )


@claim(
    kind="exact",
    statement="A tape that is kept, in a graph, gives the same bits of a gradient each time.",
    formula="GradientTape(persistent=True): tape.gradient(loss, w) == tape.gradient(loss, w)",
    cases=named("smallest", "gru-smallest", "rnn-smallest"),
    about=KERAS,
    recipe="gradients_of_a_kept_tape",
    dtypes=("float32",),
)
def test_keras_a_kept_tape_repeats_its_gradients(recipe):
    found = recipe("gradients_of_a_kept_tape")
    assert_same_bits(dict(found["again"].tensors()), dict(found["first"].tensors()))


@claim(
    kind="rounding",
    statement="A loss that gathers rows and steps of the output has the gradients of one that "
    "takes it as it is.",
    formula="d loss(tf.gather(tf.gather(y, rows), steps, axis=1)) == d loss(y[rows][:, steps])",
    cases=named("smallest", "gru-smallest", "rnn-smallest", "masked-right-lstm-from-zero"),
    about=KERAS,
    recipe="gradients_through_gather",
    dtypes=("float32",),
)
def test_keras_gradients_go_through_gather(recipe, oracle_gradients):
    assert_within_rounding(dict(recipe("gradients_through_gather").tensors()), oracle_gradients)


def with_its_loss(experiment, row):
    """One row of the batch, and what the loss weighs it with."""
    upstream = experiment.upstream

    def only(array):
        return array[row : row + 1]

    loss = Upstream(only(upstream.output), upstream.h.map(only), upstream.c.map(only))
    return replace(experiment.in_order([row]), upstream=loss)
