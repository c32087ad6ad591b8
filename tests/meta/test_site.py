"""The documentation site: a page for everything, code that runs, drawings that are true, and a
build of some of it that is looked at in a browser.

`SITE=folder` looks at a whole site that is built already, as `tox run -e site` does.
"""

from __future__ import annotations

import functools
import http.server
import json
import os
import re
import subprocess
import sys
import threading
import tomllib
import zlib
from dataclasses import replace
from pathlib import Path

import pytest

import fixtures.__main__
import fixtures.pages.site.words as words
from fixtures.adapters import adapters, core, tf1_cells, torch
from fixtures.adapters.tensorflow import set_legacy_flag
from fixtures.cells import GRU, LSTM
from fixtures.claims import all_claims
from fixtures.errors import BadInput
from fixtures.pages.site import cite, faults_of, gates, guides, pages, recipes, typeset, write
from tests.meta.conftest import ROOT, need

CLAIM = "output-last-step-is-h"


@pytest.fixture(scope="module")
def every():
    pytest.importorskip("jinja2", reason="the site needs Jinja2")
    return pages.every_page("https://lstm.example/suite/")


# A page for everything.


def test_every_claim_has_a_page_that_says_all_of_it(every):
    for one in all_claims().values():
        text = every[f"claims/{one.id}.md"]
        for part in (
            f"({one.id})=\n# {one.id}\n", f"\n{one.formula}\n", f"def {one.test}(",
            f"pytest --claim {one.id}", f"@misc{{lstm-equivalence:{one.id},",
            f"url = {{https://lstm.example/suite/claims/{one.id}/}}", words.KINDS[one.kind],
            f"    url: https://lstm.example/suite/claims/{one.id}/",
        ):  # fmt: skip
            assert part in text, one.id
        assert pages.markdown(one.statement) in text
        assert all(f"**{number}**" in text for number in one.sources)


def test_what_a_claim_means_by_itself_is_short_and_begins_its_section(every):
    told = words.meanings()
    assert [name for name in told if name not in all_claims()] == []
    assert list(told) == sorted(told)
    assert [name for name, text in told.items() if len(text) > 280 or "\n" in text] == []
    for name, text in told.items():
        section = every[f"claims/{name}.md"].split("## What it means for you", 1)[1]
        assert section.startswith(f"\n\n{pages.markdown(text)}\n"), name


def test_every_family_and_every_adapter_has_its_words_and_its_page(every):
    assert set(words.FAMILIES) == {one.family for one in all_claims().values()}
    assert {f"adapters/{name}.md" for name in adapters() if "@" not in name} <= set(every)
    assert sum(name.startswith("porting/") for name in every) == 12 + 1


def test_a_question_leads_to_a_claim_that_can_be_cited(every):
    """From home to the claim, and there its entry: two clicks at most."""
    home = every["index.md"]
    row = next(line for line in home.splitlines() if "the same as h?" in line)
    assert f"[{CLAIM}](/claims/{CLAIM}.md)" in row
    assert "[how to cite it](#cite-it)" in every[f"claims/{CLAIM}.md"]


def test_a_claims_page_shows_every_framework(every):
    tabs = re.findall(r"^::::\{tab-item\} (\w+)$", every[f"claims/{CLAIM}.md"], re.MULTILINE)
    assert tabs == [*core(), "BibTeX", "CFF", "Link"]
    about_torch = every["claims/torch-gates-are-i-f-g-o.md"]
    assert about_torch.count("Not applicable: it is about torch's own interface.") == 4


def test_it_tells_where_a_claim_is_known_not_to_hold(every):
    text = every["claims/keras-stateful-layers-can-be-differentiated.md"]
    assert "| Keras 3.14 to 3.15.1 on torch (`keras3`) |" in text
    assert "https://github.com/keras-team/keras/issues/23462" in text


def test_it_names_the_faults_that_a_claim_catches(every):
    assert (
        "| gates i and f exchanged | torch, keras3, keras2, tf1, linen, "
        in (every["claims/every-value-is-the-oracles.md"])
    )


