"""Known failures: strict, and judged against everything that exists."""

from __future__ import annotations

import fnmatch
import re

import pytest

from fixtures.adapters import BACKEND, adapters
from fixtures.cases import named_cases, recorded
from fixtures.cases.kinds import names_in_words
from fixtures.claims.known import known_failures, matching
from fixtures.errors import BadInput
from fixtures.pages import failures
from tests.meta.conftest import Project

ENTRY = {
    "adapter": '"numpy"',
    "claim": '"output-last-step-is-h"',
    "versions": '"numpy >=1"',
    "reason": '"it is broken"',
    "link": '"https://example.org/1"',
}


def test_every_entry_is_about_a_case_that_can_be_read():
    """A run asks for recorded cases by the names of their files alone."""
    recordings = recorded.recordings(recorded.FOLDER).cases
    names = [*names_in_words(), *(one.name for one in (*named_cases(), *recordings))]
    patterns = {case for entry in known_failures() for case in entry.case.split()}
    assert [case for case in patterns if not fnmatch.filter(names, case)] == []


def table(**changes: str | None) -> str:
    fields = {name: value for name, value in (ENTRY | changes).items() if value is not None}
    return "[[failure]]\n" + "\n".join(f"{name} = {value}" for name, value in fields.items())


def list_failure(project: Project, claim: str, **changes: str) -> None:
    project.write("fixtures/data/claim-ids.txt", f"{claim} 0.1.0\n")
    project.write("fixtures/data/known-failures.toml", table(claim=f'"{claim}"', **changes))


@pytest.mark.parametrize(
    ("versions", "words"),
    [
        ("keras >=3.2, <3.8", "Keras 3.2 to before 3.8"),
        ("keras <3.8", "Keras before 3.8"),
        ("torch >=2.1, <=2.4", "torch 2.1 to 2.4"),
        ("torch >=2.1", "torch 2.1 and later"),
        ("numpy ==2.4.*", "numpy ==2.4.*"),
        ("numpy", "every numpy"),
    ],
)
def test_any_range_that_an_entry_may_have_is_told(tmp_path, monkeypatch, versions, words):
    path = tmp_path / "known-failures.toml"
    path.write_text("\n".join([table(versions=f'"{versions}"'), table()]))
    monkeypatch.setattr(failures, "known_failures", lambda: known_failures(path))
    told = [line.split(": ")[0] for line in failures.table()][2:]
    assert sorted(told) == sorted([f"| {words}", "| numpy 1 and later"])


def test_a_known_failure_does_not_fail_the_run(failing: Project):
    list_failure(failing, "it-fails")
    result = failing.pytest()
    assert result.returncode == 0, result.stdout
    assert re.search(r"^  it-fails +KNOWN 2/2$", result.stdout, re.MULTILINE)
    assert "it is broken <https://example.org/1>" in result.stdout


def test_a_known_failure_that_no_longer_fails_is_an_error(project: Project):
    list_failure(project, "it-holds")
    result = project.pytest()
    assert result.returncode == pytest.ExitCode.TESTS_FAILED
    assert "[XPASS(strict)] it is broken <https://example.org/1>" in result.stdout


def test_only_a_claims_assertion_is_a_known_failure(failing: Project):
    """A crash where a disagreement is known is news."""
    list_failure(failing, "it-fails")
    result = crashing(failing).pytest()
    assert result.returncode == pytest.ExitCode.TESTS_FAILED
    assert "ZeroDivisionError" in result.stdout


def crashing(project: Project) -> Project:
    test = project.path / "tests" / "test_failing.py"
    test.write_text(test.read_text().replace("    assert_same", "    1 / 0\n    assert_same"))
    return project


def test_a_known_failure_may_be_that_the_framework_raises(failing: Project):
    list_failure(failing, "it-fails", raises='"ZeroDivisionError"')
    result = crashing(failing).pytest()
    assert result.returncode == 0, result.stdout
    assert re.search(r"^  it-fails +KNOWN 2/2$", result.stdout, re.MULTILINE)


