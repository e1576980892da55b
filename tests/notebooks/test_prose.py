"""The handout's text as the notebook has it: commands, folds, and the order of what to write and what to see."""

from __future__ import annotations

import pytest

from gradkit.notebooks.prose import Part, folded, handing_in, in_notebook, split_at_see

TASKS = {"elbo": "elbo", "softplus": "scale", "scale": "scale"}


@pytest.mark.parametrize(
    ("text", "there"),
    [
        ("`f` · 8 points · core · `pytest --task elbo`", '`f` · 8 points · core · `course.check("elbo")`'),
        ("Try `pytest -k softplus`.", 'Try `course.check("scale")`.'),
        ("`pytest` runs all, `python figures.py` draws.", "`course.check()` runs all, `course.figure()` draws."),
        ("`python figures.py a b`", '`course.figure("a"); course.figure("b")`'),
        ("Run `python\nfigures.py`, once.", "Run `course.figure()`, once."),
        ("See, in a notebook cell or in `python figures.py -i`.", "See, in a cell."),
        ("Paste into a\nnotebook cell, or into `python figures.py -i`.", "Paste into a cell."),
        ("`pytest --task elbo --device cuda`", "`pytest --task elbo --device cuda`"),
        ("`pytest_plugins` and `python`", "`pytest_plugins` and `python`"),
        ("    pytest              # all checks\n    pytest --task elbo  # one task's",
         '    course.check()        # all checks\n    course.check("elbo")  # one task\'s'),
        ("```\npytest   # all; `pytest --task elbo` or with --task scale\npython figures.py -i\n```",
         '```\ncourse.check()  # all; `course.check("elbo")` or with course.check("scale")\n```'),
        ("```python\npytest = 3\n```", "```python\npytest = 3\n```"),
    ],
)  # fmt: skip
def test_commands_are_the_notebooks(text, there):
    """Between backticks, across lines, in blocks with their comments; what only a shell can do stays."""
    squeezed = [" ".join(line.split()) for line in in_notebook(text, TASKS).splitlines()]

    assert squeezed == [" ".join(line.split()) for line in there.splitlines()]


def test_comments_stay_in_their_column():
    """A block of commands reads as a table."""
    block = "    pytest              # all checks\n    python figures.py   # draw"

    first, second = in_notebook(block, TASKS).splitlines()

    assert first.index("#") == second.index("#")


def test_a_fold_renders_what_it_hides():
    """A blank line after the summary and before the end; code in a summary, which is HTML, is HTML too."""
    text = "Traps.\n<details><summary>Hint 1: `mu`\nis **wrong**</summary>Which *axis*?\nAnd `x`?</details>\nMore."

    assert folded(text) == (
        "Traps.\n\n<details><summary>Hint 1: <code>mu</code> is **wrong**</summary>\n\nWhich *axis*?\nAnd `x`?\n\n</details>\n\nMore."
    )
    assert folded(folded(text)) == folded(text)


@pytest.mark.parametrize(
    ("text", "there"),
    [
        (
            "Hand in `vi.py`. Its checks",
            "Hand in this notebook, `vi.ipynb` (or `vi.py`, if you wrote that). Its checks",
        ),
        ("Hand in `vi.py` or `vi.ipynb`.", "Hand in `vi.ipynb` or `vi.py`."),
        ("Hand in `vi.ipynb`.", "Hand in `vi.ipynb`."),
    ],
)
def test_what_to_hand_in_is_the_notebook_first(text, there):
    """Whoever works in it should not look for the file."""
    assert handing_in(text, "vi.py") == there


TASK = """## Task 1: Scales

**Predict.** A number.
```python
early = 1
```
**Build.** Two forms. **See.** Compare:
```python
print(softplus(early))
```
Was it so?

And now:
```python
again = 2
```
```
no snippet
```"""


def test_what_is_to_see_comes_after_what_is_to_write():
    """From *See* on, text and snippets in turn; above *Build* everything stays, and no text is lost."""
    before, after = split_at_see(TASK)

    assert before.endswith("**Build.** Two forms.") and "early = 1" in before
    assert after == [
        Part("**See.** Compare:"),
        Part("print(softplus(early))", code=True),
        Part("Was it so?\n\nAnd now:"),
        Part("again = 2", code=True),
        Part("```\nno snippet\n```"),
    ]


def test_a_task_without_a_snippet_is_whole():
    """A figure to see is in the text."""
    text = "## Task 1\n\n**See** figure `a`.\n```\npytest\n```"

    assert split_at_see(text) == (text, [])


def test_a_snippet_without_a_lead_in_moves_alone():
    """Its text stays above, with the paragraph that speaks of it."""
    assert split_at_see("## Task 1\n\nBuild both, and **see**:\n```python\nx = 1\n```") == (
        "## Task 1\n\nBuild both, and **see**:", [Part("x = 1", code=True)]
    )  # fmt: skip
