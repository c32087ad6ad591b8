"""Reading recorded vectors: right, wrong on purpose, damaged, and unknown."""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
import shutil

import numpy as np
import pytest

from fixtures import claims
from fixtures.adapters import adapters, core
from fixtures.cases import recorded, recorded_files
from fixtures.cases.recorded import FOLDER, recordings
from fixtures.cases.recorded_cells import NO_DROPOUT, READERS, Left
from fixtures.cases.recorded_files import KEPT, MERGED, NO_CLIP_IN_BLOCKS, read
from fixtures.cells import LSTM
from fixtures.checks.compare import Disagreement, assert_within_rounding
from fixtures.errors import BadInput
from fixtures.oracle.rounding import gradients_of, no_oracle_for, oracle_of
from fixtures.oracle.tape import Tape
from fixtures.pages import claims as claims_page
from tests.meta.conftest import CLAIMS, ROOT
from tests.test_recorded import as_returned

SMALL = ("basic_rand__f64", "bidir_basic__f64", "multi2_widths__f64", "lstm_fb0__f32")


def rows_of(found):
    """What was recorded, each row up to its own end where they end early."""
    return found.experiment.short_rows() if found.short_rows else found.experiment


def by_the_oracle(found):
    """Raises Disagreement unless the oracle says the same, up to the end of each row."""
    if reason := no_oracle_for(found.experiment.dtype):
        pytest.skip(reason)
    oracle = oracle_of(rows_of(found), 0, found.weights)
    returned, tensors = as_returned(oracle, found, 0), dict(found.tensors)
    exact = {name: returned[name] for name in tensors}
    if found.short_rows:
        inside = np.arange(found.experiment.time) < np.array(found.experiment.lengths)[:, None]
        exact["output"], tensors["output"] = exact["output"][inside], tensors["output"][inside]
    assert_within_rounding(tensors, exact)


def gradients_by_the_oracle(found):
    if reason := no_oracle_for(found.experiment.dtype):
        pytest.skip(reason)
    exact = gradients_of(rows_of(found), 0, found.weights)
    assert_within_rounding(found.gradients, exact)


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


def gates(order):
    return lambda one: one.with_gates(order)


def transposed(one):
    return one.with_transposed_recurrent_kernel()


def backwards(name):
    return lambda one: dataclasses.replace(one, **{name: getattr(one, name)[::-1].copy()})


BROKEN_LAYOUTS = [
    ("BasicLSTMCell", "basic_rand__f64", gates("igfo")),
    ("BasicLSTMCell", "bidir_basic__f64", gates("ifog")),
    ("LSTMCell", "lstm_fb0__f64", gates("igfo")),
    ("LSTMCell", "lstm_peep__f64", backwards("peepholes")),
    ("LSTMCell", "lstm_proj3__f64", backwards("projection")),
    ("CoupledInputForgetGateLSTMCell", "cifg_plain__f64", gates("gfo")),
    ("CoupledInputForgetGateLSTMCell", "cifg_peep__f64", backwards("peepholes")),
    ("CoupledInputForgetGateLSTMCell", "cifg_peep_proj__f64", backwards("projection")),
    ("CoupledInputForgetGateLSTMCell", "cifg_layernorm__f32", backwards("gains")),
    ("LayerNormBasicLSTMCell", "lnlstm__f64", gates("igfo")),
    ("LayerNormBasicLSTMCell", "lnlstm__f64", backwards("shifts")),
    ("LSTMBlockCell", "block_plain__f32", gates("igfo")),
    ("LSTMBlockFusedCell", "fused_peep__f32", backwards("peepholes")),
    ("GRUCell", "gru__f64", gates("rzn")),
    ("GRUBlockCellV2", "gru_block_v2__f32", gates("rzn")),
    ("BasicRNNCell", "rnn_basic__f64", transposed),
    ("LSTM", "keras_lstm_sigmoid__f64", gates("igfo")),
    ("GRU", "keras_gru_before_sigmoid__f64", gates("rzn")),
    ("GRU", "keras_gru_after_sigmoid__f64", lambda one: one.with_biases_exchanged()),
    ("SimpleRNN", "keras_bidir_simplernn__f64", transposed),
]


