"""The searches that are kept, and the page that tells them."""

from __future__ import annotations

import pytest

from fixtures.errors import BadInput
from fixtures.pages import changed as page
from fixtures.records.bisect import Asked, Bisection, Found, Kept
from fixtures.records.changed import keep, kept
from fixtures.records.diff import Around
from fixtures.records.search import Behaviour, Change

CLAIM = "output-last-step-is-h"


def a_search(tmp_path, finished=True, **asked):
    change = Change(Behaviour(CLAIM, "torch"), "1.0", "1.2", "holds", "fails", (("1.1", "no"),))
    beside = (Around("surface", "x", "1", "2"),)
    return Bisection(
        Asked(**{"package": "torch", "old": "1.0", "new": "1.3"} | asked),
        tmp_path,
        releases=("1.0", "1.1", "1.2", "1.3"),
        finished=finished,
        kept={"1.0": Kept("numpy<2", 1.0, {}), "1.2": Kept("numpy>2", 1.0, {})},
        skipped={"1.1": "no"},
        found=[Found(change, "TypeError: so", beside, (), ("a warning",))],
    )


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "changed.json"
    path.write_text("[]")
    return path


def test_a_search_is_read_back_without_what_was_seen_beside_it(tmp_path, file):
    keep([a_search(tmp_path)], file)
    (back,) = kept(file)
    assert back.found == [Found(a_search(tmp_path).found[0].change, "TypeError: so", (), (), ())]
    assert (back.kept, back.skipped) == (a_search(tmp_path).kept, {"1.1": "no"})


def test_the_newer_of_two_searches_takes_the_others_place(tmp_path, file):
    keep([a_search(tmp_path), a_search(tmp_path, package="keras")], file)
    keep([a_search(tmp_path, new="1.4")], file)
    assert [(one.asked.package, one.asked.new) for one in kept(file)] == [
        ("keras", "1.3"), ("torch", "1.4")
    ]  # fmt: skip


def test_the_page_says_of_a_search_that_it_has_not_ended(tmp_path, file, monkeypatch):
    monkeypatch.setattr(page, "kept", lambda: kept(file))
    for finished in (True, False):
        keep([a_search(tmp_path, finished=finished)], file)
        assert ("has not ended" in "".join(page.pages().values())) is not finished


@pytest.mark.parametrize("damaged", ["", "{}", "[1]", "[{}]", '[{"schema": 1}]'])
def test_a_damaged_file_is_told(file, damaged):
    file.write_text(damaged)
    with pytest.raises(BadInput, match="is damaged") as told:
        kept(file)
    assert len(str(told.value).splitlines()) == 1


def test_the_page_tells_each_change_and_what_was_skipped(tmp_path, file, monkeypatch):
    keep([a_search(tmp_path)], file)
    monkeypatch.setattr(page, "kept", lambda: kept(file))
    (text,) = page.pages().values()
    assert (
        f"| [{CLAIM}](../CLAIMS.md#{CLAIM}) | torch | 1.0 | 1.2 "
        f"| holds -> fails (TypeError: so) (in between: 1.1: no) |"
    ) in text
    assert "- skipped 1.1: no" in text
    assert "- recorded with numpy<2: 1.0" in text


def test_the_page_is_what_was_kept():
    assert page.FILE.read_text(encoding="utf-8") == page.pages()[page.FILE]


def test_what_is_kept_is_of_claims_that_there_are():
    names = {one.change.behaviour.claim for search in kept() for one in search.found}
    ids = (page.ROOT / "fixtures" / "data" / "claim-ids.txt").read_text(encoding="utf-8")
    assert names - {"signature"} <= {line.split()[0] for line in ids.splitlines() if line.strip()}
