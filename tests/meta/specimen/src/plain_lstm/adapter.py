"""How canonical weights get into plain_lstm, and what comes out of it, for the suite."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fixtures.adapters import Adapter
from fixtures.model.perlayer import PerLayer
from fixtures.model.run import Run


class PlainLSTM(Adapter):
    name = "plain"
    distributions = ("numpy",)
    absent = {  # noqa: RUF012
        "time_major": "plain_lstm has one layout, and it is [time, batch, ...]",
        "steps": "plain_lstm has no layer of one step",
        "lengths": "plain_lstm has no lengths",
    }

    def load(self):
        import plain_lstm.layer

        self.lstm = plain_lstm.layer.LSTM

    def unsupported(self, case, dtype):
        if case.directions == 2:
            return "plain_lstm goes in one direction"
        if case.mask != "none":
            return "plain_lstm has no masks"
        for option, _ in case.loop.unusual():
            return f"plain_lstm has no {option}"
        return "NumPy has no bfloat16" if dtype == "bfloat16" else None

    def run(self, experiment):
        below, states, loaded = experiment.inputs.swapaxes(0, 1), [], []
        for layer in range(experiment.layers):
            one = experiment.weights[layer, 0]
            built = self.build(one)
            h, c = (experiment.initial or experiment.zero_state()).at(layer, 0)
            below, h, c = built(below, h, c)
            states.append((h, c))
            loaded.append(self.read(built, one))
        return Run(
            output=below.swapaxes(0, 1),
            h=PerLayer(tuple((h,) for h, _ in states)),
            c=PerLayer(tuple((c,) for _, c in states)),
            weights=PerLayer(tuple((one,) for one in loaded)),
            native=below,
        )

    def repeated(self, experiment):
        self.run(experiment)
        return self.run(experiment)

    def build(self, one):
        """Gates i, f, g, o to i, f, o, g, and columns to rows."""
        bias = np.zeros_like(one.kernel[0]) if one.bias is None else one.bias
        arrays = (one.kernel, one.recurrent_kernel, bias)
        return self.lstm(*(ordered(array).T for array in arrays))

    def read(self, built, one):
        kernel, recurrent, bias = (ordered(array.T) for array in (built.w, built.u, built.b))
        bias = None if one.bias is None else bias
        return replace(one, kernel=kernel, recurrent_kernel=recurrent, bias=bias)


def ordered(array):
    """The last two of four blocks of columns exchanged, which is its own inverse."""
    i, f, o, g = np.split(array, 4, axis=-1)
    return np.concatenate([i, f, g, o], axis=-1)
