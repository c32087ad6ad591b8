"""Reading recorded vectors: right, wrong on purpose, damaged, and unknown."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from fixtures.cases import recorded
from fixtures.cases.recorded import FOLDER, Left, cases, read
from fixtures.checks.compare import Disagreement, assert_within_rounding
from fixtures.errors import BadInput
from fixtures.oracle.rounding import no_oracle_for, oracle_of
from tests.meta.conftest import ROOT

SMALL = ("basic_rand__f64", "bidir_basic__f64", "multi2_widths__f64", "lstm_fb0__f32")


def by_the_oracle(found):
    if reason := no_oracle_for(found.experiment.dtype):
        pytest.skip(reason)
    exact = oracle_of(found.experiment, 0, found.short_rows, found.weights)
    assert_within_rounding(found.tensors, dict(exact.tensors()))


@pytest.fixture
def copy(tmp_path):
    """A recorded file with changes, in a folder of its own."""

    def copy(name, meta=None, remove=(), **arrays):
        with np.load(FOLDER / f"{name}.npz", allow_pickle=False) as archive:
            content = {key: archive[key] for key in archive.files if key not in remove}
        if meta is not None:
            told = json.loads(str(content["meta"]))
            meta(told)
            content["meta"] = np.array(json.dumps(told))
        path = tmp_path / f"{name}.npz"
        np.savez_compressed(path, **(content | arrays))
        return path

    return copy


@pytest.mark.parametrize("name", SMALL)
def test_a_vector_is_within_rounding_of_the_oracle(name):
    by_the_oracle(read(FOLDER / f"{name}.npz"))


@pytest.mark.parametrize("name", SMALL[:3])
def test_gates_read_in_another_order_are_noticed(name, copy, monkeypatch):
    monkeypatch.setattr(recorded, "TF1_GATES", "ifgo")
    with pytest.raises(Disagreement, match="further than 5 spreads"):
        by_the_oracle(read(copy(name)))


def test_a_forget_bias_left_out_is_noticed(copy):
    def without(meta):
        meta["cells"][0]["args"]["forget_bias"] = 0.0

    with pytest.raises(Disagreement, match="further than 5 spreads"):
        by_the_oracle(read(copy(SMALL[0], without)))


def test_a_recording_a_hundred_ulps_off_is_noticed(copy):
    outputs = read(FOLDER / f"{SMALL[0]}.npz").tensors["output"].copy()
    outputs[1, 1, 1] += 100 * np.spacing(outputs[1, 1, 1])
    with pytest.raises(Disagreement):
        by_the_oracle(read(copy(SMALL[0], outputs=outputs)))


def test_float32_may_not_hold_a_bias_and_its_forget_bias():
    found = read(FOLDER / "basic_rand__f32.npz")
    assert not found.exact
    units = found.experiment.units[0]
    held, exact = found.experiment.weights[0, 0].bias, found.weights[0, 0].bias
    np.testing.assert_array_equal(held, exact.astype(np.float32))
    assert (held != exact)[units : 2 * units].any()
    assert read(FOLDER / "basic_rand__f64.npz").exact


def argument(name, value):
    def change(meta):
        meta["cells"][0]["args"][name] = value

    return change


def renamed(meta):
    meta["cells"][0]["class"] = "somewhere.NovelCell"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (argument("activation", "relu"), "no adapter has a BasicLSTMCell with activation=relu"),
        (argument("novelty", 3), "no adapter has a BasicLSTMCell with novelty=3"),
        (renamed, "no adapter has a NovelCell"),
        (lambda meta: meta["call"].update(function="f"), "no adapter has f"),
        (lambda meta: meta["call"].update(novel=1), "no adapter has a call with novel"),
    ],
)
def test_what_no_adapter_can_express_is_left_with_the_reason(copy, change, why):
    with pytest.raises(Left) as left:
        read(copy(SMALL[0], change))
    assert str(left.value) == why


def test_an_array_without_a_place_is_a_reason(copy):
    with pytest.raises(Left, match=r"no adapter has a place for layer0\.w_f_diag"):
        read(copy(SMALL[0], **{"layer0.w_f_diag": np.ones(5)}))


@pytest.mark.parametrize(
    "changed",
    [
        {"remove": ["meta"]},
        {"remove": ["inputs"]},
        {"remove": ["final.layer0.h"]},
        {"meta": lambda meta: meta.pop("dtype")},
        {"meta": lambda meta: meta["recorder"].clear()},
        {"outputs": np.ones((2, 2, 2))},
        {"outputs": np.full((3, 6, 5), np.nan)},
        {"inputs": np.ones((3, 6))},
    ],
    ids=["no-meta", "no-inputs", "no-final-h", "no-dtype", "no-version", "other-outputs", "nan",
         "flat-inputs"],
)  # fmt: skip
def test_a_file_that_is_not_whole_is_refused(copy, changed):
    changed = dict(changed)
    path = copy(SMALL[0], changed.pop("meta", None), changed.pop("remove", ()), **changed)
    with pytest.raises(BadInput) as refused:
        read(path)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("keep", [0, 10, 1000, -20])
def test_a_file_that_is_cut_is_refused(copy, keep):
    path = copy(SMALL[0])
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(BadInput, match="is damaged or no recorded vector"):
        read(path)


def test_pickles_are_refused(copy):
    path = copy(SMALL[0], inputs=np.array([{}], dtype=object))
    with pytest.raises(BadInput, match="is damaged or no recorded vector"):
        read(path)


def test_folders_without_vectors_are_refused(tmp_path):
    with pytest.raises(BadInput, match=r"there are no \.npz files in it"):
        cases(tmp_path)
    with pytest.raises(BadInput, match="there is no such folder"):
        cases(tmp_path / "none")


def test_all_that_was_recorded_is_used_or_left_with_a_reason():
    used, left = cases(FOLDER)
    names = [case.path(dtype).stem for case in used for dtype in case.dtypes]
    names += [name for waiting in left.values() for name in waiting]
    assert sorted(names) == sorted(path.stem for path in FOLDER.glob("*.npz"))
    assert len(names) == len(set(names))


@pytest.fixture
def recordings(project):
    """A project with the recorded family alone."""
    (project.path / "tests" / "test_small.py").unlink()
    shutil.copy(ROOT / "tests" / "test_recorded.py", project.path / "tests")
    return project


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "two-workers"])
def test_another_folder_is_run_and_accounted_for(recordings, copy, tmp_path, workers):
    copy("lstm_fb0__f64")
    copy("lstm_peep__f64")
    result = recordings.pytest(f"--recorded={tmp_path}", "-k", "recorded", *workers)
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"recorded vectors in {tmp_path}: 1 of 2 files used: numpy 1" in result.stdout
    peepholes = "as no adapter has a LSTMCell with use_peepholes=True: lstm_peep__f64"
    assert f"left out: 1, {peepholes}" in result.stdout


def test_what_waits_of_the_suites_own_files_is_said_in_one_line(recordings):
    result = recordings.pytest("-k", "multi3")
    lines = result.stdout.splitlines()
    [said] = [n for n, line in enumerate(lines) if line.startswith("recorded vectors ")]
    assert lines[said] == ("recorded vectors from TensorFlow 1.15.5: 3 of 168 files used: numpy 3")
    assert lines[said + 1] == "  89 wait for an adapter: CLAIMS.md, Recorded vectors"
    assert "left out" not in result.stdout


def test_a_folder_of_which_nothing_can_be_used_proves_nothing(recordings, copy, tmp_path):
    copy("lstm_peep__f64")
    result = recordings.pytest(f"--recorded={tmp_path}")
    assert result.returncode == 1
    assert "Claims were selected and none was checked" in result.stdout


def test_a_damaged_file_ends_the_run_in_one_sentence(recordings, copy, tmp_path):
    path = copy("lstm_fb0__f64")
    path.write_bytes(b"PK")
    result = recordings.pytest(f"--recorded={tmp_path}")
    assert result.returncode == pytest.ExitCode.USAGE_ERROR
    assert f"{path} is damaged or no recorded vector" in result.stderr
