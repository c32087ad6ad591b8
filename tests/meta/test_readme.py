"""The README's answers: their code runs, and their claims stand."""

from __future__ import annotations

import configparser
import re

import pytest

from fixtures.adapters.tensorflow import set_legacy_flag
from fixtures.claims import all_claims
from tests.meta.conftest import ROOT, need

README = (ROOT / "README.md").read_text(encoding="utf-8")
ANSWERS = README.partition("\n## Answers\n")[2].partition("\n## ")[0]
SECTIONS = dict(
    section.split("\n", 1) for section in re.split(r"^### ", ANSWERS, flags=re.MULTILINE)[1:]
)
NEEDS = {"torch": "import torch", "keras3": "import keras", "tf1": "import tensorflow.compat.v1"}
CODE = [
    pytest.param(
        code, id=f"{question}-{'-and-'.join(name for name in NEEDS if NEEDS[name] in code)}"
    )
    for question, text in SECTIONS.items()
    for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL)
]


@pytest.mark.parametrize("code", CODE)
def test_the_code_of_an_answer_runs(code):
    set_legacy_flag()  # before TensorFlow is imported, as the README says
    for name, needed in NEEDS.items():
        if needed in code:
            need(name)
    assert "assert " in code
    exec(compile(code, "README.md", "exec"), {})  # noqa: S102


def anchor(heading):
    """What a heading's link is called on the usual hosts of Markdown."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_every_question_has_its_code_and_every_code_its_question():
    linked = re.findall(r"^\| \[(.*?)\]\(#(.*?)\)", ANSWERS, re.MULTILINE)
    assert [anchor(question) for question, _ in linked] == [link for _, link in linked]
    assert [question for question, _ in linked] == list(SECTIONS)
    assert [question for question, text in SECTIONS.items() if "```python" not in text] == []


def test_answers_name_claims_that_stand():
    named = re.findall(r"\[([a-z0-9-]+)\]\(CLAIMS\.md#([a-z0-9-]+)\)", ANSWERS)
    assert named
    assert [pair for pair in named if pair[0] != pair[1] or pair[0] not in all_claims()] == []


def test_every_option_of_the_command_line_is_there(project):
    shown = project.pytest("--help").stdout.partition("lstm-equivalence:")[2].partition("\n\n")[0]
    options = re.findall(r"^  (--[a-z-]+)", shown, re.MULTILINE)
    assert len(options) >= 6
    assert [option for option in options if option not in README] == []


# The pinned versions stand in one place, and are repeated where a reader or a machine needs them.


def pinned() -> str:
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini")
    frameworks = ("torch", "tensorflow-cpu", "tf-keras", "keras")
    lines = tox["testenv"]["deps"].split()
    return " ".join(line for line in lines if line.partition("==")[0] in frameworks)


@pytest.mark.parametrize("name", ["README.md", ".github/workflows/upgrade.yml"])
def test_an_upgrade_is_judged_against_the_pinned_versions(name):
    assert f'"{pinned()}"' in (ROOT / name).read_text(encoding="utf-8")
