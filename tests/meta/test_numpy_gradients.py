"""NumPy's gradients: the same bits in every process."""

from __future__ import annotations

import os
import subprocess
import sys

from fixtures import ROOT

GRADIENTS = """
import hashlib
from fixtures.adapters.numpy_gradients import NumpyGradients
from fixtures.cases import named_cases
from fixtures.cases.experiments import experiment_of
(case,) = [one for one in named_cases() if one.name == "peepholes-smallest"]
digest = hashlib.sha256()
for _, array in NumpyGradients().gradients(experiment_of(case, "float32", 0)).gradients.tensors():
    digest.update(array.tobytes())
print(*{"i", "f"}, digest.hexdigest())
"""


def test_the_order_of_a_set_moves_no_bit_of_a_gradient():
    """Two gates see c, and sums of floating point numbers depend on the order."""
    digests = {}
    for seed in range(5, 40):
        told = subprocess.run(
            [sys.executable, "-c", GRADIENTS],
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": str(seed)},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        *order, digest = told.stdout.split()
        digests[tuple(order)] = digest
        if len(digests) == 2:
            break
    first, second = digests.values()
    assert first == second
