"""The site as a browser shows it. `make check-site` asks the same of the one that `make notebooks`
has built (--site); here its notebooks are planted, and everything else is what readers get.
"""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from tests import planted_site

ROOT = Path(__file__).parents[1]
GROUND = "getComputedStyle(e).backgroundColor)"
pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("sphinx") is None or importlib.util.find_spec("playwright") is None,
    reason="the extra `site` is not installed",
)


@pytest.fixture(scope="module")
def site(request, tmp_path_factory):
    given = request.config.getoption("--site")
    if given is not None:
        return Path(given).resolve()
    folder = tmp_path_factory.mktemp("site")
    planted_site.write(folder / "executed")
    page = planted_site.explorer().html("_static/plotly.min.js")
    (folder / "explorer.html").write_text(page, encoding="utf-8")
    code = (
        "import sys; from pathlib import Path; from tools.site.__main__ import build; "
        "folder = Path(sys.argv[1]); executed = sorted((folder / 'executed').glob('*.ipynb')); "
        "build(executed, folder / 'site', folder / 'explorer.html')"
    )
    subprocess.run([sys.executable, "-c", code, folder], check=True, cwd=ROOT)
    return folder / "site"


@pytest.fixture(scope="module")
def browser():
    from tests.browser import CHROMIUM, chromium

    if CHROMIUM is None:
        pytest.skip("there is no Chromium here: apt-get install chromium")
    with chromium() as opened:
        yield opened


def pages_of(site):
    """What Sphinx has in _static are templates of its own."""
    return sorted(set(site.rglob("*.html")) - set((site / "_static").rglob("*.html")))


def test_every_page_is_whole_on_a_phone(site, browser):
    """Every figure drawn, no error or request, nothing too wide, no link that leads nowhere."""
    from tests.browser import PHONE, Visit, broken

    wrong, links, anchors = {}, {}, {}
    visit = Visit(browser, site / "index.html", PHONE)
    for file in pages_of(site):
        visit.go(file)
        if visit.look():
            wrong[file.relative_to(site).as_posix()] = visit.problems
        links[file.as_uri()], anchors[file.as_uri()] = visit.links(), visit.anchors()
    visit.close()
    assert wrong == {}
    assert broken(links, anchors) == []
    assert len(links) > 30


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_pages_with_figures_are_whole_on_a_desk(site, browser, dark):
    from tests.browser import DESKTOP, Visit

    wrong = {}
    visit = Visit(browser, site / "index.html", DESKTOP, dark)
    for file in [site / "index.html", *sorted((site / "notebooks").glob("0[0-9]*.html"))]:
        visit.go(file)
        if visit.look():
            wrong[file.name] = visit.problems
        grounds = "[...document.querySelectorAll('.text_html')].map((e) => " + GROUND
        if dark and set(visit.page.evaluate(grounds)) - {"rgba(0, 0, 0, 0)"}:
            wrong[file.name] = ["outputs on a light ground"]
        scripts = "[...document.scripts].filter((s) => s.src.includes('plotly')).length"
        if visit.page.evaluate(scripts) != 1:
            wrong[file.name] = ["plotly.js is not there once"]
    visit.close()
    assert wrong == {}
    assert len(list(site.rglob("plotly*.js"))) == 1, "plotly.js once per site"


def test_every_page_has_its_title_and_ways_out(site):
    for file in pages_of(site):
        text = file.read_text(encoding="utf-8")
        assert "<title>" in text, file
        if file.name in ("search.html", "genindex.html", "play.html"):
            continue
        assert 'class="navbar-brand logo"' in text, f"{file}: no way home"
        assert ("right-next" in text) or ("left-prev" in text), f"{file}: no next page"
        if file.name != "index.html":
            assert 'class="page-toc"' in text or "<h2>" not in text, file


def test_formulas_are_typeset(site, browser, request):
    from tests.browser import DESKTOP, Visit

    if request.config.getoption("--site") is not None:
        pytest.skip("asked of the planted notebook")
    visit = Visit(browser, site / "notebooks" / "01_formulas.html", DESKTOP)
    formulas = visit.page.query_selector_all("math")
    assert len(formulas) >= 3
    assert all(formula.bounding_box()["height"] > 5 for formula in formulas)
    text = visit.page.inner_text("article")
    assert "\\frac" not in text
    assert "\\begin" not in text
    fraction = visit.page.query_selector("mfrac").bounding_box()
    assert fraction["height"] > 25, "a fraction is drawn as one"
    visit.close()


def test_claims_can_be_filtered(site, browser):
    from tests.browser import DESKTOP, Visit

    visit = Visit(browser, site / "claims.html", DESKTOP)
    shown = "[...document.querySelectorAll('tr.claim')].filter((r) => r.offsetParent).map((r) => "
    everything = visit.page.evaluate(f"{shown}r.dataset.verdict)")
    assert len(everything) > 50
    visit.page.select_option("[name=verdict]", "does not hold")
    chosen = visit.page.evaluate(f"{shown}r.dataset.verdict)")
    assert set(chosen) == {"does not hold"}
    assert len(chosen) == everything.count("does not hold")
    experiment = visit.page.evaluate("document.querySelector('[name=experiment]').options[1].value")
    visit.page.select_option("[name=verdict]", "")
    visit.page.select_option("[name=experiment]", experiment)
    assert set(visit.page.evaluate(f"{shown}r.dataset.experiment)")) == {experiment}
    visit.page.fill("[name=words]", "no claim has these words")
    assert visit.page.evaluate(f"{shown}1)") == []
    assert visit.page.inner_text(".claim-filters output").startswith("0 of")
    visit.close()


