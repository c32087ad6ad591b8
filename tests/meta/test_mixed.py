"""Stacks whose layers are of different kinds of cells: their model, their oracle, their cases."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest

from fixtures.cases import named_cases
from fixtures.cases.experiments import experiment_of
from fixtures.cases.named import MIXED
from fixtures.cells import GRU, LSTM, RNN, Mixed
from fixtures.checks.compare import assert_same_bits
from fixtures.errors import BadInput
from fixtures.model.cell import cell_of
from fixtures.model.experiment import Experiment, Upstream
from fixtures.model.perlayer import NONE, Array, PerLayer, State, zeros_like
from fixtures.oracle import backward, reference
from fixtures.records.hashes import case_hash

CASES = {case.name: case for case in named_cases()}
BOTH = Mixed((GRU(), LSTM()))


def of(name: str) -> Experiment:
    return experiment_of(CASES[name], "float32", 0)


def test_a_stack_of_one_cell_is_not_mixed():
    with pytest.raises(BadInput, match=r"^Mixed\(cells=.+\) is of one cell; take that"):
        Mixed((GRU(), GRU()))
    assert cell_of([GRU(), GRU()]) == GRU()
    assert cell_of([GRU(), GRU(reset_after=False)]) == Mixed((GRU(), GRU(reset_after=False)))


def test_it_has_the_states_that_any_layer_has_and_each_layer_has_its_own():
    assert BOTH.states == ("h", "c")
    assert Mixed((GRU(), RNN())).states == ("h",)
    assert [BOTH.of_layer(layer).states for layer in range(2)] == [("h",), ("h", "c")]
    assert LSTM().of_layer(3) == LSTM()


def test_it_computes_nothing_itself():
    with pytest.raises(TypeError, match="ask `of_layer`"):
        _ = BOTH.gates
    with pytest.raises(TypeError, match="ask `of_layer`"):
        BOTH.step()


def test_a_case_has_a_cell_for_every_layer():
    case = CASES["mixed-gru-lstm"]
    assert case.cells == (GRU(), LSTM())
    assert CASES["two-layers"].cells == (LSTM(), LSTM())
    assert replace(case, cell=Mixed((GRU(), LSTM(projection=3)))).widths == (6, 3)
    with pytest.raises(BadInput, match="has 2 layers of 3 cells; give each one"):
        replace(case, cell=Mixed((GRU(), LSTM(), GRU())))


@pytest.mark.parametrize("name", MIXED)
def test_an_experiment_knows_the_cells_of_its_case(name):
    case, experiment = CASES[name], of(name)
    assert experiment.cell == case.cell
    for (layer, _), one in experiment.weights.items():
        assert one.cell == case.cells[layer]


def test_another_cell_in_a_layer_is_another_case():
    case = CASES["mixed-gru-lstm"]
    other = replace(case, cell=Mixed((GRU(), LSTM(activation="relu"))))
    hashes = {case_hash(one, experiment_of(one, "float32", 0)) for one in (case, other)}
    assert len(hashes) == 2


# States.


def test_a_layer_without_c_has_an_empty_row_of_it():
    state = of("mixed-rnn-lstm").initial
    assert [len(row) for row in state.c.rows] == [0, 2]
    assert state.c.directions == 2
    assert [name for name, _ in state.tensors()] == [
        "h[0, 0]", "h[0, 1]", "h[1, 0]", "h[1, 1]", "c[1, 0]", "c[1, 1]",
    ]  # fmt: skip
    assert [len(state.at(layer, 1)) for layer in range(2)] == [1, 2]


def test_parts_of_a_state_have_c_where_the_layer_has():
    state = of("mixed-rnn-lstm").initial
    assert state.only_layer(0).c == NONE
    assert dict(state.only_layer(0).items()).keys() == {"h"}
    assert_same_bits(state.only_layer(1).c[0, 1], state.c[1, 1])
    backward = state.only_direction(1)
    assert_same_bits(dict(backward.c.items()), {(1, 0): state.c[1, 1]})
    assert [name for name, _ in zeros_like(state).tensors()] == [n for n, _ in state.tensors()]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda _: NONE, "the initial state has h; give h and c"),
        (lambda c: PerLayer(c.rows[::-1]), "initial c is not for 1 layers in 2 directions"),
        (lambda c: PerLayer((c.rows[1], c.rows[1])), "initial c is not for 1 layers in 2"),
        (lambda c: c.map(lambda one: one[:1]), "initial c of layer 1, direction 0 has shape"),
    ],
    ids=["no-c", "of-the-wrong-layer", "of-both-layers", "of-another-shape"],
)
def test_an_initial_state_is_of_the_layers_that_have_it(change, words):
    experiment = of("mixed-rnn-lstm")
    state = State(experiment.initial.h, change(experiment.initial.c))
    with pytest.raises(BadInput, match=words):
        replace(experiment, initial=state)


# The oracle: a mixed stack is its layers, to the last bit.


@pytest.mark.parametrize("mask", [False, True], ids=["every-step", "short-rows"])
@pytest.mark.parametrize("name", MIXED)
def test_the_oracle_of_the_stack_is_that_of_each_layer_on_the_one_below(name, mask):
    experiment = of(name)
    experiment = experiment.short_rows() if mask else experiment
    whole, below, ends = oracle(experiment), experiment.inputs, {}
    for layer in range(experiment.layers):
        one = oracle(experiment.only_layer(layer, below))
        below = one.output
        for state, per_layer in one.state.items():
            ends |= {f"{state}[{layer}, {d}]": array for (_, d), array in per_layer.items()}
    assert_same_bits(by_name(whole.state.tensors()), by_name(ends.items()))
    assert_same_bits(whole.output, below)


@pytest.mark.parametrize("name", MIXED)
def test_the_gradient_of_the_stack_goes_back_through_one_layer_after_another(name):
    experiment = of(name)
    whole = backward.gradients(experiment.weights, oracle(experiment), experiment.upstream)
    below, found = [experiment.inputs], {}
    for layer in range(experiment.layers):
        below.append(oracle(experiment.only_layer(layer, below[-1])).output)
    by_output = experiment.upstream.output
    for layer in reversed(range(experiment.layers)):
        one = experiment.only_layer(layer, below[layer])
        ends = experiment.upstream.states.only_layer(layer)
        back = backward.gradients(one.weights, oracle(one), Upstream(by_output, ends.h, ends.c))
        by_output = back.inputs
        found |= {
            what.replace("[0, ", f"[{layer}, "): array
            for what, array in back.tensors()
            if what != "inputs"
        }
    assert_same_bits(by_name(whole.tensors()), by_name({"inputs": by_output, **found}.items()))


def by_name(tensors: Iterable[tuple[str, Array]]) -> dict[str, Array]:
    return dict(sorted(tensors))


def oracle(experiment: Experiment) -> reference.Reference:
    """The equations in the precision of the experiment."""
    initial = experiment.initial or experiment.zero_state()
    return reference.layers(experiment.weights, experiment.inputs, initial, mask=experiment.mask)


def test_the_numbers_of_a_layer_are_those_of_its_cell_alone():
    """A layer's weights come of the case's name, its place and its cell, and of no other layer."""
    case = CASES["mixed-gru-lstm"]
    alone = replace(case, cell=LSTM())
    mixed, same = (experiment_of(one, "float32", 0).weights[1, 0] for one in (case, alone))
    assert mixed.cell == same.cell
    assert_same_bits(dict(mixed.by_name()), dict(same.by_name()))
    assert not np.array_equal(mixed.kernel, experiment_of(alone, "float32", 0).weights[0, 0].kernel)
