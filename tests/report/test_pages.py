"""The report in a real browser: nothing is loaded, hostile text does nothing, and everybody can read and use it."""

from __future__ import annotations

from pathlib import Path

import class_zoo
import pytest
from axe import violations
from browser import Browser, find_chromium
from class_zoo import HOSTILE, case, graded, write_run

from gradkit.model import Outcome
from gradkit.report.pages import write_report

pytestmark = pytest.mark.skipif(find_chromium() is None, reason="not run: no Chromium is installed here")

# Every piece of text that can be seen with too little contrast to what it stands on (WCAG 2.2: 4.5 to 1).
FAINT = """
(() => {
  const channels = (color) => color.match(/[\\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (element) => {
    for (; element; element = element.parentElement) {
      const color = channels(getComputedStyle(element).backgroundColor);
      if (color.length < 4 || color[3] > 0) return color;
    }
    return [255, 255, 255];
  };
  const ratio = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  const found = [];
  let seen = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !element.getClientRects().length) continue;
    const style = getComputedStyle(element);
    const color = channels(element.closest("svg") ? style.fill : style.color);
    seen += 1;
    if (ratio(luminance(color), luminance(ground(element))) < 4.5) found.push(walker.currentNode.textContent.trim());
  }
  for (const shape of document.querySelectorAll("svg rect, .key span")) {
    const style = getComputedStyle(shape);
    const color = channels(shape.tagName === "rect" ? style.fill : style.backgroundColor);
    seen += 1;
    if (ratio(luminance(color), luminance(ground(shape.parentElement))) < 3) found.push(shape.outerHTML);
  }
  return {seen, found};
})()
"""

# Where the keyboard stops, in the order of the page.
ALL_STOPS = "[...document.querySelectorAll('a[href], button, input, summary, [tabindex=\"0\"]')]"
STOPS = f"{ALL_STOPS}.length"
STOP = f"""
(() => {{
  const style = getComputedStyle(document.activeElement);
  return [{ALL_STOPS}.indexOf(document.activeElement), style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2];
}})()
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A class with one of everything, and a hostile student among them, reported."""
    folder = tmp_path_factory.mktemp("run")
    hostile = graded(
        "zz <img src=x onerror=window.hacked=3>",
        [("1.1", case(Outcome.FAILED, HOSTILE, hint=HOSTILE, mistake="hostile"))],
        flags=(HOSTILE,),
        notes=(HOSTILE, "x" * 500),
    )
    write_run(folder, [*class_zoo.zoo(), hostile])
    write_report(folder, folder / "report")
    return folder / "report"


@pytest.fixture(params=["index.html", "students/student08.html", "hostile"])
def page(run, request) -> Path:
    if request.param == "hostile":
        (path,) = (run / "students").glob("zz*.html")
        return path
    return run / request.param


def column(browser: Browser, heading: str) -> tuple[list[str], str | None]:
    """The cells of a column of the table of submissions, and the state of its heading."""
    return tuple(
        browser.run(
            f"""(() => {{
                const table = document.getElementById("all-submissions");
                const place = [...table.tHead.rows[0].cells].findIndex((cell) => cell.textContent.trim() === "{heading}");
                const rows = [...table.tBodies[0].rows].map((row) => row.cells[place].textContent.trim());
                return [rows, table.tHead.rows[0].cells[place].getAttribute("aria-sort")];
            }})()"""
        )
    )


def focus_heading(browser: Browser, heading: str) -> None:
    browser.run(
        f"[...document.querySelectorAll('#all-submissions th button')].find((b) => b.textContent.trim() === '{heading}').focus()"
    )


def test_nothing_is_loaded_and_nothing_hostile_runs(browser, page):
    """One file is asked for, the page itself; its own script breaks no rule; injected markup is text."""
    browser.open(page)

    assert browser.addresses() == [page.as_uri()]
    assert browser.complaints() == []
    assert browser.run("typeof window.hacked") == "undefined"
    assert browser.run("document.querySelectorAll('img, td script, p script').length") == 0


def test_the_policy_stops_a_script_that_got_in(browser, page):
    """A second wall: even an element that escaping had let through would not run."""
    browser.open(page)

    browser.run(
        """(() => {
            const script = document.createElement("script");
            script.textContent = "window.hacked = 1";
            document.body.append(script);
            const holder = document.createElement("div");
            holder.innerHTML = "<img src=x onerror='window.hacked = 2'><b onclick='window.hacked = 3'>";
            document.body.append(holder);
            holder.querySelector("b").click();
            return new Promise((done) => setTimeout(done, 200));
        })()"""
    )

    assert browser.run("typeof window.hacked") == "undefined"
    assert len([text for text in browser.complaints() if "Content Security Policy" in text]) >= 3


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_tables_are_sorted_from_the_keyboard(browser, run, key):
    """A heading's button sorts by number, then the other way round, says so, and keeps what is not known at the end."""
    browser.open(run / "index.html")
    focus_heading(browser, "Score")

    browser.press(key)
    rising, state = column(browser, "Score")
    browser.press(key)
    falling, other_state = column(browser, "Score")

    known = [float(text) for text in rising if text]
    assert (state, other_state) == ("ascending", "descending")
    assert known == sorted(known) and len(known) == 10
    assert [float(text) for text in falling if text] == known[::-1]
    assert rising[-2:] == falling[-2:] == ["", ""]
    assert browser.run("document.querySelectorAll('#all-submissions th[aria-sort]').length") == 1


