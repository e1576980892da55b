"""A handout stands alone: pictures say what they show, and no sentence leans on a course that the reader has not taken."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "assignments").glob("*/README.md")), *sorted((ROOT / "docs").glob("*.md"))]
TEXTS = [path for path in sorted((ROOT / "assignments").glob("*/*")) if path.suffix in (".md", ".py", ".toml")]
LEANS = re.compile(
    r"\b(?:(?:course|our|these|class|lecture) notes\b(?! (?:on|present))|the notes\b|in (?:the )?lecture|in class\b|last (?:week|lecture)"
    r"|(?:this|your) lecturer|as (?:we|you) saw in)",
    re.IGNORECASE,
)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_a_picture_says_what_it_shows(path):
    """To whoever can't see it: in a dozen characters and more, and not by the file's name."""
    text = path.read_text(encoding="utf-8")

    for alt, source in re.findall(r"!\[([^\]]*)\]\(([^)\s]+)", text):
        assert len(alt.split()) >= 4 and len(alt) >= 24, f"{source}: {alt!r} does not say what the picture shows"
    assert "<img" not in text


@pytest.mark.parametrize("path", TEXTS, ids=name)
def test_no_sentence_leans_on_notes_that_the_reader_lacks(path):
    """Where texts differ, it says so in general terms: "some texts sum"."""
    found = LEANS.search(path.read_text(encoding="utf-8"))

    assert found is None, f"{path}: {found[0]!r}"


def test_such_a_sentence_would_be_found():
    """The pattern can fail: a general remark on other texts passes, and what leans does not."""
    for text in ("As the course notes say", "see the notes", "as we saw in Task 1 of", "derived in the lecture", "In class, we"):
        assert LEANS.search(text), text
    for text in ("Many lecture notes present GloVe without weights", "Boyd's lecture notes on subgradient methods", "a note on ties"):
        assert not LEANS.search(text), text
