"""Identical weights is meant literally: what cases, weights and inputs promise, to the bit."""

from __future__ import annotations

import itertools
import math
import shutil
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

import fixtures.cases.inputs
from fixtures.adapters.tf1_cells import FORGET_BIAS, TF1_GATES, from_tf1, has_no, to_tf1
from fixtures.cases import Case, named, named_cases
from fixtures.cases.experiments import experiment_of
from fixtures.cases.inputs import embedding_of, initial_state_of, inputs_of, lengths_of
from fixtures.cases.named import CELLS
from fixtures.cases.random_numbers import dyadic, odd_integers
from fixtures.cases.weights import canonical_weights, dense_weights
from fixtures.cells import GRU, LSTM
from fixtures.cells.lstm import GATES
from fixtures.checks.compare import assert_same_bits
from fixtures.errors import BadInput
from fixtures.model.experiment import Experiment
from fixtures.model.perlayer import NONE, Array, PerLayer
from fixtures.model.weights import Dense, LayerWeights, one_direction, reorder_gates

NAMED = {case.name: case for case in named_cases()}
SMALL = [case for case in NAMED.values() if case.inputs != "mnist"]
by_name = pytest.mark.parametrize("case", SMALL, ids=lambda case: case.name)
WITH_BIAS = [
    case
    for case in SMALL
    if case.bias != "none" and "bias" in case.cells[0].shapes(features=1, units=1)
]
with_bias = pytest.mark.parametrize("case", WITH_BIAS, ids=lambda case: case.name)
with_one_bias = pytest.mark.parametrize(
    "case",
    [case for case in WITH_BIAS if not any(cell.two_biases for cell in case.cells)],
    ids=lambda case: case.name,
)


def shape_of(case: Case) -> str:
    """The name of the LSTM's case that is of the same sizes: of "gru-one-step" it is "one-step"."""
    names = (case.name.removeprefix(f"{cell}-") for cell in CELLS)
    return next((name for name in names if name != case.name and name in NAMED), case.name)


def layers_of(case: Case, dtype: str = "float32", seed: int = 0) -> list[LayerWeights]:
    return [one for _, one in canonical_weights(case, dtype, seed).items()]


def arrays_of(case: Case, dtype: str = "float32", seed: int = 0) -> dict[str, Array]:
    """Every array of numbers that a case consists of, by a name of its own."""
    experiment = experiment_of(case, dtype, seed)
    assert experiment.dense is not None
    found = {"inputs": experiment.inputs}
    found |= {"dense kernel": experiment.dense.kernel, "dense bias": experiment.dense.bias}
    for at, one in experiment.weights.items():
        found |= {f"{name} {at}": array for name, array in one.by_name()}
    if experiment.initial is not None:
        for which, states in (("h", experiment.initial.h), ("c", experiment.initial.c)):
            found |= {f"{which} {at}": state for at, state in states.items()}
    return found


# Layout conversions.


def test_gates_are_moved_and_nothing_else():
    blocks = np.arange(24.0).reshape(2, 12)
    moved = reorder_gates(blocks, "ifgo", "oigf")
    assert moved.tolist() == [
        [9, 10, 11, 0, 1, 2, 6, 7, 8, 3, 4, 5],
        [21, 22, 23, 12, 13, 14, 18, 19, 20, 15, 16, 17],
    ]


@pytest.mark.parametrize("order", ["".join(gates) for gates in itertools.permutations(GATES)])
def test_gates_moved_and_moved_back_are_the_same_bits(order):
    kernel = layers_of(NAMED["smallest"])[0].kernel
    assert_same_bits(reorder_gates(reorder_gates(kernel, GATES, order), order, GATES), kernel)


@pytest.mark.parametrize(
    ("have", "want", "words"),
    [
        ("ifgo", "ifg", "not the gates ifgo"),
        ("ifgo", "iigo", "not the gates ifgo"),
        ("ifgox", "xofgi", "equal division"),
    ],
)
def test_gates_that_are_not_those_of_the_array_are_refused(have, want, words):
    with pytest.raises(ValueError, match=words):
        reorder_gates(np.arange(12.0), have, want)


ONE = LayerWeights(
    LSTM(),
    kernel=np.float32([[1, 2, 3, 4, 5, 6, 7, 8]]),
    recurrent_kernel=np.float32([[1, 2, 3, 4, 5, 6, 7, 8], [-1, -2, -3, -4, -5, -6, -7, -8]]),
    bias=np.float32([1, 2, 3, 4, 5, 6, 7, 8]),
    recurrent_bias=np.float32([10, 20, 30, 40, 50, 60, 70, 80]),
)
"""One feature, two units: every gate has two columns."""


