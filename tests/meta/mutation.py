"""How many faults in the suite's own logic its tests notice: `tox run -e mutation`.

mutmut makes one small fault at a time in a copy of the checkout, and runs the module's own tests as
far as they reach it. Prints a score for each module, and every fault that no test notices and
`survivors.toml` does not explain: one such fails the run, and so does an explanation of a fault
that is noticed. Arguments: modules, as named in TESTED_BY, where not all are meant; anything else
goes to `mutmut run`, as `--max-children 1` does, for one process.

mutmut changes neither functions with a decorator nor constants of a module.
"""

from __future__ import annotations

import contextlib
import fnmatch
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from mutmut.mutation.diff_apply import get_diff_for_mutant

ROOT = Path(__file__).parents[2]
EXPLAINED = Path(__file__).with_name("survivors.toml")
FRAMEWORKS = ("torch", "tensorflow", "keras", "tf_keras")

Functions = dict[str, tuple[str, ...]]
TESTED_BY: dict[tuple[str, ...], Functions] = {
    ("test_compare.py",): {"checks.compare": ("*",)},
    ("test_weights.py",): {"model.weights": ("*",), "cases.weights": ("*",)},
    ("test_rounding.py", "test_backward.py"): {"oracle.rounding": ("*",)},
    ("test_layouts.py",): {
        "adapters.numpy": ("Layer.__init__", "Layer.weights"),
        "adapters.torch": ("Torch.build", "Torch._initial", "Torch._canonical", "Torch._state",
                           "Torch._by_layer", "with_one_bias", "named_weights", "in_order",
                           "rows_of", "as_state", "as_rows"),
        "adapters.keras_layers": ("KerasLayers.build", "KerasLayers.layer", "KerasLayers._run",
                                  "KerasLayers._collected", "KerasLayers._initial",
                                  "KerasLayers._states", "KerasLayers._state",
                                  "KerasLayers._by_layer", "to_keras", "from_keras"),
        "adapters.tf1": ("TF1._initial", "TF1._initial_tensors", "state_of", "load", "by_layer"),
        "adapters.tf1_cells": ("to_tf1", "from_tf1", "split", "forget_bias"),
    },
}  # fmt: skip
"""By their tests, the modules of `fixtures` and what is changed in each: of the adapters, what
loads weights and states and reads them back."""

UNNOTICED = {None: "not tried", 0: "no test fails", 5: "no test runs", 33: "no test reaches it"}
TIMEOUTS = (24, -24, 152)


def tried(
    tests: tuple[str, ...], functions: Functions, options: list[str]
) -> Iterator[tuple[str, str, int | None]]:
    """Module, fault and mutmut's exit code; a fault is `function: line before -> line after`."""
    with tempfile.TemporaryDirectory() as copy, contextlib.chdir(copy):
        unneeded = shutil.ignore_patterns(".*", "__pycache__", "report")
        shutil.copytree(ROOT, copy, ignore=unneeded, dirs_exist_ok=True)
        files = {module: f"fixtures/{module.replace('.', '/')}.py" for module in functions}
        configure(list(files.values()), [f"tests/meta/{test}" for test in tests])
        if "test_layouts.py" in tests:
            preload_frameworks()
        names = {
            module: [f"fixtures.{module}.{mangled(one)}" for one in of_module]
            for module, of_module in functions.items()
        }
        run_mutmut([*options, *(name for of_module in names.values() for name in of_module)])
        for module, file in files.items():
            codes = json.loads(Path("mutants", f"{file}.meta").read_text())["exit_code_by_key"]
            for name in names[module]:
                if not (matching := fnmatch.filter(codes, name)):
                    sys.exit(f"there is nothing to change in {name}")
                for mutant in matching:
                    yield module, fault(mutant, file), codes[mutant]


def configure(files: list[str], tests: list[str]) -> None:
    """Adds to pyproject.toml's table what is only about this part of the run."""
    table = "[tool.mutmut]\n"
    more = f"only_mutate = {files}\npytest_add_cli_args_test_selection = {tests}\n"
    pyproject = Path("pyproject.toml")
    pyproject.write_text(pyproject.read_text().replace(table, table + more))


def preload_frameworks() -> None:
    """They are imported once; each mutant is tried in a fork of the process that did so.

    Their objects are kept from the garbage collector, which would go through them in every fork.
    """
    modules = ["gc", *(name for name in FRAMEWORKS if find_spec(name))]
    with Path("conftest.py").open("a") as conftest:
        conftest.write(f"\nimport {', '.join(modules)}\n\ngc.freeze()\n")


def run_mutmut(arguments: list[str]) -> None:
    command = (str(Path(sys.executable).with_name("mutmut")), "run", *arguments)
    # tf1 and keras2 need it when TensorFlow is imported, which here is before they are asked.
    variables = os.environ | {"TF_USE_LEGACY_KERAS": "1"}
    ran = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    if ran.returncode:
        sys.exit(f"mutmut stopped; do the tests pass?\n{ran.stdout[-500:]}{ran.stderr}")


def mangled(function: str) -> str:
    """mutmut's name for all mutants of a function."""
    if function == "*":
        return function
    return f"x{'ǁ' if '.' in function else '_'}{function.replace('.', 'ǁ')}__mutmut_*"


def fault(mutant: str, file: str) -> str:
    """What it is, in words that stay when lines move."""
    function = mutant.partition("__mutmut_")[0].rpartition(".")[2]
    lines = get_diff_for_mutant(mutant, path=file).splitlines()[3:]
    before, after = (
        " ".join(line[1:].strip() for line in lines if line[0] == sign and "__mutmut" not in line)
        for sign in "-+"
    )
    return f"{function[2:].replace('ǁ', '.')}: {before} -> {after}"


def main(arguments: list[str]) -> int:
    known = {module for functions in TESTED_BY.values() for module in functions}
    asked = known.intersection(arguments) or known
    options = [argument for argument in arguments if argument not in known]
    explained = tomllib.loads(EXPLAINED.read_text())
    print(f"{'':<16} mutants  killed  timeout  explained  survived")
    wrong = []
    for tests, functions in TESTED_BY.items():
        chosen = {module: them for module, them in functions.items() if module in asked}
        mutants = list(tried(tests, chosen, options)) if chosen else []
        for module in chosen:
            reasons, fates = explained.get(module, {}), Counter[str]()
            unnoticed = set()
            for _, what, code in (one for one in mutants if one[0] == module):
                if code not in UNNOTICED:
                    fates["timeout" if code in TIMEOUTS else "killed"] += 1
                    continue
                unnoticed.add(what)
                fates["explained" if what in reasons else "survived"] += 1
                if what not in reasons:
                    wrong.append(f"survived ({UNNOTICED[code]}): {module}: {what}")
            wrong += [
                f"explained, and noticed or gone: {module}: {what}"
                for what in reasons if what not in unnoticed
            ]  # fmt: skip
            print(
                f"{module:<16} {fates.total():7}  {fates['killed']:6}  {fates['timeout']:7}  "
                f"{fates['explained']:9}  {fates['survived']:8}",
                flush=True,
            )
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
