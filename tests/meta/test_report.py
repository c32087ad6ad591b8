"""The report: one page, in a real browser, made of strings that come from anywhere."""

from __future__ import annotations

import copy
import html
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote, unquote

import pytest

import fixtures.__main__
from fixtures.claims import all_claims
from fixtures.errors import BadInput
from fixtures.pages import charts, pictures, report
from fixtures.pages.history import of_runs
from fixtures.records.diff import diff
from fixtures.records.proven import parts_of
from fixtures.records.record import read
from tests.meta.conftest import need_reports
from tests.meta.records import (
    FAILED,
    LEFT_OUT,
    MOVED,
    SMALLEST,
    a_check,
    a_record,
    changed_at,
    everywhere,
    measured,
)

need_reports()

NASTY = "</script><script>window.told = 1</script><img src=x onerror='told = 1'>\"' {{ 7 * 7 }}"
LONG = "x" * 400


@pytest.fixture
def page(tmp_path):
    """The page of a record, or of a record and the one after it, and where it lies."""

    def page(*records):
        paths = []
        for place, record in enumerate(records):
            paths.append(tmp_path / f"{place}.json")
            paths[-1].write_text(json.dumps(record))
        output = tmp_path / "report.html"
        assert fixtures.__main__.main(["report", *map(str, paths), "-o", str(output)]) == 0
        return output

    return page


def real_claims(**changed):
    """A check of every claim there is, on two adapters, some of which do not hold."""
    adapters = {
        name: {"versions": {name: "1.0"}, "cannot_run": None, "flags": {}, "surface": {}}
        for name in ("torch", "numpy")
    }
    checks = [
        a_check(
            one.id, name, nodeid=f"tests/{one.path.name}::{one.test}[{name}-smallest-float32]",
            line=n, family=one.family, kind=one.kind, claim_hash=one.source_hash,
            measurement=measured(kind=one.kind),
        )
        for n, one in enumerate(all_claims().values())
        for name in adapters
    ]  # fmt: skip
    checks[0] |= FAILED | {"reason": f"claim does not hold\n  tensor  h {LONG}"}
    checks[3] |= LEFT_OUT
    return a_record(*checks, adapters=adapters, **changed)


def moved(record):
    new = copy.deepcopy(record)
    for check in new["checks"]:
        if check["adapter"] == "torch" and check["outcome"] == "proven":
            check |= MOVED | {"measurement": MOVED["measurement"] | {"kind": check["kind"]}}
    new["checks"][10] |= FAILED
    return new


