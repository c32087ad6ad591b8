"""`--claim`: checks are selected by the ids of their claims."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.meta.conftest import Project
from tests.meta.test_options import refused


@pytest.mark.parametrize(
    ("arguments", "outcome"),
    [
        (("--claim", "it-holds"), "4 passed, 5 deselected"),
        (("--claim", "it-holds,it-is-rounded"), "6 passed, 3 deselected"),
        (("--claim", "it-holds, it-is-rounded"), "6 passed, 3 deselected"),
        (("--claim", "it-holds", "--claim", "it-is-rounded"), "6 passed, 3 deselected"),
        (("--claim", "it-is-*"), "2 passed, 1 skipped, 6 deselected"),
        (("--claim", "*"), "6 passed, 1 skipped, 2 deselected"),
        (("--claim", "it-holds", "-k", "one-unit"), "2 passed, 7 deselected"),
        (("--claim", "it-holds", "--adapters", "numpy", "--seed", "3"), "4 passed, 5 deselected"),
    ],
)
def test_claims_are_selected_by_id(project: Project, arguments, outcome):
    project.write(
        "tests/test_of_no_claim.py",
        "def test_of_no_claim():\n    pass\n\ndef test_it_holds_too():\n    pass\n",
    )
    assert f" {outcome} in" in project.pytest(*arguments).stdout


def test_workers_select_by_id(project: Project):
    result = project.pytest("--claim", "it-holds", "-n", "2")
    assert " 4 passed in" in result.stdout
    assert re.search(r"^  it-holds +4 =$", result.stdout, re.MULTILINE)


def test_the_record_tells_what_was_deselected(project: Project):
    project.pytest("--claim", "it-holds", "--record=run.json")
    text = (project.path / "run.json").read_text()
    assert re.search(r'"selected": 4,\s+"deselected": 3,', text)


def test_of_the_last_failed_those_with_the_id_run(failing: Project):
    failing.write("tests/test_too.py", (failing.path / "tests/test_failing.py").read_text()
                  .replace("test_it_fails", "test_it_fails_too"))  # fmt: skip
    assert "4 failed" in failing.pytest().stdout
    result = failing.pytest("--lf", "--claim", "it-fails")
    assert " 2 failed" in result.stdout
    assert "passed" not in result.stdout
    assert "it-fails-too" not in result.stdout


def test_claims_are_selected_from_any_directory(project: Project, tmp_path: Path):
    result = project.pytest(str(project.path), "--claim", "it-holds", cwd=tmp_path)
    assert " 4 passed, 3 deselected in" in result.stdout


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("it-hols", "there is no claim 'it-hols'; did you mean it-holds?"),
        ("it-is-r", "there is no claim 'it-is-r'; did you mean it-is-torchs or it-is-rounded?"),
        ("it-holds,it-is-round", "there is no claim 'it-is-round'; did you mean it-is-rounded?"),
        ("torch-*", "there is no claim 'torch-*'; CLAIMS.md lists them all."),
        ("", "there is no claim ''; CLAIMS.md lists them all."),
    ],
)
def test_an_id_that_no_claim_has_ends_in_one_sentence(project: Project, given, sentence):
    refused(project.pytest(f"--claim={given}"), f"^ERROR: --claim: {re.escape(sentence)}\n")


def test_an_id_that_no_claim_has_ends_in_one_sentence_with_workers(project: Project):
    refused(project.pytest("--claim", "it-hols", "-n", "2"), r"did you mean it-holds\?\n")


def test_a_file_that_cannot_be_read_is_pytests_to_tell(project: Project):
    project.write(
        "tests/test_unreadable.py",
        "def test_before():\n    pass\n\nimport nothing_of_this_name\n",
    )
    result = project.pytest("--claim", "it-hols")
    assert result.returncode == pytest.ExitCode.INTERRUPTED
    assert "INTERNALERROR" not in result.stdout + result.stderr
    assert "No module named 'nothing_of_this_name'" in result.stdout


# `-k` with an id, copied from the matrix.


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("it-holds",), "it-holds is a claim's id: pytest --claim it-holds"),
        (("it-holds", "-n", "2"), "it-holds is a claim's id: pytest --claim it-holds"),
        (("it-holds and numpy", "-q"), "it-holds is a claim's id: pytest --claim it-holds"),
        (
            ("it-holds or it-is-rounded",),
            "it-holds, it-is-rounded are claims' ids: pytest --claim it-holds,it-is-rounded",
        ),
    ],
)
def test_k_with_an_id_says_what_takes_it(project: Project, arguments, said):
    result = project.pytest("-k", *arguments)
    assert result.returncode == pytest.ExitCode.NO_TESTS_COLLECTED
    assert result.stdout.splitlines()[-2] == f"-k takes words of test names; {said}"


@pytest.mark.parametrize("words", ["it_holds", "no-such-claim", "it-holds or it_holds"])
def test_k_with_anything_else_says_nothing_of_claims(project: Project, words):
    assert "takes words of test names" not in project.pytest("-k", words).stdout


def test_k_says_nothing_where_claims_cannot_be_read(project: Project):
    project.write("tests/test_unreadable.py", "import nothing_of_this_name")
    result = project.pytest("tests/test_small.py", "-k", "it-holds")
    assert result.returncode == pytest.ExitCode.NO_TESTS_COLLECTED
    assert "INTERNALERROR" not in result.stdout + result.stderr
