"""Claims, ids, sources and recipes: what must be complete is complete."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

import fixtures.__main__
from fixtures.adapters import RECIPES, adapters, anywhere, core, every_adapter, torch_precision
from fixtures.adapters.keras import Keras2, Keras3
from fixtures.adapters.numpy import Numpy
from fixtures.adapters.tf1 import TF1
from fixtures.adapters.torch import Torch
from fixtures.cases import named_cases, recorded
from fixtures.claims import KERAS, TORCH, About
from fixtures.claims import registry as claims
from fixtures.errors import BadInput
from fixtures.pages import claims as pages
from tests.meta.conftest import ROOT

ALL = claims.all_claims()


def test_every_claim_is_in_the_committed_list_and_no_other_stands():
    standing = {name for name, one in claims.claim_ids().items() if one.stands}
    assert set(ALL) == standing


def test_ids_are_kebab_case_and_fit_the_matrix():
    assert [name for name in ALL if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)] == []
    assert max(map(len, ALL)) <= 51


def test_every_statement_of_the_sources_is_cited_and_no_other():
    numbers = {number for source in claims.sources().values() for number in source["statements"]}
    assert {number for one in ALL.values() for number in one.sources} == numbers
    assert len(numbers) == 9 + 7 + 7 + 10 + 7


def test_every_kind_of_claim_is_made():
    assert {one.kind for one in ALL.values()} == {"structure", "exact", "rounding", "different"}


@pytest.mark.parametrize("name", adapters())
def test_an_adapter_has_every_recipe_or_says_why_not(name):
    adapter = adapters()[name]
    lacking = {recipe for recipe in RECIPES if adapter.lacks(recipe)}
    assert lacking == set(adapter.absent)


@pytest.mark.parametrize("name", ALL)
def test_a_claim_is_checked_on_some_adapter_and_case(name):
    one = ALL[name]
    checked = [
        (adapter, case.name, dtype)
        for adapter in every_adapter()
        if not claims.not_applicable(one, adapter)
        for case, dtype in claims.cases_of(one)
        if not claims.not_applicable_on(one, adapter, case, dtype)
    ]
    assert checked


def test_every_case_is_looked_at_by_some_claim():
    seen = {case.name for one in ALL.values() for case, _ in claims.cases_of(one)}
    recordings = recorded.recordings(recorded.FOLDER).cases
    assert seen == {case.name for case in (*named_cases(), *recordings)}


@pytest.mark.parametrize(
    ("about", "sentence"),
    [
        (About(lambda _: False, because="of no adapter"), "`about` picks no adapter"),
        (About(TORCH.picks, because=""), "`about` gives no reason"),
    ],
)
def test_a_claim_is_about_some_adapter_and_says_why(about, sentence):
    with pytest.raises(BadInput, match=f"^claim <lambda>: {sentence}; .*[.]$"):
        claims.claim(kind="exact", statement="s", formula="f", about=about)(lambda: None)


def reasons(claim, **classes):
    """Why the claim is not about each of these adapters, where they are the only ones."""
    with pytest.MonkeyPatch.context() as patch:
        made = {name: one() for name, one in classes.items()}
        patch.setattr(claims, "every_adapter", lambda: made)
        return {name: claims.not_applicable(ALL[claim], name) for name in classes}


class TorchMode(Torch):
    name = "torch:export"


class Repeats(Numpy):
    name = "repeats"
    interface = "another"
    masked_output = "repeated"


class SaysNothing(Numpy):
    name = "says-nothing"
    masked_output = None


def test_another_way_of_running_torch_counts_as_torch():
    found = reasons("torch-gates-are-i-f-g-o", mode=TorchMode, numpy=Numpy)
    assert found == {"mode": None, "numpy": TORCH.because}
    exact = reasons("time-major-is-a-transposition", mode=TorchMode, numpy=Numpy)
    assert "in torch it is a matter of rounding" in exact["mode"]
    assert exact["numpy"] == Numpy.absent["time_major"]


def test_both_keras_are_keras_and_no_other_is():
    wanted = {anywhere(name) for name, one in adapters().items() if KERAS.picks(one)}
    assert wanted == {"keras3", "keras2"}


def test_output_past_a_rows_end_is_judged_by_what_the_adapter_says_of_it():
    classes = {"zeros": Numpy, "repeats": Repeats, "nothing": SaysNothing}
    zeros = reasons("output-past-a-rows-end-is-zero", **classes)
    repeated = reasons("keras-output-under-a-mask-repeats", **classes)
    assert [name for name, reason in zeros.items() if reason is None] == ["zeros", "nothing"]
    assert [name for name, reason in repeated.items() if reason is None] == ["repeats", "nothing"]


@pytest.mark.parametrize("name", core())
def test_an_adapter_says_what_it_leaves_past_a_rows_end(name):
    adapter = adapters()[name]
    assert (adapter.masked_output is None) == bool(adapter.lacks("lengths"))


def test_a_retired_id_stays_in_the_list(tmp_path, monkeypatch):
    (tmp_path / "claim-ids.txt").write_text("# ids\nstands 1.0\nretired-one 0.2 retired: no\n")
    monkeypatch.setattr(claims, "DATA", tmp_path)
    assert claims.claim_ids() == {
        "stands": claims.Listed("1.0", stands=True),
        "retired-one": claims.Listed("0.2", stands=False),
    }


def test_an_id_without_a_version_is_refused(tmp_path, monkeypatch):
    (tmp_path / "claim-ids.txt").write_text("new-one\n")
    monkeypatch.setattr(claims, "DATA", tmp_path)
    with pytest.raises(BadInput, match="new-one has no version"):
        claims.claim_ids()


@pytest.fixture
def page(tmp_path, monkeypatch):
    path = tmp_path / "CLAIMS.md"
    monkeypatch.setattr(pages, "PAGE", path)
    monkeypatch.setattr(pages, "DOCS", Path(shutil.copytree(pages.DOCS, tmp_path / "docs")))
    return path


def test_the_page_is_the_same_where_no_framework_is_installed(monkeypatch):
    """Nor a CPU like the one on which it was written: what a machine lacks is not the claims'."""
    here = pages.page()
    for adapter in core().values():
        monkeypatch.setattr(type(adapter), "cannot_run", lambda _: "it is not installed")
    for framework in (Torch, TF1, Keras2, Keras3):
        monkeypatch.setattr(framework, "cannot_run", lambda _: "it is not installed")
    monkeypatch.setattr(torch_precision, "has_avx512", lambda: False)
    assert pages.page() == here