class Elements(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def test_the_page_tells_every_claim_with_its_formula_and_its_test(page):
    text = page(real_claims()).read_text(encoding="utf-8")
    ids = {attributes.get("id") for _, attributes in Elements(text).found}
    assert ids >= set(all_claims())
    assert ids >= {f"claim-{name}" for name in all_claims()}
    assert "output[:, -1] == h[-1]" in text
    assert "def test_output_last_step_is_h(run):" in text
    assert "class Torch(TorchDropout):" in text
    assert "The output&#39;s last step is the final hidden state" in text


def test_no_id_stands_twice_in_a_page(page):
    """Not in the pictures either, of which there are two."""
    text = page(a_record(a_check(), a_check(dtype="float64"))).read_text(encoding="utf-8")
    ids = ids_of(text)
    assert text.count("<svg") == 2
    assert len(set(ids)) == len(ids)


def ids_of(text):
    return [attributes["id"] for _, attributes in Elements(text).found if "id" in attributes]


HOSTILE_NAMES = (
    "", " ", "a b", "a\tb", "a\rb", "a\nb", "a%20b", "%", "#", "é", NASTY, "x", "claim-x",
    "claim-claim-x", "claim-", "claim-matrix", "claim-claim-matrix",
)  # fmt: skip


@pytest.mark.parametrize("upgrade", [False, True], ids=["run", "verdict"])
def test_no_id_stands_twice_whatever_the_claims_are_called(page, upgrade):
    """Not even where they are called as the page calls its own parts, its pictures' too."""

    def page_of(*names):
        old = a_record(*(a_check(name, dtype=d) for name in names for d in ("float32", "float64")))
        new = copy.deepcopy(old)
        for check in new["checks"]:
            check |= MOVED
        return page(*((old, new) if upgrade else (old,))).read_text(encoding="utf-8")

    own = [one for one in ids_of(page_of("it-holds")) if "it-holds" not in one]
    assert {"content", "matrix", "text", "recipe-numpy"} < set(own)
    names = dict.fromkeys((*own, *HOSTILE_NAMES))
    text = page_of(*names)
    ids = ids_of(text)
    assert len(set(ids)) == len(ids)
    assert set(own) <= set(ids)
    assert "x" in ids
    articles = [a for tag, a in Elements(text).found if tag == "article"]
    assert len(articles) == len(names)
    assert not [one["id"] for one in articles if set(one["id"]) & set(" \t\r\n") or not one["id"]]
    links = {a["href"] for tag, a in Elements(text).found if tag == "a" and "href" in a}
    assert {unquote(one[1:]) for one in links if one.startswith("#")} <= set(ids)
    assert {f"#{quote(one['id'])}" for one in articles} <= links


def test_links_inside_the_page_are_those_of_the_list_of_claims(page):
    text = page(real_claims(), moved(real_claims())).read_text(encoding="utf-8")
    links = {a["href"] for tag, a in Elements(text).found if tag == "a" and "href" in a}
    assert "#torch-h-n-goes-by-layer-then-direction" in links
    assert not [one for one in links if one.startswith("#claim-")]


def test_what_is_searched_is_in_the_page_once(page):
    """A claim's statement, but for the source of its test."""
    text = page(real_claims()).read_text(encoding="utf-8")
    assert text.count("h_n and c_n are ordered by layer, and within a layer") == 2


def test_the_same_record_makes_the_same_page(page):
    assert page(real_claims()).read_bytes() == page(real_claims()).read_bytes()


def test_a_test_that_has_changed_since_is_named(page):
    assert "The test has changed since" not in page(real_claims()).read_text(encoding="utf-8")
    assert "The test has changed since" in page(
        a_record(a_check("output-last-step-is-h", claim_hash="another"))
    ).read_text(encoding="utf-8")  # fmt: skip


def test_a_part_of_a_run_is_called_a_part(page):
    assert "is incomplete" in page(a_record(complete=False, selected=9)).read_text(encoding="utf-8")


def test_what_cannot_run_says_why(page):
    record = a_record()
    record["adapters"]["torch"] = {
        "versions": {}, "cannot_run": "torch is not installed", "flags": {}, "surface": {},
    }  # fmt: skip
    assert "torch is not installed" in page(record).read_text(encoding="utf-8")


def cells_of_the_matrix(text):
    """By claim and adapter: the classes of a cell of the matrix, its words, and what it shows."""
    matrix = text.partition('<table class="matrix"')[2].partition("</table>")[0]
    found = {}
    for row in re.findall(r'<tr role="row" data-claim="([^"]+)">(.*?)</tr>', matrix, re.DOTALL):
        for cell in re.findall(r"<td(.*?)>(.*?)</td>", row[1], re.DOTALL):
            attributes = dict(re.findall(r'(\S+)="([^"]*)"', cell[0]))
            shown = re.sub(r"<[^>]*>", " ", re.sub(r'<span class="label">.*?</span>', "", cell[1]))
            found[row[0], attributes["data-adapter"]] = (
                attributes["class"], html.unescape(attributes["data-tip"]), shown.split(),
            )  # fmt: skip
    return found


def test_a_footnote_is_no_part_of_a_number(page):
    """It is a link to its reason, and says it."""
    why = "it has no such option"
    text = page(
        a_record(
            a_check(), a_check(case="one-unit", **LEFT_OUT | {"reason": why}),
            a_check("left", **LEFT_OUT | {"reason": "of another"}),
        )
    ).read_text(encoding="utf-8")  # fmt: skip
    cells = cells_of_the_matrix(text)
    assert cells["it-holds", "numpy"][2] == ["✓", "1", "1.50", "note", "1"]
    assert cells["left", "numpy"][2] == ["-", "note", "2"]
    assert f'<a href="#note-1" data-tip="{why}">1</a>' in text
    assert f'<li id="note-1" value="1">{why}</li>' in text


@pytest.mark.parametrize(
    ("kind", "worst", "words"),
    [
        ("rounding", 1.5, "proven in 1 check; the worst error is 1.50 spreads, 5 are allowed"),
        ("exact", 0.0, "proven in 1 check, bit for bit"),
        ("structure", None, "proven in 1 check"),
        ("different", 250.0, "proven in 1 check; the smallest difference is x2.5e2 bounds"),
    ],
)
def test_a_cell_says_in_words_what_it_shows(page, kind, worst, words):
    record = a_record(a_check(kind=kind, measurement=measured(kind=kind, worst=worst)))
    cells = cells_of_the_matrix(page(record).read_text(encoding="utf-8"))
    assert cells["it-holds", "numpy"][:2] == ("proven", words)


def test_the_key_explains_what_occurs_and_nothing_else(page):
    def key_of(*checks):
        text = page(a_record(*checks)).read_text(encoding="utf-8")
        return re.findall(r"<b>(.*?)</b> (.*?)</span></li>", text)

    assert key_of(a_check()) == [("✓", "proven"), ("70 1.65", "worst error in spreads")]
    both = key_of(a_check(kind="structure", measurement=measured(kind="structure")),
                  a_check("fails", **FAILED))  # fmt: skip
    assert both == [("✗", "failed"), ("✓", "proven"), ("26 ok", "shapes and errors")]


def several(tmp_path, *checks, cases=(), adapters=("numpy", "torch"), **changed):
    """A record of these cases and adapters."""
    record = a_record(*checks, **changed)
    record["adapters"] = dict.fromkeys(adapters, record["adapters"]["numpy"])
    record["cases"] |= {name: SMALLEST | sizes for name, sizes in dict(cases).items()}
    path = tmp_path / "several.json"
    path.write_text(json.dumps(record))
    return read(path)


def test_the_nearest_adapter_is_that_of_the_smallest_errors_on_common_checks(tmp_path):
    """What only one of them was put to says nothing, nor does what is known to fail."""
    record = several(
        tmp_path,
        a_check(measurement=measured(rms=0.4)),
        a_check("b", measurement=measured(rms=0.6)),
        a_check("c", measurement=measured(rms=0.0)),
        a_check(adapter="torch", measurement=measured(rms=0.3)),
        a_check("b", adapter="torch", measurement=measured(rms=0.5)),
        a_check("d", measurement=measured(rms=0.0)),
        a_check("d", adapter="torch", outcome="known failure", measurement=measured(rms=80.0)),
    )
    found = pictures.nearest(record)
    assert found.checks == 2
    assert [(one.adapter, one.middle, one.largest) for one in found.adapters] == [
        ("torch", 0.4, 0.5), ("numpy", 0.5, 0.6),
    ]  # fmt: skip
    assert (
        found.adapters[0].path == f"M{round(300 / found.axis)} 0V10M{round(500 / found.axis)} 0V10"
    )
    assert pictures.nearest(several(tmp_path, a_check())) is None


def test_the_heat_map_tells_where_an_adapter_strays(tmp_path):
    record = several(
        tmp_path,
        a_check(measurement=measured(worst=1.5)),
        a_check(case="long", measurement=measured(worst=4.9)),
        a_check("b", case="long", measurement=measured(worst=0.3)),
        a_check("c", case="long", outcome="known failure", measurement=measured(worst=1e7)),
        a_check(adapter="torch", case="long", **FAILED),
        cases={"long": {"time": 200}, "unseen": {}},
    )
    kinds, cases = pictures.heat(record)
    by_case = {row.name: [(one.worst, one.level, one.failed, one.known) for one in row.cells]
               for row in cases}  # fmt: skip
    assert by_case == {
        "smallest": [(1.5, "1", 0, 0), (None, "none", 0, 0)],
        "long": [(4.9, "4", 0, 1), (None, "fails", 1, 0)],
    }
    of_kind = {row.name: row for row in kinds}
    assert [one.worst for one in of_kind["100 steps and more"].cells] == [4.9, None]
    assert [one.worst for one in of_kind["LSTM"].cells] == [1.5, None]
    assert of_kind["one layer, one direction"].about == "2 of 2 cases"
    assert "stacks" not in of_kind


def test_a_dumbbell_goes_from_the_old_error_to_the_new(page, tmp_path):
    """Of a claim's checks the worst; what grew most comes first; beyond the bound in decades."""
    old = a_record(a_check(), a_check("b"), a_check(case="one-unit"), a_check("same"))
    new = a_record(
        a_check(**MOVED), a_check("b", **FAILED), a_check("same"),
        a_check(case="one-unit", measurement=measured(worst=1.0, output="another")),
    )  # fmt: skip
    text = page(old, new).read_text(encoding="utf-8")
    verdict = diff(read(tmp_path / "0.json"), read(tmp_path / "1.json"))
    found = pictures.dumbbells(verdict)
    assert [(one.claim, one.old, one.new, one.beyond) for one in found.rows] == [
        ("b", 1.5, 400.0, True), ("it-holds", 1.5, 2.5, False),
    ]  # fmt: skip
    assert [(one.old_at, one.new_at) for one in found.rows] == [(21.0, 98.0), (21.0, 35.0)]
    assert found.bound_at == 70
    assert "1.50 &rarr; 2.50" in text
    assert text.count('class="dot new"') == 2 + 1
    assert pictures.dumbbells(diff(verdict.old, verdict.old)).rows == ()


def nasty(value, keep=("schema", "kind", "outcome", "started")):
    """The same record with markup in every string that may be any, names of tables too."""
    if isinstance(value, dict):
        return {
            name: one if name in keep else nasty(one)
            for name, one in value.items()
        }  # fmt: skip
    if isinstance(value, list):
        return [nasty(one) for one in value]
    return f"{value}{NASTY}" if isinstance(value, str) else value


def nasty_record():
    record = nasty(a_record(a_check(), a_check("it-fails", **FAILED), a_check("it", **LEFT_OUT)))
    adapter = record["adapters"].pop("numpy")
    record["adapters"][f"numpy{NASTY}"] = adapter
    adapter["surface"][NASTY] = adapter["flags"][NASTY] = adapter["versions"][NASTY] = NASTY
    record["environment"][NASTY] = NASTY
    record["warnings"][NASTY] = 3
    record["cases"][f"smallest{NASTY}"] = record["cases"].pop("smallest")
    record["outputs"] = None
    return record


@pytest.mark.parametrize("upgrade", [False, True], ids=["run", "verdict"])
def test_a_records_strings_are_text(page, upgrade):
    record = nasty_record()
    new = copy.deepcopy(record)
    new["checks"][0] |= FAILED | {"reason": NASTY}
    records = (record, new) if upgrade else (record,)
    text = page(*records).read_text(encoding="utf-8")
    tags = [tag for tag, _ in Elements(text).found]
    assert tags.count("script") == 1
    assert "img" not in tags
    assert not [a for _, attributes in Elements(text).found for a in attributes if a[:2] == "on"]
    assert "{{ 7 * 7 }}" in text


def test_a_hundred_thousand_checks_make_a_page(page):
    checks = [
        a_check(f"claim-{n % 100}", case=f"case-{n}", measurement=measured(output=str(n)))
        for n in range(100_000)
    ]
    path = page(a_record(*checks))
    assert path.stat().st_size < 1_000_000
    assert "100 claims on 1 adapters: 100000 checks proven" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("place", ["record", "folder"])
def test_what_cannot_be_used_leaves_the_old_page_alone(page, tmp_path, capsys, place):
    old = page(a_record())
    before = old.read_bytes()
    path = tmp_path / "0.json"
    if place == "record":
        path.write_text(path.read_text(encoding="utf-8")[:-40], encoding="utf-8")
        arguments = [str(path), "-o", str(old)]
    else:
        arguments = [str(path), "-o", str(tmp_path)]
    capsys.readouterr()
    assert fixtures.__main__.main(["report", *arguments]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert old.read_bytes() == before


@pytest.mark.parametrize("library", ["matplotlib", "jinja2"])
def test_what_only_reports_need_is_named(page, tmp_path, capsys, monkeypatch, library):
    page(a_record())
    monkeypatch.setitem(__import__("sys").modules, library, None)
    assert fixtures.__main__.main(["report", str(tmp_path / "0.json"), "-o", "x.html"]) == 2
    assert f"python -m pip install {library}" in capsys.readouterr().err


def test_whatever_is_taken_for_a_record_makes_a_page(tmp_path, monkeypatch):
    """With one field of it gone or of another kind; most such records are refused. Each different
    picture is drawn once."""
    drawn, draw = {}, charts._lines

    def lines(*numbers):
        if (told := repr(numbers)) not in drawn:
            drawn[told] = draw(*numbers)
        return drawn[told]

    monkeypatch.setattr(charts, "_lines", lines)
    record, path = a_record(a_check(), a_check("it-fails", **FAILED)), tmp_path / "run.json"
    path.write_text(json.dumps(record))
    old, pages = read(path), 0
    for at in everywhere(record):
        for value in (None, "x", 0, 10**400, 1e308):
            path.write_text(json.dumps(changed_at(record, at, lambda t, n, v=value: put(t, n, v))))
            try:
                new = read(path)
                verdict = diff(old, new)
            except BadInput:
                continue
            assert report.of_record(new).endswith("</html>")
            assert report.of_verdict(verdict).endswith("</html>")
            pages += 1
    assert pages > 20


def put(table, name, value):
    table[name] = value


# In a browser.


def open_page(chromium, path: Path, width: int = 1400, fragment: str = "", dark: bool = False):
    chromium.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False},
    )
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    for log in ("browser", "performance"):
        chromium.get_log(log)
    chromium.get("about:blank")
    chromium.get(path.as_uri() + fragment)


