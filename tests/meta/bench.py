"""Where the time goes, in one run: `tox run -e bench`.

Prints seconds to import each framework (each in a process of its own), seconds of the bare
framework calls for all cases in a plain loop, seconds of the whole suite, and the ratio of the
suite to imports and bare calls, serial and with two workers. The claims run many a case more than
once, in other ways: how long they spend in adapters altogether is printed too. The ratios are what
counts: both sides of them are taken on one machine, minutes apart.
"""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

IN_ADAPTERS: dict[str, float] = {"depth": 0, "seconds": 0.0}
IMPORTS = {
    "torch": "import torch",
    "tensorflow": "import tensorflow",
    "keras": "import keras",
    "tf_keras": "import tf_keras",
}


def seconds_of(*command: str) -> float:
    """Wall-clock seconds of a command that must succeed."""
    start = time.perf_counter()
    subprocess.run(
        command,
        cwd=ROOT,
        check=True,
        capture_output=True,
        env=os.environ | {"TF_USE_LEGACY_KERAS": "1"},
    )
    return time.perf_counter() - start


def bare_calls() -> dict[str, float]:
    """Seconds of every adapter's runs of the cases whose values are checked, frameworks imported
    beforehand."""
    from fixtures.adapters import core
    from fixtures.cases import named_cases
    from fixtures.checks.run_cache import RunCache
    from fixtures.claims import all_claims, cases_of
    from fixtures.records.pairs import VALUES

    run_cache, seconds = RunCache(0), {}
    first = named_cases()[0]
    checked = [pair for claim in VALUES for pair in cases_of(all_claims()[claim])]
    for name, adapter in core().items():
        if adapter.cannot_run():
            continue
        adapter.run(run_cache.experiment(first, "float32"))
        start = time.perf_counter()
        for case, dtype in checked:
            if not adapter.leaves_out(case, dtype):
                adapter.run(run_cache.experiment(case, dtype))
        seconds[name] = time.perf_counter() - start
    return seconds


def pytest_configure() -> None:
    """As a plugin: adds up the seconds spent in the adapters' recipes, each within no other."""
    from fixtures.adapters import core

    def timed(recipe: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(self: Any, experiment: Any) -> Any:
            if IN_ADAPTERS["depth"]:
                return recipe(self, experiment)
            IN_ADAPTERS["depth"], start = 1, time.perf_counter()
            try:
                return recipe(self, experiment)
            finally:
                IN_ADAPTERS["depth"] = 0
                IN_ADAPTERS["seconds"] += time.perf_counter() - start

        return wrapped

    for adapter in core().values():
        for name, method in inspect.getmembers(type(adapter), inspect.isfunction):
            if list(inspect.signature(method).parameters) == ["self", "experiment"]:
                setattr(type(adapter), name, timed(method))


def pytest_unconfigure() -> None:
    print(f"\n{IN_ADAPTERS['seconds']}")


def main() -> None:
    nothing = seconds_of(sys.executable, "-c", "import numpy")
    imports = {
        name: max(0.0, seconds_of(sys.executable, "-c", f"import numpy; {code}") - nothing)
        for name, code in IMPORTS.items()
    }
    # tensorflow brings tf_keras and keras with it; all of them in one process cost this much.
    together = seconds_of(sys.executable, "-c", ";".join(IMPORTS.values()))
    for name, seconds in imports.items():
        print(f"import {name:<12}{seconds:8.2f} s")
    print(f"import all together{together:8.2f} s")
    answer = subprocess.run(
        (sys.executable, __file__, "--bare"), check=True, capture_output=True, text=True
    )
    calls = json.loads(answer.stdout.splitlines()[-1])
    for name, seconds in calls.items():
        print(f"bare calls {name:<8}{seconds:8.2f} s")
    floor = together + sum(calls.values())
    print(f"imports + bare calls{floor:7.2f} s")
    for what, options in {"serial": (), "-n 2": ("-n", "2")}.items():
        suite = seconds_of(sys.executable, "-m", "pytest", "-q", *options)
        print(f"suite {what:<13}{suite:8.2f} s   {suite / floor:.2f} times imports + bare calls")
    timed = (sys.executable, "-m", "pytest", "-q", "-p", "tests.meta.bench")
    start = time.perf_counter()
    answer = subprocess.run(timed, cwd=ROOT, check=True, capture_output=True, text=True)
    suite, inside = time.perf_counter() - start, float(answer.stdout.splitlines()[-1])
    print(f"in adapters, serial{inside:8.2f} s   of {suite:.2f} s: the suite is")
    print(f"{suite / (together + inside):29.2f} times imports + all the calls that its claims make")


if __name__ == "__main__":
    if sys.argv[1:] == ["--bare"]:
        print(json.dumps(bare_calls()))
    else:
        main()
