"""A handout as HTML: its headings, tables, folds, code and pictures, and nothing else that could be markup.

Formulas are plain text in handouts, so there is nothing to typeset. Of HTML a handout has folds only; the rest is shown as
it stands. Pictures become part of the page, and a link leads to a page of the gallery or to the web, or is left out.
"""

from __future__ import annotations

import base64
import re
import urllib.parse
from collections.abc import Collection
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.rules_block import StateBlock
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

from gradkit.errors import AuthoringError
from gradkit.safetext import page_text

PICTURES = {
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
}
"""What a picture may be, by its ending."""
DEEPEST = 5  # folds in one another; those inside are shown as text
_SUMMARY = re.compile(r"<details>\s*<summary>(?P<summary>.*?)</summary>", re.DOTALL)
_FOLD_MARK = re.compile(r"<(?P<end>/?)details>")
_TASK = re.compile(r"Task (\d+)\b")
_WEB = re.compile(r"(?:https?://|mailto:)", re.IGNORECASE)
_LEAD_IN = re.compile(r"[A-Z★]")
_RENDERED = ("image", "fence", "code_block", "heading_open", "link_open", "link_close") + (
    "table_open", "table_close", "th_open", "td_open"
)  # fmt: skip
_IN_DATA_URI = " !$&'()*+,-./:;=?@_~"  # beside letters and digits: what an SVG picture keeps in its address


def render_handout(text: str, path: Path, *, pages: Collection[str] = (), taken: Collection[str] = ()) -> str:
    """The HTML of a handout.

    Args:
        text: Its Markdown.
        path: Where it lies; its pictures lie in the same folder, or below.
        pages: Ids of assignments that have a page: links to their folders lead there.
        taken: Anchors that the rest of the page has.

    Raises:
        AuthoringError: When a picture is missing, of a kind that is not shown, or outside the handout's folder, or when a
            link leads to a heading that is not there.
    """
    page = _Page(path, pages, taken)
    markdown = _markdown()
    markdown.renderer.rules |= {name: getattr(page, name) for name in _RENDERED}
    tokens = markdown.parse(page_text(text))
    page.find_anchors(tokens)
    return markdown.renderer.render(tokens, markdown.options, {})


def first_picture(text: str, path: Path) -> Path | None:
    """The first picture of a handout, wherever it lies; None where it shows none.

    Raises:
        AuthoringError: As for `render_handout`.
    """
    for token in _markdown().parse(page_text(text)):
        for part in token.children or ():
            if part.type == "image":
                return _picture(path, part)
    return None


def _markdown() -> MarkdownIt:
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    markdown.block.ruler.before("paragraph", "fold", _fold, {"alt": ["paragraph", "reference", "blockquote", "list"]})
    markdown.core.ruler.push("lead_in", _lead_ins)
    return markdown


def _picture(handout: Path, image: Token) -> Path:
    source = urllib.parse.unquote(str(image.attrs["src"]))
    folder = handout.parent.resolve()
    picture = (folder / source).resolve()
    if _WEB.match(source) or not picture.is_relative_to(folder) or picture.suffix.lower() not in PICTURES:
        kinds = ", ".join(PICTURES)
        raise AuthoringError(f"{handout}: shows {source}: a picture lies beside the handout and ends in {kinds}")
    return picture