@pytest.fixture
def both(page, tmp_path):
    """The page of a run and that of a verdict."""
    run = page(real_claims()).rename(tmp_path / "run.html")
    verdict = page(real_claims(), moved(real_claims())).rename(tmp_path / "verdict.html")
    return {"run": run, "verdict": verdict}


@pytest.fixture
def three(both, tmp_path):
    """And that of claims by versions, of which these two runs are."""
    new = moved(real_claims())
    for name, one in new["adapters"].items():
        one |= {"versions": {name: "2.0.dev20261125"}, "surface": {f"{name}.layer": LONG}}
    (tmp_path / "new.json").write_text(json.dumps(new))
    records = [read(tmp_path / name) for name in ("0.json", "new.json")]
    runs = [run for record in records for run in parts_of(record)]
    history = tmp_path / "history.html"
    history.write_text(of_runs(runs), encoding="utf-8")
    return both | {"history": history}


@pytest.mark.parametrize("which", ["run", "verdict", "history"])
def test_it_opens_without_an_error_and_asks_for_nothing(chromium, three, which):
    open_page(chromium, three[which])
    assert chromium.get_log("browser") == []
    asked = [
        message["params"]["request"]["url"]
        for entry in chromium.get_log("performance")
        if (message := json.loads(entry["message"])["message"])["method"]
        == "Network.requestWillBeSent"
    ]
    assert set(asked) <= {three[which].as_uri(), "about:blank", "data:,"}
    assert three[which].as_uri() in asked


