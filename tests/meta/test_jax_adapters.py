"""The adapters on JAX: float64 is theirs alone, and nothing that was compiled outlives a change."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fixtures.adapters import adapters, every_adapter, jax_modes
from fixtures.cases import named_cases
from fixtures.cases.experiments import experiment_of
from fixtures.checks.compare import assert_same_bits, require_in_effect
from fixtures.checks.run_cache import RunCache
from fixtures.errors import NotRun
from tests.meta.conftest import need

SMALLEST = next(case for case in named_cases() if case.name == "smallest")

HERE = {"devices": {"cpu"}}

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


@pytest.mark.parametrize("name", ON_JAX)
def test_a_layer_that_was_moved_is_called_and_learns_as_here(name):
    need(name)
    own, there = adapters()[name], every_adapter()[f"{name}:gpu"]
    here = replace(there.mode, device="cpu", in_effect=HERE, make=jax_modes.on("cpu"))
    moved, experiment = type(there)(here), experiment_of(SMALLEST, "float32", 0)
    for recipe in ("run", "repeated"):
        run = getattr(moved, recipe)(experiment)
        require_in_effect(run.seen, HERE)
        assert_same_bits(dict(run.tensors()), dict(getattr(own, recipe)(experiment).tensors()))
    run = moved.gradients(experiment)
    require_in_effect(run.seen, HERE)
    assert_same_bits(
        dict(run.gradients.tensors()), dict(own.gradients(experiment).gradients.tensors())
    )


def test_a_gpu_that_is_not_here_is_told_of_without_an_import(monkeypatch):
    monkeypatch.setattr(jax_modes, "PLUGINS", ("no-such-plugin",))
    monkeypatch.setattr(jax_modes, "no_driver", lambda: "there is no GPU here")
    assert jax_modes.no_gpu().startswith("none of no-such-plugin is installed: python -m pip")
    monkeypatch.setattr(jax_modes, "PLUGINS", ("no-such-plugin", "numpy"))
    assert jax_modes.no_gpu() == "there is no GPU here"
    monkeypatch.setattr(jax_modes, "no_driver", lambda: None)
    assert jax_modes.no_gpu() is None


@pytest.mark.parametrize("name", ON_JAX)
def test_a_gpu_that_jax_does_not_have_after_all_proves_nothing(monkeypatch, name):
    need(name)
    if every_adapter()[f"{name}:gpu"].cannot_run() is None:
        pytest.skip("it is here")
    monkeypatch.setattr(jax_modes, "no_gpu", lambda: None)
    with pytest.raises(NotRun, match=r"(?i)unknown backend|gpu"):
        RunCache(0).loaded(every_adapter()[f"{name}:gpu"])


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
