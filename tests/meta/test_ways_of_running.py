"""Modes: what they are called, what of them is selected, excused and shown."""

from __future__ import annotations

import functools
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from packaging.version import Version

from fixtures.adapters import (
    adapters,
    devices,
    every_adapter,
    keras_compiled,
    outside,
    tensorflow,
    tf1_modes,
    torch_devices,
    torch_modes,
    torch_ways,
)
from fixtures.adapters.modes import OF_MODES
from fixtures.adapters.tf1 import import_tensorflow
from fixtures.adapters.torch import Torch
from fixtures.adapters.torch_modes import TorchInMode
from fixtures.cases import named_cases
from fixtures.checks.check import check_of
from fixtures.checks.compare import (
    Disagreement,
    assert_within_rounding,
    require_in_effect,
)
from fixtures.checks.context import CheckContext
from fixtures.checks.run_cache import RunCache
from fixtures.claims import IN_MODES, all_claims, checked_in_every_mode, not_applicable
from fixtures.claims.known import known_failures, matching
from fixtures.errors import BadInput, NotRun
from fixtures.oracle.rounding import gradients_of, oracle_of
from fixtures.pages.modes import LEGEND, draw, lines_of
from fixtures.records.record import read
from tests.meta.conftest import ROOT, need
from tests.meta.records import FAILED, a_check, a_record, checked

MODES = {name: one for name, one in every_adapter().items() if ":" in name}
CASES = {one.name: one for one in named_cases()}

ENTRY = """
[[failure]]
adapter = "torch"
claim = "output-last-step-is-h"
versions = "torch >=1.0"
reason = "it is an example"
link = "https://example.org"
"""


@pytest.mark.parametrize("name", MODES)
def test_a_mode_is_an_adapter_that_proves_that_it_is_in_effect(name):
    outside, _, mode = name.partition(":")
    one = MODES[name]
    assert outside in adapters()
    assert one.interface == adapters()[outside].interface
    assert mode.isidentifier(), "ids of tests are parted at hyphens"
    assert one.mode.in_effect, "what is eager in disguise would pass"
    assert one.mode.about
    assert one.lacks("run") is None


@pytest.mark.parametrize("name", MODES)
def test_a_mode_is_checked_by_default_on_values_and_on_itself(name):
    checked_there = {
        one.id
        for one in all_claims().values()
        if any(checked_in_every_mode(one, name, CASES[case], "float32") for case in IN_MODES)
    }
    assert {"a-mode-was-in-effect", "every-value-is-the-oracles"} <= checked_there
    assert not any(
        checked_in_every_mode(one, name, CASES["smallest"], "float32")
        for one in all_claims().values()
        if one.recipe not in OF_MODES
    )


def test_a_claim_that_calls_the_framework_itself_is_in_no_mode():
    claims = [one for one in all_claims().values() if "adapter" in one.asks_for]
    assert claims
    for name in MODES:
        assert all(not_applicable(one, name) for one in claims)


def test_what_runs_eagerly_in_silence_proves_nothing(monkeypatch):
    need("torch:inference")
    mode = every_adapter()["torch:inference"]
    monkeypatch.setattr(mode, "mode", replace(mode.mode, in_effect={"graphs": 1}))
    for claim in ("every-value-is-the-oracles", "output-last-step-is-h", "a-mode-was-in-effect"):
        check = check_of(all_claims()[claim], mode, CASES["smallest"], "float32", 0)
        with pytest.raises(Disagreement, match="the mode was not in effect"):
            CheckContext(check, RunCache(0)).run  # noqa: B018


def test_a_derivative_that_is_eager_in_silence_proves_nothing(monkeypatch):
    need("torch:no_onednn")
    mode = every_adapter()["torch:no_onednn"]
    claim = all_claims()["directional-derivatives-are-the-oracles"]
    context = CheckContext(check_of(claim, mode, CASES["smallest"], "float32", 0), RunCache(0))
    context.along("directional_derivatives")
    monkeypatch.setattr(mode, "mode", replace(mode.mode, make=torch_ways.func))
    with pytest.raises(Disagreement, match="the mode was not in effect"):
        context.along("second_gradients")