OVERFLOWING = """
const wide = [];
for (const one of document.querySelectorAll("body *")) {
  const box = one.getBoundingClientRect();
  const scrolls = one.closest("pre:not(.message)");
  const away = one.closest(".skip, thead");
  if (box.width && !scrolls && !away && !one.closest("svg") &&
      (box.right > innerWidth + 1 || box.left < -1)) wide.push(one.outerHTML.slice(0, 200));
  if (one.matches("td, th, p, li, figcaption, summary, a, label") && !scrolls && !away &&
      one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).display !== "inline")
    wide.push("inside: " + one.outerHTML.slice(0, 200));
}
return [document.documentElement.scrollWidth - innerWidth, wide];
"""


@pytest.mark.parametrize("width", [400, 1400])
@pytest.mark.parametrize("which", ["run", "verdict", "history"])
def test_no_text_overflows(chromium, three, which, width):
    open_page(chromium, three[which], width)
    chromium.execute_script(
        "for (const one of document.querySelectorAll('details')) one.open = true"
    )
    too_wide, elements = chromium.execute_script(OVERFLOWING)
    assert elements == []
    assert too_wide <= 0


def shown(chromium, selector="article[data-claim]"):
    return chromium.execute_script(
        "return [...document.querySelectorAll(arguments[0])]"
        ".filter((one) => one.checkVisibility()).map((one) => one.dataset.claim)",
        selector,
    )


