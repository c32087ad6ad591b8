"""What the controller of workers does after every test: little, however many tests there are."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import pytest

from fixtures.adapters.numpy import Numpy
from fixtures.plugin import scheduling
from fixtures.plugin.scheduling import parts_of
from fixtures.plugin.selection import SELECTION

TESTS = 400


class Apart(Numpy):
    """NumPy in a process of its own."""

    def __init__(self, name: str) -> None:
        self.name, self.process = name, f"Keras on {name}"


class Worker:
    """It has sent to it what a worker of xdist would run."""

    def __init__(self) -> None:
        self.gateway = SimpleNamespace(id="gw")
        self.sent: list[int] = []
        self.shutting_down = False

    def send_runtest_some(self, indices: list[int]) -> None:
        assert not self.shutting_down
        self.sent += indices

    def shutdown(self) -> None:
        self.shutting_down = True


@pytest.fixture
def looked_at(monkeypatch) -> Counter:
    """How often the scheduler looked at a group of tests."""
    counted: Counter = Counter()
    process_of_group = scheduling.process_of_group

    def counting(group: str) -> str:
        counted["groups"] += 1
        return process_of_group(group)

    monkeypatch.setattr(scheduling, "process_of_group", counting)
    return counted


@pytest.mark.parametrize("names", [("one",), ("one", "two")], ids=["one-process", "two-processes"])
def test_after_a_test_the_controller_looks_at_a_few(monkeypatch, looked_at, names):
    """With twenty thousand tests, to look at all of them after each took as long as many claims."""
    apart = {name: Apart(name) for name in names}
    monkeypatch.setattr(scheduling, "every_adapter", lambda: apart)
    config = SimpleNamespace(
        getvalue={"dist": "load", "tx": ["popen"] * 2}.get,
        option=SimpleNamespace(loadscopereorder=True),
        stash={SELECTION: SimpleNamespace(running=names)},
    )
    scheduler = scheduling.pytest_xdist_make_scheduler(config, None)
    tests = [f"test_x.py::test_y[{n}-case{i}-float32]" for i in range(TESTS) for n in names]
    workers = [Worker(), Worker()]
    for worker in workers:
        scheduler.add_node(worker)
        scheduler.add_node_collection(worker, tests)
    scheduler.schedule()
    ended: list[str] = []
    of: dict[int, set[str]] = {}
    while waiting := [worker for worker in workers if worker.sent]:
        for worker in waiting:
            index = worker.sent.pop(0)
            ended.append(tests[index])
            of.setdefault(id(worker), set()).add(parts_of(tests[index])[1])
            scheduler.mark_test_complete(worker, index)
            left = scheduler.assigned_work[worker].values()
            assert sum(map(len, left)) == len(worker.sent) <= 3
    assert sorted(ended) == sorted(tests)
    assert sorted(map(sorted, of.values())) == [["one"], ["one" if len(names) == 1 else "two"]]
    assert all(worker.shutting_down for worker in workers)
    assert looked_at["groups"] < 10 * len(tests)
