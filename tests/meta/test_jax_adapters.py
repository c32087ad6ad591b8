"""The adapters on JAX: float64 is theirs alone, and nothing that was compiled outlives a change."""

from __future__ import annotations

import numpy as np
import pytest

from fixtures.adapters import adapters
from fixtures.cases import named_cases
from fixtures.cases.experiments import experiment_of
from tests.meta.conftest import need

SMALLEST = next(case for case in named_cases() if case.name == "smallest")

ON_JAX = ("linen", "nnx", "equinox", "haiku", "jax")


@pytest.mark.parametrize("name", ON_JAX)
def test_float64_is_real_and_nobody_elses(name):
    need(name)
    import jax
    import jax.numpy as jnp

    before = jax.config.jax_enable_x64
    run = adapters()[name].run(experiment_of(SMALLEST, "float64", 0))
    narrow = adapters()[name].run(experiment_of(SMALLEST, "float32", 0))
    assert run.output.dtype == np.float64
    assert 0 < np.abs(run.output - narrow.output).max() < 1e-6
    assert jax.config.jax_enable_x64 == before
    assert jnp.zeros(1).dtype == (np.float64 if before else np.float32)


def test_what_was_compiled_is_forgotten_when_it_is_told(monkeypatch):
    need("linen")
    from flax import linen

    adapter, experiment = adapters()["linen"], experiment_of(SMALLEST, "float32", 0)
    healthy = adapter.run(experiment).output
    monkeypatch.setattr(
        linen, "RNN", lambda cell, **options: linen.recurrent.RNN(cell, reverse=True, **options)
    )
    assert np.array_equal(adapter.run(experiment).output, healthy)
    adapter.forget()
    assert not np.array_equal(adapter.run(experiment).output, healthy)
    monkeypatch.undo()
    adapter.forget()
    assert np.array_equal(adapter.run(experiment).output, healthy)