def test_what_tex_takes_for_something_else_is_escaped_in_an_entry():
    odd = replace(all_claims()[CLAIM], statement="https://x.org says h_n is 100% of c_n.")
    entry = cite.bibtex(odd, "https://x.org/a_b/", [])
    assert r"title = {https://x.org says h\_n is 100\% of c\_n}" in entry
    assert f"url = {{https://x.org/a_b/claims/{CLAIM}/}}" in entry


def test_no_link_of_a_page_leads_out_of_the_site(every):
    for name, text in every.items():
        prose = re.sub(r"(`{3,}).*?\1", "", text, flags=re.DOTALL)
        for link in re.findall(r"\]\(([^)#\s]+)", re.sub(r"`[^`\n]*`", "", prose)):
            assert "://" in link or link.removeprefix("/") in every, (name, link)
    assert "[CLAIMS.md](/claims/index.md)" in every["versions.md"]


def test_the_menu_leads_to_every_page_that_is_written_by_hand(every):
    menu = "\n".join(re.findall(r"^```\{toctree\}\n(.*?)^```", every["index.md"], re.M | re.S))
    pages = {path.stem for path in (ROOT / "docs").glob("*.md")} | {"contributing"}
    assert pages <= set(menu.splitlines())


def test_sources_are_written_without_a_framework(tmp_path):
    code = (
        "import sys; from pathlib import Path; from fixtures.pages.site import write; "
        "write(Path(sys.argv[1]), only='index.md'.__eq__); "
        "print([one for one in ('torch', 'tensorflow', 'keras', 'tf_keras') if one in sys.modules])"
    )
    pytest.importorskip("jinja2", reason="the site needs Jinja2")
    ran = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "new")],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert ran.stdout == "[]\n", ran.stderr
    assert (tmp_path / "new" / "index.md").is_file()


