"""Pages of the site as a reader's browser shows them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlparse

from playwright.sync_api import Browser, Page, TimeoutError, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
OPTIONS = ["--no-sandbox", "--disable-gpu"]  # as root in CI; and drawn by the processor anyway
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1200, "height": 900}
# Chromium's advice on speed, where a figure has three dimensions: nothing is wrong with the page.
NOTES = ("GL Driver Message", "Canvas2D: Multiple readback operations")

# What is wider than the window, though nothing around it scrolls.
TOO_WIDE = """() => {
  const room = document.documentElement.clientWidth;
  const found = document.documentElement.scrollWidth > room + 1 ? ["the page itself"] : [];
  return found.concat(found.length === 0 ? [] : [...document.querySelectorAll("body *")]
    .filter((e) => e.getBoundingClientRect().right > room + 1)
    .slice(0, 5).map((e) => `${e.tagName}.${e.className} ${e.getBoundingClientRect().right}`));
}"""
UNDRAWN = """() => [...document.querySelectorAll(".plotly-figure, .plotly-picture")].filter((e) => {
  const drawing = e.querySelector(".main-svg, img");
  return !drawing || drawing.getBoundingClientRect().width < 100 || drawing.naturalWidth === 0;
}).map((e) => e.getAttribute("aria-label"))"""
WITHOUT_ALT = """() => [...document.querySelectorAll("img")]
  .filter((e) => !e.alt).map((e) => e.outerHTML.slice(0, 200))"""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, headless."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield browser
        browser.close()


class Visit:
    """An open page, and what went wrong while it was open."""

    def __init__(self, browser: Browser, file: Path, size: dict[str, int], dark: bool = False):
        scheme = "dark" if dark else "light"
        self.context = browser.new_context(viewport=size, color_scheme=scheme)
        self.page: Page = self.context.new_page()
        self.problems: list[str] = []
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        self.page.on("request", self._request)
        self.page.on(
            "requestfailed", lambda request: self.problems.append(f"failed: {request.url}")
        )
        self.go(file)

    def go(self, file: Path) -> None:
        """Another page in the same window, which is cheaper than a new one."""
        self.problems = []
        self.page.goto(file.as_uri())

    def _console(self, message) -> None:
        note = any(words in message.text for words in NOTES)
        if message.type in ("error", "warning") and not note:
            self.problems.append(f"console: {message.text}")

    def _request(self, request) -> None:
        if urlparse(request.url).scheme not in ("file", "data", "blob", "about"):
            self.problems.append(f"external request: {request.url}")

    def draw_figures(self, timeout: float = 10_000) -> None:
        """Scrolls to every figure, as a reader does: it is drawn then, if it can be."""
        for figure in self.page.query_selector_all(".plotly-figure, .plotly-picture"):
            figure.scroll_into_view_if_needed()
        try:
            self.page.wait_for_function(f"() => ({UNDRAWN})().length === 0", timeout=timeout)
        except TimeoutError:
            undrawn = self.page.evaluate(UNDRAWN)
            self.problems += [f"not drawn: {title}" for title in undrawn]

    def look(self, timeout: float = 10_000) -> list[str]:
        """Everything that is wrong with the page."""
        self.draw_figures(timeout)
        self.problems += [f"too wide: {what}" for what in self.page.evaluate(TOO_WIDE)]
        self.problems += [f"no alt text: {what}" for what in self.page.evaluate(WITHOUT_ALT)]
        return self.problems

    def links(self) -> list[str]:
        return self.page.evaluate(
            "() => [...document.querySelectorAll('a[href]')].map(e => e.href)"
        )

    def anchors(self) -> set[str]:
        return set(
            self.page.evaluate("() => [...document.querySelectorAll('[id]')].map(e => e.id)")
        )

    def close(self) -> None:
        self.context.close()


def broken(links: dict[str, list[str]], anchors: dict[str, set[str]]) -> list[str]:
    """Links between pages of the site that lead nowhere. Both: by a page's address."""
    found = []
    for page, targets in links.items():
        for target in targets:
            address, anchor = urldefrag(target)
            if urlparse(address).scheme != "file":
                continue
            if not Path(unquote(urlparse(address).path)).is_file():
                found.append(f"{page}: no file {address}")
            elif anchor and address in anchors and unquote(anchor) not in anchors[address]:
                found.append(f"{page}: no #{anchor} in {address}")
    return found
