"""What the claims cannot see of Keras's adapters: which cells they have, and that what they build
is what they were asked for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fixtures.adapters import adapters, every_adapter
from fixtures.adapters.keras_layers import from_keras, to_keras
from fixtures.cases import named_cases
from fixtures.cases.experiments import experiment_of
from fixtures.cases.named import CELLS
from fixtures.cells import LSTM, Cell
from tests.meta.conftest import need

NAMED = {case.name: case for case in named_cases()}
both = pytest.mark.parametrize("name", ["keras3", "keras2"])


def experiment(case: str, dtype: str = "float32"):
    return experiment_of(NAMED[case], dtype, 0)


def loaded(name: str):
    need(name)
    adapter = every_adapter()[name]
    adapter.load()
    return adapter


def test_each_keras_has_its_own_hard_sigmoid_alone():
    lacking = {
        name: {cell for cell, kind in CELLS.items() if adapters()[name].has_no(kind)}
        for name in ("keras3", "keras2")
    }
    assert lacking == {
        "keras3": {"hard-sigmoid-keras2", "gru-hard-sigmoid-keras2"},
        "keras2": {"hard-sigmoid", "gru-hard-sigmoid"},
    }
    assert "x / 6 + 1/2" in adapters()["keras3"].has_no(CELLS["hard-sigmoid-keras2"])
    assert "x / 5 + 1/2" in adapters()["keras2"].has_no(CELLS["hard-sigmoid"])


@both
def test_a_kind_of_cell_that_nobody_wrote_is_not_there(name):
    class Other(Cell):
        gates = "x"
        step = None

        def __repr__(self):
            return "Other()"

    assert adapters()[name].has_no(Other()) == "nobody has written Other() for Keras yet"


def test_a_gru_that_resets_after_has_the_inputs_bias_in_the_first_row():
    one = experiment("gru-smallest").weights[0, 0]
    *_, bias = own = to_keras(one)
    assert [array.shape for array in own] == [(4, 15), (5, 15), (2, 15)]
    assert np.array_equal(bias[0], one.bias)
    assert np.array_equal(bias[1], one.recurrent_bias)


@pytest.mark.parametrize("case", ["gru-smallest", "gru-no-bias", "gru-reset-before-smallest",
                                  "rnn-smallest", "all-variants-smallest"])  # fmt: skip
def test_weights_come_back_from_keras_as_they_went(case):
    one = experiment(case).weights[0, 0]
    back = from_keras(one, to_keras(one))
    assert back.cell == one.cell
    assert dict(back.canonical()).keys() == dict(one.canonical()).keys()
    for name, array in one.canonical():
        assert np.array_equal(getattr(back, name), array), name


@both
@pytest.mark.parametrize("case", ["smallest", "gru-two-layers"])
def test_a_chosen_implementation_is_the_cells(name, case):
    adapter = loaded(name)
    for implementation in (1, 2):
        built = adapter.build(experiment(case), implementation=implementation)
        assert {layer.cell.implementation for layer in built} == {implementation}


@both
def test_the_backward_cell_of_ones_own_has_the_same_options(name):
    """`Bidirectional` makes it of the forward one's configuration."""
    adapter = loaded(name)
    cell = LSTM(peepholes=True, coupled=True, projection=3, cell_clip=0.5, projection_clip=0.25,
                activation="relu", recurrent_activation=adapter.hard_sigmoid)  # fmt: skip
    case = replace(NAMED["bidirectional"], name="of all options", cell=cell, bias="none")
    (layer,) = adapter.build(experiment_of(case, "float32", 0))
    forward, backward = (
        {k: v for k, v in half.cell.get_config().items() if k not in ("name", "dtype")}
        for half in (layer.forward_layer, layer.backward_layer)
    )
    assert forward == backward
    expected = {"units": 5, "use_bias": False, "peepholes": True, "coupled": True, "projection": 3,
                "cell_clip": 0.5, "projection_clip": 0.25, "activation": "relu",
                "recurrent_activation": "hard_sigmoid"}  # fmt: skip
    assert forward.items() >= expected.items()


@both
def test_stacked_cells_are_computed_in_float64(name):
    adapter, case = loaded(name), experiment("two-widths", "float64")
    stacked, layers = adapter.stacked_cells(case), adapter.run(case)
    assert np.abs(stacked.output - layers.output).max() < 1e-12


@pytest.mark.parametrize("case", ["smallest", "layer-norm-smallest"])
@pytest.mark.parametrize("change", [lambda own: own[:-1], lambda own: [*own, own[-1]]])
def test_weights_too_many_or_too_few_are_refused(case, change):
    one = experiment_of(NAMED[case], "float32", 0).weights[0, 0]
    own = to_keras(one)
    assert dict(from_keras(one, own).canonical()).keys() == dict(one.canonical()).keys()
    with pytest.raises(ValueError, match=r"more than|shorter|longer"):
        from_keras(one, change(own))


@both
def test_an_exported_model_of_one_input_is_served(name):
    """Without states and masks a model has one, which the two Keras export as different things."""
    without = experiment("smallest-from-zero")
    run = loaded(f"{name}:savedmodel").run(without)
    np.testing.assert_array_equal(run.output, loaded(name).run(without).output)