@pytest.mark.parametrize(("reader", "name", "broken"), BROKEN_LAYOUTS)
def test_weights_read_in_another_layout_are_noticed(reader, name, broken, copy, monkeypatch):
    by_the_oracle(read(FOLDER / f"{name}.npz"))
    right = READERS[reader]
    wrong = dataclasses.replace(right, weights=lambda cell, take: broken(right.weights(cell, take)))
    monkeypatch.setitem(READERS, reader, wrong)
    with pytest.raises(Disagreement, match="further than 5 spreads"):
        by_the_oracle(read(copy(name)))


def test_the_layout_of_every_class_is_seen_to_be_noticed():
    assert {reader for reader, *_ in BROKEN_LAYOUTS} == set(READERS)


@pytest.mark.parametrize(
    ("reader", "name", "changed"),
    [
        ("BasicLSTMCell", "basic_blog_relu__f64", {"activation": "tanh"}),
        ("LSTMCell", "lstm_clip0p5__f64", {"cell_clip": None}),
        ("LSTMCell", "lstm_proj3_projclip__f64", {"projection_clip": None}),
        ("CoupledInputForgetGateLSTMCell", "cifg_peep_proj__f64", {"projection_clip": None}),
        ("LSTMBlockFusedCell", "fused_clip0p5__f32", {"cell_clip": None}),
        ("LSTMBlockCell", "grad_block_clip__f32", {"cell_clip": None}),
        ("LSTM", "keras_lstm_default__f64", {"recurrent_activation": "hard_sigmoid"}),
        ("GRU", "keras_gru_after_default__f64", {"recurrent_activation": "hard_sigmoid"}),
    ],
)
def test_a_setting_read_as_another_is_noticed(reader, name, changed, copy, monkeypatch):
    by_the_oracle(read(FOLDER / f"{name}.npz"))
    right = READERS[reader]
    wrong = dataclasses.replace(
        right, cell=lambda settings: dataclasses.replace(right.cell(settings), **changed)
    )
    monkeypatch.setitem(READERS, reader, wrong)
    with pytest.raises(Disagreement, match="further than 5 spreads"):
        by_the_oracle(read(copy(name)))


def test_a_limit_is_a_number_of_the_files_precision(copy, monkeypatch):
    name = "lstm_proj3_projclip__f32"
    by_the_oracle(read(FOLDER / f"{name}.npz"))
    monkeypatch.setattr(recorded_files, "with_limits_in", lambda cell, _: cell)
    with pytest.raises(Disagreement, match="further than 5 spreads"):
        by_the_oracle(read(copy(name)))


def test_a_projections_limit_counts_only_where_there_is_a_projection(copy):
    name = "lstm_plain__f64"
    found = read(copy(name, argument("proj_clip", 0.01)))
    assert found.experiment.cell == read(FOLDER / f"{name}.npz").experiment.cell


@pytest.mark.parametrize("activation", [None, "linear"])
def test_keras_calls_no_activation_linear(activation, copy):
    found = read(copy("keras_lstm_sigmoid__f64", argument("activation", activation)))
    assert found.experiment.cell.activation == "linear"


@pytest.mark.parametrize("clip", [0.0, -1.0])
def test_block_cells_do_not_clip_at_zero_or_below(clip, copy):
    assert read(copy("block_plain__f32", argument("cell_clip", clip))).experiment.cell == LSTM()


def test_a_layer_that_goes_backwards_beside_another_is_left(copy):
    with pytest.raises(Left, match="the suite has no layer that goes backwards beside another one"):
        read(copy("keras_bidir_lstm_sigmoid__f64", argument("go_backwards", True)))


def test_as_many_cells_as_layers_are_told_of(copy):
    with pytest.raises(BadInput, match="its cells are BasicLSTMCell, BasicLSTMCell, its weights"):
        read(copy("basic_rand__f64", lambda meta: meta["cells"].append(meta["cells"][0])))


MASKED = (
    "keras_lstm_sigmoid_mask__f64", "keras_lstm_sigmoid_mask_init__f64",
    "keras_lstm_v2_mask__f64", "keras_gru_after_sigmoid_mask__f64", "keras_simplernn_mask__f64",
    "keras_bidir_lstm_sigmoid_mask__f64",
)  # fmt: skip