def test_other_gates_are_the_same_blocks_in_another_order():
    """g takes the place of i, i that of f, f that of g; o stays."""
    changed = ONE.with_gates("gifo")
    assert changed.kernel.tolist() == [[3, 4, 5, 6, 1, 2, 7, 8]]
    assert changed.recurrent_kernel[0].tolist() == [3, 4, 5, 6, 1, 2, 7, 8]
    assert changed.bias.tolist() == [3, 4, 5, 6, 1, 2, 7, 8]
    assert changed.recurrent_bias.tolist() == [30, 40, 50, 60, 10, 20, 70, 80]


def test_recurrent_kernel_is_transposed_gate_by_gate():
    changed = ONE.with_transposed_recurrent_kernel()
    assert changed.recurrent_kernel.tolist() == [
        [1, -1, 3, -3, 5, -5, 7, -7],
        [2, -2, 4, -4, 6, -6, 8, -8],
    ]
    assert changed.kernel is ONE.kernel
    assert changed.bias is ONE.bias


def test_biases_exchanged_still_sum_to_the_bias():
    changed = ONE.with_biases_exchanged()
    assert_same_bits(changed.recurrent_bias, ONE.input_bias)
    assert_same_bits(changed.input_bias, ONE.recurrent_bias)
    assert_same_bits(changed.bias, ONE.bias)


def test_change_reaches_every_array_that_there_is():
    doubled = ONE.map(lambda array: 2 * array)
    assert dict(doubled.by_name()).keys() == dict(ONE.by_name()).keys()
    for name, array in ONE.by_name():
        assert_same_bits(getattr(doubled, name), 2 * array)
    without = replace(ONE, bias=None, recurrent_bias=None).map(lambda array: 2 * array)
    assert [name for name, _ in without.by_name()] == ["kernel", "recurrent_kernel"]


def test_change_reaches_kernel_and_bias_of_a_dense_layer():
    changed = Dense(np.float32([[1, 2]]), np.float32([3, 4])).map(lambda array: 2 * array)
    assert (changed.kernel.tolist(), changed.bias.tolist()) == ([[2, 4]], [6, 8])


@pytest.mark.parametrize("direction", [0, 1])
def test_one_direction_of_a_stack_sees_its_own_rows_alone(direction):
    """Rows of an upper layer's kernel: first those for the forward outputs, then the backward."""
    case = NAMED["bidirectional-two-widths"]
    whole = canonical_weights(case, "float32", 0)
    one = one_direction(whole, direction)
    assert (one.layers, one.directions) == (2, 1)
    assert one[0, 0] is whole[0, direction]
    forward, backward = np.split(whole[1, direction].kernel, [case.units[0]])
    assert_same_bits(one[1, 0].kernel, backward if direction else forward)
    for name in ("recurrent_kernel", "bias", "recurrent_bias"):
        assert getattr(one[1, 0], name) is getattr(whole[1, direction], name)


@pytest.mark.parametrize(
    "case",
    [case for case in SMALL if case.bias != "none" and not any(map(has_no, case.cells))],
    ids=lambda case: case.name,
)
def test_tf1_layout_and_back_is_the_same_bits(case):
    for one in layers_of(case):
        back = from_tf1(one.cell, to_tf1(one))
        assert_same_bits(dict(back.canonical()), dict(one.canonical()))


def test_tf1_layout_is_what_basic_lstm_cell_holds():
    """Rows of x, then of h; gates i, j, f, o; the forget bias of 1 taken off f."""
    bias = np.float32([1, 2, 3, 4])
    one = LayerWeights(LSTM(), np.float32([[5, 6, 7, 8]]), np.float32([[9, 10, 11, 12]]), bias)
    kernel, own_bias = to_tf1(one).values()
    assert (TF1_GATES, FORGET_BIAS) == ("igfo", 1.0)
    assert kernel.tolist() == [[5, 7, 6, 8], [9, 11, 10, 12]]
    assert own_bias.tolist() == [1, 3, 1, 4]


