"""Hostile texts, made safe for the place where they go."""

import pytest

from gradkit.safetext import (
    cell_lines,
    cell_text,
    datum,
    error_text,
    file_name,
    one_line,
    page_text,
    size_text,
    utf8_text,
)

HOSTILE = "a\x1b[31mb\0c\u202ed\ud800e\n"


def test_control_characters_from_a_submission_are_neutralised():
    """ANSI codes, NUL, bidirectional overrides and lone surrogates never reach a report."""
    assert page_text(HOSTILE) == "a\ufffd[31mb\ufffdc\ufffdd\ufffde\n"


def test_a_text_in_a_message_is_one_line_that_prints():
    """What does not print is escaped, and a long text keeps its beginning and its end."""
    assert one_line(HOSTILE) == r"a\x1b[31mb\x00c\u202ed\ud800e\n"
    assert one_line("x" * 100 + "yz", 30) == "xxxxxxxxx..." + "x" * 16 + "yz"
    assert error_text(FileNotFoundError(2, "No such file")) == "No such file"


@pytest.mark.parametrize("formula", ["=1+1", "+1", "-1", "@x", "  =1", "\t=1", "\n=1"])
def test_no_cell_is_a_formula(formula):
    """A name or a reason can't run in an instructor's spreadsheet, in one line or in several."""
    assert cell_text(formula).startswith("'") and cell_lines(formula).startswith("'")


def test_a_cell_has_one_line_or_keeps_its_lines():
    """A table of grades has one line for each student; a comment to send keeps its paragraphs."""
    assert cell_text("a\nb") == "a b"
    assert cell_lines("a\nb") == "a\nb"


def test_other_texts_keep_what_their_place_can_hold():
    """A datum prints, a file in UTF-8 has no half of a surrogate pair, and sizes are in words."""
    assert datum("A\x1b[31m\u202e" + "b" * 300) == "A[31m" + "b" * 193
    assert utf8_text("a\ud800\x1b") == "a?\x1b"
    assert size_text(50 * 2**20) == "50 MiB" and size_text(300) == "300 bytes"


@pytest.mark.parametrize(
    ("raw", "safe"),
    [
        ("student 01", "student 01"),
        ("Zoë 王", "Zoë 王"),
        ("Zoe\u0308", "Zoë"),
        ("../../etc", "_.._etc"),
        ("-rf", "rf"),
        (".hidden", "hidden"),
        ("a/b\\c:d", "a_b_c_d"),
        ("a\n\tb\x1b[31m", "a b[31m"),
        ("\u202egnp.py", "gnp.py"),
        ("x" * 500, "x" * 80),
        ("𐍈" * 500, "𐍈" * 50),
        ("", "submission"),
        ("...", "submission"),
        ("nul", "_nul"),
        ("a. ", "a"),
        ("=cmd|x", "=cmd_x"),
        ("\udcff", "submission"),
    ],
    ids=range(17),
)
def test_names_are_made_fit_for_files(raw, safe):
    """No separators, control characters, leading dots or dashes; a formula is for the CSV to guard."""
    assert file_name(raw) == safe