def test_another_exception_than_the_known_one_is_news(failing: Project):
    list_failure(failing, "it-fails", raises='"TypeError"')
    result = crashing(failing).pytest()
    assert result.returncode == pytest.ExitCode.TESTS_FAILED
    assert "ZeroDivisionError" in result.stdout


def test_a_disagreement_where_an_exception_is_known_is_news(failing: Project):
    list_failure(failing, "it-fails", raises='"TypeError"')
    assert failing.pytest().returncode == pytest.ExitCode.TESTS_FAILED


def test_a_known_failure_of_other_versions_does_not_apply(failing: Project):
    list_failure(failing, "it-fails", versions='"numpy <1"')
    assert failing.pytest().returncode == pytest.ExitCode.TESTS_FAILED


def test_a_known_failure_of_one_dtype_leaves_the_other_alone(failing: Project):
    list_failure(failing, "it-fails", dtype='"float32"')
    result = failing.pytest()
    assert result.returncode == pytest.ExitCode.TESTS_FAILED
    assert "1 failed" in result.stdout
    assert "1 xfailed" in result.stdout


def test_an_entry_that_matches_nothing_ends_in_one_sentence(project: Project):
    list_failure(project, "it-holds", case='"no-such-case"')
    result = project.pytest("-k", "is_rounded")
    assert result.returncode == pytest.ExitCode.USAGE_ERROR
    sentence = "known-failures.toml, entry 1: there is no case 'no-such-case'; mend or remove"
    assert sentence in result.stderr


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (table(adapter='"torhc"'), "there is no adapter 'torhc'"),
        (table(claim='"no-such-claim"'), "there is no claim 'no-such-claim'"),
        (table(case='"no-such-case"'), "there is no case 'no-such-case'"),
        (table(case='"smallest no-such-case"'), "there is no case 'no-such-case'"),
        (table(dtype='"float8"'), "there is no dtype 'float8'"),
        (table(backend='"theano"'), "there is no backend 'theano'"),
        (table(reason=None), "reason missing or unknown"),
        (table(colour='"red"'), "colour missing or unknown"),
        (table(versions='"numpy >> 1"'), "versions 'numpy >> 1' is no requirement"),
        ("[[failure]", "cannot be read as TOML"),
        (table(versions="3"), "versions must be text"),
        (table(versions='"nunpy >=1"'), "no adapter runs 'nunpy'"),
        (table(adapter='["numpy"]'), "adapter must be text"),
        (table(reason='""'), "reason must be text"),
        (table().replace("[[failure]]", "[failure]"), r"holds more than \[\[failure\]\] tables"),
        (table().replace("failure", "failures"), r"holds more than \[\[failure\]\] tables"),
        ("failure = 3", r"holds more than \[\[failure\]\] tables"),
    ],
    ids=lambda value: value if " " in value and "\n" not in value else "",
)
def test_a_malformed_entry_is_refused(tmp_path, text, sentence):
    path = tmp_path / "known-failures.toml"
    path.write_text(text)
    with pytest.raises(BadInput, match=sentence):
        known_failures(path)


def test_an_entry_may_be_about_one_backend(tmp_path, monkeypatch):
    path = tmp_path / "known-failures.toml"
    path.write_text(table(adapter='"keras3"', versions='"keras >=3"', backend='"torch"'))
    keras3, entries = adapters()["keras3"], known_failures(path)
    check = (keras3, "output-last-step-is-h", "smallest", "float32")
    versions = {"keras": "3.15.1", BACKEND: "tensorflow"}
    monkeypatch.setattr(keras3, "versions", lambda: versions)
    assert matching(entries, *check) is None
    versions[BACKEND] = "torch"
    assert matching(entries, *check) is entries[0]