def test_nothing_is_written_over_what_others_wrote(tmp_path, capsys):
    pytest.importorskip("jinja2", reason="the site needs Jinja2")
    (tmp_path / "mine.txt").write_text("mine")
    assert fixtures.__main__.main(["site", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"{tmp_path} holds something else; give a new folder.\n"
    assert (tmp_path / "mine.txt").read_text() == "mine"
    assert fixtures.__main__.main(["site", str(tmp_path / "mine.txt")]) == 2
    assert "holds something else; give a new folder" in capsys.readouterr().err


# Drawings.


@pytest.mark.parametrize(
    ("interface", "cell", "order"),
    [
        ("torch", LSTM(), "i, f, g, o"),
        ("keras", LSTM(), "i, f, c, o"),
        ("tf1", LSTM(), "i, j, f, o"),
        ("torch", GRU(), "r, z, n"),
        ("keras", GRU(), "z, r, h"),
        ("tf1", GRU(reset_after=False), "r, u, c"),
    ],
)
def test_gates_are_drawn_in_the_frameworks_order(interface, cell, order):
    assert gates.order(interface, cell) == order
    assert order in gates.svg(interface, "LSTM", cell) or interface == "tf1"


def test_gates_are_drawn_from_what_the_adapters_do(monkeypatch):
    monkeypatch.setattr(torch, "gates_of", lambda _: "ogfi")
    assert gates.order("torch", LSTM()) == "o, g, f, i"
    monkeypatch.setattr(tf1_cells, "TF1_GATES", "ofgi")
    monkeypatch.setattr(tf1_cells, "FORGET_BIAS", 2.0)
    assert gates.order("tf1", LSTM()) == "o, f, j, i"
    kernel, bias = gates.layouts("tf1", LSTM())
    assert {one.operand for one in kernel.blocks} == {"x", "h"}
    assert {one.gate: one.added for one in bias.blocks} == {"o": 0, "f": -2, "g": 0, "i": 0}


def test_what_lies_below_is_drawn_below():
    (weight_ih, *_), (kernel, *_) = (gates.layouts(one, LSTM()) for one in ("torch", "keras"))
    assert [(one.row, one.column) for one in weight_ih.blocks] == [(n, 0) for n in range(4)]
    assert [(one.row, one.column) for one in kernel.blocks] == [(0, n) for n in range(4)]


# Formulas.


@pytest.mark.parametrize(
    ("formula", "parts"),
    [
        ("h' = sigmoid(o) * tanh(c')", ["<mi>\N{GREEK SMALL LETTER SIGMA}</mi>", "<mo>⊙</mo>"]),
        ("a = sqrt(6 / (x + 2 * n))", ["<msqrt>", "<mfrac>", '<mn>2</mn><mspace width="0.2em"/>']),
        ("output[:, -1] != h_n[-1]", ["<mo>≠</mo>", "<msub>", "<mo>:</mo>"]),
        ("y == g ** 2 * -3 * x", ["</msup><mo>⊙</mo>"]),
        ("y == -2 * x", ['<mn>2</mn><mspace width="0.2em"/>']),
        ("d loss / d x == oracle", ["<mi>∂</mi><mi>loss</mi>"]),
        ("output[row, -1] != h[row] where lengths[row] < time", ["where", "<mo>&lt;</mo>"]),
    ],
)
def test_an_equation_is_typeset(formula, parts):
    made = typeset.mathml(formula)
    assert [part for part in parts if part not in made] == []
    assert f'alttext="{formula.replace("<", "&lt;").replace(chr(39), "&#x27;")}"' in made


@pytest.mark.parametrize(
    "formula",
    [
        "run in the mode == run outside of it",
        "layer(x) raises",
        "gates/bias == ones([2 * units])",
        "DropoutWrapper(cell, output_keep_prob=1.0) == cell",
        "model.predict(x) == y",
        "f(x == y",
        "x[1 == y",
        "kernel [features, units]",
    ],
)
def test_words_and_code_stay_as_they_stand(formula):
    assert typeset.mathml(formula) == ""


def test_what_is_typeset_is_well_formed():
    from xml.etree import ElementTree

    made = [typeset.mathml(one.formula) for one in all_claims().values()]
    assert sum(map(bool, made)) > 60
    for one in made:
        ElementTree.fromstring(f"<all>{one}</all>")  # noqa: S314  # our own


# Recipes.


def test_a_recipe_shows_how_weights_are_loaded():
    for name, wanted in (("torch", "named_weights"), ("keras3", "to_keras"), ("tf1", "load")):
        text = "\n".join(one.text for one in recipes.of_recipe(adapters()[name], ("run",)))
        assert text.startswith("def run(self")
        assert f"def {wanted}(" in text


def test_a_test_is_shown_with_what_it_uses_of_its_file():
    text = recipes.of_test(all_claims()["a-short-rows-h-is-its-last-output"])
    assert text.startswith(("SHORT_ROWS = some(", "NOT_REPEATED"))
    assert recipes.asked_of(all_claims()["keras-single-output-is-the-last-step"]) == [
        "run", "last_output_only"
    ]  # fmt: skip


# Porting guides.

KINDS = [(guide, kind) for guide in guides.guides() for kind in ("lstm", "gru")]
RUN = [pytest.param(*both, id=f"{both[0].name}-{both[1]}") for both in KINDS if getattr(*both)]


def run(code: str, *names: str) -> None:
    set_legacy_flag()
    for name in names:
        need(name)
    if "tf_keras" in code:
        pytest.importorskip("tf_keras", reason="Keras 2 is tf.keras here")
    exec(compile(code, "guide", "exec"), {})  # noqa: S102


@pytest.mark.parametrize(("guide", "kind"), RUN)
def test_the_code_of_a_guide_runs(guide, kind):
    code = getattr(guide, kind)
    assert code.rstrip().endswith("assert abs(ported - expected).max() < 1e-5")
    run(code, guide.source.adapter, guide.target.adapter)


MISTAKES = [
    ("torch-to-keras3", "lstm", '+ own[f"bias_hh_{name}"]', ""),
    ("torch-to-keras3", "lstm", '(f"l{layer}", f"l{layer}_reverse")', '(f"l{layer}",) * 2'),
    ("torch-to-keras3", "gru", "np.concatenate([z, r, n])", "np.concatenate([r, z, n])"),
    ("keras3-to-torch", "lstm", "= bias, torch.zeros(4 * units)", "= bias, bias"),
    ("keras3-to-torch", "gru", "bias[0], bias[1]", "bias[1], bias[0]"),
    ("torch-to-tf1", "lstm", "f[-1] -= 1.0", "pass"),
    ("torch-to-tf1", "lstm", "[i, g, f, o]", "[i, f, g, o]"),
    ("tf1-to-torch", "lstm", "f[-1] += 1.0", "pass"),
    ("tf1-to-keras3", "gru", "np.hstack([u, r,", "np.hstack([r, u,"),
    ("tf1-to-keras3", "gru", "reset_after=False", "reset_after=True"),
    ("keras3-to-tf1", "gru", "np.hstack([r, z])", "np.hstack([z, r])"),
]  # fmt: skip
"""Of a guide's code, what is right and what would be wrong."""


@pytest.mark.parametrize(("name", "kind", "right", "wrong"), MISTAKES)
def test_a_mistake_in_a_guide_is_seen(name, kind, right, wrong):
    guide = next(one for one in guides.guides() if one.name == name)
    code = getattr(guide, kind)
    assert code.count(right) >= 1
    with pytest.raises((AssertionError, ValueError)):
        run(code.replace(right, wrong), guide.source.adapter, guide.target.adapter)


def test_what_a_guide_says_of_a_framework_names_claims_that_stand():
    for one in guides.FRAMEWORKS:
        for fact in one.facts.values():
            named = re.findall(r"`([a-z0-9]+(?:-[a-z0-9]+)+)`", fact)
            assert set(named) <= set(all_claims())
        assert one.no_such_gru in ("", adapters()[one.adapter].has_no(GRU(not one.resets[0])))


# Links.

PAGE = '<html><head>{head}</head><body><h1 id="top">A</h1>{body}</body></html>'


@pytest.mark.parametrize(
    ("head", "body", "fault"),
    [
        ("", '<a href="#top">a</a> <a href="b/">b</a> <a href="b/#top">c</a>', None),
        ("", '<a href="https://other.example/">elsewhere</a>', None),
        ("", '<a href="c/">a</a>', "index.html links to c/, which is not there."),
        ("", '<a href="b/#none">a</a>', "index.html links to b/#none, which is not there."),
        ("", '<a href="#none">a</a>', "index.html links to #none, which is not there."),
        ("", '<img src="none.png">', "index.html fetches none.png, which is not there."),
        ("", '<script src="//cdn.example/x"></script>', "index.html fetches //cdn.example/x."),
        (
            '<link rel="stylesheet" href="https://fonts.example/x.css">', "",
            "index.html fetches https://fonts.example/x.css.",
        ),
        ('<link rel="canonical" href="https://lstm.example/">', "", None),
        ('<link rel="stylesheet">', f'<img src="data:image/png;base64,{"A" * 300}">', None),
    ],
)  # fmt: skip
def test_a_link_that_leads_nowhere_and_a_request_are_told(tmp_path, capsys, head, body, fault):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "index.html").write_text(PAGE.format(head="", body=""))
    (tmp_path / "index.html").write_text(PAGE.format(head=head, body=body))
    assert list(faults_of(tmp_path)) == ([fault] if fault else [])
    assert fixtures.__main__.main(["site", "--check", str(tmp_path)]) == (1 if fault else 0)
    assert capsys.readouterr().out == (f"{fault}\n" if fault else "")


def test_a_sheet_that_fetches_is_told(tmp_path):
    (tmp_path / "index.html").write_text(PAGE.format(head="", body=""))
    (tmp_path / "x.css").write_text("@import 'https://fonts.example/y.css'; a {b: url(c.png)}")
    assert list(faults_of(tmp_path)) == ["x.css fetches https://fonts.example/y.css."]


def test_an_empty_site_is_told(tmp_path):
    assert list(faults_of(tmp_path)) == [f"{tmp_path} holds no page."]


# What is built.

SOME = (
    "index.md", "answers.md", "methods.md", "pairs.md", f"claims/{CLAIM}.md", "adapters/tf1.md",
    "porting/torch-to-tf1.md",
)  # fmt: skip
SEEN = ("", "pairs/", f"claims/{CLAIM}/", "adapters/tf1/", "porting/torch-to-tf1/")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The site's folder: a whole one, or a few pages, of which links to others lead nowhere."""
    if given := os.environ.get("SITE"):
        return Path(given).resolve()
    for module in ("jinja2", "sphinx", "myst_parser", "furo", "sphinx_design", "sphinx_copybutton"):
        pytest.importorskip(module, reason=f"{module} is not installed: tox run -e site has it")
    folder = tmp_path_factory.mktemp("site")
    write(folder / "sources", only=SOME.__contains__)
    command = [
        sys.executable, "-m", "sphinx", "-q", "-b", "dirhtml", "-c", "docs",
        "-D", "suppress_warnings=myst.xref_missing,toc.not_included,toc.not_readable",
        str(folder / "sources"), str(folder / "site"),
    ]  # fmt: skip
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (0, "")
    return folder / "site"


def test_other_projects_can_link_a_claim_by_its_id(built):
    inventory = (built / "objects.inv").read_bytes().split(b"\n", 4)[4]
    lines = zlib.decompress(inventory).decode().splitlines()
    (found,) = (line.split(" ") for line in lines if line.startswith(f"{CLAIM} std:label "))
    place, _, anchor = found[3].replace("$", CLAIM).partition("#")
    assert place == f"claims/{CLAIM}/"
    assert f'id="{anchor}"' in (built / place / "index.html").read_text(encoding="utf-8")


def test_a_link_that_is_shown_elsewhere_has_its_title(built):
    page = (built / "claims" / CLAIM / "index.html").read_text(encoding="utf-8")
    assert f'<meta property="og:title" content="{CLAIM}">' in page
    about = re.search(r'<meta property="og:description" content="(.*?)">', page)[1]
    assert about.startswith(f"{CLAIM}: The output&#x27;s last step is the final hidden state")


def test_the_whole_site_is_searched_and_stands_by_itself(built):
    if not os.environ.get("SITE"):
        pytest.skip("a few pages alone have links that lead nowhere: tox run -e site builds all")
    assert list(faults_of(built)) == []
    assert CLAIM in (built / "searchindex.js").read_text(encoding="utf-8")
    missing = [one for one in all_claims() if not (built / "claims" / one / "index.html").is_file()]
    assert missing == []


@pytest.fixture(scope="module")
def address(built):
    """A server for the folder, on this machine alone."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            """Nothing."""

    handler = functools.partial(Quiet, directory=str(built))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def open_page(chromium, address: str, width: int = 1400, dark: bool = False) -> None:
    chromium.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False},
    )
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    for log in ("browser", "performance"):
        chromium.get_log(log)
    chromium.get(address)


@pytest.mark.parametrize("page", SEEN)
@pytest.mark.parametrize("width", [400, 1400])
def test_a_page_fits_and_asks_for_nothing_from_elsewhere(chromium, address, page, width):
    open_page(chromium, address + page, width)
    wide = chromium.execute_script(
        "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert wide <= 0
    asked = [
        message["params"]["request"]["url"]
        for entry in chromium.get_log("performance")
        if (message := json.loads(entry["message"])["message"])["method"]
        == "Network.requestWillBeSent"
    ]
    assert address + page in asked
    assert [one for one in asked if not one.startswith((address, "data:", "about:"))] == []
    assert chromium.get_log("browser") == []


def test_formulas_and_gates_are_drawn(chromium, address):
    open_page(chromium, f"{address}claims/{CLAIM}/")
    height = "return document.querySelector(arguments[0]).getBoundingClientRect().height"
    assert chromium.execute_script(height, ".formula math") > 20
    open_page(chromium, f"{address}adapters/tf1/")
    assert chromium.execute_script(height, "svg.gates") > 40


@pytest.mark.parametrize("width", [400, 1400])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_heat_map_of_pairs_is_read_to_its_end(chromium, address, width, dark):
    """Its last column is brought into view, and the name of a row stays beside it; every colour is
    another."""
    open_page(chromium, f"{address}pairs/", width, dark)
    seen = chromium.execute_script(
        "const map = document.querySelector('.near'); map.scrollLeft = map.scrollWidth;"
        "const box = (one) => map.querySelector(one).getBoundingClientRect();"
        "const all = map.getBoundingClientRect();"
        "return [box('tbody tr:first-child td:last-child').right - all.right,"
        " box('tbody tr:first-child th').left - all.left, box('td').height]"
    )
    assert seen[0] <= 1
    assert abs(seen[1]) <= 1
    assert seen[2] > 20
    colours = chromium.execute_script(
        "return [...document.querySelectorAll('.near p span')]"
        ".map((one) => getComputedStyle(one).backgroundColor)"
    )
    assert len(set(colours)) == len(colours) == 5


@pytest.mark.parametrize("by", ["system", "button"])
def test_light_and_dark_are_two(chromium, address, by):
    colours = []
    for dark in (False, True):
        open_page(chromium, f"{address}adapters/tf1/", dark=dark and by == "system")
        if by == "button":
            choose_theme(chromium, "dark" if dark else "light")
        colours.append(
            chromium.execute_script(
                "return [document.body, document.querySelector('svg.gates rect')]"
                ".map((one) => [getComputedStyle(one).backgroundColor, getComputedStyle(one).fill])"
            )
        )
    chromium.execute_script("localStorage.clear()")
    (body, block), (dark_body, dark_block) = colours
    assert body[0] != dark_body[0]
    assert block[1] != dark_block[1]


def choose_theme(chromium, wanted: str) -> None:
    """Presses the theme's button, which goes round three of them, until it is this one."""
    for _ in range(3):
        if chromium.execute_script("return document.body.dataset.theme") == wanted:
            return
        chromium.execute_script(
            "[...document.querySelectorAll('button.theme-toggle')]"
            ".find((one) => one.offsetParent).click()"
        )
    assert chromium.execute_script("return document.body.dataset.theme") == wanted


def test_tabs_are_used_by_keyboard_and_citations_are_copied(chromium, address):
    from selenium.webdriver.common.keys import Keys

    open_page(chromium, f"{address}claims/{CLAIM}/")
    first = chromium.find_element("css selector", ".sd-tab-set > input")
    first.send_keys(Keys.ARROW_RIGHT)
    shown = "return [...document.querySelectorAll('.sd-tab-set')[0].querySelectorAll('input')]"
    assert chromium.execute_script(f"{shown}.map((one) => one.checked)")[:2] == [False, True]
    buttons = "return document.querySelectorAll('#cite-it .copybtn').length"
    assert chromium.execute_script(buttons) >= 3


def axe() -> Path:
    """axe-core, by the variable AXE, or where npm has put it."""
    for place in (os.environ.get("AXE", ""), ROOT / "report/node_modules/axe-core/axe.min.js"):
        if place and Path(place).is_file():
            return Path(place)
    return pytest.skip("there is no axe-core: npm install --prefix report axe-core")


@pytest.mark.parametrize("page", SEEN)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [400, 1400])
def test_axe_finds_nothing_serious(chromium, address, page, width, dark):
    script = axe().read_text(encoding="utf-8")
    open_page(chromium, address + page, width, dark)
    chromium.execute_script(script)
    found = chromium.execute_async_script(
        "const done = arguments[0]; axe.run().then((result) => done(result.violations))"
    )
    serious = [
        f"{one['id']}: {node['html'][:200]}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]
    assert serious == []


# What is repeated elsewhere.


def test_the_site_is_cited_as_the_suite_is():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {project['version']}\n" in citation


def test_a_damaged_readme_is_told(tmp_path, monkeypatch):
    pytest.importorskip("jinja2", reason="the site needs Jinja2")
    (tmp_path / "README.md").write_text("# lstm-equivalence\n\nNothing.\n")
    monkeypatch.setattr(pages, "ROOT", tmp_path)
    with pytest.raises(BadInput, match=r"README\.md has lost its matrix"):
        pages._home()
