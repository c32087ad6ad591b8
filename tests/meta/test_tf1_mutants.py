"""TensorFlow 1's cells written out without a fault survive, and so would a mended BlockLSTMV2."""

from __future__ import annotations

from fixtures import claims
from fixtures.adapters import adapters
from fixtures.adapters.tf1 import import_tensorflow
from fixtures.cases import named_cases
from fixtures.checks.check import check_of
from fixtures.checks.context import CheckContext, run_check
from fixtures.checks.run_cache import RunCache
from tests.meta.conftest import need
from tests.meta.kill_matrix import row
from tests.meta.mutants import Mutant, tf1_cells
from tests.meta.mutants.tf1_cells import GRADIENTS, VALUES, second_and_third

CASES = {case.name: case for case in named_cases()}
V2_GRADIENTS = "tf1-block-lstm-v2-gradients-are-the-oracles"


def test_cells_without_a_fault_survive(monkeypatch):
    """The frame of the mutants changes nothing by itself."""
    need("tf1")
    cases = (*tf1_cells.GRU, *tf1_cells.RNN, tf1_cells.PEEPHOLES, tf1_cells.CLIPPED,
             tf1_cells.PROJECTED, tf1_cells.VARIANTS)  # fmt: skip
    with monkeypatch.context() as patch:
        tf1_cells.replace_gru(patch, tf1_cells.GRUFault())
        tf1_cells.replace_rnn(patch, tf1_cells.RNNFault())
        tf1_cells.replace_lstm(patch, tf1_cells.LSTMFault())
        fates = row(Mutant("healthy", "tf1", "", (VALUES, GRADIENTS), cases, lambda _: None))
    assert set(fates) > {VALUES, GRADIENTS}
    assert {claim: fate for claim, fate in fates.items() if fate != "holds"} == {}


def test_gradients_of_block_lstm_v2_hold_once_the_columns_are_exchanged(monkeypatch):
    """What is known to fail fails for the reason that is given, and for no other."""
    need("tf1")
    tf = import_tensorflow()
    healthy = tf.raw_ops.BlockLSTMV2

    @tf.RegisterGradient("MendedBlockLSTMV2")
    def mended(op, *grads):
        names = ("seq_len_max", "x", "cs_prev", "h_prev", "w", "wci", "wcf", "wco", "b")
        given = dict(zip(names, op.inputs, strict=True))
        results = dict(zip(("i", "cs", "f", "o", "ci", "co", "h"), op.outputs, strict=True))
        found = tf.raw_ops.BlockLSTMGrad(
            **(given | {name: second_and_third(given[name]) for name in ("w", "b")}),
            **results,
            cs_grad=grads[1],
            h_grad=grads[6],
            use_peephole=op.get_attr("use_peephole"),
        )
        by = {name: getattr(found, f"{name}_grad") for name in names[1:]}
        by |= {name: second_and_third(by[name]) for name in ("w", "b")}
        return (None, *by.values())

    def with_mended_gradient(**kwargs):
        graph = tf.compat.v1.get_default_graph()
        with graph.gradient_override_map({"BlockLSTMV2": "MendedBlockLSTMV2"}):
            return healthy(**kwargs)

    monkeypatch.setattr(tf.raw_ops, "BlockLSTMV2", with_mended_gradient)
    one = claims.all_claims()[V2_GRADIENTS]
    for name in ("one-step", "square"):
        check = check_of(one, adapters()["tf1"], CASES[name], "float32", 0)
        run_check(claims.test_of(one), CheckContext(check, RunCache(0)))