def test_tf1_layout_of_lstm_cell_has_its_diagonals_by_name_and_the_projection_beside():
    cell = LSTM(peepholes=True, projection=1)
    one = LayerWeights(
        cell,
        np.float32([[5, 5, 6, 6, 7, 7, 8, 8]]),
        np.float32([[9, 9, 10, 10, 11, 11, 12, 12]]),
        np.float32([1, 1, 2, 2, 3, 3, 4, 4]),
        peepholes=np.float32([[13, 14], [15, 16], [17, 18]]),
        projection=np.float32([[19], [20]]),
    )
    own = to_tf1(one)
    assert {name: array.tolist() for name, array in list(own.items())[2:]} == {
        "w_f_diag": [15, 16],
        "w_i_diag": [13, 14],
        "w_o_diag": [17, 18],
        "projection/kernel": [[19], [20]],
    }
    back = from_tf1(cell, own)
    assert_same_bits(dict(back.by_name()), dict(one.by_name()))


def test_tf1_layout_of_gru_cell_has_r_before_u_and_the_candidate_apart():
    one = LayerWeights(
        GRU(reset_after=False),
        np.float32([[5, 6, 7]]),
        np.float32([[9, 10, 11]]),
        np.float32([1, 2, 3]),
    )
    own = to_tf1(one)
    assert {name: array.tolist() for name, array in own.items()} == {
        "gates/kernel": [[6, 5], [10, 9]],
        "gates/bias": [2, 1],
        "candidate/kernel": [[7], [11]],
        "candidate/bias": [3],
    }
    assert_same_bits(dict(from_tf1(one.cell, own).by_name()), dict(one.by_name()))


@with_one_bias
def test_two_biases_sum_to_the_bits_of_the_one(case):
    for one in layers_of(case):
        assert one.input_bias.dtype == np.float32
        assert_same_bits(one.input_bias + one.recurrent_bias, one.bias)


# The grid.


@by_name
def test_float32_and_float64_hold_the_same_numbers(case):
    narrow, wide = arrays_of(case, "float32"), arrays_of(case, "float64")
    assert {array.dtype.name for array in narrow.values()} == {"float32"}
    assert_same_bits({name: one.astype(np.float64) for name, one in narrow.items()}, wide)


@with_bias
def test_biases_lie_on_the_grid_that_conversions_keep(case):
    for one in layers_of(case):
        for bias in (one.bias, one.recurrent_bias):
            steps = bias.astype(np.float64) * 2**12
            assert_same_bits(steps, np.rint(steps))
            assert np.abs(bias).max() <= 4


def test_gains_and_shifts_lie_on_a_grid_and_no_gain_is_one():
    normed = [one for case in SMALL for one in layers_of(case) if one.gains is not None]
    for one in normed:
        for array in (one.gains, one.shifts):
            steps = array.astype(np.float64) * 2**13
            assert_same_bits(steps, np.rint(steps))
        assert ((one.gains > 0.5) & (one.gains < 1.5) & (one.gains != 1)).all()
        assert (one.shifts != 0).all()
        assert one.bias is None
    assert normed


def power_next_to_all_of(kernel: Array) -> float:
    """The power of two of which all are odd multiples of the 2^-24th."""
    power = 2.0 ** math.ceil(math.log2(np.abs(kernel).max()))
    assert (kernel.astype(np.float64) / power * 2**24 % 2 == 1).all()
    return power


@by_name
def test_kernels_lie_within_the_power_of_two_next_to_their_usual_bound(case):
    """sqrt(3 / (features + units)), times the scale of the case."""
    for one in layers_of(case):
        bound = case.scale * math.sqrt(3 / (one.features + one.units))
        for kernel in (one.kernel, one.recurrent_kernel):
            assert 0.707 < power_next_to_all_of(kernel) / bound < 1.415
    kernel = dense_weights(case, 3, "float32", 0).kernel
    assert 0.707 < power_next_to_all_of(kernel) / math.sqrt(3 / len(kernel)) < 1.415


@with_one_bias
def test_both_biases_of_torch_count(case):
    """None is zero or the other one; neither is the whole, unless the whole is zero."""
    for one in layers_of(case):
        assert (one.recurrent_bias != 0).all()
        assert (one.input_bias != 0).all()
        assert (one.input_bias != one.recurrent_bias).all()
        assert (one.recurrent_bias != one.bias).all()
        assert (one.input_bias != one.bias).all()


@pytest.mark.parametrize(
    "case",
    [case for case in WITH_BIAS if all(cell.two_biases for cell in case.cells)],
    ids=lambda case: case.name,
)
def test_both_biases_of_a_gru_count(case):
    """Each is a number of its own, or both are zero."""
    for one in layers_of(case):
        assert_same_bits(one.input_bias, one.bias)
        for bias in (one.bias, one.recurrent_bias):
            assert (bias == 0).all() if case.bias == "zero" else (bias != 0).all()
        assert (one.bias != one.recurrent_bias).all() == (case.bias != "zero")


