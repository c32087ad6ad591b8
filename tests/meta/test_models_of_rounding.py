"""Precisions of 16 bits and of 8, and the models of rounding by which they are judged."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest

from fixtures.adapters import numpy as adapter
from fixtures.adapters import torch_precision
from fixtures.adapters.numpy import Numpy
from fixtures.cases import HALVES, named_cases
from fixtures.cases.experiments import experiment_of
from fixtures.checks.compare import (
    Disagreement,
    assert_beyond_rounding,
    assert_same_bits,
    assert_within_rounding,
)
from fixtures.errors import BadInput
from fixtures.model.precisions import FACTORS, PRECISIONS, held_in
from fixtures.oracle.models import (
    OnceAStep,
    RoundedFactors,
    SumsInFloat32,
    arithmetic,
    quantized_oracle_of,
)
from fixtures.oracle.rounding import Expected, Perturbed, oracle_of

BY_NAME = {case.name: case for case in named_cases()}
MANY_TERMS = BY_NAME["thousand-features"]
SIZES = ["smallest", "gru-smallest", "rnn-smallest", "bidirectional-two-layers", "zero-bias"]


def tensors_of(oracle):
    return dict(oracle.tensors())


# What is drawn


@pytest.mark.parametrize("name", SIZES)
def test_cases_of_16_bits_are_of_the_same_numbers(name):
    one, other = (experiment_of(BY_NAME[name], dtype, 0) for dtype in HALVES)
    for (_, mine), (_, yours) in zip(one.weights.items(), other.weights.items(), strict=True):
        assert_same_bits(mine.map(as_float32).kernel, yours.kernel)
        assert_same_bits(mine.map(as_float32).recurrent_kernel, yours.recurrent_kernel)
    assert_same_bits(as_float32(one.inputs), other.inputs)


def as_float32(array):
    return array.astype(np.float32)


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("name", SIZES)
def test_numbers_of_16_bits_lose_nothing_on_their_way_into_a_framework(name, dtype):
    """Neither when a bias is split in two, nor when a forget bias of 1 is taken off."""
    precision = PRECISIONS[dtype]
    for _, one in experiment_of(BY_NAME[name], dtype, 0).weights.items():
        without = one.bias - held_in(dtype)(1)
        assert precision.holds(without).all()
        assert_same_bits(without + held_in(dtype)(1), one.bias)
        assert precision.holds(one.input_bias).all()
        if not one.cell.two_biases:
            assert_same_bits(one.input_bias + one.recurrent_bias, one.bias)


def test_numbers_that_bfloat16_has_not_are_refused():
    experiment = experiment_of(BY_NAME["smallest"], "bfloat16", 0)
    with pytest.raises(BadInput, match="cast it to bfloat16"):
        replace(experiment, inputs=experiment.inputs + np.float32(2**-20))


# What is compared


@pytest.mark.parametrize("dtype", HALVES)
def test_a_number_that_the_precision_has_not_is_no_answer(dtype):
    expected = Expected(np.ones((2, 3)), np.full((2, 3), 2.0**-6), dtype)
    right = np.ones((2, 3), held_in(dtype))
    assert_within_rounding(right, expected)
    wrong = right.astype(np.float32)
    wrong[1, 2] += 2.0**-20
    with pytest.raises(Disagreement, match=r"dtype float32|no numbers of bfloat16"):
        assert_within_rounding(wrong, expected)


def test_a_failure_counts_the_steps_of_the_precision():
    expected = Expected(np.ones((2, 3)), np.full((2, 3), 2.0**-20), "bfloat16")
    with pytest.raises(Disagreement, match="1 ULPs"):
        assert_within_rounding(np.full((2, 3), 1 + 2.0**-7, np.float32), expected)


def test_beyond_rounding_is_more_than_the_bounds_and_of_enough_elements():
    spread = 2.0**-12
    many, few = ((16, 5), (3, 5))

    def apart(shape, spreads):
        expected = Expected(np.ones(shape), np.full(shape, spread), "float32")
        return np.full(shape, 1 + spreads * spread, np.float32), expected

    assert_beyond_rounding(*apart(many, 1.5))
    for shape, spreads in ((many, 0.5), (few, 1.5)):
        with pytest.raises(Disagreement, match="in root mean square of"):
            assert_beyond_rounding(*apart(shape, spreads))


# The models


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("name", ["two-layers", "gru-two-layers", "thousand-features"])
def test_each_model_is_inside_the_one_before(name, dtype):
    experiment = experiment_of(BY_NAME[name], dtype, 0)
    sizes = [
        oracle_of(experiment, model=model).output.spread.mean()
        for model in (Perturbed, SumsInFloat32, OnceAStep)
    ]
    assert sizes[0] > 1.2 * sizes[1] > 1.2 * 1.2 * sizes[2]


def test_values_are_the_same_in_every_model():
    experiment = experiment_of(MANY_TERMS, "float16", 0)
    one, *others = (
        oracle_of(experiment, model=model).output.value
        for model in (Perturbed, SumsInFloat32, OnceAStep)
    )
    assert [np.abs(other - one).max() < 1e-12 for other in others] == [True, True]


def summed_up_term_by_term(left, right, _):
    """`np.tensordot` with a sum of 16 bits, which is rounded after every term."""
    total = np.zeros((len(left), *right.shape[1:]), left.dtype)
    for term in range(left.shape[1]):
        total += left[:, term].reshape(-1, *[1] * (right.ndim - 1)) * right[term]
    return total


@pytest.mark.parametrize("seed", range(3))
def test_sums_of_16_bits_are_told_from_sums_in_float32(monkeypatch, seed):
    experiment = experiment_of(MANY_TERMS, "float16", seed)
    in_float32 = tensors_of(oracle_of(experiment, model=SumsInFloat32))
    assert_within_rounding(dict(Numpy().run(experiment).tensors()), in_float32)
    monkeypatch.setattr(adapter.np, "tensordot", summed_up_term_by_term)
    own = dict(Numpy().run(experiment).tensors())
    assert_within_rounding(own, tensors_of(oracle_of(experiment)))
    with pytest.raises(Disagreement, match="further than 5 spreads away"):
        assert_within_rounding(own, in_float32)


def in_float32_but_for_the_states(experiment):
    """A plain loop in float64 that rounds h and c to float16 after every step."""
    one = experiment.weights[0, 0].map(lambda array: array.astype(np.float64))
    h, c = (array.astype(np.float64) for array in experiment.initial.at(0, 0))
    outputs = []
    for t in range(experiment.time):
        x = experiment.inputs[:, t].astype(np.float64)
        sums = x @ one.kernel + h @ one.recurrent_kernel + one.bias
        i, f, g, o = np.split(sums, 4, axis=1)
        i, f, o = (1 / (1 + np.exp(-gate)) for gate in (i, f, o))
        c = f * c + i * np.tanh(g)
        h, c = (one.astype(np.float16).astype(np.float64) for one in (o * np.tanh(c), c))
        outputs.append(h)
    found = {"output": np.stack(outputs, axis=1), "h[0, 0]": h, "c[0, 0]": c}
    return {name: array.astype(np.float16) for name, array in found.items()}


@pytest.mark.parametrize("seed", range(3))
def test_a_step_rounded_once_is_told_from_rounded_operations(seed):
    experiment = experiment_of(BY_NAME["hundred-steps"], "float16", seed)
    once = tensors_of(oracle_of(experiment, model=OnceAStep))
    assert_within_rounding(in_float32_but_for_the_states(experiment), once)
    assert_beyond_rounding(dict(Numpy().run(experiment).tensors()), once)


# Factors of fewer bits


def to_bits(array, bits):
    """To the nearest of the numbers of float32 whose last bits are zeros; of two, to the even."""
    whole = np.array(array, np.float32).view(np.uint32).astype(np.uint64)
    spare = 24 - bits
    half = (1 << (spare - 1)) - 1 + ((whole >> spare) & 1)
    return (((whole + half) >> spare) << spare).astype(np.uint32).view(np.float32)


@pytest.mark.parametrize("factors", FACTORS)
def test_a_replica_moves_a_factor_by_its_roundoff_and_always_alike(factors):
    sites = RoundedFactors("float32", 0, factors)
    numbers = np.broadcast_to(np.random.default_rng(0).normal(size=(1, 400)), (16, 400))
    moved = sites._moved(numbers)
    assert_same_bits(moved, sites._moved(numbers))
    assert_same_bits(moved[0], numbers[0])
    far = (moved[1:] / numbers[1:] - 1) / FACTORS[factors]
    assert np.abs(far).max() <= 1 + 1e-9
    assert np.sqrt(np.mean(far**2)) == pytest.approx(1 / math.sqrt(3), rel=0.05)
    assert np.abs(np.corrcoef(far) - np.eye(15)).max() < 0.25


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("case", ["smallest", "one-feature", "gru-two-layers", "zero-bias"])
def test_fewer_bits_of_factors_are_told_from_more(monkeypatch, case, seed):
    """From one model to the next they have at least three bits more."""
    experiment = experiment_of(BY_NAME[case], "float32", seed)
    ways = {"": 24, "tfloat32": 11, "bfloat16": 8}
    expected = {
        factors: tensors_of(oracle_of(experiment, model=arithmetic(factors))) for factors in ways
    }
    tensordot, found = np.tensordot, {"": tensors_of(Numpy().run(experiment))}
    for factors in FACTORS:

        def rounded(x, w, axes, bits=ways[factors]):
            return tensordot(to_bits(x, bits), to_bits(w, bits), axes)

        with monkeypatch.context() as patch:
            patch.setattr(adapter.np, "tensordot", rounded)
            found[factors] = tensors_of(Numpy().run(experiment))
    for factors in ways:
        assert_within_rounding(found[factors], expected[factors])
    for more, fewer in itertools.pairwise(ways):
        with pytest.raises(Disagreement, match="further than 5 spreads away"):
            assert_within_rounding(found[fewer], expected[more])


# 8 bits


def quantized(array, step):
    return np.round(array / step) * step


@pytest.mark.parametrize("seed", range(3))
def test_half_a_step_is_as_far_as_8_bits_go(seed):
    """And a whole step further is too far."""
    experiment = experiment_of(BY_NAME["smallest"], "float32", seed)

    def with_steps(times):
        def change(one):
            steps = {
                name: times * float(np.abs(array).max()) / 127
                for name, array in one.by_name()
                if "kernel" in name
            }
            return replace(
                one,
                **{
                    name: quantized(getattr(one, name), step).astype(np.float32)
                    for name, step in steps.items()
                },
            )

        run = Numpy().run(experiment.with_weights(change))
        return dict(run.tensors())

    expected = tensors_of(quantized_oracle_of(experiment))
    assert min(one.informative.mean() for one in expected.values()) == 1.0
    assert_within_rounding(with_steps(1), expected)
    with pytest.raises(Disagreement, match="further than 5 spreads away"):
        assert_within_rounding(with_steps(32), expected)


def test_without_avx512_nothing_is_said_of_onednns_lstm(monkeypatch):
    monkeypatch.setattr(torch_precision, "has_avx512", lambda: False)
    torch = torch_precision.TorchPrecision()
    for recipe in torch_precision.BY_ONEDNN:
        assert "without AVX-512" in torch.lacks_here(recipe)
    assert torch.lacks_here("in_precision") is None


def test_unit_roundoffs_are_those_of_ieee():
    for dtype in ("float16", "float32", "float64"):
        assert PRECISIONS[dtype].unit_roundoff == np.finfo(dtype).eps / 2
    assert PRECISIONS["bfloat16"].unit_roundoff == 2.0**-(8)
    for dtype in ("float32", "float64"):
        precision = PRECISIONS[dtype]
        assert precision.tiny == np.finfo(dtype).tiny
        assert math.log2(precision.informative / precision.unit_roundoff) == 14