@pytest.mark.parametrize("name", MASKED)
def test_a_masked_step_is_no_step(name, copy, monkeypatch):
    found = read(FOLDER / f"{name}.npz")
    assert found.experiment.lengths in ((4, 3, 5), (3, 0, 6))
    by_the_oracle(found)
    monkeypatch.setattr(recorded_files.Steps, "of_output", lambda _, array: array)
    if "init" not in name:  # its rows are masked at their ends
        with pytest.raises(Disagreement, match="further than 5 spreads"):
            by_the_oracle(read(copy(name)))


def test_a_mask_that_is_not_of_the_inputs_is_refused(copy):
    with pytest.raises(BadInput, match=r"mask is not where the inputs are 0\.0"):
        read(copy(MASKED[0], mask=np.ones((3, 6), bool)))


def test_the_last_output_of_a_row_that_ends_early_is_left(copy):
    last = np.zeros((3, 5))
    with pytest.raises(Left, match="the suite looks at no last output where rows end early"):
        read(copy(MASKED[0], outputs=last))


def joined(name, order, key):
    """The states of both layers of a file of this name as one array each, under this key."""
    with np.load(FOLDER / f"{name}.npz", allow_pickle=False) as archive:
        return {
            f"{moment}.{key}": np.concatenate(
                [archive[f"{moment}.{one}"] for one in order.split()], axis=-1
            )
            for moment in ("init", "final")
        }


TUPLES = [
    f"{moment}.layer{n}.{name}" for moment in ("init", "final") for n in "01" for name in "ch"
]


@pytest.mark.parametrize("key", ["state", "layer0.state"])
def test_a_stacks_state_may_be_one_array(key, copy):
    name = "multi2_widths__f64"
    arrays = joined(name, "layer0.c layer0.h layer1.c layer1.h", key)
    found = read(copy(name, remove=TUPLES, **arrays))
    by_the_oracle(found)
    whole = read(FOLDER / f"{name}.npz")
    assert found.tensors.keys() == whole.tensors.keys()
    for one, array in whole.tensors.items():
        np.testing.assert_array_equal(found.tensors[one], array)


@pytest.mark.parametrize(
    "order", ["layer0.c layer1.c layer0.h layer1.h", "layer0.h layer0.c layer1.h layer1.c"]
)
def test_a_stacks_state_in_another_order_is_noticed(order, copy):
    name = "grad_multi2__f64"
    with pytest.raises(Disagreement, match="further than 5 spreads"):
        by_the_oracle(read(copy(name, remove=TUPLES, **joined(name, order, "layer0.state"))))


def test_a_stacks_state_that_is_not_as_wide_as_its_layers_is_refused(copy):
    name = "multi2_widths__f64"
    arrays = joined(name, "layer0.c layer0.h layer1.c", "layer0.state")
    with pytest.raises(BadInput, match="is no whole recorded vector"):
        read(copy(name, remove=TUPLES, **arrays))


def test_directions_of_different_widths_are_left(copy):
    narrow = {
        "bw.layer0.kernel": np.zeros((7, 12)),
        "bw.layer0.bias": np.zeros(12),
        "outputs.bw": np.zeros((3, 6, 3)),
    } | {f"{moment}.bw.layer0.{name}": np.zeros((3, 3)) for moment in ("init", "final")
         for name in "ch"}  # fmt: skip
    with pytest.raises(Left) as left:
        read(copy("bidir_basic__f64", **narrow))
    assert str(left.value) == "the suite has no layer whose directions have different widths"


def test_a_bidirectional_stack_of_one_layer_is_a_layer(copy):
    def stacked(meta):
        stack = {"cells": ["@0"], "state_is_tuple": True}
        meta["cells"].append({"class": "somewhere.MultiRNNCell", "args": stack})

    by_the_oracle(read(copy("bidir_basic__f64", stacked)))


@pytest.mark.parametrize("mode", MERGED)
def test_merged_outputs_are_the_oracles_in_every_mode(mode, copy):
    """Made of a file whose outputs lie side by side."""
    name = "keras_bidir_lstm_sigmoid__f64"
    forward, backward = np.split(read(FOLDER / f"{name}.npz").tensors["output"], 2, axis=-1)
    together = {
        "sum": forward + backward, "mul": forward * backward, "ave": (forward + backward) / 2,
    }  # fmt: skip

    def with_mode(meta):
        for cell in meta["cells"]:
            if cell["class"].endswith("Bidirectional"):
                cell["args"]["merge_mode"] = mode

    by_the_oracle(read.__wrapped__(copy(name, with_mode, outputs=together[mode])))
    with pytest.raises(Disagreement):
        by_the_oracle(read.__wrapped__(copy(name, with_mode, outputs=forward)))


