"""Real runs, each met by a fault at a random moment: does every one end, and tell the truth?

    python tests/meta/soak.py --runs 50 --seed 1

Of every run it says what befell it, how long it lived on and what it left. A run that is not over
two minutes after its fault, a record that does not read, and a verdict of "same" or of a regression
about a check that was not run are wrong, and the exit status is 1.

A disk is filled by a small one of its own, which takes root on Linux; elsewhere that fault is left
out, and said to be.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from fixtures.errors import BadInput  # noqa: E402
from fixtures.records.diff import REGRESSIONS, diff  # noqa: E402
from fixtures.records.record import NOT_RUN, Record, read  # noqa: E402

PATIENCE = 120
"""Seconds that a run may live on after its fault."""

SMALL_DISK = "300k"


@dataclass(frozen=True)
class Fault:
    """`strike` is called once, at a random moment, with the run's process."""

    name: str
    strike: Callable[[subprocess.Popen[bytes], random.Random], None]
    small_disk: bool = False


def kill_a_worker(run: subprocess.Popen[bytes], draw: random.Random) -> None:
    if workers := children(run.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(draw.choice(workers), signal.SIGKILL)


def kill_every_worker(run: subprocess.Popen[bytes], _: random.Random) -> None:
    for worker in children(run.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)


def interrupt(run: subprocess.Popen[bytes], _: random.Random) -> None:
    run.send_signal(signal.SIGINT)


def interrupt_as_a_terminal_does(run: subprocess.Popen[bytes], _: random.Random) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(run.pid, signal.SIGINT)


def nothing(_: subprocess.Popen[bytes], __: random.Random) -> None:
    """The disk is full by itself."""


FAULTS = (
    Fault("a worker killed", kill_a_worker),
    Fault("every worker killed", kill_every_worker),
    Fault("interrupted", interrupt),
    Fault("Ctrl-C", interrupt_as_a_terminal_does),
    Fault("disk full", nothing, small_disk=True),
)


def children(pid: int) -> list[int]:
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False
    )
    return [int(word) for word in listed.stdout.split()]


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system on which there is room for some of what a run would keep."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK}", "tmpfs", str(folder)]
    subprocess.run(mount, check=True, capture_output=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def run(command: list[str], fault: Fault, after: float, draw: random.Random) -> tuple[int, float]:
    """Exit status, and the seconds between the fault and the end. Raises TimeoutExpired."""
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:  # fmt: skip
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(after)
        struck = time.monotonic()
        fault.strike(process, draw)
        try:
            return process.wait(PATIENCE), time.monotonic() - struck
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise


def wrong_with(whole: Record, path: Path, status: int) -> tuple[str, str]:
    """What the run left, and what is wrong with that; the latter is empty if nothing is."""
    if not path.exists():
        return "no record", "" if status else "it ended with 0 and left no record"
    try:
        record = read(path)
    except BadInput as error:
        return "a damaged record", str(error)
    lost = sum(one.outcome == NOT_RUN for one in record.checks.values())
    verdict = diff(whole, record)
    left = f"{'whole' if record.complete else 'incomplete'}, {lost} not run, {verdict.exit_status}"
    told = [one for one in verdict.changes if one.new is None or one.new.outcome == NOT_RUN]
    if false := [one for one in told if one.kind not in ("not run", "not applicable")]:
        return left, f"{false[0].claim} was not run, and is called {false[0].kind}"
    if broken := [one for one in verdict.changes if one.kind in REGRESSIONS]:
        return left, f"{broken[0].claim} is called {broken[0].kind}: {broken[0].why}"
    if [one for one in verdict.around if one.kind in ("surface", "adapter")]:
        return left, "a changed surface or adapter was invented"
    if lost and (record.complete or verdict.exit_status != 2 or status == 0):
        return left, f"{lost} checks were not run, and the exit status is {status}"
    if status == 0 and not record.complete:
        return left, "it is incomplete, and the exit status is 0"
    return left, ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--adapters", default="torch,numpy")
    options = parser.parse_args()
    draw = random.Random(options.seed)  # noqa: S311
    faults = [one for one in FAULTS if not one.small_disk or os.geteuid() == 0]
    for one in set(FAULTS) - set(faults):
        print(f"left out: {one.name}: a disk of its own takes root")
    counts: Counter[str] = Counter()
    problems = []
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        command = [sys.executable, "-m", "pytest", "-n", "2", "-p", "no:cacheprovider", "-q",
                   "--adapters", options.adapters]  # fmt: skip
        began = time.monotonic()
        subprocess.run(
            [*command, f"--record={work / 'whole.json'}"], cwd=ROOT, check=True,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        length = time.monotonic() - began
        whole = read(work / "whole.json")
        for number in range(options.runs):
            fault, after = draw.choice(faults), draw.uniform(0.5, length)
            path = work / f"run-{number}.json"
            with contextlib.ExitStack() as stack:
                kept = work / f"values-{number}"
                if fault.small_disk:
                    stack.enter_context(small_disk(kept))
                arguments = [*command, f"--record={path}", f"--outputs={kept}"]
                try:
                    status, lived = run(arguments, fault, after, draw)
                    left, wrong = wrong_with(whole, path, status)
                except subprocess.TimeoutExpired:
                    status, lived, left, wrong = -1, PATIENCE, "", "it did not end"
            print(
                f"{number + 1:3} {fault.name:<20} after {after:5.1f} s: exit {status} "
                f"{lived:5.1f} s later; {left}{'; WRONG: ' + wrong if wrong else ''}",
                flush=True,
            )
            counts[f"{fault.name}: {'wrong' if wrong else 'right'}"] += 1
            problems += [wrong] if wrong else []
    for what, count in sorted(counts.items()):
        print(f"{count:3} {what}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