def test_zero_bias_is_a_number_and_its_negative():
    (one,) = layers_of(NAMED["zero-bias"])
    assert_same_bits(one.bias, np.zeros(4 * one.units, np.float32))
    assert_same_bits(one.input_bias, -one.recurrent_bias)


def test_layers_without_bias_have_none():
    (one,) = layers_of(NAMED["no-bias"])
    assert [name for name, _ in one.by_name()] == ["kernel", "recurrent_kernel"]
    assert one.input_bias is None


@with_bias
def test_no_bias_is_zero_unless_the_name_says_so(case):
    for one in layers_of(case):
        assert (one.bias == 0).all() == (shape_of(case) == "zero-bias")
        assert (one.bias != 0).all() == (shape_of(case) != "zero-bias")


def test_scale_multiplies_kernels_and_not_a_bit_of_biases():
    plain = NAMED["smallest"]
    (one,), (scaled,) = layers_of(plain), layers_of(replace(plain, scale=2.0**-19))
    assert_same_bits(scaled.kernel * np.float32(2**19), one.kernel)
    assert_same_bits(scaled.recurrent_kernel * np.float32(2**19), one.recurrent_kernel)
    assert_same_bits(scaled.bias, one.bias)


# Streams.

PINNED = [
    ((0, "smallest", "kernel", 0, 0), 24, [12934647, -11022049, -15604931]),
    ((0, "smallest", "bias", 0, 0), 12, [3175, -2767, 1937]),
    ((0, "smallest", "inputs"), 24, [-8016345, -10549067, -12881777]),
    ((7, "two-layers", "h0", 1, 0), 12, [3477, -2867, 3095]),
]


@pytest.mark.parametrize(
    ("key", "bits", "expected"), PINNED, ids=["kernel", "bias", "inputs", "another-seed"]
)
def test_stream_has_not_changed(key, bits, expected):
    assert odd_integers((3,), bits, key).tolist() == expected


def test_case_has_not_changed():
    """Kernels within 2^-1, the power of two next to sqrt(3 / 9); the rest as documented."""
    arrays = arrays_of(NAMED["smallest"])
    assert (arrays["kernel (0, 0)"][0, :3] * 2**25).tolist() == [12934647, -11022049, -15604931]
    assert (arrays["bias (0, 0)"][:3] * 2**12).tolist() == [3175, -2767, 1937]
    assert (arrays["recurrent_bias (0, 0)"][:3] * 2**12).tolist() == [-490, 142, 146]
    assert (arrays["recurrent_kernel (0, 0)"][0, :3] * 2**25).tolist() == [
        -7777455,
        7186211,
        -14405485,
    ]
    assert (arrays["dense kernel"][0, :3] * 2**24).tolist() == [-11666039, -11761993, 15594011]
    assert (arrays["dense bias"][:3] * 2**16).tolist() == [35, -3077, -2365]
    assert (arrays["inputs"][0, 0, :3] * 2**23).tolist() == [-8016345, -10549067, -12881777]
    assert (arrays["h (0, 0)"][0, :3] * 2**12).tolist() == [-759, -813, -1681]
    assert (arrays["c (0, 0)"][0, :3] * 2**11).tolist() == [-2095, -815, 1857]
    assert lengths_of(NAMED["smallest"], 0) == (2, 3)


def test_odd_integers_fill_their_range():
    """All 16 odd numbers of 4 bits come, and nothing else."""
    drawn = odd_integers((1000,), 4, (0, "range"))
    assert sorted(set(drawn.tolist())) == list(range(-15, 16, 2))


def test_dyadic_numbers_stay_below_their_bound():
    drawn = dyadic((10, 100), 0.25, 4, (0, "range"))
    assert drawn.shape == (10, 100)
    assert np.abs(drawn).max() == 0.25 * 15 / 16


def test_another_case_moves_none():
    before = arrays_of(NAMED["smallest"])
    arrays_of(replace(NAMED["smallest"], name="one-more", batch=3, features=7))
    assert_same_bits(arrays_of(NAMED["smallest"]), before)


@pytest.mark.parametrize("case", [NAMED["bidirectional-three-layers"]], ids=lambda case: case.name)
def test_other_sizes_of_one_array_move_no_other(case):
    before, after = arrays_of(case), arrays_of(replace(case, batch=case.batch + 1))
    for name, array in before.items():
        grown = after[name].reshape(-1)[: array.size]
        assert_same_bits(grown, array.reshape(-1))


