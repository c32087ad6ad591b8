"""What TensorFlow 1.15.5 computed, and whether today's frameworks still do.

The recording and today's run are judged by the oracle, each by itself: comparing one with the other
would add up two roundings. In float32 the recording is judged by the exact weights, today's run by
those it was given: the forget bias added to the bias, which float32 may not hold to the last bit.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fixtures.cases.recorded_files import KEPT, LAST, MERGED, RESIDUAL, read
from fixtures.checks.compare import assert_each_within_rounding
from fixtures.claims import About, claim
from fixtures.oracle.rounding import concatenated, gradients_of, merged, oracle_of, residual

RECORDING = "TensorFlow 1.15.5"


def recording(case, dtype, of_today, work_out):
    """The recorded file, and what the oracle says about its exact weights: what it says about
    today's, unless these had to be rounded."""
    found = read(case.path(dtype))
    return found, of_today if found.exact else work_out(found)


def as_returned(oracle, found, seed):
    """What the oracle says of everything that the layer of a recorded file may have returned."""
    top = [expected for (layer, _), expected in oracle.h.items() if layer == oracle.h.layers - 1]
    returned = dict(oracle.tensors()) | {LAST: concatenated(*top)}
    if RESIDUAL in found.tensors:
        returned[RESIDUAL] = residual(found.experiment, seed, found.weights)
    if KEPT in found.tensors:
        returned[KEPT] = oracle.output[found.kept]
    if found.tensors.keys() & MERGED.values():
        of_both = merged(found.experiment, seed, found.weights)
        returned |= {name: of_both[mode] for mode, name in MERGED.items()}
    return returned


@claim(
    kind="rounding",
    statement="Output and final states are still what TensorFlow 1.15.5 computed.",
    formula="TensorFlow 1.15.5 == oracle; today == oracle",
    cases=lambda case: not case.short_rows,
    of="recorded",
)
def test_recorded_values_are_still_computed(run, oracle, case, check, run_cache):
    found, exact = recording(
        case,
        check.dtype,
        oracle,
        lambda file: oracle_of(file.experiment, run_cache.seed, weights=file.weights),
    )
    returned = as_returned(exact, found, run_cache.seed)
    assert_each_within_rounding(
        {
            RECORDING: (found.tensors, {name: returned[name] for name in found.tensors}),
            "today": (dict(run.tensors()), dict(oracle.tensors())),
        }
    )


@claim(
    kind="rounding",
    statement="Where rows end early, final states and outputs up to a row's end are still what "
    "TensorFlow 1.15.5 computed with sequence_length, or with masked steps left out.",
    formula="TensorFlow 1.15.5 == oracle; today == oracle, where t < lengths",
    cases=lambda case: case.short_rows,
    recipe="lengths",
    of="recorded",
)
def test_recorded_short_rows_are_still_computed(
    recipe, oracle_of_short_rows, experiment, case, check, run_cache
):
    found, exact = recording(
        case,
        check.dtype,
        dict(oracle_of_short_rows.tensors()),
        lambda file: dict(
            oracle_of(file.experiment.short_rows(), run_cache.seed, file.weights).tensors()
        ),
    )
    inside = np.arange(experiment.time) < np.array(experiment.lengths)[:, None]

    def up_to_the_end(tensors):
        return {
            name: one[inside] if name == "output" else one
            for name, one in tensors
            if name != "output" or inside.any()
        }

    today = up_to_the_end(recipe("lengths").tensors())
    assert_each_within_rounding(
        {
            RECORDING: (up_to_the_end(found.tensors.items()), up_to_the_end(exact.items())),
            "today": (today, up_to_the_end(oracle_of_short_rows.tensors())),
        }
    )


@claim(
    kind="rounding",
    statement="Gradients are still what TensorFlow 1.15.5 computed.",
    formula="TensorFlow 1.15.5 == oracle; today == oracle",
    cases=lambda case: case.gradients and not case.short_rows,
    recipe="gradients",
    of="recorded",
)
def test_recorded_gradients_are_still_computed(gradients, oracle_gradients, case, check, run_cache):
    found, exact = recording(
        case,
        check.dtype,
        oracle_gradients,
        lambda file: gradients_of(file.experiment, run_cache.seed, weights=file.weights),
    )
    assert_each_within_rounding(
        {RECORDING: (found.gradients, exact), "today": (gradients, oracle_gradients)}
    )


def weighing_what_counts(adapter, short):
    """TensorFlow 1 puts zeros out past the end of a row, and so does a framework that is given the
    recorded loss as it is; to what others put out there the loss must give no weight."""
    if adapter.masked_output == "zeros":
        return short
    upstream = short.upstream
    output = np.where(short.mask[..., None], upstream.output, np.zeros_like(upstream.output))
    return replace(short, upstream=replace(upstream, output=output))


@claim(
    kind="rounding",
    statement="Where rows end early, gradients are still what TensorFlow 1.15.5 computed with "
    "sequence_length: zero by the steps past a row's end, and by the initial state of a row "
    "without a step those by its final state.",
    formula="TensorFlow 1.15.5 == oracle; today == oracle",
    cases=lambda case: case.gradients and case.short_rows,
    about=About(
        lambda adapter: adapter.lacks("lengths") is None,
        because="it has no rows that end early",
    ),
    recipe="gradients",
    of="recorded",
)
def test_recorded_gradients_of_short_rows_are_still_computed(
    adapter, experiment, case, check, run_cache
):
    short = experiment.short_rows()
    expected = gradients_of(short, run_cache.seed)
    found, exact = recording(
        case,
        check.dtype,
        expected,
        lambda file: gradients_of(file.experiment.short_rows(), run_cache.seed, file.weights),
    )
    today = adapter.gradients(weighing_what_counts(adapter, short)).gradients
    assert_each_within_rounding(
        {RECORDING: (found.gradients, exact), "today": (dict(today.tensors()), expected)}
    )


@claim(
    kind="rounding",
    statement="A stack whose top layer adds what goes into it to what comes out is still what "
    "TensorFlow 1.15.5 computed with ResidualWrapper: today's TensorFlow has it, and elsewhere it "
    "is an addition. The states know nothing of it.",
    formula="TensorFlow 1.15.5 == oracle; today == oracle; output == x + layer(x)",
    cases=lambda case: case.residual,
    recipe="residual_on_top",
    of="recorded",
)
def test_recorded_residual_output_is_still_computed(
    recipe, oracle, experiment, case, check, run_cache
):
    expected = residual(experiment, run_cache.seed)
    found, exact = recording(
        case,
        check.dtype,
        expected,
        lambda file: residual(file.experiment, run_cache.seed, file.weights),
    )
    today = recipe("residual_on_top")
    assert_each_within_rounding(
        {
            RECORDING: ({RESIDUAL: found.tensors[RESIDUAL]}, {RESIDUAL: exact}),
            "today": (
                {RESIDUAL: today.output, **dict(today.state.tensors())},
                {RESIDUAL: expected, **dict(oracle.states())},
            ),
        }
    )