def test_seen_is_compared_whole():
    require_in_effect({"graphs": 1}, {"graphs": 1})
    for seen in ({}, {"graphs": 2}, {"graphs": 1, "breaks": 0}):
        with pytest.raises(Disagreement, match=r"seen .*\n *in effect +\{'graphs': 1\}"):
            require_in_effect(seen, {"graphs": 1})


def test_modes_are_asked_for_by_name_or_pattern(project):
    need("torch:inference")
    for pattern in ("torch:inference", "torch:inf*"):
        result = project.pytest("--adapters", pattern, "--collect-only", "-q", "-k", "holds")
        ids = [line for line in result.stdout.splitlines() if "::" in line]
        assert ids
        assert all("[torch:inference-" in one for one in ids)


# Modes that are run by name alone, or not here.


def mode_of(name, monkeypatch, **changes):
    one = every_adapter()[name]
    monkeypatch.setattr(one, "mode", replace(one.mode, **changes))
    return one


def test_a_mode_says_which_version_it_needs(monkeypatch):
    need("torch:inference")
    one = mode_of("torch:inference", monkeypatch, needs="torch >=1.0")
    assert one.cannot_run() is None
    one = mode_of("torch:inference", monkeypatch, needs="torch >=99")
    version = one.versions()["torch"]
    assert one.cannot_run() == f"it needs torch >=99, and {version} is installed"
    assert one.left_out() == one.cannot_run()


def test_a_mode_says_so_where_all_that_it_needs_is_there_but_its_framework(monkeypatch):
    found = ("onnx", Version("1.23"))
    monkeypatch.setattr(torch_modes, "installed", lambda *_, **__: found)
    monkeypatch.setattr(Torch, "versions", lambda _: {})
    answer = every_adapter()["torch:onnx"].cannot_run()
    assert answer == "torch is not installed: python -m pip install torch"


def test_a_mode_that_is_run_by_name_alone_can_run(monkeypatch):
    need("torch:inference")
    one = mode_of("torch:inference", monkeypatch, by_name_only="it is slow")
    assert (one.cannot_run(), one.left_out()) == (None, "it is slow")


def test_what_is_left_out_is_told_in_one_line_and_run_by_name(project):
    need("torch:inductor")
    left_out = [name for name, one in every_adapter().items() if one.left_out()]
    assert {"linen", "linen:vmap"} <= set(left_out) or not adapters()["linen"].cannot_run()
    left_out = [name for name in left_out if outside(name) not in left_out or outside(name) == name]
    collect = ("--collect-only", "-k", "holds")
    told = project.pytest("-all", *collect).stdout
    assert [f"  by name alone, or not here: {', '.join(left_out)}"] == [
        line for line in told.splitlines() if "torch:inductor" in line
    ]
    assert "torch:inductor" not in project.pytest("--adapters", "torch:*", *collect).stdout
    told = project.pytest("--adapters", "torch:inductor", *collect).stdout
    assert "[torch:inductor-smallest-float32]" in told
    assert "by name alone" not in told


@pytest.mark.parametrize("option", [("-all", "--require-all"), ("--adapters", "torch:*")])
def test_a_device_that_is_not_here_is_not_asked_for_by_all(project, option):
    need("torch")
    result = project.pytest(*option, "--collect-only", "-q", "-k", "holds")
    assert "torch:mps" not in result.stdout + result.stderr