@pytest.mark.parametrize(
    "name",
    ["keras_bidir_lstm_sigmoid_sum__f64", "multi2_residual__f64", "dropout_out0p5__f32"],
)
def test_what_a_wrapper_made_of_the_output_is_looked_at(name, copy):
    found = read(FOLDER / f"{name}.npz")
    assert "output" not in found.tensors
    by_the_oracle(found)
    with np.load(FOLDER / f"{name}.npz", allow_pickle=False) as archive:
        outputs = archive["outputs"]
    outputs[-1, -1, np.abs(outputs[-1, -1]).argmax()] *= 1.001
    with pytest.raises(Disagreement):
        by_the_oracle(read(copy(name, outputs=outputs)))


def test_all_that_dropout_took_and_nothing_else_is_left_out():
    found = read(FOLDER / "dropout_out0p5__f32.npz")
    assert found.tensors[KEPT].size == found.kept.sum()
    assert 0.3 < found.kept.mean() < 0.7


@pytest.mark.parametrize("bits", ["32", "64"])
def test_directions_that_are_stacks_of_their_own_see_nothing_of_each_other(bits, copy, monkeypatch):
    name = f"bidir_multi2__f{bits}"
    found = read(FOLDER / f"{name}.npz")
    for direction, other in ((0, 1), (1, 0)):
        kernel = np.split(found.weights[1, direction].kernel, 2)
        assert kernel[direction].all()
        assert not kernel[other].any()
    by_the_oracle(found)
    right = recorded_files._beside_zeros
    monkeypatch.setattr(
        recorded_files, "_beside_zeros", lambda kernel, direction: right(kernel, 1 - direction)
    )
    with pytest.raises(Disagreement):
        by_the_oracle(read(copy(name)))


def wrapped(kind, at, **settings):
    def change(meta):
        meta["cells"].append({"class": f"somewhere.{kind}", "args": {"cell": f"@{at}"} | settings})

    return change


@pytest.mark.parametrize(
    ("name", "change", "why"),
    [
        ("multi2_widths__f64", wrapped("ResidualWrapper", 0),
         "the suite has wrappers around the only cell, or the one on top, alone"),
        ("multi2_widths__f64", wrapped("DropoutWrapper", 0, output_keep_prob=0.5),
         "the suite has wrappers around the only cell, or the one on top, alone"),
        ("basic_rand_seq__f64", wrapped("DropoutWrapper", 0, output_keep_prob=0.5),
         "the suite looks at what a wrapper makes of whole rows alone"),
        ("grad_basic__f64", wrapped("DropoutWrapper", 0, output_keep_prob=0.5),
         "the suite takes no gradient of what a wrapper makes of the output"),
        ("basic_rand__f64", wrapped("DropoutWrapper", 0, output_keep_prob=0.7),
         "the suite has no DropoutWrapper with output_keep_prob=0.7"),
    ],
)  # fmt: skip
def test_wrappers_in_other_places_are_left_with_the_reason(name, change, why, copy):
    with pytest.raises(Left) as left:
        read(copy(name, change))
    assert str(left.value) == why


SHORT = ("grad_basic_seq", "grad_bidir_seq", "grad_multi2_widths_seq_state")


@pytest.mark.parametrize("bits", ["32", "64"])
@pytest.mark.parametrize("name", SHORT)
def test_gradients_of_rows_that_end_early_are_the_oracles(name, bits):
    found = read(FOLDER / f"{name}__f{bits}.npz")
    assert not found.gradients_left
    gradients_by_the_oracle(found)


def test_gradients_under_a_masking_layer_are_left_with_the_reason(copy):
    gradient = {"grad.inputs": np.zeros((3, 6, 4), np.float32)}
    with pytest.raises(Left, match="no gradient of what Keras puts out where a step is masked"):
        read(copy("keras_lstm_sigmoid_mask__f32", **gradient))


