"""The README, and what the pages in docs/ answer: their code runs, and their claims stand."""

from __future__ import annotations

import configparser
import re
import sys

import pytest

from fixtures.adapters import adapters
from fixtures.adapters.tensorflow import set_legacy_flag
from fixtures.claims import all_claims
from tests.meta.conftest import ROOT, need

README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCS = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md")}
ANSWERS = DOCS["answers.md"]
SECTIONS = dict(
    section.split("\n", 1) for section in re.split(r"^## ", ANSWERS, flags=re.MULTILINE)[1:]
)
CODE_BLOCK = r"```python\n(.*?)```"
NEEDS = {
    "torch": "import torch",
    "keras3": "import keras",
    "keras2": "import tf_keras",
    "tf1": "import tensorflow.compat.v1",
}
CODE = [
    pytest.param(
        code, id=f"{question}-{'-and-'.join(name for name in NEEDS if NEEDS[name] in code)}"
    )
    for question, text in SECTIONS.items()
    for code in re.findall(CODE_BLOCK, text, re.DOTALL)
]


def run(code):
    """Runs the code of an answer where what it needs is there."""
    set_legacy_flag()  # before TensorFlow is imported, as the page says
    for name, needed in NEEDS.items():
        if re.search(f"^{re.escape(needed)}$|^{re.escape(needed)} ", code, re.MULTILINE):
            need(name)
    exec(compile(code, "answers.md", "exec"), {})  # noqa: S102


@pytest.mark.parametrize("code", CODE)
def test_the_code_of_an_answer_runs(code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where it writes its files
    assert "assert " in code
    run(code)


ABOUT_FILES = [one for one in CODE if "h5py" in one.values[0]]


@pytest.mark.parametrize("code", ABOUT_FILES)
def test_what_is_said_of_keras_files_is_so_of_those_of_keras_2(code, tmp_path, monkeypatch):
    need("keras2")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "keras", adapters()["keras2"].keras())
    run(code)


FROM_TF1 = "How do I load a TensorFlow 1 checkpoint into torch?"
INTO_KERAS = "How do I load a TensorFlow 1 checkpoint into Keras?"
FROM_KERAS = "How do I read the weights in a `.keras` file without Keras?"
FROM_H5 = "How do I read the weights in an `.h5` file without Keras?"
FROM_KERAS_2 = "How do I load a Keras 2 model into Keras 3?"
TORCH_INTO_KERAS = "How do I load a torch state_dict into Keras?"
INTO_TF1 = "How do I load a torch state_dict into BasicLSTMCell?"
LOADED = "Why do the weights that I load change nothing?"
SLOW = "Why does every step take seconds with jit_compile=True?"
MISTAKES = [
    (FROM_TF1, "f[-1] += 1.0", "pass"),
    (FROM_TF1, "[i, f, j, o]", "[i, j, f, o]"),
    (FROM_TF1, "whole[-units - 1 : -1].T", "whole[-units - 1 : -1]"),
    (FROM_TF1, "= torch.zeros(4 * units)", "= whole[-1]"),
    (FROM_TF1, 'cell_{layer}/basic_lstm_cell" for layer', 'cell_0/basic_lstm_cell" for layer'),
    (FROM_TF1, '"bidirectional_rnn/bw/basic', '"bidirectional_rnn/fw/basic'),
    (INTO_KERAS, "f[-1] += 1.0", "pass"),
    (INTO_KERAS, '("fw", "bw")', '("bw", "fw")'),
    (INTO_KERAS, "[i, f, j, o]", "[i, j, f, o]"),
    (INTO_KERAS, "[u, r, candidate]", "[r, u, candidate]"),
    (FROM_KERAS, "torch.cat([r, z, n])", "torch.cat([z, r, n])"),
    (FROM_KERAS, "half[2][0], half[2][1]", "half[2][1], half[2][0]"),
    (FROM_KERAS, "for half in (forward, backward)", "for half in (backward, forward)"),
    (FROM_KERAS, "recurrent_kernel.T, bias, torch", "recurrent_kernel, bias, torch"),
    (FROM_H5, '("backward_" in name)', '("forward_" in name)'),
    (FROM_H5, "torch.zeros(24)", 'weights[f"bias{half}"]'),
    (FROM_KERAS_2, "trainable = False\nnew", "trainable = True\nnew"),
    (TORCH_INTO_KERAS, '(f"l{layer}", f"l{layer}_reverse")', '(f"l{layer}_reverse", f"l{layer}")'),
    (TORCH_INTO_KERAS, 'for part in ("ih", "hh"))]', 'for part in ("ih",))]'),
    (INTO_TF1, "f[-1] -= 1.0", "pass"),
    (INTO_TF1, "[i, g, f, o]", "[i, f, g, o]"),
    (INTO_TF1, "forget_bias=1.0", "forget_bias=0.0"),
    (LOADED, "def build(", "def unused("),
    (SLOW, "RNN(tf_keras.layers.LSTMCell(6))", "LSTM(6)"),
]
"""Of an answer's code, what is right and what would be wrong."""