@pytest.mark.parametrize("device", ["cuda", "cuda_tf32", "mps", "xpu"])
def test_a_device_that_is_asked_for_and_not_here_is_a_failure(project, device):
    need("torch")
    if (reason := every_adapter()[f"torch:{device}"].cannot_run()) is None:
        pytest.skip("it is here")
    result = project.pytest("--adapters", f"torch:{device}")
    assert result.returncode == pytest.ExitCode.USAGE_ERROR
    [line] = result.stderr.strip().splitlines()
    assert line == f"ERROR: --adapters: torch:{device} cannot run here: {reason}."


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--device", "tpu"), "there is no device 'tpu'; there are cpu, cuda, gpu, mps, xpu."),
        (("--device", "cuda", "--adapters", "numpy"), "numpy is not run on cuda here; torch is."),
        (("--device", ""), "there is no device ''; there are cpu, cuda, gpu, mps, xpu."),
    ],
)  # fmt: skip
def test_a_device_that_no_adapter_has_is_told_in_a_sentence(project, arguments, told):
    result = project.pytest(*arguments)
    assert result.returncode == pytest.ExitCode.USAGE_ERROR
    assert result.stderr.strip() == f"ERROR: --device: {told}"


@pytest.mark.parametrize("adapters", [("-all",), ("--adapters", "torch")])
def test_a_device_is_a_mode_of_the_adapters_that_have_it(project, adapters):
    need("torch")
    if (reason := every_adapter()["torch:mps"].cannot_run()) is None:
        pytest.skip("it is here")
    result = project.pytest("--device", "mps", *adapters)
    assert result.stderr.strip() == f"ERROR: --adapters: torch:mps cannot run here: {reason}."


def test_the_cpu_is_what_is_run_on_anyway(project):
    result = project.pytest("--device", "cpu", "--adapters", "numpy", "-k", "it_holds")
    assert result.returncode == 0, result.stdout


def test_a_layer_that_was_moved_says_where_it_ran():
    need("torch")
    torch = every_adapter()["torch:inference"]
    torch.load()
    experiment = RunCache(0).experiment(CASES["smallest"], "float32")
    model, arguments = torch._model(experiment), torch._arguments(experiment)
    made = torch_devices.on("cpu")(model, arguments, False)
    made.call(*arguments)
    assert made.seen() == {"device": "cpu", "TF32": False}


def on_the_cpu(name: str) -> TorchInMode:
    """The mode of a device, which moves everything to where it is."""
    mode = every_adapter()[f"torch:{name}"].mode
    here = {"device": "cpu", "TF32": mode.tf32}
    return TorchInMode(
        replace(mode, device="cpu", in_effect=here, make=torch_devices.on("cpu", mode.tf32))
    )


@pytest.mark.parametrize("name", ["cuda", "cuda_tf32"])
@pytest.mark.parametrize("case", ["smallest", "masked-right-lstm-two-layers"])
def test_a_layer_that_was_moved_is_called_and_learns_as_on_the_cpu(name, case):
    need("torch")
    is_called_and_learns(on_the_cpu(name), case, ("run", "repeated", "time_major"))


def is_called_and_learns(adapter, case, recipes):
    """In its mode, and as the equations have it."""
    experiment = RunCache(0).experiment(CASES[case], "float32")
    expected = dict(oracle_of(experiment).tensors())
    for recipe in recipes:
        run = getattr(adapter, recipe)(experiment)
        require_in_effect(run.seen, adapter.mode.in_effect)
        assert_within_rounding(dict(run.tensors()), expected)
    run = adapter.gradients(experiment)
    require_in_effect(run.seen, adapter.mode.in_effect)
    assert_within_rounding(dict(run.gradients.tensors()), gradients_of(experiment))


@pytest.mark.parametrize("name", ["cuda", "cuda_tf32"])
@pytest.mark.parametrize("recipe", ["gradients", "gradients_of_weights"])
def test_the_way_back_multiplies_as_the_way_there(name, recipe):
    need("torch")
    import torch

    adapter, on_the_way_back = on_the_cpu(name), []

    def watched(model, arguments, others):
        made = torch_devices.on("cpu", adapter.mode.tf32)(model, arguments, others)

        def call(*arguments):
            result = made.call(*arguments)
            result[0].register_hook(
                lambda _: on_the_way_back.append(torch.backends.cudnn.allow_tf32)
            )
            return result

        return replace(made, call=call)

    moved = TorchInMode(replace(adapter.mode, make=watched))
    getattr(moved, recipe)(RunCache(0).experiment(CASES["smallest"], "float32"))
    assert on_the_way_back == [name == "cuda_tf32"]