def test_no_two_arrays_hold_the_same_numbers():
    """Over all cases and seeds 0 and 1: every purpose, layer and direction has its own stream."""
    seen = {}
    for case, seed in itertools.product(SMALL, (0, 1)):
        for name, array in arrays_of(case, seed=seed).items():
            if case.bias == "zero" and not array.any():
                continue
            if case.inputs == "integers" and name == "inputs":
                continue
            # As ratios, because one stream at two scales would be one stream too.
            key = (array.reshape(-1)[:8] / array.reshape(-1)[0]).tobytes()
            assert seen.setdefault(key, (case.name, seed, name)) == (case.name, seed, name)


# The table of cases.

ON_PURPOSE = {
    "one-step": {"time is 1"},
    "one-step-from-zero": {"time is 1"},
    "bidirectional-one-step": {"time is 1"},
    "one-unit": {"units is 1"},
    "batch-one": {"batch is 1"},
    "one-feature": {"features is 1"},
    "line-by-line": {"features is units"},
    "mnist": {"time is features"},
    "mnist-digits": {"time is features"},
    "trained-rows": {"time is features"},
}
"""Equal sizes, and sizes of one, that the case's name or its source asks for."""


def coincidences(case: Case) -> set[str]:
    sizes = [("batch", case.batch), ("time", case.time), ("features", case.features)]
    sizes += [("units", units) for units in sorted(set(case.units))]
    if case.layers > 1:
        sizes.append(("layers", case.layers))
    equal = {f"{one} is {other}" for (one, a), (other, b) in itertools.combinations(sizes, 2)
             if a == b}  # fmt: skip
    return equal | {f"{name} is 1" for name, size in sizes if size == 1}


@pytest.mark.parametrize(
    "case", [case for case in NAMED.values() if "square" not in case.name], ids=lambda c: c.name
)
def test_sizes_are_all_different_and_none_is_one(case):
    assert coincidences(case) == ON_PURPOSE.get(shape_of(case), set())


@pytest.mark.parametrize(
    "case",
    [case for case in NAMED.values() if case.directions == 2 and "square" not in case.name],
    ids=lambda case: case.name,
)
def test_no_size_of_a_bidirectional_case_hides_among_the_rows_of_h_n(case):
    """h_n is [layers * directions, batch, units]: a wrong axis there must show in the shape."""
    rows = case.layers * case.directions
    assert not {case.directions, rows} & {case.batch, case.time, case.features, *case.units}


@pytest.mark.parametrize(
    "case", [case for case in NAMED.values() if "square" in case.name], ids=lambda case: case.name
)
def test_square_cases_are_square(case):
    assert len({case.batch, case.time, case.features, *case.units}) == 1


def test_unknown_name_of_a_case_is_refused():
    with pytest.raises(BadInput, match=r"^there is no case 'smalest'; .*\.$"):
        named("smallest", "smalest")


def test_names_of_cases_are_unique_and_plain():
    names = [case.name for case in named_cases()]
    assert len(set(names)) == len(names)
    assert all(name.replace("-", "").isalnum() and name.islower() for name in names)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@by_name
def test_initial_states_are_given_and_none_is_zero(case, dtype):
    state = initial_state_of(case, dtype, 0)
    if case.initial == "default":
        assert state is None
        return
    assert tuple(name for name, _ in state.items()) == case.cell.states
    for place, (name, per_layer) in enumerate(state.items()):
        assert all((array != 0).all() for _, array in per_layer.items())
        assert [array.shape for _, array in per_layer.items()] == [
            (case.batch, cell.widths(units)[place])
            for cell, units in zip(case.cells, case.units, strict=True)
            if name in cell.states
            for _ in range(case.directions)
        ]
    for at, c in state.c.items():
        if c.shape == state.h[at].shape:
            assert (state.h[at] != c).all()


@pytest.mark.parametrize(
    "case", [case for case in SMALL if case.inputs != "text"], ids=lambda case: case.name
)
def test_lengths_are_unsorted_and_only_the_last_row_is_whole(case):
    *others, last = lengths_of(case, 0)
    assert len(others) == case.batch - 1
    assert last == case.time
    if case.time > 1:
        assert all(1 <= length < case.time for length in others)
    else:
        assert set(others) <= {1}