def fill(chromium, name, value):
    chromium.execute_script(
        "const one = document.querySelector('form').elements[arguments[0]];"
        "one.value = arguments[1]; one.dispatchEvent(new Event('input', {bubbles: true}))",
        name,
        value,
    )


IN_SIGHT = """
const box = document.getElementById(arguments[0]).getBoundingClientRect();
return box.height > 0 && box.top > -1 && box.top < innerHeight;
"""


def test_filters_leave_what_was_asked_for(chromium, both):
    open_page(chromium, both["run"])
    claims = all_claims()
    assert shown(chromium) == list(claims)
    fill(chromium, "family", "layers")
    wanted = [name for name, one in claims.items() if one.family == "layers"]
    assert shown(chromium) == shown(chromium, "tr[data-claim]") == wanted
    assert said(chromium) == f"{len(wanted)} of {len(claims)} claims shown"
    fill(chromium, "family", "")
    fill(chromium, "outcome", "failed")
    assert shown(chromium) == [next(iter(claims))]
    fill(chromium, "outcome", "")
    fill(chromium, "text", "Last-Step")
    assert "output-last-step-is-h" in shown(chromium)
    assert "mnist-logits-are-the-oracles" not in shown(chromium)
    show_all(chromium)
    assert shown(chromium) == list(claims)