@pytest.mark.parametrize(("device", "trains"), [("cuda", True), ("mps", False)])
def test_a_layer_that_was_moved_trains_where_cudnn_learns(monkeypatch, device, trains):
    """As cuDNN goes backward in training alone; afterwards it is as it was."""
    need("torch")
    import torch

    monkeypatch.setattr(torch_devices, "there", lambda nested, _: nested)
    monkeypatch.setattr(torch.nn.Module, "to", lambda self, _: self)
    adapter, training = every_adapter()["torch:inference"], []
    experiment = RunCache(0).experiment(CASES["smallest"], "float32")
    model, arguments = adapter._model(experiment), adapter._arguments(experiment)
    model.register_forward_pre_hook(lambda *_: training.append(model.layer.training))
    made = torch_devices.on(device)(model, arguments, False)
    with torch.no_grad():
        made.call(*arguments)
    made.call(*arguments)
    assert (training, model.training) == ([False, trains], False)


def test_every_recipe_of_a_device_is_one_that_a_moved_layer_has():
    """Of a layer that is elsewhere nobody asks what it is here."""
    for device in ("cuda", "cuda_tf32", "mps", "xpu"):
        assert "as_it_was" not in every_adapter()[f"torch:{device}"].mode.recipes


def test_a_device_without_tf32_is_not_run_with_it(monkeypatch):
    need("torch")
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for capability in ((7, 5), (8, 0), (12, 0)):
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda own=capability: own)
        torch_devices.require("cuda")
        if capability >= (8, 0):
            torch_devices.require("cuda", tf32=True)
            continue
        with pytest.raises(RuntimeError, match=r"no TF32 before .* 8\.0, and the device has 7\.5"):
            torch_devices.require("cuda", tf32=True)
    monkeypatch.setattr(torch.version, "hip", "7.2")
    with pytest.raises(RuntimeError, match="no TF32 in MIOpen"):
        torch_devices.require("cuda", tf32=True)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_way_of_running_is_judged_by_what_it_multiplies(dtype):
    """In float64 nothing is rounded to fewer bits."""
    claim, cache, spreads = all_claims()["every-value-is-the-oracles"], RunCache(0), {}
    for name in ("torch:cuda", "torch:cuda_tf32"):
        check = check_of(claim, every_adapter()[name], CASES["smallest"], dtype, 0)
        context = CheckContext(check, cache)
        spreads[name] = [
            context.oracle.output.spread.mean(),
            context.oracle_gradients["inputs"].spread.mean(),
        ]
    ratios = np.divide(spreads["torch:cuda_tf32"], spreads["torch:cuda"])
    assert (ratios > 2**8).all() if dtype == "float32" else (ratios == 1).all()


@pytest.mark.parametrize(
    ("device", "version", "system", "machine", "reason"),
    [
        ("cpu", "2.13.0", "linux", "x86_64", None),
        ("cuda", "2.13.0+cpu", "linux", "x86_64", "torch 2.13.0+cpu is built without CUDA"),
        ("cuda", "2.13.0", "darwin", "arm64", "torch 2.13.0 is built without CUDA"),
        ("cuda", "2.13.0+cu130", "win32", "AMD64", None),
        ("mps", "2.13.0", "darwin", "arm64", None),
        ("mps", "2.13.0", "darwin", "x86_64", "there is no MPS but on Apple silicon"),
        ("xpu", "2.13.0+xpu", "linux", "x86_64", None),
        ("xpu", "2.13.0+cu130", "linux", "x86_64", "torch 2.13.0+cu130 is built without XPU"),
    ],
)
def test_which_devices_there_are_without_an_import(
    monkeypatch, device, version, system, machine, reason
):
    monkeypatch.setattr("sys.platform", system)
    monkeypatch.setattr("platform.machine", lambda: machine)
    assert torch_devices.missing(device, version) == reason