def test_code_unfolds_and_scrolls(site, browser):
    from tests.browser import PHONE, Visit

    page = sorted((site / "notebooks").glob("01*.html"))[0]
    visit = Visit(browser, page, PHONE)
    code = visit.page.query_selector("div.cell_input pre")
    assert not code.is_visible()
    visit.page.click("button.all-code")
    assert code.is_visible()
    box = visit.page.query_selector("div.cell_input").bounding_box()
    assert box["width"] <= PHONE["width"]
    assert box["height"] < 700
    visit.close()


def test_a_figure_follows_the_theme(site, browser):
    from tests.browser import DESKTOP, Visit

    visit = Visit(browser, sorted((site / "notebooks").glob("01*.html"))[0], DESKTOP)
    visit.draw_figures()
    colour = "getComputedStyle(document.querySelector('.plotly-figure .gtitle')).fill"
    light = visit.page.evaluate(colour)
    visit.page.evaluate("document.documentElement.dataset.theme = 'dark'")
    visit.page.wait_for_function(f"() => {colour} !== '{light}'", timeout=5000)
    assert visit.problems == []
    visit.close()


def test_the_checks_see_what_is_wrong(tmp_path, browser):
    """A page with every fault has every one of them reported."""
    from tests.browser import PHONE, Visit, broken

    bad = tmp_path / "bad.html"
    bad.write_text(
        '<!DOCTYPE html><div style="width:800px">wide</div><a href="gone.html">x</a>'
        '<a href="#nowhere">y</a><img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">'
        '<div class="plotly-figure" aria-label="blank"></div>'
        '<script src="http://127.0.0.1:9/x.js"></script><script>missing()</script>'
    )
    visit = Visit(browser, bad, PHONE)
    visit.draw_figures(timeout=300)
    found = " ".join(visit.look(timeout=300))
    for fault in ("too wide", "no alt text", "not drawn: blank", "external request", "missing is"):
        assert fault in found
    address = bad.as_uri()
    assert len(broken({address: visit.links()}, {address: visit.anchors()})) == 2
    visit.close()


def test_notebooks_are_executed_once(tmp_path):
    """Each cell runs once, in the notebook's folder, with one thread."""
    code = (
        "import os, pathlib\n"
        "with open('runs.txt', 'a') as file:\n"
        "    file.write(os.environ['OMP_NUM_THREADS'])\n"
        "print('done')"
    )
    cells = [nbformat.v4.new_code_cell(code)]
    path = tmp_path / "01_a.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    stale = tmp_path / "copies" / "00_old.ipynb"
    stale.parent.mkdir()
    shutil.copy(path, stale)
    program = (
        "import sys; from pathlib import Path; from tools.site.execution import execute; "
        "execute([Path(sys.argv[1])], Path(sys.argv[2]))"
    )
    command = [sys.executable, "-c", program, path, stale.parent]
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True)
    copy = stale.parent / path.name
    assert (tmp_path / "runs.txt").read_text() == "1"
    assert nbformat.read(copy, as_version=4).cells[0].outputs[0].text == "done\n"
    assert not stale.exists()
    assert nbformat.read(path, as_version=4).cells[0].outputs == []


def test_only_small_or_chosen_figures_are_in_the_gallery():
    from tools.site import figures

    def cell(size, *tags):
        data = {figures.PLOTLY: {"data": [{"y": [0] * size}], "layout": {"title": {"text": size}}}}
        output = nbformat.v4.new_output("display_data", data=data)
        return nbformat.v4.new_code_cell("", outputs=[output], metadata={"tags": list(tags)})

    def sizes(*cells):
        return [
            figure["layout"]["title"]["text"]
            for figure in figures.gallery(nbformat.v4.new_notebook(cells=list(cells)))
        ]

    assert sizes(cell(200_000), cell(10), cell(20)) == [10]
    assert sizes(cell(10), cell(20, "gallery"), cell(30, "gallery")) == [20, 30]
    assert sizes(nbformat.v4.new_code_cell("x")) == []


def test_docstrings_become_plain_rst():
    from tools.site.docstrings import as_rst

    lines = [
        "Share of |x|^2 that `f(a_b)` explains, for each a: 1 .. p.",
        "",
        "mask:   which inputs_ count",
        "        here",
        "*keys:  the others",
        "",
        "    formula * literal",
    ]
    as_rst(None, "function", "f", None, None, lines)
    assert lines == [
        "Share of \\|x\\|^2 that ``f(a_b)`` explains, for each a: 1 .. p.",
        "",
        "* **mask**: which inputs\\_ count",
        "  here",
        "* **\\*keys**: the others",
        "",
        "::",
        "",
        "    formula * literal",
        "",
    ]


def test_claims_keep_every_row():
    """A table without verdicts stays as it is, cells are escaped, and kinds are told apart."""
    from tools.site.claims import page

    markdown = (
        "# Claims\n\nIntro.\n\n## One\n\n| claim | verdict |\n|---|---|\n"
        "| a < b \\| c | holds (3 of 3) |\n| *so* | holds with a qualification (2 of 3) |\n"
        "| x | does not hold (0 of 3) |\n| y | undecided |\n\n| run | p |\n|---|---|\n| r | 5 |\n"
    )
    made = page(markdown)
    assert made.count('<tr class="claim"') == 4
    assert "a &lt; b | c" in made
    for kind in ("holds", "holds with a qualification", "does not hold", "undecided"):
        assert made.count(f'data-verdict="{kind}"') == 1
    assert "| r | 5 |" in made
    assert made.index("claim-filters") < made.index("## One")
