"""What axe-core finds wrong with the page that a browser shows: who can't see, point or tell colors apart uses it too.

The script is the one that the package `axe-core-python` carries. The debugging protocol runs it, so that a page's policy,
which lets no script in, needs no exception.
"""

from __future__ import annotations

import functools
import importlib.resources
import json
from collections.abc import Sequence

from browser import Browser

WCAG = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa")
"""Every rule of WCAG 2.0 and 2.1, levels A and AA, that a program can decide."""
PRACTICE = ("best-practice",)
"""What WCAG does not ask for in so many words: landmarks, the order of headings, one main heading."""

# A fold hides what is in it from axe, and from nobody who opens it.
_RUN = """
(async () => {
  for (const fold of document.querySelectorAll("details")) fold.open = true;
  const found = await axe.run(document, {runOnly: {type: "tag", values: %s}, resultTypes: ["violations"]});
  return {
    rules: found.passes.length + found.violations.length,
    violations: found.violations.flatMap((rule) => rule.nodes.map((node) =>
      `${rule.id}: ${rule.help}: ${node.target.flat().join(" ")}: ${node.html.slice(0, 160)}`)),
  };
})()
"""


def violations(browser: Browser, tags: Sequence[str] = (*WCAG, *PRACTICE)) -> list[str]:
    """The violations on the page at hand, all folds opened: a line for each element, which begins with the rule's id.

    Args:
        browser: With the page opened, in the window and the color scheme to be judged.
        tags: Of axe's rules, those with one of these.

    Raises:
        RuntimeError: When no rule applied: such a page was not judged.
    """
    browser.run(f"{_script()}; undefined")
    found = browser.run(_RUN % json.dumps(list(tags)))
    if not found["rules"]:
        raise RuntimeError(f"no rule of axe applied to the page (tags {', '.join(tags)})")
    return found["violations"]


@functools.cache
def _script() -> str:
    return (importlib.resources.files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8")
