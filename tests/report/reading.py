"""Reads a report's pages back: their text, and their elements."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

from gradkit.report.pages import write_report


class Text(HTMLParser):
    """The text of a page, and its elements."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict]] = []
        self.parts: list[str] = []
        self._inside: list[str] = []
        self.feed(page.replace("<wbr>", ""))  # where a long name may break

    def handle_starttag(self, tag: str, attributes: list) -> None:
        self.elements.append((tag, dict(attributes)))
        if tag in ("script", "style"):
            self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        if not self._inside:
            self.parts.append(data)

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.parts).split())


def report(run: Path) -> Text:
    write_report(run, run / "report")
    return Text((run / "report" / "index.html").read_text(encoding="utf-8"))


def student_page(run: Path, name: str) -> Text:
    return Text((run / "report" / "students" / f"{name}.html").read_text(encoding="utf-8"))