def test_a_driver_is_looked_for(monkeypatch, tmp_path):
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr(devices, "DRIVERS", (str(tmp_path / "nvidiactl"),))
    monkeypatch.setattr(tensorflow, "tensorflow_version", lambda: ("tensorflow", Version("2.21.0")))
    for missing in (lambda: torch_devices.missing("cuda", "2.13.0"), tensorflow.no_gpu):
        assert missing().startswith("there is no GPU here")
    (tmp_path / "nvidiactl").touch()
    for missing in (lambda: torch_devices.missing("cuda", "2.13.0"), tensorflow.no_gpu):
        assert missing() is None


def test_a_tensorflow_without_gpus_is_told_by_its_name(monkeypatch):
    version = ("tensorflow-cpu", Version("2.21.0"))
    monkeypatch.setattr(tensorflow, "tensorflow_version", lambda: version)
    assert tensorflow.no_gpu() == "tensorflow-cpu 2.21.0 is built without GPUs"


ON_TENSORFLOW = {"keras3": "compiled", "keras2": "compiled", "tf1": "make"}
"""Which field of its modes says how a layer is called."""


@pytest.mark.parametrize("name", ON_TENSORFLOW)
def test_a_layer_of_tensorflow_that_was_moved_is_called_and_learns_as_here(name):
    need(name)
    there, here = every_adapter()[f"{name}:gpu"], {"devices": {"CPU"}}
    field = ON_TENSORFLOW[name]
    ways = {
        "compiled": functools.partial(keras_compiled.OnADevice, device="CPU"),
        "make": tf1_modes.on("CPU"),
    }
    called = {field: ways[field]}
    moved = type(there)(replace(there.mode, device="cpu", in_effect=here, **called))
    is_called_and_learns(RunCache(0).loaded(moved), "two-layers", ("run", "repeated"))


@pytest.mark.parametrize("name", ON_TENSORFLOW)
def test_a_gpu_that_tensorflow_does_not_have_after_all_proves_nothing(name):
    need(name)
    if every_adapter()[f"{name}:gpu"].cannot_run() is None:
        pytest.skip("it is here")
    with pytest.raises(NotRun, match="TensorFlow has no GPU here"):
        RunCache(0).loaded(every_adapter()[f"{name}:gpu"])


def test_tf32_is_as_it_was_after_a_call_on_a_device():
    need("tf1")
    tf = import_tensorflow()
    enabled = tf.config.experimental.tensor_float_32_execution_enabled
    during = []

    def of():
        during.append(enabled())
        return [tf.constant(1.0)]

    before = enabled()
    tensorflow.OnDevice(tf, of, "CPU")()
    assert (during, enabled()) == ([False], before)


def test_a_device_that_torch_does_not_have_after_all_proves_nothing():
    need("torch")
    if every_adapter()["torch:cuda"].cannot_run() is None:
        pytest.skip("it is here")
    with pytest.raises(NotRun, match="torch has no device cuda here"):
        RunCache(0).loaded(every_adapter()["torch:cuda"])


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("torch:exprot", "there is no adapter 'torch:exprot'; there are torch:"),
        ("nothing:*", "there is no adapter 'nothing:[*]'; there are torch, "),
    ],
)
def test_a_mode_that_there_is_not_ends_in_one_sentence(project, name, sentence):
    result = project.pytest("--adapters", name)
    assert result.returncode == pytest.ExitCode.USAGE_ERROR
    [line] = result.stderr.strip().splitlines()
    assert re.search(sentence, line)