def show_all(chromium):
    chromium.execute_script("document.querySelector('form button[type=reset]').click()")
    assert chromium.execute_async_script("setTimeout(arguments[0], 20)") is None


def said(chromium):
    return chromium.execute_script("return document.querySelector('output').textContent")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("gate order", ["keras-gates-are-i-f-c-o", "tf1-gates-are-i-j-f-o"]),
        ("ORDER  gate ", ["keras-gates-are-i-f-c-o", "tf1-gates-are-i-j-f-o"]),
        ("load weights", ["weights-read-back-are-those-loaded"]),
        ("bidirectional h_n", ["torch-h-n-goes-by-layer-then-direction"]),
        ("directions + direction] ==", ["torch-h-n-goes-by-layer-then-direction"]),
        ("last step is h", ["output-last-step-is-h"]),
        ("direction goes-by", ["torch-h-n-goes-by-layer-then-direction"]),
        ("visible made", ["c-of-every-step-is-the-oracles"]),
        ("D6", ["torch-h-n-goes-by-layer-then-direction"]),
        ("mnist multi-layer", ["mnist-logits-are-the-oracles"]),
        ("three bidirectional layers: 6 rows", ["torch-h-n-goes-by-layer-then-direction"]),
    ],
)
def test_words_are_searched_in_all_that_is_said_of_a_claim(chromium, both, text, found):
    """In its id, statement, formula, recipe and sources, in any order."""
    open_page(chromium, both["run"])
    fill(chromium, "text", text)
    assert set(found) <= set(shown(chromium))
    assert shown(chromium) == shown(chromium, "tr[data-claim]")
    assert len(shown(chromium)) < len(all_claims()) / 2
    fill(chromium, "text", f"{text} nowhere-at-all")
    assert shown(chromium) == []


def test_recipes_are_searched_with_the_claims(chromium, both):
    open_page(chromium, both["run"])
    recipes = (
        "return [...document.querySelectorAll('[data-recipe]')]"
        ".filter((one) => one.checkVisibility()).map((one) => one.id)"
    )
    everywhere = ["recipe-torch", "recipe-numpy"]
    claims = len(all_claims())
    assert chromium.execute_script(recipes) == everywhere
    assert said(chromium) == f"{claims} of {claims} claims shown"
    fill(chromium, "text", "WEIGHT_ih_ Torch_Dropout.py")
    assert chromium.execute_script(recipes) == ["recipe-torch"]
    assert said(chromium) == f"0 of {claims} claims, 1 of 2 recipes shown"
    fill(chromium, "text", "class")
    assert chromium.execute_script(recipes) == everywhere
    fill(chromium, "text", "nowhere-at-all")
    assert chromium.execute_script(recipes) == []
    chromium.execute_script("location.hash = 'recipe-numpy'")
    assert chromium.execute_async_script("setTimeout(arguments[0], 50)") is None
    assert chromium.execute_script(recipes) == ["recipe-numpy"]
    show_all(chromium)
    assert chromium.execute_script(recipes) == everywhere


VIEW = "?text=step+is&family=output+and+state&outcome=proven&adapter=torch"


def state(chromium):
    """What the form asks for."""
    return chromium.execute_script(
        "return [...new FormData(document.querySelector('form'))].map((one) => one.join('='))"
    )


def test_an_address_sets_the_form(chromium, both):
    open_page(chromium, both["run"], fragment=VIEW)
    assert state(chromium) == [
        "text=step is", "adapter=torch", "family=output and state", "outcome=proven",
    ]  # fmt: skip
    assert 0 < len(shown(chromium)) < 10
    assert chromium.execute_script("return location.search") == VIEW


def test_the_form_sets_the_address_and_the_address_the_same_view(chromium, both):
    open_page(chromium, both["run"], fragment="?kept=1")
    assert chromium.execute_script("return location.search") == "?kept=1"
    fill(chromium, "text", " step  is & 100% # é ")
    fill(chromium, "text", " step is ")
    fill(chromium, "family", "output and state")
    fill(chromium, "outcome", "proven")
    chromium.execute_script("document.querySelector('[name=adapter][value=numpy]').click()")
    address = chromium.current_url
    assert address == both["run"].as_uri() + VIEW.replace("?", "?kept=1&")
    before = shown(chromium)
    chromium.get("about:blank")
    chromium.get(address)
    assert shown(chromium) == before != []
    show_all(chromium)
    assert chromium.current_url == both["run"].as_uri() + "?kept=1"
    assert shown(chromium) == list(all_claims())
    assert chromium.get_log("browser") == []


