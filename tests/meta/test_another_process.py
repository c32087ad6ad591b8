"""The other process answers, says what went wrong, does not hang, and ends with this one."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import time

import numpy as np
import pytest

from fixtures.adapters import another_process
from fixtures.adapters.another_process import ReadInVain, read_in_another_process
from tests.meta.conftest import Project

ARRAYS = {"x": np.arange(3.0)}


@pytest.fixture
def other(monkeypatch):
    """One that no other test uses."""
    monkeypatch.setattr(another_process, "_other", None)
    yield lambda: another_process._other
    if another_process._other is not None:
        another_process._other.end()


def refused() -> str:
    with pytest.raises(ReadInVain) as caught:
        read_in_another_process("nobody", another_process.ROOT, ARRAYS)
    return str(caught.value)


@pytest.mark.usefixtures("other")
def test_what_goes_wrong_there_is_said_here_in_a_sentence():
    assert refused() == "KeyError: 'nobody'"


def test_one_process_answers_every_time(other):
    refused()
    first = other()
    refused()
    assert other() is first


def test_where_it_died_another_is_started(other):
    refused()
    other().process.kill()
    other().process.wait()
    assert refused() == "KeyError: 'nobody'"


@pytest.mark.usefixtures("other")
def test_its_last_words_are_told(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert refused() == "the other process died: it ended with 1, and said nothing"


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="no process can be stopped here")
def test_an_answer_is_not_waited_for_for_ever(other, monkeypatch):
    refused()
    os.kill(other().process.pid, signal.SIGSTOP)
    monkeypatch.setattr(another_process, "SECONDS", 0.1)
    with pytest.raises(TimeoutError, match=r"no answer in 0\.1 seconds"):
        read_in_another_process("nobody", another_process.ROOT, ARRAYS)
    assert not other().alive


def test_a_reader_is_handed_path_and_arrays(monkeypatch, tmp_path):
    def doubled(path, arrays):
        assert path == tmp_path
        return {name: 2 * array for name, array in arrays.items()}

    monkeypatch.setattr(another_process, "READERS", {"it": f"{__name__}:doubled"})
    monkeypatch.setattr(sys.modules[__name__], "doubled", doubled, raising=False)
    np.savez(tmp_path / "given.npz", **ARRAYS)
    asked = {"reader": "it", "path": str(tmp_path), "arrays": str(tmp_path / "given.npz")}
    answers = io.StringIO()
    another_process.serve(io.StringIO(json.dumps(asked) + "\n"), answers)
    answer = json.loads(answers.getvalue())
    assert answer["process"] == os.getpid()
    with np.load(answer["arrays"]) as results:
        np.testing.assert_array_equal(results["x"], 2 * ARRAYS["x"])


def test_it_ends_with_the_one_that_asks(project: Project):
    """Without a word of farewell, too: its standard input ends."""
    project.write(
        "ask.py",
        """
        import os

        from fixtures.adapters import another_process

        try:
            another_process.read_in_another_process("nobody", another_process.ROOT, {})
        except another_process.ReadInVain:
            print(another_process._other.process.pid, flush=True)
        os._exit(0)
        """,
    )
    pid = int(project.python("ask.py").stdout)
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail("it is still there")