def test_names_are_sorted_as_people_count(browser, run):
    """student2 before student10: words by letters, the numbers in them by value."""
    browser.open(run / "index.html")
    browser.run(
        "for (const [i, a] of [...document.querySelectorAll('#all-submissions tbody th')].entries()) a.textContent = 'student' + (12 - i)"
    )
    focus_heading(browser, "Submission")

    browser.press("Enter")

    assert column(browser, "Submission")[0] == [f"student{i}" for i in range(1, 13)]


def test_a_submission_is_found_by_typing(browser, run):
    """Only the rows that hold the text stay, and their number is said."""
    browser.open(run / "index.html")
    browser.run("document.querySelector('.find input').focus()")
    browser.call("Input.insertText", text="STUDENT07")

    assert browser.run("document.querySelectorAll('#all-submissions tbody tr:not([hidden])').length") == 1
    assert browser.run("document.querySelector('.find output').textContent") == "1 of 12"


def test_the_first_stop_of_the_keyboard_skips_to_the_content(browser, page):
    """One tab and one key past the head of the page."""
    browser.open(page)

    browser.press("Tab")
    text, left = browser.run("(({textContent, offsetLeft}) => [textContent, offsetLeft])(document.activeElement)")
    browser.press("Enter")

    assert text == "Skip to the content" and left >= 0
    assert browser.run("location.hash") == "#content"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_everything_has_enough_contrast(browser, page, dark):
    """4.5 to 1 for text, 3 to 1 for the bars of charts, in both schemes."""
    browser.open(page, dark=dark)
    ground = browser.run("getComputedStyle(document.body).backgroundColor")

    measured = browser.run(FAINT)

    assert (ground == "rgb(255, 255, 255)") is not dark
    assert measured["found"] == [] and measured["seen"] > 5


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [420, 1280])
def test_axe_finds_nothing(browser, page, width, dark):
    """Not a violation of WCAG 2.1 A and AA that a program can see, nor of good practice with landmarks and headings."""
    browser.open(page, width=width, dark=dark)

    assert violations(browser) == []


def test_the_keyboard_reaches_everything_in_the_order_of_the_page(browser, page):
    """Tab by tab, each stop further down than the one before, and each with a frame around it."""
    browser.open(page)
    expected = browser.run(STOPS)

    reached = []
    for _ in range(expected):
        browser.press("Tab")
        place, framed = browser.run(STOP)
        reached.append(place)
        assert framed, browser.run("document.activeElement.outerHTML")

    assert reached == list(range(expected))


def test_every_table_says_what_it_holds(browser, page):
    """A caption, and headings that say whether they are a column's or a row's."""
    browser.open(page)

    assert (
        browser.run("[...document.querySelectorAll('table')].filter((table) => !table.caption?.textContent).length")
        == 0
    )
    assert browser.run("document.querySelectorAll('th:not([scope])').length") == 0
    assert browser.run("[...document.querySelectorAll('tr')].filter((row) => !row.querySelector('th')).length") == 0


@pytest.mark.parametrize("width", [320, 420, 1280])
def test_no_page_scrolls_sideways(browser, page, width):
    """Wide tables scroll by themselves; long words break."""
    browser.open(page, width=width)

    assert browser.run("document.scrollingElement.scrollWidth") <= width


def test_everything_has_a_name(browser, run):
    """Tables' regions, charts, buttons, fields and links are named for those who listen."""
    browser.open(run / "index.html")
    browser.call("Accessibility.enable")

    nodes = browser.call("Accessibility.getFullAXTree")["nodes"]

    roles: dict[str, list[str]] = {}
    for node in nodes:
        if not node["ignored"]:
            roles.setdefault(node["role"]["value"], []).append(node.get("name", {}).get("value", ""))
    for role in ("button", "link", "region", "image", "searchbox", "table"):
        assert roles.get(role) and all(name.strip() for name in roles[role]), (role, roles.get(role))
    assert any("How many submissions" in name for name in roles["image"])
    assert any(name == "all points: 3, some: 1, none: 4, not written: 1" for name in roles["image"])


def test_on_paper_nothing_is_folded(browser, run):
    """Printing unfolds every claim, and folds it again afterwards."""
    browser.open(run / "index.html")
    assert browser.run("document.querySelectorAll('details').length") >= 4

    browser.run("dispatchEvent(new Event('beforeprint'))")
    unfolded = browser.run("document.querySelectorAll('details:not([open])').length")
    browser.run("dispatchEvent(new Event('afterprint'))")

    assert unfolded == 0 and browser.run("document.querySelectorAll('details[open]').length") == 0
    assert browser.pdf().startswith(b"%PDF")
