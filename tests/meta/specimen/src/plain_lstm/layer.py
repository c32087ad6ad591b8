"""The framework: a stack of LSTM layers. Rows of `w` and `u` lie in the order i, f, o, g."""

from __future__ import annotations

import os

import numpy as np

FAULT = "PLAIN_LSTM_FORGETS_LESS"
"""Set in the environment, it makes the forget gate a hundredth of a thousandth too large."""


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


class LSTM:
    """Goes over `[time, batch, features]`; every array is of its weights' dtype."""

    def __init__(self, w, u, b):
        self.w, self.u, self.b = w, u, b

    def __call__(self, x, h, c):
        outputs = []
        for step in x:
            i, f, o, g = np.split(step @ self.w.T + h @ self.u.T + self.b, 4, axis=1)
            f = sigmoid(f)
            if os.environ.get(FAULT):
                f = f * f.dtype.type(1.00001)
            c = f * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
            outputs.append(h)
        return np.stack(outputs), h, c