@pytest.mark.parametrize(("question", "right", "wrong"), MISTAKES)
def test_a_mistake_in_the_code_of_an_answer_is_seen(question, right, wrong, tmp_path, monkeypatch):
    """Or at once, where the shapes do not fit."""
    monkeypatch.chdir(tmp_path)
    blocks = [
        code for code in re.findall(CODE_BLOCK, SECTIONS[question], re.DOTALL) if right in code
    ]
    assert blocks
    for code in blocks:
        with pytest.raises((AssertionError, RuntimeError)):
            run(code.replace(right, wrong))


def anchor(heading):
    """What a heading's link is called on the usual hosts of Markdown."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_every_question_has_its_code_and_every_code_its_question():
    linked = re.findall(r"^\| \[(.*?)\]\(#(.*?)\)", ANSWERS, re.MULTILINE)
    assert [anchor(question) for question, _ in linked] == [link for _, link in linked]
    assert [question for question, _ in linked] == list(SECTIONS)
    assert [question for question, text in SECTIONS.items() if "```python" not in text] == []


@pytest.mark.parametrize("name", ["README.md", *sorted(DOCS)])
def test_pages_name_claims_that_stand(name):
    text = README if name == "README.md" else DOCS[name]
    named = re.findall(r"\[([a-z0-9-]+)\]\((?:\.\./)?CLAIMS\.md#([a-z0-9-]+)\)", text)
    assert len(named) == text.count("CLAIMS.md#")
    assert [pair for pair in named if pair[0] != pair[1] or pair[0] not in all_claims()] == []


@pytest.mark.parametrize("path", ["README.md", *(f"docs/{name}" for name in sorted(DOCS))])
def test_pages_link_to_what_is_there(path):
    text = (ROOT / path).read_text(encoding="utf-8")
    links = re.findall(
        r"\]\(([^)#\s]+)(?:#[^)]*)?\)", re.sub(CODE_BLOCK, "", text, flags=re.DOTALL)
    )
    files = [link for link in links if not link.startswith("https://")]
    assert [link for link in files if not ((ROOT / path).parent / link).exists()] == []


def test_the_readme_is_short_and_says_what_the_answers_say():
    assert len(README.splitlines()) <= 180
    matrix = README.partition("```\n")[2].partition("```")[0]
    assert len(matrix.splitlines()) <= 15
    blocks = re.findall(CODE_BLOCK, README, re.DOTALL)
    questions = re.findall(r"^### (.*)$", README, re.MULTILINE)
    assert len(blocks) == len(questions) == 3
    text = re.sub(r"\s+\(\[[^()]*\]\([^()]*\)(,\s+\[[^()]*\]\([^()]*\))*\)", "", README)
    answers = dict(re.findall(r"^\| \[(.*?)\]\(#.*?\) \| (.*?) \|", ANSWERS, re.MULTILINE))
    for question, code in zip(questions, blocks, strict=True):
        assert code in SECTIONS[question]
        assert answers[question] in " ".join(text.split())


def test_the_readme_names_every_page():
    pages = set(DOCS) - {"index.md"}
    assert set(re.findall(r"\(docs/([a-z-]+\.md)\)", README)) == pages


def test_every_option_of_the_command_line_is_there(project):
    shown = project.pytest("--help").stdout.partition("lstm-equivalence:")[2].partition("\n\n")[0]
    options = re.findall(r"^  (--[a-z-]+)", shown, re.MULTILINE)
    assert len(options) >= 6
    assert [option for option in options if option not in "".join(DOCS.values())] == []


# The pinned versions stand in one place, and are repeated where a reader or a machine needs them.


def pinned() -> str:
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini")
    frameworks = ("torch", "tensorflow-cpu", "tf-keras", "keras")
    lines = tox["testenv"]["deps"].split()
    return " ".join(line for line in lines if line.partition("==")[0] in frameworks)


@pytest.mark.parametrize("name", ["docs/upgrades.md", ".github/workflows/upgrade.yml"])
def test_an_upgrade_is_judged_against_the_pinned_versions(name):
    assert f'"{pinned()}"' in (ROOT / name).read_text(encoding="utf-8")
