"""tinygrad.nn.LSTMCell, called once per step as tinygrad's users do, for lstm-equivalence."""

from dataclasses import replace

import numpy as np

from fixtures.adapters import Adapter
from fixtures.adapters.base import halves, single_steps
from fixtures.model.experiment import Gradients
from fixtures.model.perlayer import PerLayer, State
from fixtures.model.run import Run

ONE_LAYER = "tinygrad.nn has one step of an LSTM, LSTMCell, and no layer over the steps"


class Tinygrad(Adapter):
    name = "tinygrad"
    distributions = ("tinygrad",)
    absent = {  # noqa: RUF012
        "lengths": "tinygrad.nn.LSTMCell takes one step, and knows no lengths",
        "time_major": ONE_LAYER,
        "steps": f"{ONE_LAYER}: every run here is made of steps",
    }

    def load(self):
        import tinygrad
        import tinygrad.nn

        self.tg = tinygrad

    def unsupported(self, case, dtype):
        if case.directions == 2:
            return f"{ONE_LAYER}: none in both directions"
        if case.mask != "none":
            return f"{ONE_LAYER}: nothing to mask"
        for option, _ in case.loop.unusual():
            return f"{ONE_LAYER}: no {option}"
        return None if dtype in ("float32", "float64") else "this adapter has not tried 16 bits"

    def cells(self, experiment):
        """One LSTMCell for each layer; both biases are used, and their sum is what counts."""
        made = []
        for _, one in experiment.weights.items():
            cell = self.tg.nn.LSTMCell(one.features, one.units, bias=one.bias is not None)
            cell.weight_ih = self.tensor(one.kernel.T)
            cell.weight_hh = self.tensor(one.recurrent_kernel.T)
            if one.bias is not None:
                rest = np.zeros_like(one.bias) if one.recurrent_bias is None else one.recurrent_bias
                cell.bias_ih, cell.bias_hh = self.tensor(one.bias - rest), self.tensor(rest)
            made.append(cell)
        return made

    def tensor(self, array):
        return self.tg.Tensor(np.array(array, order="C"))

    def over_the_steps(self, cells, experiment, x, states, learning=False):
        """The top layer's output at every step, the last states, and every step's c by layer."""
        below, ends, every_c = [x[:, t] for t in range(experiment.time)], [], []
        for cell, state in zip(cells, states, strict=True):
            outputs, cs = [], []
            for step in below:
                state = cell(step, state)
                if not learning:
                    state[0].realize(state[1])
                outputs.append(state[0])
                cs.append(state[1])
            below = outputs
            ends.append(state)
            every_c.append(self.tg.Tensor.stack(*cs, dim=1))
        return self.tg.Tensor.stack(*below, dim=1), ends, every_c

    def given(self, experiment):
        if experiment.initial is None:
            return [None] * experiment.layers
        rows = (experiment.initial.at(layer, 0) for layer in range(experiment.layers))
        return [tuple(map(self.tensor, row)) for row in rows]

    def run(self, experiment):
        return self.called(self.cells(experiment), experiment)

    def called(self, cells, experiment):
        output, ends, every_c = self.over_the_steps(
            cells, experiment, self.tensor(experiment.inputs), self.given(experiment)
        )
        ends = [(h.numpy(), c.numpy()) for h, c in ends]
        return Run(
            output=output.numpy(),
            h=PerLayer(tuple((h,) for h, _ in ends)),
            c=PerLayer(tuple((c,) for _, c in ends)),
            c_steps=PerLayer(tuple((c.numpy(),) for c in every_c)),
            weights=PerLayer(tuple(map(self.read, cells, experiment.weights.rows))),
            native=ends,
        )

    def read(self, cell, row):
        bias = recurrent = None
        if cell.bias_ih is not None:
            recurrent = cell.bias_hh.numpy()
            bias = cell.bias_ih.numpy() + recurrent
        kernels = {"kernel": cell.weight_ih.numpy().T, "recurrent_kernel": cell.weight_hh.numpy().T}
        return (replace(row[0], bias=bias, recurrent_bias=recurrent, **kernels),)

    def repeated(self, experiment):
        cells = self.cells(experiment)
        self.called(cells, experiment)
        return self.called(cells, experiment)

    def c_of_every_step(self, experiment):
        return self.run(experiment)

    def in_halves(self, experiment):
        return self.in_parts(experiment, halves(experiment.inputs))

    def step_by_step(self, experiment):
        return self.in_parts(experiment, single_steps(experiment.inputs))

    def in_parts(self, experiment, parts):
        cells, state, outputs = self.cells(experiment), experiment.initial, []
        for part in parts:
            run = self.called(cells, replace(experiment, inputs=part, initial=state))
            state = run.state
            outputs.append(run.output)
        return replace(run, output=np.concatenate(outputs, axis=1))

    def gradients(self, experiment):
        cells, up = self.cells(experiment), experiment.upstream
        given = replace(experiment, initial=experiment.initial or experiment.zero_state())
        x, states = self.tensor(experiment.inputs), self.given(given)
        output, ends, _ = self.over_the_steps(cells, experiment, x, states, learning=True)
        loss = (output * self.tensor(up.output)).sum()
        for layer, (h, c) in enumerate(ends):
            loss = loss + (h * self.tensor(up.h[layer, 0])).sum()
            loss = loss + (c * self.tensor(up.c[layer, 0])).sum()
        names = ("weight_ih", "weight_hh") + ("bias_ih", "bias_hh") * experiment.has_bias
        loaded = (getattr(cell, name) for cell in cells for name in names)
        wanted = [x, *(one for state in states for one in state), *loaded]
        inputs, *found = (one.numpy() for one in loss.gradient(*wanted))
        of_states = PerLayer(tuple(((found.pop(0), found.pop(0)),) for _ in cells))
        rows = []
        for (one,) in experiment.weights.rows:
            ih, hh = found.pop(0), found.pop(0)
            bias, recurrent = (found.pop(0), found.pop(0)) if experiment.has_bias else (None, None)
            kernels = {"kernel": ih.T, "recurrent_kernel": hh.T}
            rows.append((replace(one, bias=bias, recurrent_bias=recurrent, **kernels),))
        initial = State.from_rows(experiment.cell.states, of_states)
        gradients = Gradients(inputs, PerLayer(tuple(rows)), initial)
        return replace(self.called(cells, experiment), gradients=gradients)