@pytest.mark.parametrize(
    "case", [case for case in SMALL if case.inputs == "text"], ids=lambda case: case.name
)
def test_lengths_of_a_text_are_those_of_its_sentences(case):
    lengths = lengths_of(case, 0)
    assert len(lengths) == case.batch
    assert max(lengths) == case.time
    assert min(lengths) >= 1
    embedding = embedding_of(case, "float32", 0)
    assert embedding is not None
    assert tuple((embedding.indices != 0).sum(axis=1)) == lengths


def test_some_case_has_lengths_in_no_order():
    """Neither growing nor shrinking, so that a framework has to sort and to sort back."""
    found = [lengths_of(case, 0) for case in SMALL]
    assert any(list(one) not in (sorted(one), sorted(one)[::-1]) for one in found)


@pytest.mark.parametrize(
    "change",
    [
        {"batch": 0},
        {"time": 0},
        {"features": -1},
        {"units": ()},
        {"units": (4, 0)},
        {"directions": 0},
        {"directions": 3},
        {"scale": 3.0},
        {"scale": 0.0},
        {"scale": -2.0},
        {"scale": float("nan")},
        {"scale": float("inf")},
        {"dtypes": ("float32",)},
        {"dtypes": (), "one_dtype_because": "there is none"},
        {"dtypes": ("float8",), "one_dtype_because": "it is another"},
        {"bias": "zeros"},
        {"initial": "zero"},
        {"inputs": "integer"},
        {"inputs": "integers"},
        {"inputs": "mnist"},
    ],
    ids=lambda change: ", ".join(f"{name}={value}" for name, value in change.items()),
)
def test_impossible_case_is_refused_by_name(change):
    possible: dict[str, Any] = {
        field.name: getattr(NAMED["smallest"], field.name) for field in fields(Case)
    }
    with pytest.raises(BadInput, match=r"^case 'odd' .*\.$|^case 'odd': .*\.$"):
        Case(**(possible | change | {"name": "odd"}))


# What an experiment refuses.

GOOD = experiment_of(NAMED["two-layers"], "float32", 0)


def with_weights(change: dict[str, Any], at: tuple[int, int] = (1, 0)) -> PerLayer[LayerWeights]:
    """The weights with some arrays of one layer replaced by what `change` makes of them."""
    one = GOOD.weights[at]
    changed = replace(one, **{name: make(getattr(one, name)) for name, make in change.items()})
    return PerLayer(
        tuple(
            tuple(changed if (n, d) == at else value for d, value in enumerate(row))
            for n, row in enumerate(GOOD.weights.rows)
        )
    )


def spoil(value: float):
    def change(array: Array) -> Array:
        spoiled = array.copy()
        spoiled.reshape(-1)[-1] = value
        return spoiled

    return change


CHANGES = {
    "shape": (lambda array: array[..., :-1], "has shape"),
    "dtype": (lambda array: array.astype(np.float64), "is float64; cast it to float32"),
    "nan": (spoil(np.nan), "holds NaN or infinity"),
    "infinity": (spoil(-np.inf), "holds NaN or infinity"),
}
each_change = pytest.mark.parametrize(("change", "words"), CHANGES.values(), ids=list(CHANGES))


@each_change
@pytest.mark.parametrize("name", ["kernel", "recurrent_kernel", "bias", "recurrent_bias"])
def test_unusable_weights_are_refused(name, change, words):
    with pytest.raises(BadInput, match=rf"^{name} of layer 1, direction 0 {words}.*\.$"):
        replace(GOOD, weights=with_weights({name: change}))


@each_change
@pytest.mark.parametrize("which", ["h", "c"])
def test_unusable_initial_state_is_refused(which, change, words):
    spoiled = getattr(GOOD.initial, which).map(change)
    with pytest.raises(BadInput, match=rf"^initial {which} of layer 0, direction 0 {words}.*\.$"):
        replace(GOOD, initial=replace(GOOD.initial, **{which: spoiled}))


@pytest.mark.parametrize(("change", "words"), list(CHANGES.values())[1:], ids=list(CHANGES)[1:])
def test_unusable_inputs_are_refused(change, words):
    with pytest.raises(BadInput, match=rf"^the inputs {words}.*\.$"):
        replace(GOOD, inputs=change(GOOD.inputs))


def test_weights_for_other_features_are_refused():
    expected = r"^kernel of layer 0, direction 0 has shape \[4, 24\]; make it \[3, 24\]\.$"
    with pytest.raises(BadInput, match=expected):
        replace(GOOD, inputs=GOOD.inputs[..., :-1])


def test_inputs_without_a_time_axis_are_refused():
    expected = r"^inputs have shape \[5, 4\]; make it three axes long\.$"
    with pytest.raises(BadInput, match=expected):
        replace(GOOD, inputs=GOOD.inputs[0])