class _Page:
    """How the parts of a handout are rendered that need more than their tag."""

    def __init__(self, path: Path, pages: Collection[str], taken: Collection[str]) -> None:
        self._path = path
        self._pages = pages
        self._taken = set(taken)
        self._known: dict[str, str] = {}  # by what a link in the handout calls them
        self._links: list[bool] = []  # those open: whether they lead anywhere

    def find_anchors(self, tokens: list[Token]) -> None:
        """Give each heading an anchor: `task-3`, or its words as GitHub makes an anchor of them."""
        for at, token in enumerate(tokens):
            if token.type == "heading_open":
                words = tokens[at + 1].content
                slug = re.sub(r"[^\w\- ]", "", words.lower()).strip().replace(" ", "-")
                task = _TASK.match(words)
                wanted = anchor = f"task-{task[1]}" if task else slug or "part"
                number = 1
                while anchor in self._taken:
                    number += 1
                    anchor = f"{wanted}-{number}"
                self._taken.add(anchor)
                self._known.setdefault(slug, anchor)
                token.meta["anchor"] = anchor

    def heading_open(self, tokens: list[Token], at: int, *_: object) -> str:
        return f'<{tokens[at].tag} id="{escapeHtml(tokens[at].meta["anchor"])}">'

    def image(self, tokens: list[Token], at: int, *_: object) -> str:
        alt = escapeHtml(" ".join(tokens[at].content.split()))
        return f'<img src="{escapeHtml(data_uri(_picture(self._path, tokens[at])))}" alt="{alt}">'

    def link_open(self, tokens: list[Token], at: int, *_: object) -> str:
        target = str(tokens[at].attrs["href"])
        address = self._address(target)
        self._links.append(address is not None)
        return f'<a href="{escapeHtml(address)}">' if address is not None else ""

    def link_close(self, *_: object) -> str:
        return "</a>" if self._links.pop() else ""

    def _address(self, target: str) -> str | None:
        """Where a link leads on the gallery; None for a file that students have and the gallery has not."""
        if _WEB.match(target):
            return target
        place, _, anchor = urllib.parse.unquote(target).partition("#")
        if not place:
            if anchor not in self._known:
                raise AuthoringError(f"{self._path}: links to #{anchor}, and no heading is called so")
            return f"#{self._known[anchor]}"
        other = re.fullmatch(r"\.\./(\w+)(?:/|/README\.md)?", place)
        return f"{other[1]}.html" if other and other[1] in self._pages else None

    def table_open(self, *_: object) -> str:
        return '<div class="scroll" tabindex="0" role="group" aria-label="Table"><table>\n'

    def table_close(self, *_: object) -> str:
        return "</table></div>\n"

    def th_open(self, tokens: list[Token], at: int, *_: object) -> str:
        return f'<th scope="col"{_side(tokens[at])}>'

    def td_open(self, tokens: list[Token], at: int, *_: object) -> str:
        return f"<td{_side(tokens[at])}>"

    def fence(self, tokens: list[Token], at: int, *_: object) -> str:
        return f'<pre tabindex="0"><code>{escapeHtml(tokens[at].content)}</code></pre>\n'

    code_block = fence


def _side(cell: Token) -> str:
    """The class of a cell that is not aligned to the left; a style of its own would be against the page's policy."""
    side = str(cell.attrs.get("style", "")).removeprefix("text-align:")
    return f' class="{side}"' if side in ("right", "center") else ""


def _fold(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """`<details><summary>…</summary>…</details>`, from the beginning of a line to the end of one, with Markdown inside."""
    here = state.bMarks[start] + state.tShift[start]
    if (
        state.is_code_block(start)
        or not state.src.startswith("<details>", here)
        or "</details>" not in state.src[here:]
    ):
        return False
    text = state.getLines(start, end, state.blkIndent, False)
    indent = len(text) - len(text.lstrip())
    opened = _SUMMARY.match(text, indent)
    depth, close = 0, None
    for mark in _FOLD_MARK.finditer(text, indent):
        depth += -1 if mark["end"] else 1
        if not depth:
            close = mark
            break
    within = state.env.get("folds", 0)
    if (
        not opened
        or not close
        or within == DEEPEST
        or opened.end() > close.start()
        or text[close.end() :].partition("\n")[0].strip()
    ):
        return False
    if silent:
        return True
    state.line = start + text.count("\n", 0, close.end()) + 1
    state.push("fold_open", "details", 1)
    state.push("summary_open", "summary", 1)
    summary = state.push("inline", "", 0)
    summary.content, summary.children = " ".join(opened["summary"].split()), []
    state.push("summary_close", "summary", -1)
    state.env["folds"] = within + 1
    state.md.block.parse(text[opened.end() : close.start()].strip(), state.md, state.env, state.tokens)
    state.env["folds"] = within
    state.push("fold_close", "details", -1)
    return True


def _lead_ins(state: StateCore) -> None:
    """Begin a paragraph at each line that begins with bold words: they lead into a part of a task."""
    tokens: list[Token] = []
    for at, token in enumerate(state.tokens):
        starts = []
        before = state.tokens[at - 1] if at else None
        if token.type == "inline" and before is not None and before.type == "paragraph_open" and not before.hidden:
            words = [word for word in token.children or () if word.type != "text" or word.content]
            starts = [
                place
                for place in range(1, len(words) - 1)
                if words[place - 1].type == "softbreak" and words[place].type == "strong_open"
                and words[place].level == 0 and _LEAD_IN.match(words[place + 1].content)
            ]  # fmt: skip
        if not starts:
            tokens.append(token)
            continue
        for begin, stop in zip([0, *starts], [*(place - 1 for place in starts), len(words)], strict=True):
            part = token.copy(children=words[begin:stop])
            tokens += [part, state.tokens[at + 1], before] if stop < len(words) else [part]
    state.tokens[:] = tokens


def data_uri(path: Path) -> str:
    """A picture as an address that holds it.

    Raises:
        AuthoringError: When it can't be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise AuthoringError(f"{path}: can't be read: {error.strerror}; a handout shows it") from None
    kind = PICTURES[path.suffix.lower()]
    if kind == PICTURES[".svg"]:  # as text, which is shorter and packs better
        return f"data:{kind},{urllib.parse.quote(data, safe=_IN_DATA_URI)}"
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
