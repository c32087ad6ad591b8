"""Which adapters can run with what is installed and set, and what they say if they cannot."""

from __future__ import annotations

import json
import os
import sys
from importlib import util
from types import SimpleNamespace

import pytest
from packaging.version import Version

from fixtures.adapters import adapters, keras, tensorflow
from tests.meta.conftest import ROOT, Project, need

ONE_CLAIM_ON = ("-q", "-p", "no:cacheprovider", "-k", "oracles and smallest-", "--adapters")


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Pretends that just these distributions are installed and these variables set."""

    def pretend(variables=None, **versions):
        def installed(*distributions, module):
            del module
            for name in distributions:
                if name.replace("-", "_") in versions:
                    return name, Version(versions[name.replace("-", "_")])
            return None

        monkeypatch.setattr(tensorflow, "installed", installed)
        monkeypatch.setattr(keras, "installed", installed)
        monkeypatch.setattr(sys.modules["fixtures.adapters.torch"], "installed", installed)
        present = {name.replace("_cpu", "") for name in versions}
        monkeypatch.setattr(keras.util, "find_spec", lambda name: name if name in present else None)
        monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
        for name in ("TF_USE_LEGACY_KERAS", "KERAS_BACKEND"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("KERAS_HOME", str(tmp_path))
        for name, value in (variables or {}).items():
            monkeypatch.setenv(name, value)
        return {name: one.cannot_run() for name, one in adapters().items()}

    return pretend


def test_everything_installed_runs_everything(machine):
    answers = machine(torch="2.13.0", tensorflow_cpu="2.21.0", tf_keras="2.21.0", keras="3.15.1")
    assert answers == dict.fromkeys(adapters())


def test_keras_3_without_tf_keras_says_what_to_install(machine):
    answers = machine(tensorflow="2.21.0", keras="3.15.1")
    install = "TensorFlow 2.21.0 comes with Keras 3 only: python -m pip install tf-keras==2.21.*"
    assert answers["keras2"] == answers["tf1"] == install
    assert answers["keras3"] is None


def test_tensorflow_2_15_brings_its_own_keras_2(machine):
    answers = machine(tensorflow_cpu="2.15.1", keras="2.15.0")
    assert answers["keras2"] is answers["tf1"] is None
    assert answers["keras3"].startswith("keras 2.15.0 is Keras 2: python -m pip install 'keras>=3'")


def test_legacy_keras_asked_for_on_2_15_without_tf_keras_is_a_contradiction(machine):
    flag = {"TF_USE_LEGACY_KERAS": "1"}
    answers = machine(flag, tensorflow="2.15.1", keras="2.15.0")
    assert answers["keras2"] == answers["tf1"]
    assert answers["tf1"].startswith(
        "TF_USE_LEGACY_KERAS=1 makes TensorFlow 2.15.1 look for tf_keras, which is not installed: "
        "unset it"
    )
    answers = machine(flag, tensorflow="2.15.1", tf_keras="2.15.0", keras="2.15.0")
    assert answers["keras2"] is answers["tf1"] is None


def test_legacy_keras_declined_by_the_user_is_respected(machine):
    flag = {"TF_USE_LEGACY_KERAS": "0"}
    answers = machine(flag, tensorflow="2.21.0", tf_keras="2.21.0", keras="3.15.1")
    assert answers["tf1"] == (
        "TF_USE_LEGACY_KERAS=0 is set, and tf.compat.v1 has no recurrent cells then: "
        "unset it or set it to 1"
    )
    tensorflow.set_legacy_flag()
    assert os.environ["TF_USE_LEGACY_KERAS"] == "0"


def test_tensorflow_imported_too_early_is_named(machine, monkeypatch):
    machine(tensorflow="2.21.0", tf_keras="2.21.0", keras="3.15.1")
    monkeypatch.setitem(sys.modules, "tensorflow", object())
    assert adapters()["tf1"].cannot_run().startswith("TensorFlow was imported before the suite")


@pytest.mark.parametrize(
    ("versions", "flag"),
    [
        ({"tensorflow": "2.21.0", "tf_keras": "2.21.0"}, "1"),
        ({"tensorflow": "2.21.0"}, None),
        ({"tensorflow": "2.15.1"}, None),
        ({"tensorflow": "2.15.1", "tf_keras": "2.15.0"}, None),
    ],
)
def test_the_flag_is_set_only_where_it_helps(machine, versions, flag):
    machine(**versions)
    tensorflow.set_legacy_flag()
    assert os.environ.pop("TF_USE_LEGACY_KERAS", None) == flag


def test_torch_alone(machine):
    answers = machine(torch="2.13.0")
    assert [name for name, why in answers.items() if why is None] == ["torch", "numpy"]
    assert answers["tf1"].startswith("TensorFlow is not installed: python -m pip install ")
    assert answers["keras3"] == "keras is not installed: python -m pip install keras"


def test_tensorflow_alone(machine):
    answers = machine(tensorflow="2.21.0", tf_keras="2.21.0", keras="3.15.1")
    assert [name for name, why in answers.items() if why] == ["torch"]
    assert answers["torch"] == "torch is not installed: python -m pip install torch"


def test_no_framework_at_all_leaves_numpy(machine):
    answers = machine()
    assert [name for name, why in answers.items() if why is None] == ["numpy"]


def test_keras_3_needs_its_backend_and_not_tensorflow(machine, tmp_path):
    assert machine({"KERAS_BACKEND": "torch"}, torch="2.13.0", keras="3.15.1")["keras3"] is None
    missing = machine(torch="2.13.0", keras="3.15.1")["keras3"]
    assert missing.startswith("Keras's backend tensorflow is not installed")
    (tmp_path / "keras.json").write_text('{"backend": "torch"}')
    assert machine(torch="2.13.0", keras="3.15.1")["keras3"] is None


@pytest.mark.parametrize("backend", ["", "no.such", "torch/"])
def test_a_backend_that_is_no_name_is_refused(monkeypatch, tmp_path, backend):
    (tmp_path / "keras.json").write_text(json.dumps({"backend": backend}))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setattr(keras, "installed", lambda *_, module: (module, Version("3.15.1")))
    answer = adapters()["keras3"].cannot_run()
    assert answer.startswith(f"Keras's backend {backend} is not installed")


@pytest.mark.parametrize(
    ("backend", "variable", "updates"),
    [
        ("jax", None, [("jax_enable_x64", True)]),
        ("jax", "0", []),
        ("torch", None, []),
    ],
)
def test_float64_is_made_real_on_jax_unless_the_user_says_otherwise(
    monkeypatch, backend, variable, updates
):
    made, keras3 = [], adapters()["keras3"]
    config = SimpleNamespace(update=lambda *given: made.append(given), jax_enable_x64=True)
    monkeypatch.setitem(sys.modules, "jax", SimpleNamespace(config=config))
    module = SimpleNamespace(backend=SimpleNamespace(backend=lambda: backend))
    monkeypatch.setattr(keras3, "keras", lambda: module)
    monkeypatch.setenv("KERAS_BACKEND", backend)
    monkeypatch.delenv("JAX_ENABLE_X64", raising=False)
    if variable is not None:
        monkeypatch.setenv("JAX_ENABLE_X64", variable)
    keras3.load()
    assert made == updates
    told = {"jax_enable_x64": "True"} if backend == "jax" else {}
    assert keras3.flags() == {"backend": backend} | told


# And really, in processes of their own.

DECLINING_IS_NEWER = "TensorFlow up to 2.15 has Keras 2 of its own, whatever the variable says"


def test_declining_legacy_keras_really_keeps_tf1_from_running():
    need("tf1")
    if tensorflow.has_own_keras2():
        pytest.skip(DECLINING_IS_NEWER)
    result = Project(ROOT).pytest("--adapters", "tf1", TF_USE_LEGACY_KERAS="0")
    assert result.returncode == pytest.ExitCode.USAGE_ERROR
    assert "tf1 cannot run here: TF_USE_LEGACY_KERAS=0 is set" in result.stderr


def test_keras_2_really_runs_where_legacy_keras_is_declined():
    need("keras2")
    if tensorflow.has_own_keras2():
        pytest.skip(DECLINING_IS_NEWER)
    result = Project(ROOT).pytest(*ONE_CLAIM_ON, "keras2", TF_USE_LEGACY_KERAS="0")
    assert result.returncode == 0, result.stdout


def test_legacy_keras_without_tf_keras_really_breaks_tensorflow_2_15():
    """The suite names the contradiction before TensorFlow fails with a sentence about Keras."""
    need("tf1")
    if not tensorflow.has_own_keras2():
        pytest.skip("TensorFlow from 2.16 on needs the variable for what 2.15 has without it")
    if util.find_spec("tf_keras"):
        pytest.skip("tf_keras is installed, and with it the variable is no contradiction")
    suite, code = Project(ROOT), "import tensorflow; tensorflow.keras.layers.LSTM"
    assert suite.python("-c", code).returncode == 0
    broken = suite.python("-c", code, TF_USE_LEGACY_KERAS="1")
    assert "ImportError: Keras cannot be imported" in broken.stderr
    refused = suite.pytest("--adapters", "tf1", TF_USE_LEGACY_KERAS="1")
    assert refused.returncode == pytest.ExitCode.USAGE_ERROR
    assert "tf1 cannot run here: TF_USE_LEGACY_KERAS=1 makes TensorFlow 2.15" in refused.stderr


def test_keras_3_really_runs_on_torch():
    need("keras3")
    need("torch")
    result = Project(ROOT).pytest(*ONE_CLAIM_ON, "keras3", KERAS_BACKEND="torch")
    assert result.returncode == 0, result.stdout