def test_integers_are_refused_as_inputs():
    with pytest.raises(BadInput, match=r"^the inputs is int64; cast it to float32\.$"):
        replace(GOOD, inputs=np.zeros(GOOD.inputs.shape, np.int64))


@pytest.mark.parametrize(
    "change",
    [
        {"initial": GOOD.initial.only_layer(0)},
        {"weights": GOOD.weights.only_layer(0)},
    ],
    ids=["initial-of-fewer-layers", "initial-of-more-layers"],
)
def test_initial_state_of_other_layers_is_refused(change):
    with pytest.raises(BadInput, match=r"^[^.]+\.$"):
        replace(GOOD, **change)


def test_initial_state_of_one_direction_is_refused_for_two():
    both = experiment_of(NAMED["bidirectional"], "float32", 0)
    with pytest.raises(BadInput, match=r"^[^.]+\.$"):
        replace(both, initial=both.initial.only_direction(0))


def test_directions_of_different_width_are_refused():
    both = experiment_of(NAMED["bidirectional"], "float32", 0)
    narrow = layers_of(replace(NAMED["bidirectional"], units=(3,)))[1]
    units = both.units[0]
    expected = (
        rf"^recurrent_kernel of layer 0, direction 1 is for 3 units; "
        rf"make it {units}, as in direction 0\.$"
    )
    with pytest.raises(BadInput, match=expected):
        Experiment("float32", PerLayer(((both.weights[0, 0], narrow),)), both.inputs)


def test_bias_in_one_layer_only_is_refused():
    nothing = {"bias": lambda _: None, "recurrent_bias": lambda _: None}
    expected = r"^layer 1, direction 0 is not like the others: give all a bias, or none\.$"
    with pytest.raises(BadInput, match=expected):
        replace(GOOD, weights=with_weights(nothing))


def test_zero_bias_of_a_gru_is_zero_on_either_side():
    (one,) = layers_of(NAMED["gru-zero-bias"])
    zeros = np.zeros(3 * one.units, np.float32)
    assert_same_bits(
        {"bias": one.bias, "other": one.recurrent_bias}, {"bias": zeros, "other": zeros}
    )


def test_a_step_is_told_how_large_the_halves_of_its_bias_are():
    """Of a GRU that resets after both are in the equations, and a bias in one piece has none."""
    (lstm,), (before,), (after,) = (
        layers_of(NAMED[name]) for name in ("smallest", "gru-reset-before-smallest", "gru-smallest")
    )
    for one in (lstm, before):
        both = np.sqrt(one.input_bias**2 + one.recurrent_bias**2)
        np.testing.assert_allclose(one.for_step().bias.halves, both, rtol=1e-6)
    last = before.for_step().gates("n").bias
    assert_same_bits(last.halves, before.for_step().bias.halves[10:])
    assert after.for_step().bias.halves is None
    assert replace(lstm, recurrent_bias=None).for_step().bias.halves is None


# What an experiment of another cell refuses.


def of(name: str) -> Experiment:
    return experiment_of(NAMED[name], "float32", 0)


def changed(experiment: Experiment, at: tuple[int, int], **change: Any) -> Experiment:
    """The experiment with some fields of one layer's weights replaced; None takes them away."""

    def one(layer: int, direction: int) -> LayerWeights:
        own = experiment.weights[layer, direction]
        return replace(own, **change) if (layer, direction) == at else own

    weights = PerLayer.build(experiment.layers, experiment.directions, one)
    return replace(experiment, weights=weights)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("peepholes-smallest", "peepholes"),
        ("coupled-peepholes-smallest", "peepholes"),
        ("projected-smallest", "projection"),
    ],
)
def test_weights_that_the_cell_has_and_the_layer_has_not_are_refused(name, what):
    words = rf"^layer 0, direction 0 has no {what}; give it one\.$"
    with pytest.raises(BadInput, match=words):
        changed(of(name), (0, 0), **{what: None})


@pytest.mark.parametrize("what", ["peepholes", "projection"])
@pytest.mark.parametrize("name", ["two-layers", "gru-two-layers", "rnn-two-layers"])
def test_weights_that_the_cell_has_not_are_refused(name, what):
    experiment = of(name)
    words = rf"^layer 1, direction 0 has a {what}, which \w+\(\) has not; leave it out\.$"
    with pytest.raises(BadInput, match=words):
        changed(experiment, (1, 0), **{what: np.ones((6, 6), np.float32)})


