"""A handout as HTML: its tables, folds, code and pictures, and nothing else that could be markup.

Formulas are plain text in handouts, so there is nothing to typeset. Of HTML a handout has folds only; the rest is shown as
it stands. Pictures become part of the page.
"""

from __future__ import annotations

import base64
import mimetypes
import re
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from gradkit.errors import AuthoringError

_FOLD = re.compile(r"[ \t]*<details>\s*<summary>(?P<summary>.*?)</summary>(?P<text>.*?)</details>[ \t]*", re.DOTALL)
_LEAD_IN = re.compile(r"(?<=[^\n])\n(?=\*\*[A-Z★])")  # a part of a task: a paragraph of its own
_SECTION = re.compile(r"^Task (\d+)\b")


def render_handout(text: str, folder: Path) -> str:
    """The HTML of a handout whose pictures lie in `folder`.

    Raises:
        AuthoringError: When a picture is missing.
    """
    folds: list[tuple[str, str]] = []

    def aside(match: re.Match) -> str:
        folds.append((match["summary"], match["text"]))
        return f"\n\n\uf8ff{len(folds) - 1}\uf8ff\n\n"

    markdown = _markdown(folder)
    html = markdown.render(_LEAD_IN.sub("\n\n", _FOLD.sub(aside, text)))
    for number, (summary, inside) in enumerate(folds):
        said = markdown.renderInline(" ".join(summary.split()))
        fold = f"<details><summary>{said}</summary>\n{markdown.render(inside.strip())}</details>"
        html = html.replace(f"<p>\uf8ff{number}\uf8ff</p>", fold)
    return html


def _markdown(folder: Path) -> MarkdownIt:
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    markdown.add_render_rule("image", lambda self, tokens, at, options, env: _image(tokens[at], folder))
    markdown.add_render_rule(
        "table_open", lambda *_: '<div class="scroll" tabindex="0" role="region" aria-label="Table"><table>\n'
    )
    markdown.add_render_rule("table_close", lambda *_: "</table></div>\n")
    markdown.add_render_rule("th_open", lambda *_: '<th scope="col">')
    markdown.add_render_rule("fence", lambda self, tokens, at, *_: _code(tokens[at].content))
    markdown.add_render_rule("code_block", lambda self, tokens, at, *_: _code(tokens[at].content))
    markdown.add_render_rule("heading_open", lambda self, tokens, at, *_: _heading(tokens, at))
    return markdown


def _image(token: Token, folder: Path) -> str:
    source = str(token.attrs["src"])
    return f'<img src="{data_uri(folder / source)}" alt="{_escaped(token.content)}">'


def data_uri(path: Path) -> str:
    """A picture as a part of the page.

    Raises:
        AuthoringError: When it can't be read.
    """
    try:
        data = base64.b64encode(path.read_bytes()).decode()
    except OSError as error:
        raise AuthoringError(f"{path}: can't be read: {error.strerror}; a handout shows it") from None
    return f"data:{mimetypes.guess_type(path.name)[0] or 'image/png'};base64,{data}"


def _heading(tokens: list[Token], at: int) -> str:
    """A heading with an anchor: `task-3`, or its words."""
    words = tokens[at + 1].content
    task = _SECTION.match(words)
    anchor = f"task-{task[1]}" if task else re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")
    return f'<{tokens[at].tag} id="{anchor}">'


def _code(text: str) -> str:
    return f'<pre tabindex="0"><code>{_escaped(text)}</code></pre>\n'


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
