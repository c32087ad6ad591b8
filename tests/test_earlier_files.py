"""Files that an earlier release wrote, read by the one that is installed: what an upgrade meets."""

from __future__ import annotations

from fixtures.cases import named
from fixtures.cases.earlier import NAMES
from fixtures.checks.compare import assert_same_bits
from fixtures.claims import KERAS, TORCH, claim


def all_alike(found):
    """What each file gives, and what each is to give: what was made today."""

    def one_by_one(by_file):
        return {
            f"{file}, {name}": one for file, own in by_file.items() for name, one in own.items()
        }

    return one_by_one(found), one_by_one(dict.fromkeys(found, found["today"]))


@claim(
    kind="exact",
    statement="Models that earlier releases saved, of Keras 2 or of Keras 3, come out of `.keras` "
    "and `.h5` files as they were: with every bit of the weights, and the output of these.",
    formula="load_model('gru.keras' of Keras 3.3.3)(x) == model(x) with these weights",
    cases=named(*NAMES),
    about=KERAS,
    recipe="read_from_earlier_files",
    dtypes=("float32",),
)
def test_keras_reads_models_of_earlier_releases(adapter, case):
    assert_same_bits(*all_alike(adapter.read_from_earlier_files(case)))


@claim(
    kind="exact",
    statement="What earlier releases of torch saved of a layer, its `state_dict` or the layer "
    "scripted, gives every bit of the weights, and the output of these.",
    formula="layer.load_state_dict(torch.load('gru.pt' of torch 2.0.1)); "
    "torch.jit.load('gru.jit' of torch 2.0.1)(x) == layer(x)",
    cases=named(*NAMES),
    about=TORCH,
    recipe="read_from_earlier_files",
    dtypes=("float32",),
)
def test_torch_reads_layers_of_earlier_releases(adapter, case):
    assert_same_bits(*all_alike(adapter.read_from_earlier_files(case)))
