"""The helper that judges a page finds what is wrong with one: otherwise "no violation" would say nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe import WCAG, violations
from browser import Browser, find_chromium

pytestmark = pytest.mark.skipif(find_chromium() is None, reason="not run: no Chromium is installed here")

GOOD = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>A page</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>.dark { color: #000 } @media (prefers-color-scheme: dark) { .dark { background: #111 } }</style></head>
<body><main><h1>A page</h1>PLANTED</main></body>
</html>"""


def judged(browser: Browser, folder: Path, planted: str, **how: object) -> list[str]:
    page = folder / "page.html"
    page.write_text(GOOD.replace("PLANTED", planted), encoding="utf-8")
    browser.open(page, **how)
    return violations(browser)


def test_a_good_page_has_no_violation(browser, tmp_path):
    """Its policy lets no script in, and axe runs nevertheless."""
    assert judged(browser, tmp_path, "<p>Text.</p>") == []


@pytest.mark.parametrize(
    ("planted", "rule"),
    [
        ("<img src='data:image/png;base64,'>", "image-alt"),
        ("<button></button>", "button-name"),
        ("<p style='color: #999; background: #fff'>faint</p>", "color-contrast"),
        ("<details><summary>More</summary><p style='color: #999; background: #fff'>faint</p></details>", "color-contrast"),
        ("<h4>Two levels down</h4>", "heading-order"),
        ("<input type='text'>", "label"),
    ],
)  # fmt: skip
def test_a_planted_violation_is_found(browser, tmp_path, planted, rule):
    """By its rule and with its element, also in a fold that is closed."""
    found = judged(browser, tmp_path, planted)

    assert [line.partition(":")[0] for line in found] == [rule]


def test_the_color_scheme_is_the_one_that_is_judged(browser, tmp_path):
    """What is readable by day only is found by night."""
    text = "<p class='dark'>Black in both schemes.</p>"

    assert judged(browser, tmp_path, text) == []
    assert [line.partition(":")[0] for line in judged(browser, tmp_path, text, dark=True)] == ["color-contrast"]


def test_rules_that_do_not_exist_judge_nothing(browser, tmp_path):
    """A misspelt tag is an error, and no page without violations."""
    judged(browser, tmp_path, "")

    with pytest.raises(RuntimeError):
        violations(browser, ["wcag21aaaa"])
    assert violations(browser, WCAG) == []