def test_an_address_without_an_adapter_is_of_none(chromium, both):
    open_page(chromium, both["run"])
    for name in ("torch", "numpy"):
        chromium.execute_script(f"document.querySelector('[name=adapter][value={name}]').click()")
    assert chromium.current_url.endswith("?adapter=")
    chromium.refresh()
    assert "adapter=torch" not in state(chromium)
    assert "adapter=numpy" not in state(chromium)


def test_what_an_address_asks_for_and_is_not_there_is_taken_out_of_it(chromium, both):
    open_page(chromium, both["run"], fragment="?family=none&outcome=x&adapter=y&other=z&text=")
    assert state(chromium) == ["text=", "adapter=torch", "adapter=numpy", "family=", "outcome="]
    assert chromium.current_url == both["run"].as_uri() + "?other=z"
    open_page(chromium, both["run"], fragment="?adapter=y&adapter=numpy&outcome=failed&%ff=%")
    assert state(chromium) == ["text=", "adapter=numpy", "family=", "outcome=failed"]
    assert chromium.get_log("browser") == []


def test_a_browser_that_keeps_its_address_shows_the_page_all_the_same(chromium, both):
    open_page(chromium, both["run"])
    chromium.execute_script("history.replaceState = () => { throw new Error('refused'); }")
    fill(chromium, "family", "layers")
    assert {all_claims()[name].family for name in shown(chromium)} == {"layers"}
    assert chromium.current_url == both["run"].as_uri()
    assert chromium.get_log("browser") == []


@pytest.mark.parametrize("name", ["output-last-step-is-h", "claim-output-last-step-is-h"])
def test_a_claim_that_an_address_names_is_shown_beside_its_view(chromium, both, name):
    claims = all_claims()
    layers = [one for one, claim in claims.items() if claim.family == "layers"]
    open_page(chromium, both["run"], fragment=f"?family=layers#{name}")
    assert set(shown(chromium)) == {*layers, "output-last-step-is-h"}
    assert shown(chromium, "tr[data-claim]") == layers
    assert said(chromium) == f"{len(layers)} of {len(claims)} claims shown, and the one linked to"
    assert chromium.execute_script(IN_SIGHT, "output-last-step-is-h")
    assert chromium.execute_script("return document.activeElement.id") == "output-last-step-is-h"
    outlined = "return getComputedStyle(document.getElementById(arguments[0])).outlineStyle"
    chromium.execute_script("document.activeElement.blur()")
    assert chromium.execute_script(outlined, "output-last-step-is-h") == "solid"
    fill(chromium, "family", "equations")
    assert {claims[one].family for one in shown(chromium)} == {"equations"}
    assert chromium.current_url == both["run"].as_uri() + "?family=equations"
    fill(chromium, "family", "")
    chromium.execute_script("location.hash = arguments[0]", name)
    assert chromium.execute_async_script("setTimeout(arguments[0], 50)") is None
    fill(chromium, "family", "output and state")
    assert chromium.current_url.endswith(f"?family=output+and+state#{name}")


def test_a_link_finds_its_claim_whatever_it_is_called(chromium, page):
    names = ["matrix", "a b", "a\tb", "%41", "é", NASTY]
    open_page(chromium, page(a_record(*(a_check(name) for name in names))))
    for place in range(len(names)):
        followed = chromium.execute_async_script(
            "const [place, done] = arguments;"
            "document.querySelectorAll('.matrix tr[data-claim] a')[place].click();"
            "setTimeout(() => done(document.activeElement.querySelector('h3 a').textContent), 50)",
            place,
        )
        assert followed == names[place]


def test_an_adapter_that_is_not_asked_for_is_not_shown(chromium, both):
    open_page(chromium, both["run"])
    chromium.execute_script("document.querySelector('[name=adapter][value=torch]').click()")
    left = chromium.execute_script(
        "return [...new Set([...document.querySelectorAll('[data-adapter]')]"
        ".filter((one) => one.checkVisibility()).map((one) => one.dataset.adapter))]"
    )
    assert left == ["numpy"]
    fill(chromium, "outcome", "failed")
    assert shown(chromium) == []


def test_a_verdict_is_filtered_by_change(chromium, both):
    open_page(chromium, both["verdict"])
    fill(chromium, "outcome", "newly failing")
    assert shown(chromium) == [list(all_claims())[5]]


