"""The adapter of MLX: what is float64 of it, and what it needs."""

from __future__ import annotations

import functools

import numpy as np

from fixtures.adapters import every_adapter
from fixtures.cases import named_cases
from fixtures.cases.experiments import experiment_of
from tests.meta.conftest import need
from tests.meta.kill_matrix import row
from tests.meta.mutants import Mutant, mlx
from tests.meta.mutants.cell import EVERY, GRADIENTS, Fault, step

CASES = {case.name: case for case in named_cases()}


def narrower_by(name):
    """How far float32 is from float64, of everything that this case gives."""
    wide, narrow = (
        dict(every_adapter()["mlx"].run(experiment_of(CASES[name], dtype, 0)).tensors())
        for dtype in ("float64", "float32")
    )
    assert {one.dtype.name for one in wide.values()} == {"float64"}
    return max(np.abs(wide[one] - narrow[one]).max() for one in wide)


def test_float64_is_as_wide_as_it_is_said_to_be():
    """Both are held in float64; an LSTM goes through a sigmoid, and an RNN does not."""
    need("mlx")
    import mlx.core as mx

    x = np.linspace(-4, 4, 101)
    found = {
        name: np.abs(np.array(function(mx.array(x, dtype=mx.float64))) - expected).max()
        for name, function, expected in (
            ("tanh", mx.tanh, np.tanh(x)),
            ("sigmoid", mx.sigmoid, 1 / (1 + np.exp(-x))),
        )
    }
    assert found["tanh"] < 1e-15
    assert 1e-9 < found["sigmoid"] < 1e-6
    assert 0 < narrower_by("smallest") < 1e-6
    assert 0 < narrower_by("rnn-smallest") < 1e-6


def test_its_lstm_and_gru_written_out_without_a_fault_survive(monkeypatch):
    need("mlx")
    with monkeypatch.context() as patch:
        mlx.replace_step(patch, functools.partial(step, mlx.ops(), Fault()))
        mlx.replace_gru(patch)
        # A step written out gives what it makes in the precision of x.
        named = {one for mutant in mlx.MLX.mutants for one in mutant.caught_by} - {mlx.WIDENED}
        healthy = Mutant("healthy", "mlx", "", tuple(named), mlx.GRU, lambda _: None)
        fates = row(healthy)
    assert set(fates) >= {EVERY, GRADIENTS, mlx.CELLS, mlx.GRU_GATES}
    assert {claim: fate for claim, fate in fates.items() if fate != "holds"} == {}


def test_without_a_backend_or_a_compiler_it_says_so(monkeypatch):
    need("mlx")
    from fixtures.adapters import mlx as of_mlx
    from fixtures.adapters import mlx_modes

    adapter, compiled = every_adapter()["mlx"], every_adapter()["mlx:compile"]
    assert adapter.cannot_run() is None
    monkeypatch.setattr(mlx_modes.shutil, "which", lambda _: None)
    assert "g++" in compiled.cannot_run()
    monkeypatch.setattr(of_mlx, "find_spec", lambda _: None)
    assert "mlx[cpu]" in adapter.cannot_run()
