"""The command line: what is run, from where, and how a mistake ends."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fixtures.adapters import core
from tests.meta.conftest import ROOT, Project
from tests.meta.records import EARLIER

HIDE_TORCH = """
    import fixtures.adapters.torch as torch_adapter

    torch_adapter.installed = lambda *distributions, module: None
"""


def refused(result, sentence: str) -> None:
    """One clear sentence, a usage error, no traceback."""
    assert result.returncode == pytest.ExitCode.USAGE_ERROR, result.stdout + result.stderr
    assert re.search(sentence, result.stderr), result.stderr
    assert "Traceback" not in result.stdout + result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--adapters", "torhc"), r"--adapters: there is no adapter 'torhc'; there are torch, "),
        (("--adapters", ""), r"--adapters: there is no adapter ''; there are torch, "),
        (
            ("--seed", "x"),
            r"--seed: 'x' is not a whole number from 0 up, of 100 digits at most; give one\.",
        ),
        (
            ("--seed=-1",),
            r"--seed: '-1' is not a whole number from 0 up, of 100 digits at most; give one\.",
        ),
        (("--seed", "1" * 5000), r"of 100 digits at most; give one\."),
    ],
)
def test_a_bad_option_ends_in_one_sentence(project, arguments, sentence):
    refused(project.pytest(*arguments), sentence)


def test_a_requested_adapter_that_cannot_run_is_refused(project: Project):
    project.write("hide_torch.py", HIDE_TORCH)
    result = project.pytest("-p", "hide_torch", "--adapters", "torch,numpy", PYTHONPATH=".")
    refused(result, r"--adapters: torch cannot run here: torch is not installed: python -m pip ")


def test_an_adapter_that_cannot_run_is_named_and_the_rest_runs(project: Project):
    project.write("hide_torch.py", HIDE_TORCH)
    result = project.pytest("-p", "hide_torch", "-all", "-k", "holds", PYTHONPATH=".")
    assert result.returncode == 0, result.stdout
    missing = "torch is not installed: python -m pip install torch"
    assert re.search(rf"^  torch: +cannot run: {missing}$", result.stdout, re.MULTILINE)
    assert f"--  torch cannot run here: {missing}" in result.stdout
    assert re.search(r"^  it-holds +-- ", result.stdout, re.MULTILINE)


def test_a_record_that_is_a_folder_is_refused(project: Project):
    refused(
        project.pytest(f"--record={project.path}"), r"--record .*: that is a folder; give a file"
    )


def test_a_record_that_cannot_be_written_is_refused(project: Project):
    below_a_file = project.write("file", "text") / "run.json"
    result = project.pytest(f"--record={below_a_file}")
    refused(result, r"--record .*: nothing can be written there \(.*\); give another file\.")


def test_a_refused_run_leaves_an_earlier_record_alone(project: Project):
    record = project.write("run.json", EARLIER)
    assert project.pytest(f"--record={record}", "--seed", "x").returncode != 0
    assert record.read_text() == EARLIER


def test_an_impossible_case_is_refused(project: Project):
    cases = project.path / "fixtures" / "cases" / "named.py"
    cases.write_text(
        cases.read_text().replace("features=4, units=(5,),", "features=4, units=(0,),", 1)
    )
    sentence = r"case 'smallest': units of layer 0 is 0; make it 1 or more\."
    refused(project.pytest("tests/test_small.py"), sentence)


def test_a_damaged_data_file_fails_in_one_sentence(project: Project):
    (project.path / "fixtures" / "data" / "mnist.npz").write_bytes(b"damaged")
    project.write(
        "tests/test_small.py",
        """
        from fixtures.cases import named
        from fixtures.checks.compare import assert_structure
        from fixtures.claims import claim

        @claim(kind="structure", statement="s", formula="f", cases=named("mnist"))
        def test_images(run, case):
            assert_structure(run.output.shape, (8, 28, 256))
        """,
    )
    result = project.pytest()
    assert result.returncode == pytest.ExitCode.TESTS_FAILED
    assert "mnist.npz is damaged (its SHA-256 is not the known one); restore it" in result.stdout
    assert "Traceback" not in result.stdout
    assert "inputs.py:" not in result.stdout


def test_claims_selected_and_none_checked_fails(project: Project):
    result = project.pytest("-k", "torchs")
    assert result.returncode == pytest.ExitCode.TESTS_FAILED
    assert "Claims were selected and none was checked" in result.stdout


def test_claims_selected_and_none_checked_fails_with_workers(project: Project):
    result = project.pytest("-k", "torchs", "-n", "2")
    assert result.returncode == pytest.ExitCode.TESTS_FAILED
    assert "Claims were selected and none was checked" in result.stdout


def test_collecting_only_checks_nothing_and_succeeds(project: Project):
    assert project.pytest("-k", "torchs", "--collect-only").returncode == 0


@pytest.mark.parametrize(
    ("expression", "count"),
    [
        ("it_holds", 4),
        ("it_holds and smallest", 2),
        ("it_holds and one-unit and float32", 1),
        ("numpy and it_is_rounded", 2),
    ],
)
def test_checks_are_selected_by_claim_adapter_case_and_dtype(project, expression, count):
    result = project.pytest("-q", "-k", expression)
    assert re.search(rf"^{count} passed, \d+ deselected", result.stdout, re.MULTILINE)


@pytest.fixture
def with_meta(project: Project) -> Project:
    """A project with a test of itself, which fails."""
    project.write("tests/meta/test_of_itself.py", "def test_of_itself():\n    assert False\n")
    return project


def test_pytest_works_from_any_directory(with_meta: Project, tmp_path: Path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    result = with_meta.pytest(str(with_meta.path), "--record=run.json", cwd=elsewhere)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "6 passed, 1 skipped" in result.stdout
    assert (elsewhere / "run.json").is_file()


def test_pytest_works_through_a_link_to_the_checkout(project: Project, tmp_path: Path):
    link = tmp_path / "link"
    link.symlink_to(project.path, target_is_directory=True)
    result = project.pytest(str(link), cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "6 passed, 1 skipped" in result.stdout


def test_pytest_works_from_within_tests(with_meta: Project):
    result = with_meta.pytest(cwd=with_meta.path / "tests")
    assert result.returncode == 0, result.stdout
    assert "6 passed, 1 skipped" in result.stdout


def test_the_tests_of_the_suite_itself_run_by_name(with_meta: Project):
    result = with_meta.pytest("tests/meta")
    assert result.returncode == pytest.ExitCode.TESTS_FAILED
    assert "1 failed" in result.stdout


def test_the_checkouts_fixtures_win_over_an_installed_package(project: Project, tmp_path: Path):
    foreign = tmp_path / "site" / "fixtures"
    foreign.mkdir(parents=True)
    (foreign / "__init__.py").write_text("raise RuntimeError('the wrong package')")
    result = project.pytest(PYTHONPATH=str(foreign.parent))
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_foreign_fixtures_package_imported_earlier_is_named(project: Project, tmp_path: Path):
    foreign = tmp_path / "site" / "fixtures"
    foreign.mkdir(parents=True)
    (foreign / "__init__.py").write_text("")
    (foreign.parent / "early.py").write_text("import fixtures")
    result = project.python(
        "-m", "pytest", "-p", "early", "tests", PYTHONPATH=str(foreign.parent), PYTHONSAFEPATH="1"
    )  # fmt: skip
    assert result.returncode == pytest.ExitCode.USAGE_ERROR
    assert f"another package called fixtures was imported from {foreign}" in result.stderr


def test_stop_at_first_failure_and_last_failed(failing: Project):
    first = failing.pytest("-x", "tests/test_failing.py", "tests/test_small.py")
    assert "1 failed in" in first.stdout
    again = failing.pytest("--lf", "-q")
    assert re.search(r"^1 failed", again.stdout, re.MULTILINE)
    assert "it-holds" not in again.stdout


def test_random_order_with_workers(project: Project):
    pytest.importorskip("pytest_randomly", reason="pytest-randomly is not installed")
    command = ("-m", "pytest", "-p", "randomly", "-n", "2", "--adapters", "numpy", "-q")
    result = project.python(*command)
    assert "6 passed, 1 skipped" in result.stdout


def test_another_seed_makes_other_numbers(project: Project):
    """The seed reaches weights and inputs, and every failure message."""
    project.write(
        "tests/test_small.py",
        """
        import numpy as np
        from fixtures.cases import named
        from fixtures.checks.compare import assert_same_bits
        from fixtures.claims import claim

        @claim(kind="exact", statement="s", formula="f", cases=named("smallest"))
        def test_fails(run, experiment):
            assert_same_bits(experiment.inputs[:1, 0, 0], np.zeros(1, experiment.dtype))
        """,
    )
    messages = [project.pytest("-k", "float32", "--seed", seed).stdout for seed in ("0", "7")]
    worst = [re.search(r"worst +at \[0\]: (\S+),", message).group(1) for message in messages]
    assert worst[0] != worst[1]
    assert "smallest (the smallest asymmetric one: " in messages[1]
    assert "float32, seed 7" in messages[1]
    assert "--seed 7" in messages[1]


def test_the_command_in_a_failure_message_repeats_it(failing: Project):
    first = failing.pytest("-k", "fails and float32")
    command = re.search(r"rerun +pytest '(.*?)' --seed 0", first.stdout).group(1)
    again = failing.pytest(command, "--seed", "0")
    assert "1 failed in" in again.stdout


@pytest.mark.parametrize(
    ("body", "made"),
    [
        ("pass", "none"),
        ("assert_same_bits(run.output, run.output); assert_same_bits(run.output, run.output)",
         r"\['exact', 'exact'\]"),
        ("assert_structure(1, 1)", r"\['structure'\]"),
    ],
    ids=["no-helper", "two-calls", "wrong-kind"],
)  # fmt: skip
def test_a_claim_is_one_call_of_one_helper_of_its_kind(project, body, made):
    project.write(
        "tests/test_small.py",
        f"""
        from fixtures.cases import named
        from fixtures.checks.compare import assert_same_bits, assert_structure
        from fixtures.claims import claim

        @claim(kind="exact", statement="s", formula="f", cases=named("smallest"))
        def test_odd(run):
            {body}
        """,
    )
    result = project.pytest()
    assert result.returncode == pytest.ExitCode.TESTS_FAILED
    assert re.search(f"claim odd is of kind exact .* this test made {made}", result.stdout)


def test_every_adapter_is_named_in_the_header_with_its_versions(project: Project):
    result = project.pytest("-all", "--collect-only")
    for name, adapter in core().items():
        expected = adapter.cannot_run() or next(iter(adapter.versions().values()))
        line = re.search(rf"^  {name}: +(.*)$", result.stdout, re.MULTILINE)
        assert expected in line.group(1)


def test_the_real_checkout_collects_without_warnings():
    result = Project(ROOT).pytest("--collect-only", "-q", "-W", "error", "-p", "no:cacheprovider")
    assert result.returncode == 0, result.stdout