@pytest.mark.parametrize("before", ["", "claim-"], ids=["id", "former"])
def test_a_link_to_a_claim_shows_it_whatever_is_filtered(chromium, both, before):
    name = "torch-h-n-goes-by-layer-then-direction"
    open_page(chromium, both["run"], fragment=f"#{before}{name}")
    assert chromium.execute_script(IN_SIGHT, name)
    fill(chromium, "family", "layers")
    assert not chromium.execute_script(IN_SIGHT, name)
    chromium.execute_script("location.hash = ''; location.hash = arguments[0]", f"{before}{name}")
    assert chromium.execute_async_script("setTimeout(arguments[0], 50)") is None
    assert chromium.execute_script(IN_SIGHT, name)


def test_a_records_strings_run_nothing(chromium, page):
    open_page(chromium, page(nasty_record()))
    assert chromium.execute_script("return window.told === undefined")
    assert chromium.get_log("browser") == []


TIP = "const tip = document.getElementById('tip'); return tip.hidden ? '' : tip.textContent"


def test_a_sign_says_what_it_means_on_focus_and_on_hover(chromium, both):
    """Escape takes it away; it stays inside the window."""
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    open_page(chromium, both["run"], width=400)
    assert chromium.execute_script(TIP) == ""
    chromium.execute_script("document.querySelector('.key [data-tip]').focus()")
    assert chromium.execute_script(TIP).startswith("FAIL 2/52: two of 52 checks failed")
    assert chromium.execute_script(
        "return document.activeElement.getAttribute('aria-describedby')"
    ) == "tip"  # fmt: skip
    box = chromium.execute_script("return document.getElementById('tip').getBoundingClientRect()")
    assert box["left"] >= 0
    assert box["right"] <= 400
    ActionChains(chromium).send_keys(Keys.ESCAPE).perform()
    assert chromium.execute_script(TIP) == ""
    cell = chromium.find_element("css selector", ".matrix td.proven")
    chromium.execute_script("arguments[0].scrollIntoView({block: 'center'})", cell)
    assert chromium.execute_async_script("setTimeout(arguments[0], 100)") is None
    ActionChains(chromium).move_to_element(cell).perform()
    assert chromium.execute_script(TIP).startswith("proven in 1 check")
    chromium.execute_script("document.querySelector('.noted a').focus({preventScroll: true})")
    assert chromium.execute_script(TIP) == "it cannot"


CONTRAST = """
function light(colour) {
  const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map((one) => {
    const c = one / 255;
    return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
const found = [];
const said = "p, td, th, a, caption, legend, label, summary, h1, h2";
for (const one of document.querySelectorAll(said)) {
  if (!one.checkVisibility()) continue;
  let paper = one;
  while (paper && getComputedStyle(paper).backgroundColor === "rgba(0, 0, 0, 0)")
    paper = paper.parentElement;
  const [a, b] = [light(getComputedStyle(one).color),
                  light(getComputedStyle(paper || document.body).backgroundColor)];
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (ratio < 4.5) found.push([ratio, one.outerHTML.slice(0, 120)]);
}
return found;
"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("which", ["run", "verdict", "history"])
def test_text_stands_out_from_its_background(chromium, three, which, dark):
    """By 4.5 to 1, as the Web Content Accessibility Guidelines have it (1.4.3)."""
    open_page(chromium, three[which], dark=dark)
    assert chromium.execute_script(CONTRAST) == []


def test_it_can_be_used_by_keyboard_and_ear(chromium, both):
    open_page(chromium, both["run"])
    nameless = chromium.execute_script(
        "return [...document.querySelectorAll('input, select, button, summary, a[href]')]"
        ".filter((one) => !(one.labels && one.labels.length) && !one.textContent.trim()).length"
    )
    assert nameless == 0
    from selenium.webdriver.common.keys import Keys

    chromium.find_element("tag name", "body").send_keys(Keys.TAB)
    first = chromium.execute_script("return document.activeElement.textContent")
    assert first == "to the content"
    assert chromium.execute_script("return document.documentElement.lang") == "en"


def test_a_verdict_without_a_change_makes_a_page(tmp_path):
    for name in ("old", "new"):
        (tmp_path / f"{name}.json").write_text(json.dumps(a_record()))
    text = report.of_verdict(diff(read(tmp_path / "old.json"), read(tmp_path / "new.json")))
    assert "Nothing regressed, nothing moved: 1 check held as before." in text
