"""Keras's trainer that does not do the same in every way of running a step, and forgets."""

from __future__ import annotations

from typing import Any

import numpy as np

from fixtures.adapters import adapters
from tests.meta.mutants import Catalogue
from tests.meta.mutants.models import around

KERAS3, KERAS2 = CATALOGUES = tuple(Catalogue(adapter) for adapter in ("keras3", "keras2"))

FIT = "keras-fit-trains-alike-however-it-is-compiled"
PREDICT = "keras-predict-computes-alike-however-compiled"
EVALUATE = "keras-evaluate-measures-alike-however-compiled"
STEPS = "keras-steps-are-run-as-they-are-compiled"
BUILT_BY_PREDICT = "keras-models-built-by-predict-use-their-weights"
AGAIN = "keras-freezes-and-thaws-when-compiled-again"
WAIT = "keras-frozen-layers-wait-to-be-compiled"
INTERRUPTED = "keras-goes-on-from-an-interrupted-fit"
BROKEN = "keras-data-that-raise-leave-the-weights"
UNBUILT = "keras-calls-that-are-functions-see-the-weights"
BUILT = "keras-built-calls-that-are-functions-see-them"

TRAINED = ("trained-bidirectional",)
MASKED = ("masked-right-lstm-bidirectional",)


def model_of(adapter: str) -> Any:
    return adapters()[adapter].keras().Model


def several_at_a_time(model: Any) -> bool:
    steps = getattr(model, "steps_per_execution", None)
    return int(model._steps_per_execution if steps is None else steps) > 1


def add_both(catalogue: Catalogue) -> None:
    """The faults that both versions can have."""
    mutant, adapter = catalogue.mutant, catalogue.adapter

    @mutant("a batch left out", FIT, cases=TRAINED)
    def fit_of_several_steps_leaves_out_a_batch(patch):
        def wrong(healthy, self, x, y=None, batch_size=None, **options):
            if several_at_a_time(self):
                x, y = x[:-batch_size], y[:-batch_size]
            return healthy(self, x, y, batch_size=batch_size, **options)

        around(patch, model_of(adapter), "fit", wrong)

    @mutant("a batch trained on twice", FIT, cases=TRAINED)
    def compiled_fit_trains_on_a_batch_twice(patch):
        def wrong(healthy, self, x, y=None, batch_size=None, **options):
            if self.jit_compile:
                last = slice(-batch_size, None)
                x, y = np.concatenate([x, x[last]]), np.concatenate([y, y[last]])
            return healthy(self, x, y, batch_size=batch_size, **options)

        around(patch, model_of(adapter), "fit", wrong)

    @mutant("mask ignored", PREDICT, cases=MASKED)
    def compiled_predict_ignores_masks(patch):
        def wrong(healthy, self, x, **options):
            if self.jit_compile and isinstance(x, list):
                x = [np.ones_like(one) if one.dtype == bool else one for one in x]
            return healthy(self, x, **options)

        around(patch, model_of(adapter), "predict", wrong)

    @mutant("batches exchanged", PREDICT, cases=MASKED)
    def predict_of_several_steps_turns_the_rows_round(patch):
        def wrong(healthy, self, x, **options):
            found = healthy(self, x, **options)
            return [one[::-1] for one in found] if several_at_a_time(self) else found

        around(patch, model_of(adapter), "predict", wrong)

    @mutant("batches thrown together", EVALUATE, cases=("square",))
    def compiled_evaluate_takes_all_rows_as_one_batch(patch):
        def wrong(healthy, self, x, y=None, batch_size=None, **options):
            rows = len(x) if self.jit_compile else batch_size
            return healthy(self, x, y, batch_size=rows, **options)

        around(patch, model_of(adapter), "evaluate", wrong)

    @mutant("silently eager", STEPS)
    def compile_runs_every_step_eagerly(patch):
        eagerly = property(lambda self: True, lambda self, value: None)
        patch.setattr(model_of(adapter), "run_eagerly", eagerly)

    @mutant("weights drawn again", BUILT_BY_PREDICT)
    def predict_draws_the_weights_once_more(patch):
        def wrong(healthy, self, *args, **options):
            was_built = self.built
            found = healthy(self, *args, **options)
            if not was_built:
                self.set_weights([one + 1 for one in self.get_weights()])
            return found

        around(patch, model_of(adapter), "predict", wrong)

    @mutant("frozen layers thawed", AGAIN, cases=("rnn-smallest",))
    def compile_thaws_every_layer(patch):
        def wrong(healthy, self, *args, **options):
            for layer in self.layers:
                layer.trainable = True
            return healthy(self, *args, **options)

        around(patch, model_of(adapter), "compile", wrong)

    @mutant("progress lost", INTERRUPTED, cases=("square",))
    def an_interrupted_fit_is_undone(patch):
        def wrong(healthy, self, *args, **options):
            before = self.get_weights()
            try:
                return healthy(self, *args, **options)
            except KeyboardInterrupt:
                self.set_weights(before)
                raise

        around(patch, model_of(adapter), "fit", wrong)

    @mutant("progress lost", BROKEN, cases=("rnn-smallest",))
    def a_fit_that_raises_loses_the_weights(patch):
        def wrong(healthy, self, *args, **options):
            try:
                return healthy(self, *args, **options)
            except Exception:
                self.set_weights([np.zeros_like(one) for one in self.get_weights()])
                raise

        around(patch, model_of(adapter), "fit", wrong)

    # Keras 3 fails at UNBUILT as it is.
    sees = (BUILT,) if adapter == "keras3" else (UNBUILT, BUILT)

    @mutant("the first result for ever", *sees, cases=("smallest-from-zero",))
    def a_call_that_is_a_function_keeps_what_it_returned(patch):
        def wrong(healthy, self, *args, **options):
            found = healthy(self, *args, **options)
            if not hasattr(self.call, "get_concrete_function") or not hasattr(found, "numpy"):
                return found
            return vars(self).setdefault("_first", [found])[0]

        around(patch, model_of(adapter), "__call__", wrong)


for catalogue in CATALOGUES:
    add_both(catalogue)


@KERAS3.mutant("frozen at once", WAIT, cases=("rnn-smallest",))
def fit_traces_its_step_every_time(patch):
    def wrong(healthy, self, *args, **options):
        self.train_function = None
        return healthy(self, *args, **options)

    around(patch, model_of("keras3"), "fit", wrong)


@KERAS2.mutant("frozen at once", WAIT, cases=("rnn-smallest",))
def fit_compiles_the_model_again(patch):
    def wrong(healthy, self, *args, **options):
        vars(self)["_compiled_trainable_state"] = self._get_trainable_state()
        self.train_function = None
        return healthy(self, *args, **options)

    around(patch, model_of("keras2"), "fit", wrong)