def test_the_page_is_stale_until_it_is_written(page, capsys):
    assert fixtures.__main__.main(["claims", "--check"]) == 1
    assert capsys.readouterr().err == "CLAIMS.md is stale: run `python -m fixtures claims`.\n"
    assert fixtures.__main__.main(["claims"]) == 0
    assert fixtures.__main__.main(["claims", "--check"]) == 0
    page.write_text(page.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert fixtures.__main__.main(["claims", "--check"]) == 1


@pytest.mark.parametrize(
    ("family", "words"),
    [("gru", "GRU"), ("lstm variants", "LSTM variants"), ("output and state", "Output and state")],
)
def test_a_familys_heading_has_its_capitals(family, words):
    assert pages.heading(family) == words


def test_the_page_names_every_claim_and_every_statement(page):
    fixtures.__main__.main(["claims"])
    text = page.read_text(encoding="utf-8")
    assert [name for name in ALL if f'<a id="{name}"></a>{name}\n' not in text] == []
    assert [one.statement for one in ALL.values() if one.statement not in text] == []


def test_every_link_within_the_page_has_its_one_place():
    text = pages.page()
    places = re.findall(r'<a id="([^"]+)"></a>', text)
    headings = {one.lower().replace(" ", "-") for one in re.findall(r"^## ([\w ]+)$", text, re.M)}
    assert len(set(places)) == len(places)
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= set(places) | headings
    assert set(places) > set(ALL)


def test_the_page_is_read_not_searched():
    """A claim is three lines with its heading, and what many share is told once."""
    text = pages.page()
    assert len(text.splitlines()) < 4 * len(ALL)
    assert len(text) / len(ALL) < 340
    rows = re.findall(r"^\| <a id=\"[PM]\d+\"></a>[PM]\d+ (.*)$", text, re.MULTILINE)
    assert len(set(rows)) == len(rows) > 10


def test_the_committed_pages_are_what_the_tests_and_the_kept_runs_say():
    for path, text in pages.pages().items():
        assert path.read_text(encoding="utf-8") == text


@pytest.mark.usefixtures("page")
def test_a_page_without_a_place_for_the_runs_is_refused():
    (pages.DOCS / "versions.md").write_text("# Versions\n")
    with pytest.raises(BadInput, match=r"versions\.md has lost the comments"):
        pages.pages()


def test_bad_input_ends_the_command_line_in_one_sentence(monkeypatch, capsys):
    def broken():
        raise BadInput("one sentence.")

    monkeypatch.setattr(pages, "page", broken)
    assert fixtures.__main__.main(["claims"]) == 2
    assert capsys.readouterr().err == "one sentence.\n"


def test_the_readme_names_only_claims_that_stand():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    matrix = text.partition("```\n")[2].partition("```")[0]
    named = re.findall(r"^  ([a-z0-9-]+) {2,}", matrix, re.MULTILINE)
    assert len(named) > 10
    assert set(named) <= set(ALL)
    assert f"{len(ALL)} claims" in text.replace("\n", " ")