def test_the_block_cells_gradient_is_that_of_a_clip_that_lets_everything_through(monkeypatch):
    found = read(FOLDER / "grad_block_clip__f32.npz")
    by_the_oracle(found)
    assert found.gradients_left == NO_CLIP_IN_BLOCKS
    with pytest.raises(Disagreement, match="further than 5 spreads"):
        gradients_by_the_oracle(found)

    def through(self, number, limit):
        x = number.value
        return self._of_one(number, np.clip(x, -limit, limit), lambda: np.ones_like(x))

    monkeypatch.setattr(Tape, "clip", through)
    gradients_by_the_oracle(found)


@pytest.mark.parametrize("name", ["grad_gru", "grad_lstm_peep", "grad_lstm_all"])
def test_gradients_of_other_cells_are_the_oracles(name):
    found = read(FOLDER / f"{name}__f64.npz")
    assert not found.gradients_left
    gradients_by_the_oracle(found)


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
        (argument("activation", "elu"), "the suite has no BasicLSTMCell with activation=elu"),
        (argument("novelty", 3), "the suite has no BasicLSTMCell with novelty=3"),
        (renamed, "the suite has no NovelCell"),
        (lambda meta: meta["call"].update(function="f"), "the suite has no f"),
        (lambda meta: meta["call"].update(novel=1), "the suite has no call with novel"),
    ],
)
def test_what_the_suite_cannot_express_is_left_with_the_reason(copy, change, why):
    with pytest.raises(Left) as left:
        read(copy(SMALL[0], change))
    assert str(left.value) == why


def test_an_array_without_a_place_is_a_reason(copy):
    with pytest.raises(Left, match=r"the suite has no place for the array layer0\.w_f_diag"):
        read(copy(SMALL[0], **{"layer0.w_f_diag": np.ones(5)}))
    with pytest.raises(Left, match="the suite has no place for the array mask"):
        read(copy(SMALL[0], mask=np.ones((3, 6), bool)))


REASONS = {
    NO_DROPOUT: ["dropout_in0p5"],
}
"""Why the suite's own files are left, and which."""


def test_the_reasons_why_files_are_left():
    left = recordings(FOLDER).left
    names = {why: sorted({name[:-5] for name in files}) for why, files in left.items()}
    assert names == REASONS


LEAST = 160
"""Of the 168 files; what the cells cannot express is the rest."""


def used_by(adapter):
    """The files that some claim looks at on this adapter."""
    return {
        case.path(dtype).stem
        for one in claims.all_claims().values()
        if one.of == "recorded" and not claims.not_applicable(one, adapter)
        for case, dtype in claims.cases_of(one)
        if not adapters()[adapter].leaves_out(case, dtype)
    }


def test_every_file_that_can_be_expressed_is_used_by_some_adapter():
    expressed = {
        case.path(dtype).stem for case in recordings(FOLDER).cases for dtype in case.dtypes
    }
    used = {name: used_by(name) for name in core()}
    assert set().union(*used.values()) == expressed
    assert used["numpy"] == expressed
    assert len(expressed) >= LEAST


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
        recordings(tmp_path)
    with pytest.raises(BadInput, match="there is no such folder"):
        recordings(tmp_path / "none")


def test_all_that_was_recorded_is_used_or_left_with_a_reason():
    found = recordings(FOLDER)
    assert found.damaged == ()
    names = [case.path(dtype).stem for case in found.cases for dtype in case.dtypes]
    names += [name for files in found.left.values() for name in files]
    assert sorted(names) == sorted(path.stem for path in FOLDER.glob("*.npz"))
    assert len(names) == len(set(names))


@pytest.fixture
def recorded_project(project):
    """A project with the recorded family alone."""
    (project.path / "tests" / "test_small.py").unlink()
    shutil.copy(ROOT / "tests" / "test_recorded.py", project.path / "tests")
    return project


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "two-workers"])
def test_another_folder_is_run_and_accounted_for(recorded_project, copy, tmp_path, workers):
    copy("lstm_fb0__f64")
    copy("dropout_in0p5__f32")
    result = recorded_project.pytest(f"--recorded={tmp_path}", "-k", "recorded", *workers)
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"recorded vectors in {tmp_path}: 1 of 2 files used: numpy 1" in result.stdout
    assert f"left out: 1, as {NO_DROPOUT}: dropout_in0p5__f32" in result.stdout


