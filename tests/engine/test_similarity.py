"""Copies are found however they are dressed up, and honest solutions of one task are no pair."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

from gradkit.errors import InputError
from gradkit.manifest import load_assignment
from gradkit.mistakes import EditedMistake, read_mistakes
from gradkit.similarity import LONGEST, MOST, similar_pairs

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def bpe():
    """The stub and the reference; thirty students near the reference; and one who went another way."""
    assignment = load_assignment(ROOT, "bpe")
    reference = assignment.reference.read_text(encoding="utf-8")
    given = [assignment.stub.read_text(encoding="utf-8"), reference]
    honest = [mistake for mistake in read_mistakes(assignment) if isinstance(mistake, EditedMistake)][:30]
    texts = {f"student{number:02}": mistake.submission(reference) for number, mistake in enumerate(honest, start=1)}
    return given, texts, assignment.alternatives()[0].read_text(encoding="utf-8")


def renamed(text: str) -> str:
    """The same code with other names, without comments and docstrings, its functions in another order."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(node):
            node.body = node.body[1:] or [ast.Pass()]
    tree.body = [*tree.body[:6], *reversed(tree.body[6:])]
    local = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    code = ast.unparse(tree)
    for name in local:
        code = re.sub(rf"\b{name}\b", f"my_{name}", code)
    return code


def test_a_copy_is_found_among_honest_solutions(bpe):
    """Renamed, stripped and reordered; thirty who are right but for one edit are no pair with anybody."""
    given, texts, own = bpe

    pairs = similar_pairs({**texts, "student40": own, "student41": renamed(own)}, given)

    assert [(pair.one, pair.other) for pair in pairs] == [("student40", "student41")]
    assert min(pairs[0].shares) > 0.6 and not pairs[0].same


def test_what_is_shared_is_shown_in_both(bpe):
    """The spans lie in the texts, and hold code of the same shape."""
    given, _, own = bpe
    other = renamed(own)

    (pair,) = similar_pairs({"one": own, "other": other}, given)

    for spans, text in zip(pair.spans, (own, other), strict=True):
        assert spans and all(0 <= first < last <= len(text) for first, last in spans)
        assert list(spans) == sorted(spans)


def test_honest_solutions_alone_are_no_pair(bpe):
    """Everyone near the reference, and the ways that the kit itself knows."""
    given, texts, own = bpe

    assert similar_pairs(texts, given) == []
    assert similar_pairs({**texts, "student40": own}, [*given, own]) == []


def test_the_same_file_twice_is_told_even_when_it_is_right(bpe):
    """Not a token of it is left after the subtraction; names and comments are the same. The untouched stub is not told."""
    given, texts, _ = bpe
    theirs = given[1] + "\n\n# student01's last line\n"

    pairs = similar_pairs(
        {"a": theirs, "b": theirs.replace("\n", "\r\n"), "c": given[0], "d": given[0], **texts}, given
    )

    assert [(pair.one, pair.other, pair.same) for pair in pairs] == [("a", "b", True)]


def test_what_most_of_a_class_writes_is_no_copy(bpe):
    """Code from the lecture, which staff forgot to give: subtracted, because more than half have it."""
    given, texts, own = bpe
    lecture = {name: text + "\n" + own for name, text in texts.items()}

    assert similar_pairs(lecture, given) == []


def test_many_pairs_are_cut_and_odd_texts_are_survived(bpe):
    """Nothing written, no Python, a huge file."""
    given, _, own = bpe
    copies = {f"copy{number}": own + f"\nx{number} = 1\n" for number in range(8)}
    odd = {
        "empty": "",
        "words": "Dear grader,\n" * 50,
        "huge": "x = 1\n" * LONGEST,
        "half": "def f(:\n'''" + own[:2000],
    }
    others = {f"other{number}": f"value = {number}\n" for number in range(9)}

    pairs = similar_pairs({**copies, **odd, **others}, given)

    assert len(pairs) == MOST and all("copy" in pair.one and "copy" in pair.other for pair in pairs)


def test_without_the_package_one_line_says_what_to_install(monkeypatch):
    """It is optional."""
    monkeypatch.setitem(sys.modules, "copydetect", None)

    with pytest.raises(InputError, match=r"pip install 'gradkit\[similarity\]'"):
        similar_pairs({"a": "x = 1"}, [])
