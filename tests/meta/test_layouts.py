"""Adapters' layout code on few small cases, each with a run of its own: what was loaded is what is
read back and what computes, and the framework's own arrays are kept as they are.

The claims say more, on all cases. These are the tests that `tox run -e mutation` tries on every
fault, so they are quick, and share no run with each other.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from fixtures.adapters import adapters, core
from fixtures.adapters.numpy import Layer
from fixtures.cases import Case, named_cases
from fixtures.cases.experiments import experiment_of
from fixtures.checks.compare import assert_same_bits, assert_within_rounding
from fixtures.model.experiment import Experiment
from fixtures.model.perlayer import Array, PerLayer
from fixtures.model.run import Run
from fixtures.model.weights import LayerWeights
from fixtures.oracle.rounding import Oracle, no_oracle_for, oracle_of

NAMED = {case.name: case for case in named_cases()}
CASES = [
    (NAMED["smallest"], "float32"),
    (NAMED["smallest-from-zero"], "float32"),
    (NAMED["two-widths"], "float32"),
    (NAMED["bidirectional-two-layers"], "float32"),
    (NAMED["bidirectional-two-layers"], "float64"),
    # No named case is without bias and a stack, or in two directions.
    (replace(NAMED["bidirectional-two-layers"], name="biasless", bias="none"), "float32"),
]
FRAMEWORKS = [name for name in core() if name != "numpy"]
each_adapter = pytest.mark.parametrize("name", list(core()))
each_framework = pytest.mark.parametrize("name", FRAMEWORKS)
each_case = pytest.mark.parametrize(
    ("case", "dtype"),
    [
        pytest.param(
            case,
            dtype,
            id=f"{case.name}-{dtype}",
            marks=pytest.mark.skipif(
                no_oracle_for(dtype) is not None, reason=no_oracle_for(dtype) or ""
            ),
        )
        for case, dtype in CASES
    ],
)


@functools.cache
def experiment_on(case: Case, dtype: str = "float32") -> Experiment:
    return experiment_of(case, dtype, 0)


@functools.cache
def oracle_on(case: Case, dtype: str = "float32") -> Oracle:
    return oracle_of(experiment_on(case, dtype))


def run_of(name: str, case: Case, dtype: str = "float32", recipe: str = "run") -> Run:
    adapter = adapters()[name]
    if reason := adapter.cannot_run() or adapter.leaves_out(case, dtype) or adapter.lacks(recipe):
        pytest.skip(reason)
    run: Run = getattr(adapter, recipe)(experiment_on(case, dtype))
    return run


def by_name(weights: PerLayer[LayerWeights]) -> dict[str, Array]:
    """All that every framework has; torch's second bias is part of the bias."""
    return {
        f"{field} {at}": array for at, one in weights.items() for field, array in one.canonical()
    }


@each_case
@each_adapter
def test_weights_come_back_and_compute_what_the_oracle_does(name, case, dtype):
    run = run_of(name, case, dtype)
    assert_same_bits(by_name(run.weights), by_name(experiment_on(case, dtype).weights))
    assert_within_rounding(dict(run.tensors()), dict(oracle_on(case, dtype).tensors()))


def test_numpy_layer_reads_back_its_own_arrays_and_not_those_loaded():
    one = experiment_on(NAMED["gru-smallest"]).weights[0, 0]
    layer = Layer(one)
    layer.kernel, layer.recurrent, layer.bias, layer.recurrent_bias = (
        2 * layer.kernel,
        3 * layer.recurrent,
        4 * layer.bias,
        5 * layer.recurrent_bias,
    )
    expected = zip((2, 3, 4, 5), one.by_name(), strict=True)
    assert_same_bits(
        dict(layer.weights().by_name()), {name: by * array for by, (name, array) in expected}
    )


def leaves(nested: Any) -> Iterator[Array]:
    """The arrays in lists and tuples of any depth."""
    if isinstance(nested, list | tuple):
        for part in nested:
            yield from leaves(part)
    else:
        yield nested


def numbers_in(arrays: Iterator[Array]) -> set[float]:
    return {number for array in arrays for number in array.ravel().tolist()}


@each_framework
def test_frameworks_own_results_hold_the_same_numbers(name):
    """In an order of their own, which is for the claims to tell."""
    run = run_of(name, NAMED["bidirectional-two-layers"])
    native = numbers_in(leaves(run.native))
    for tensor, array in run.tensors():
        assert numbers_in(iter([array])) <= native, tensor


@each_framework
def test_frameworks_own_weights_are_as_many_as_were_loaded(name):
    case = NAMED["bidirectional-two-layers"]
    run = run_of(name, case)
    biases = 2 if name == "torch" else 1
    expected = sum(
        one.kernel.size + one.recurrent_kernel.size + biases * one.bias.size
        for _, one in experiment_on(case).weights.items()
    )
    assert sum(array.size for array in run.native_weights.values()) == expected


@each_adapter
def test_time_first_is_turned_around_on_the_way_in_and_out(name):
    case = NAMED["smallest"]
    run = run_of(name, case, recipe="time_major")
    assert_within_rounding(dict(run.tensors()), dict(oracle_on(case).tensors()))


@each_adapter
def test_state_at_a_rows_end_is_the_oracles(name):
    case = NAMED["smallest"]
    run, oracle = run_of(name, case, recipe="lengths"), oracle_of(experiment_on(case).short_rows())
    assert_within_rounding(
        {"h": run.h[0, 0], "c": run.c[0, 0]}, {"h": oracle.h[0, 0], "c": oracle.c[0, 0]}
    )


@pytest.mark.parametrize("case", ["two-layers", "two-layers-from-zero"])
@each_adapter
def test_every_c_is_the_oracles(name, case):
    run, oracle = run_of(name, NAMED[case], recipe="c_of_every_step"), oracle_on(NAMED[case])
    assert_within_rounding(
        {str(at): steps for at, steps in run.c_steps.items()},
        {str(at): steps for at, steps in oracle.c_steps.items()},
    )


@pytest.mark.parametrize(
    "case",
    [
        "gru-reset-before-smallest",
        "rnn-relu-smallest",
        "all-variants-smallest",
        "all-variants-bidirectional-two-layers",
    ],
)
def test_tf1_cells_weights_come_back_and_compute_what_the_oracle_does(case):
    run = run_of("tf1", NAMED[case])
    assert_same_bits(by_name(run.weights), by_name(experiment_on(NAMED[case]).weights))
    assert_within_rounding(dict(run.tensors()), dict(oracle_on(NAMED[case]).tensors()))