def test_a_failure_on_another_folder_is_repeated_there(recorded_project, copy, tmp_path):
    wrong = read(FOLDER / "lstm_fb0__f64.npz").tensors["output"] + 1
    copy("lstm_fb0__f64", outputs=wrong)
    first = recorded_project.pytest(f"--recorded={tmp_path}")
    [command] = re.findall(r"rerun +(pytest .*)$", first.stdout, re.MULTILINE)
    assert shlex.split(command)[-1] == f"--recorded={tmp_path}"
    again = recorded_project.pytest(*shlex.split(command)[1:])
    assert "1 failed" in again.stdout


def test_what_is_left_of_the_suites_own_files_is_said_in_one_line(recorded_project):
    result = recorded_project.pytest("-k", "multi3")
    lines = result.stdout.splitlines()
    [said] = [n for n, line in enumerate(lines) if line.startswith("recorded vectors ")]
    assert lines[said] == ("recorded vectors from TensorFlow 1.15.5: 3 of 168 files used: numpy 3")
    assert lines[said + 1] == "  1 is left out: CLAIMS.md, Recorded vectors"
    assert "left out:" not in result.stdout.replace(lines[said + 1], "")


def test_a_folder_of_which_nothing_can_be_used_proves_nothing(recorded_project, copy, tmp_path):
    copy("dropout_in0p5__f32")
    result = recorded_project.pytest(f"--recorded={tmp_path}")
    assert result.returncode == 1
    assert "Claims were selected and none was checked" in result.stdout


LOST = "The run fails, as it could not read a recorded file:"


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "two-workers"])
def test_a_damaged_file_is_named_the_others_are_run_and_the_run_fails(
    recorded_project, copy, tmp_path, tmp_path_factory, workers
):
    copy("lstm_fb0__f64")
    copy("gru__f32").write_bytes(b"PK")
    copy("gru__f64").rename(tmp_path / "gru.npz")
    record = tmp_path_factory.mktemp("record") / "run.json"
    result = recorded_project.pytest(f"--recorded={tmp_path}", f"--record={record}", *workers)
    assert result.returncode == pytest.ExitCode.TESTS_FAILED, result.stdout + result.stderr
    assert "1 passed" in result.stdout
    assert f"recorded vectors in {tmp_path}: 1 of 3 files used: numpy 1" in result.stdout
    assert f"{LOST} {tmp_path / 'gru__f32.npz'} is damaged or no recorded vector" in result.stdout
    assert f"{LOST} {tmp_path / 'gru.npz'} is called neither" in result.stdout
    assert not json.loads(record.read_text(encoding="utf-8"))["complete"]


def test_a_damaged_file_is_no_matter_to_other_claims(recorded_project, copy, tmp_path):
    copy("lstm_fb0__f64")
    copy("gru__f32").write_bytes(b"PK")
    recorded_project.write("tests/test_small.py", CLAIMS)
    result = recorded_project.pytest(f"--recorded={tmp_path}", "-k", "holds")
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_folder_of_damaged_files_ends_the_run_in_one_sentence(recorded_project, copy, tmp_path):
    path = copy("lstm_fb0__f64")
    path.write_bytes(b"PK")
    result = recorded_project.pytest(f"--recorded={tmp_path}")
    assert result.returncode == pytest.ExitCode.USAGE_ERROR
    assert f"{path} is damaged or no recorded vector" in result.stderr


def test_a_damaged_file_of_the_suite_is_named_where_the_page_is_made(copy, tmp_path, monkeypatch):
    copy("lstm_fb0__f64")
    path = copy("gru__f64")
    path.write_bytes(b"PK")
    monkeypatch.setattr(recorded, "FOLDER", tmp_path)
    with pytest.raises(BadInput, match=f"{path} is damaged"):
        claims_page.page()


def test_the_page_of_claims_says_which_gradients_are_left():
    lines = claims_page.page().splitlines()
    start = lines.index("## Recorded vectors")
    section = lines[start : lines.index('## <a id="statements"></a>The sources\' statements')]
    assert section[2] == (
        "167 of 168 files recorded from TensorFlow 1.15.5 are used. The other 1 is left out:"
    )
    assert f"| {NO_CLIP_IN_BLOCKS} | grad_block_clip__f32 |" in section
