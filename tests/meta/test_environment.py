"""Which adapters can run with what is installed and set, and what they say if they cannot."""

from __future__ import annotations

import json
import os
import sys
from importlib import util
from types import SimpleNamespace

import pytest
from packaging.version import Version

from fixtures.adapters import (
    adapters,
    base,
    core,
    every_adapter,
    keras,
    keras_modes,
    tensorflow,
    torch_modes,
)
from tests.meta.conftest import ROOT, Project, need

FIND_INSTALLED = (
    base, keras, keras_modes, tensorflow, sys.modules["fixtures.adapters.torch"], torch_modes,
)  # fmt: skip

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

        for module in FIND_INSTALLED:
            monkeypatch.setattr(module, "installed", installed)
        present = {name.replace("_cpu", "") for name in versions}
        monkeypatch.setattr(keras.util, "find_spec", lambda name: name if name in present else None)
        monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
        for name in ("TF_USE_LEGACY_KERAS", "KERAS_BACKEND"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("KERAS_HOME", str(tmp_path))
        for name, value in (variables or {}).items():
            monkeypatch.setenv(name, value)
        return {name: one.cannot_run() for name, one in core().items()}

    return pretend


def test_everything_installed_runs_everything(machine):
    answers = machine(torch="2.13.0", tensorflow_cpu="2.21.0", tf_keras="2.21.0", keras="3.15.1")
    assert answers == dict.fromkeys(core())


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


@pytest.mark.parametrize(
    "alone",
    ["torch", "tensorflow", "keras", "jax", "onnx", "onnxruntime", "onnxscript", "paddlepaddle"],
)
def test_every_adapter_and_mode_says_whether_it_runs_where_one_package_is_alone(machine, alone):
    """`torch:onnx` has a version of onnx to name where there is no torch."""
    machine(**{alone: "2.13.0"})
    answers = {name: one.cannot_run() for name, one in every_adapter().items()}
    run = {name.partition(":")[0] for name, why in answers.items() if why is None}
    assert run == {"torch", "numpy"} if alone == "torch" else {"numpy"}


def test_a_mode_tells_the_version_of_what_it_needs_beside_its_framework(machine):
    machine(tensorflow="2.21.0", tf_keras="2.21.0", keras="3.15.1", ai_edge_litert="2.3.0")
    told = {name: every_adapter()[name].versions() for name in ("keras3", "keras3:litert")}
    assert told["keras3:litert"] == told["keras3"] | {"ai_edge_litert": "2.3.0"}
    machine(ai_edge_litert="2.3.0")
    assert every_adapter()["keras3:litert"].versions() == {}


def test_keras_3_needs_its_backend_and_not_tensorflow(machine, tmp_path):
    assert machine({"KERAS_BACKEND": "torch"}, torch="2.13.0", keras="3.15.1")["keras3"] is None
    missing = machine(torch="2.13.0", keras="3.15.1")["keras3"]
    assert missing.startswith("Keras's backend tensorflow is not installed")
    (tmp_path / "keras.json").write_text('{"backend": "torch"}')
    assert machine(torch="2.13.0", keras="3.15.1")["keras3"] is None


def test_keras_3_on_openvino_is_run_by_name(machine):
    reasons = machine({"KERAS_BACKEND": "openvino"}, openvino="2026.4.1", keras="3.15.1")
    assert reasons["keras3"].endswith("is run by name: --adapters keras3@openvino")
    assert every_adapter()["keras3@openvino"].cannot_run() is None


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


# Two versions in one place: what is told without an import, and what the import tells.


def install(folder, module, distribution, version, says=None):
    """A distribution of one module, as pip lays it down, in a folder on Python's path."""
    (folder / module).mkdir(parents=True, exist_ok=True)
    (folder / module / "__init__.py").write_text(f'__version__ = "{says or version}"\n')
    info = folder / f"{distribution.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Name: {distribution}\nVersion: {version}\n")
    (info / "RECORD").write_text(f"{module}/__init__.py,,\n{info.name}/METADATA,,\n")


@pytest.fixture
def site(monkeypatch, tmp_path):
    """A folder in front of everything else that is on Python's path."""
    monkeypatch.syspath_prepend(tmp_path)
    for function in (base.installed, base.overlaid, base.shadow):
        function.cache_clear()
    yield tmp_path
    for function in (base.installed, base.overlaid, base.shadow):
        function.cache_clear()