def test_an_entry_is_about_its_adapter_claim_case_and_dtype(tmp_path):
    path = tmp_path / "known-failures.toml"
    path.write_text(table(case='"smallest"', dtype='"float32"'))
    entries = known_failures(path)
    check = (adapters()["numpy"], "output-last-step-is-h", "smallest", "float32")
    assert matching(entries, *check) is entries[0]
    for place, other in enumerate(
        (adapters()["torch"], "output-last-step-is-not-c", "square", "float64")
    ):
        changed = (*check[:place], other, *check[place + 1 :])
        assert matching(entries, *changed) is None


def test_a_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "known-failures.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(BadInput, match="cannot be read as TOML"):
        known_failures(path)


@pytest.mark.parametrize(
    ("installed", "named", "same"),
    [
        ("tensorflow-cpu", "tensorflow", True),
        ("tensorflow", "tensorflow-cpu", True),
        ("tf-keras", "tf_keras", True),
        ("tf-keras", "TF.Keras", True),
        ("tf-nightly-cpu", "tensorflow", True),
        ("tf-keras-nightly", "tf-keras", True),
        ("tf-keras", "keras", False),
        ("tf-keras-nightly", "keras", False),
        ("tensorflow", "torch", False),
    ],
)
def test_a_distribution_goes_by_any_of_its_names(tmp_path, monkeypatch, installed, named, same):
    path = tmp_path / "known-failures.toml"
    path.write_text(table(adapter='"keras2"', versions=f'"{named} >=2.21"'))
    keras2 = adapters()["keras2"]
    monkeypatch.setattr(keras2, "versions", lambda: {installed: "2.21.0"})
    found = matching(known_failures(path), keras2, "output-last-step-is-h", "smallest", "float32")
    assert (found is not None) is same


def test_an_adapters_own_assertion_is_no_known_failure(project: Project):
    """It comes before the claim, which then has not been checked."""
    list_failure(project, "it-holds")
    project.write(
        "asserting.py",
        """
        from fixtures.adapters.numpy import Numpy

        def run(self, experiment):
            raise AssertionError("the framework's own")

        Numpy.run = run
        """,
    )
    result = project.pytest("-p", "asserting", "-k", "holds", PYTHONPATH=".")
    assert result.returncode == pytest.ExitCode.TESTS_FAILED


def test_a_nightly_build_is_in_the_range_of_its_release(tmp_path, monkeypatch):
    path = tmp_path / "known-failures.toml"
    path.write_text(table(adapter='"keras3"', versions='"keras >=3.1"'))
    keras3 = adapters()["keras3"]
    for version, within in (("3.2.0.dev20261120", True), ("3.0.0", False)):
        monkeypatch.setattr(keras3, "versions", lambda version=version: {"keras-nightly": version})
        check = (keras3, "output-last-step-is-h", "smallest", "float32")
        assert bool(matching(known_failures(path), *check)) is within


def test_a_claim_marked_as_failing_without_an_entry_is_refused(project: Project):
    project.write(
        "tests/test_marked.py",
        """
        import pytest
        from fixtures.cases import named
        from fixtures.checks.compare import assert_structure
        from fixtures.claims import claim


        @pytest.mark.xfail
        @claim(kind="structure", statement="s", formula="f", cases=named("smallest"))
        def test_it_fails(run):
            assert_structure(1, 2)
        """,
    )
    ran = project.pytest()
    assert ran.returncode != 0
    assert "claim it-fails is marked xfail; a known failure is an entry" in ran.stdout


@pytest.mark.parametrize(
    ("case", "applies"),
    [
        ("two-layers", True),
        ("two-*", True),
        ("*", True),
        ("three-*", False),
        ("smallest two-*", True),
        ("smallest three-*", False),
    ],
)
def test_a_case_may_be_several_and_patterns(tmp_path, case, applies):
    path = tmp_path / "known-failures.toml"
    path.write_text(table(case=f'"{case}"'))
    numpy = adapters()["numpy"]
    found = matching(known_failures(path), numpy, "output-last-step-is-h", "two-layers", "float32")
    assert (found is not None) is applies