def test_a_known_failure_is_one_of_every_mode_but_where_it_holds(tmp_path):
    path = tmp_path / "known-failures.toml"
    check = ("output-last-step-is-h", "smallest", "float32")
    torch, inference = every_adapter()["torch"], every_adapter()["torch:inference"]
    for more, excused in (("", True), ('holds_in = "inference"', False)):
        path.write_text(ENTRY + more)
        entries = known_failures(path)
        assert matching(entries, torch, *check)
        assert bool(matching(entries, inference, *check)) == excused
    path.write_text(ENTRY.replace('"torch"', '"torch:inference"', 1))
    entries = known_failures(path)
    assert matching(entries, torch, *check) is None
    assert matching(entries, inference, *check)
    path.write_text(ENTRY + 'holds_in = "telepathy"')
    with pytest.raises(BadInput, match="torch has no mode 'telepathy'"):
        known_failures(path)


EVERY = "every-value-is-the-oracles"


def outputs(adapter, *hashes):
    return [
        checked(EVERY, adapter, str(n), measured={"worst": 1 + n, "rms": 0.5, "output": one})
        for n, one in enumerate(hashes)
    ]


def test_a_line_tells_how_many_runs_moved_no_bit():
    checks = outputs("torch", "a", "b", "c") + outputs("torch:inference", "a", "x")
    [line] = lines_of(checks, ["torch:inference", "torch:other"])
    assert (line.same_bits, line.compared, line.worst, line.rms) == (1, 2, 2, 0.5)
    assert (line.outcome, line.checks, line.seconds) == ("proven", "2 ok", 0.02)


@pytest.mark.parametrize(
    ("outcomes", "outcome", "text"),
    [
        (("proven", "failed", "known failure"), "failed", "FAIL 1/3"),
        (("proven", "error"), "failed", "FAIL 1/2"),
        (("proven", "not run"), "not run", "NOT RUN 1/2"),
        (("proven", "known failure", "not applicable"), "known failure", "KNOWN 1/2"),
        (("not applicable",), "not applicable", "-"),
    ],
)
def test_a_line_tells_the_worst_that_there_was(outcomes, outcome, text):
    checks = [
        checked(adapter="torch:x", case=f"{place}", outcome=one)
        for place, one in enumerate(outcomes)
    ]
    [line] = lines_of(checks, ["torch:x"])
    assert (line.outcome, line.checks, line.about) == (outcome, text, "")


def test_the_table_in_the_terminal_can_be_read():
    written = []
    checks = outputs("torch", "a") + outputs("torch:inference", "a")
    draw(lambda text, **_: written.append(text), lines_of(checks, ["torch:inference"]))
    head, line, *rest = "".join(written).split("\n")
    assert head.split() == ["way", "of", "running", "checks", "worst", "rms", "bits", "seconds"]
    assert line.split()[:7] == ["torch:inference", "1", "ok", "1", "0.50", "1/1", "0.0"]
    assert "\n".join(rest) == "\n" + LEGEND


def test_the_page_has_modes_in_a_table_of_their_own(tmp_path):
    pytest.importorskip("jinja2")
    pytest.importorskip("matplotlib")

    from fixtures.pages import report

    about = {"versions": {"torch": "1.0"}, "cannot_run": None, "flags": {}, "surface": {}}
    record = a_record(
        a_check(EVERY, "torch"),
        a_check(EVERY, "torch:inference", **FAILED),
        adapters={"torch": about, "torch:inference": about},
    )
    path = tmp_path / "run.json"
    path.write_text(json.dumps(record))
    page = report.of_record(read(path))
    assert '<h2 id="modes">' in page
    matrix = page.partition('<h2 id="matrix">')[2].partition('<h2 id="modes">')[0]
    assert matrix.count('<th scope="col" role="columnheader" data-adapter=') == 1
    assert '<td role="cell" class="failed"><span class="label">checks</span>FAIL 1/1</td>' in page
    assert '<a href="#recipe-torch">torch:inference</a>' in page


def test_docs_name_every_mode():
    text = (ROOT / "docs" / "modes.md").read_text(encoding="utf-8")
    missing = [name for name in MODES if f"`{name}`" not in text]
    assert not missing