def test_two_versions_over_each_other_are_no_version(site):
    install(site, "odd", "odd", "3.15.1")
    install(site, "odd", "odd-nightly", "3.16.0.dev1")
    names = ("odd", "odd-nightly")
    why = base.shadow(*names, module="odd")
    assert why == (
        "odd 3.15.1 and odd-nightly 3.16.0.dev1 lie over each other, and import odd finds files of "
        "either: python -m pip uninstall odd odd-nightly, then install one of them"
    )
    assert base.installed(*names, module="odd") is None
    assert "odd" not in sys.modules


@pytest.mark.parametrize("second", ["the same version", "another module", "elsewhere"])
def test_two_distributions_that_agree_are_one(monkeypatch, site, second):
    install(site, "odd", "odd", "3.15.1")
    if second == "the same version":
        install(site, "odd", "odd-cpu", "3.15.1")
    elif second == "elsewhere":
        install(site / "elsewhere", "odd", "odd-cpu", "3.16.0")
        monkeypatch.setattr(sys, "path", [*sys.path, str(site / "elsewhere")])
    else:
        install(site, "even", "odd-cpu", "3.16.0")
    names = ("odd", "odd-cpu")
    assert base.overlaid(*names, module="odd") is None
    assert base.installed(*names, module="odd") == ("odd", Version("3.15.1"))


def test_keras_beside_its_nightly_does_not_start(project, tmp_path):
    install(tmp_path / "site", "keras", "keras", "3.15.1")
    install(tmp_path / "site", "keras", "keras-nightly", "3.16.0.dev1")
    asked = project.pytest("-n", "2", "--adapters", "keras3", PYTHONPATH=str(tmp_path / "site"))
    assert asked.returncode == pytest.ExitCode.USAGE_ERROR
    sentence = "--adapters: keras3 cannot run here: keras 3.15.1 and keras-nightly 3.16.0.dev1 lie"
    assert asked.stderr.count(sentence) == 1


@pytest.mark.parametrize(
    ("installed", "imported", "other"),
    [
        ("3.15.1", "3.15.1", False),
        ("2.22.0.dev20261024", "2.22.0-dev20261024", False),
        ("2.13.0", "2.13.0+cpu", False),
        ("2.13.0+cpu", "2.13.0+cu130", True),
        ("3.15.1", "3.16.0.dev1", True),
        ("3.16.0.dev1", "3.16.0.dev2", True),
    ],
)
def test_an_imported_version_is_held_against_the_installed_one(
    monkeypatch, installed, imported, other
):
    torch = adapters()["torch"]
    monkeypatch.setattr(torch, "versions", lambda: {"torch": installed})
    monkeypatch.setattr(torch, "imported", lambda: {"torch": imported})
    assert (base.imported_otherwise(torch) is not None) is other


@pytest.mark.parametrize("workers", ["0", "2"])
def test_an_import_of_another_version_runs_nothing(project, tmp_path, workers):
    install(tmp_path / "site", "torch", "torch", "9.9.9", says="9.9.8")
    result = project.pytest(
        "-n", workers, "--adapters", "torch,numpy", "--record=run.json",
        PYTHONPATH=str(tmp_path / "site"),
    )  # fmt: skip
    assert result.returncode == pytest.ExitCode.TESTS_FAILED
    why = (
        "torch would run torch 9.9.8, as the imported module calls itself, where torch 9.9.9 is "
        "installed: install it anew"
    )
    assert f"it says nothing about 8 of 15 selected checks: {why} (8)." in result.stdout
    run = json.loads((project.path / "run.json").read_text())
    assert run["complete"] is False
    ended = {(check["adapter"], check["outcome"]) for check in run["checks"]}
    assert ended == {("torch", "not run"), ("numpy", "proven"), ("numpy", "not applicable")}
    assert {one["reason"] for one in run["checks"] if one["outcome"] == "not run"} == {why}


@pytest.mark.parametrize("name", ["torch", "keras3", "keras2", "tf1"])
def test_what_is_imported_here_says_the_version_that_is_installed(name):
    need(name)
    code = f"""
from fixtures.adapters import adapters, imported_otherwise
adapter = adapters()[{name!r}]
adapter.load()
assert set(adapter.imported()) == set(adapter.versions()) - {{"Keras backend"}}, adapter.imported()
assert imported_otherwise(adapter) is None, imported_otherwise(adapter)
"""
    ran = Project(ROOT).python("-c", code)
    assert ran.returncode == 0, ran.stderr


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