@pytest.mark.parametrize(
    ("name", "what", "shape"),
    [
        ("peepholes-smallest", "peepholes", [3, 5]),
        ("coupled-peepholes-smallest", "peepholes", [2, 5]),
        ("projected-smallest", "projection", [5, 3]),
    ],
)
@each_change
def test_unusable_peepholes_and_projections_are_refused(name, what, shape, change, words):
    experiment = of(name)
    array = getattr(experiment.weights[0, 0], what)
    assert list(array.shape) == shape
    with pytest.raises(BadInput, match=rf"^{what} of layer 0, direction 0 {words}.*\.$"):
        changed(experiment, (0, 0), **{what: change(array)})


@pytest.mark.parametrize("missing", ["bias", "recurrent_bias"])
def test_one_bias_of_two_is_refused(missing):
    words = r"^layer 0, direction 0 has one bias of two; give both, or none\.$"
    with pytest.raises(BadInput, match=words):
        changed(of("gru-smallest"), (0, 0), **{missing: None})


def test_a_gru_without_biases_is_taken():
    without = changed(of("gru-smallest"), (0, 0), bias=None, recurrent_bias=None)
    assert not without.has_bias


def test_an_initial_c_for_a_cell_without_c_is_refused():
    experiment = of("gru-smallest")
    both = replace(experiment.initial, c=experiment.initial.h)
    with pytest.raises(BadInput, match=r"^the initial state has h and c; give h\.$"):
        replace(experiment, initial=both)


def test_an_initial_state_without_c_is_refused_for_an_lstm():
    experiment = of("smallest")
    with pytest.raises(BadInput, match=r"^the initial state has h; give h and c\.$"):
        replace(experiment, initial=replace(experiment.initial, c=NONE))


def test_an_initial_h_as_wide_as_the_units_is_refused_where_the_cell_projects():
    experiment = of("projected-smallest")
    words = r"^initial h of layer 0, direction 0 has shape \[2, 5\]; make it \[2, 3\]\.$"
    with pytest.raises(BadInput, match=words):
        replace(experiment, initial=replace(experiment.initial, h=experiment.initial.c))


def test_directions_of_two_cells_are_refused():
    experiment = of("gru-bidirectional-two-layers")
    words = (
        r"^layer 1, direction 1 is of GRU\(reset_after=False\); "
        r"make it GRU\(\), as in direction 0\.$"
    )
    with pytest.raises(BadInput, match=words):
        changed(experiment, (1, 1), cell=GRU(reset_after=False))


# The file of images.


def test_mnist_images_are_scaled_to_one_and_rounded_to_float32():
    case = NAMED["mnist"]
    pixels = fixtures.cases.inputs.mnist_images()[: case.batch]
    narrow, wide = (inputs_of(case, dtype, 0) for dtype in ("float32", "float64"))
    assert narrow.shape == (8, 28, 28)
    assert_same_bits(narrow, (pixels / 255.0).astype(np.float32))
    assert_same_bits(wide, narrow.astype(np.float64))


def test_integer_example_is_the_array_of_source_a():
    array = inputs_of(NAMED["integer-example"], "float32", 0)
    assert array[:, 0].tolist() == [[1, 2, 3, 4, 6], [2, 3, 5, 6, 8], [2, 3, 5, 1, 6]]
    assert array.shape == (3, 4, 5)


def test_missing_file_of_images_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(fixtures.cases.inputs, "DATA", tmp_path)
    expected = r"mnist\.npz cannot be read \(No such file or directory\); restore it with git\.$"
    with pytest.raises(BadInput, match=expected):
        inputs_of(NAMED["mnist"], "float32", 0)


@pytest.mark.parametrize("damage", ["one-byte", "cut-short", "empty"])
def test_damaged_file_of_images_is_named(monkeypatch, tmp_path, damage):
    copy = shutil.copy(fixtures.cases.inputs.DATA / "mnist.npz", tmp_path)
    with open(copy, "r+b") as file:  # noqa: PTH123
        if damage == "one-byte":
            file.seek(-100, 2)
            byte = file.read(1)[0]
            file.seek(-1, 1)
            file.write(bytes([byte ^ 1]))
        else:
            file.truncate(1000 if damage == "cut-short" else 0)
    monkeypatch.setattr(fixtures.cases.inputs, "DATA", tmp_path)
    with pytest.raises(BadInput, match=r"mnist\.npz is damaged .*; restore it with git\.$"):
        inputs_of(NAMED["mnist"], "float32", 0)
