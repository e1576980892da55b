"""Known mistakes as their author writes them: what is read, what is refused and how, and what comes of it."""

from __future__ import annotations

import ast
import time
import types
from pathlib import Path

import pytest

from gradkit.errors import AuthoringError, InputError
from gradkit.judge.staff import Staff
from gradkit.manifest import assignment_ids, load_assignment
from gradkit.mistakes import EditedMistake, find_mistake, read_mistakes, try_mistakes

ROOT = Path(__file__).resolve().parent.parent.parent

REFERENCE = '''"""Two tasks."""

from __future__ import annotations

LIMIT = 3


def add(x: NotImported, y: int) -> int:
    """The sum, x + y."""
    if y > LIMIT:
        raise ValueError(f"y must be at most {LIMIT}, got {y}")
    # BEGIN SOLUTION one
    total = x + y  # of both
    return total
    # END SOLUTION


class Counter:
    """Counts."""

    def __init__(self, start=0):
        self.n = start

    # BEGIN SOLUTION two
    @staticmethod
    def step():
        return 1

    # END SOLUTION

    def next(self):
        """The next number."""
        # BEGIN SOLUTION two
        self.n += self.step()
        return self.n
        # END SOLUTION


def twice(x, *, add=add):
    return add(x, x)
'''
MANIFEST = """title = "Sums"
order = 1
summary = "Sums."
[[tasks]]
id = "one"
title = "One"
points = 60
minutes = 5
functions = ["add"]
[[tasks]]
id = "two"
title = "Two"
points = 40
minutes = 5
functions = ["Counter"]
"""
WRITTEN = '"""Adds one too many."""\n\nTASK = "one"\nHINT = "Count again."\n\n\ndef add(x, y):\n    return x + y + 1\n'


def entry(**changes: str) -> str:
    """A `[[mistakes]]` entry as TOML; keys are replaced, added, or left out with None."""
    keys = {
        "name": '"minus"',
        "function": '"add"',
        "why": '"Subtracts."',
        "edits": '[["total = x + y", "total = x - y"]]',
        "hint": '"Which sign?"',
        **changes,
    }
    return "\n".join(["[[mistakes]]", *(f"{key} = {value}" for key, value in keys.items() if value is not None)]) + "\n"


ZERO = entry(name='"zero"', function='"LIMIT"', edits='[["3", "0"]]')


@pytest.fixture
def sums(tmp_path):
    """An assignment of two tasks, and a function that writes its files of mistakes."""
    public, hidden = tmp_path / "assignments" / "sums", tmp_path / "solutions" / "sums"
    public.mkdir(parents=True)
    (hidden / "mistakes").mkdir(parents=True)
    (public / "assignment.toml").write_text(MANIFEST, encoding="utf-8")
    (hidden / "sums.py").write_text(REFERENCE, encoding="utf-8")
    assignment = load_assignment(tmp_path, "sums")

    def write(**files: str):
        for name, text in files.items():
            path = hidden / "mistakes" / name.replace("_toml", ".toml").replace("_py", ".py")
            path.write_text(text, encoding="utf-8")
        return assignment

    return write


def only(assignment) -> EditedMistake:
    (mistake,) = read_mistakes(assignment)
    return mistake


def patched(mistake) -> types.SimpleNamespace:
    """What the reference with the mistake on top defines."""
    names: dict = {}
    exec(compile(REFERENCE, "reference", "exec", dont_inherit=True), names)
    exec(mistake.code(), names)
    return types.SimpleNamespace(**names)


# ---- what is read


def test_an_entry_is_read(sums):
    """The file names the task; white space in the texts does not matter."""
    mistake = only(sums(one_toml=entry(hint='"""Which\n  sign?"""', raises="true")))

    assert (mistake.name, mistake.task, mistake.why, mistake.hint) == ("minus", "one", "Subtracts.", "Which sign?")
    assert mistake.raises and mistake.replaces == ("add",) and mistake.path.name == "one.toml"


def test_both_forms_are_read_by_name(sums):
    """A whole function stays possible; the order is that of the names, whichever file they stand in."""
    mistakes = read_mistakes(sums(one_toml=ZERO + entry(), added_one_py=WRITTEN))

    assert [mistake.name for mistake in mistakes] == ["added_one", "minus", "zero"]
    assert [mistake.replaces for mistake in mistakes] == [("add",), ("add",), ("LIMIT",)]
    assert patched(mistakes[0]).add(1, 1) == 3
    assert mistakes[0].submission(REFERENCE) == f"{REFERENCE}\n\n{WRITTEN}"


def test_an_edit_keeps_the_guards(sums):
    """What the edits leave alone stays: the mistake still refuses what the stub refuses."""
    names = patched(only(sums(one_toml=entry())))

    assert names.add(5, 2) == 3
    with pytest.raises(ValueError, match="y must be at most 3, got 4"):
        names.add(5, 4)


def test_the_patch_is_the_function_alone_on_the_lines_of_the_reference(sums):
    """A traceback into a mistake points into the reference's file."""
    mistake = only(sums(one_toml=entry(edits='[["total = x + y", "total = x + missing"]]')))
    line = REFERENCE.splitlines().index("    total = x + y  # of both") + 1

    tree = ast.parse(mistake.patch())
    with pytest.raises(NameError) as raised:
        patched(mistake).add(1, 1)

    assert [node.name for node in tree.body if isinstance(node, ast.FunctionDef)] == ["add"]
    assert (raised.traceback[-1].lineno + 1, Path(raised.traceback[-1].path).name) == (line, "sums.py")


@pytest.mark.parametrize(
    ("function", "edits"),
    [
        ("Counter.next", '[["self.n += self.step()", "self.n -= self.step()"]]'),
        ("Counter", '[["return 1", "return -1"]]'),
        ("Counter.step", '[["return 1", "return -1"]]'),
    ],
)
def test_methods_and_classes(sums, function, edits):
    """A method's edits stand in the class, with everything else of it."""
    mistake = only(sums(two_toml=entry(function=f'"{function}"', edits=edits)))
    handed_in: dict = {}
    exec(compile(mistake.submission(REFERENCE), "submission", "exec", dont_inherit=True), handed_in)

    for counter in (patched(mistake).Counter, handed_in["Counter"]):
        assert counter(10).next() == 9
    assert mistake.replaces == ("Counter",)


def test_a_submission_is_the_reference_with_the_edit_in_place(sums):
    """As a student would have it: one definition, comments and markers where they were."""
    mistake = only(sums(one_toml=entry()))

    assert mistake.submission(REFERENCE) == REFERENCE.replace("total = x + y ", "total = x - y ")


def test_two_mistakes_in_one_submission(sums):
    """What one returns, another edits."""
    first, second = read_mistakes(sums(one_toml=entry() + ZERO))

    both = second.submission(first.submission(REFERENCE))

    assert both == REFERENCE.replace("total = x + y ", "total = x - y ").replace("LIMIT = 3", "LIMIT = 0")


@pytest.mark.parametrize(
    ("edits", "lines"),
    [
        (
            '''[["total = x + y", """
    x = -x
    total = x + y"""]]''',
            ["    x = -x", "    total = x + y  # of both", "    return total"],
        ),
        (
            """[["total = x + y", "x = -x\\n    total = x + y"]]""",
            ["    x = -x", "    total = x + y  # of both", "    return total"],
        ),
        (
            '''[["""
    total = x + y  # of both
    return total""", "return -x"]]''',
            ["    return -x"],
        ),
        ('[["total = x + y", ""], ["return total", "return x"]]', ["    return x"]),
        ('[["x + y  # of both", "x"]]', ["    total = x", "    return total"]),
    ],
)
def test_lines_and_their_indentation(sums, edits, lines):
    """The first line keeps the indentation it has; a line that is left empty goes, with its comment."""
    text = only(sums(one_toml=entry(edits=edits))).submission(REFERENCE)

    assert text.split("# BEGIN SOLUTION one\n")[1].split("    # END")[0].splitlines() == lines


def test_annotations_are_read_as_in_the_reference(sums):
    """`NotImported` is a name that nobody defines: with the reference's future import nobody asks for it."""
    assert patched(only(sums(one_toml=entry()))).add(3, 1) == 2


# ---- what is refused, in one line


ONE = "{folder}/one.toml"
MINUS = f"{ONE}: minus"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (
            {"one_toml": entry(edits='[["x + y", "x - y"]]')},
            f"{MINUS}: edit 1 occurs 2 times in add; take in more of the text around it, until it occurs once",
        ),
        (
            {"one_toml": entry(edits='[["total = x + y", "total = x - y"], ["sum(x)", ""]]')},
            f"{MINUS}: edit 2 occurs 0 times in add; copy it as it stands in {{reference}}",
        ),
        (
            {"one_toml": entry(edits='[["", "x"]]')},
            f"{MINUS}: edit 1 occurs 0 times in add; copy it as it stands in {{reference}}",
        ),
        (
            {"one_toml": entry(edits='[["total = x + y", "total = x + y"]]')},
            f"{MINUS}: edit 1 changes nothing; write what the mistake says",
        ),
        (
            {"one_toml": entry(edits='[["x + y  # of", "x  # of"], ["of both", "of all"]]')},
            f"{MINUS}: edits 1 and 2 overlap; make one of them",
        ),
        (
            {"one_toml": entry(decoy="true")},
            f"{MINUS}: a decoy has no hint: it is wrong code for which no hint may be shown",
        ),
        ({"one_toml": entry(edits="[]")}, f'{MINUS}: edits is empty; write [["old text", "new text"]]'),
        (
            {"one_toml": entry(edits='[["one alone"]]')},
            f"{MINUS}: Expected `array` of length 2, got 1 - at `$.edits[0]`",
        ),
        (
            {"one_toml": entry(function='"ad"')},
            f"{MINUS}: function 'ad' is not in {{reference}}; did you mean 'add'?",
        ),
        ({"one_toml": entry(hint='" "')}, f"{MINUS}: hint is empty: it is what a student with this mistake reads"),
        ({"one_toml": entry(why='""')}, f"{MINUS}: why is empty: say in a sentence what is wrong"),
        ({"one_toml": entry(hint=None)}, f"{MINUS}: hint is empty: it is what a student with this mistake reads"),
        (
            {"one_toml": entry(hints='"x"')},
            f"{MINUS}: Object contains unknown field `hints`; allowed: name, function, why, hint, edits, raises, costly, decoy",
        ),
        ({"one_toml": entry() + entry(name=None)}, f"{ONE}: entry 2: Object missing required field `name`"),
        (
            {"one_toml": entry(name='"two words"')},
            f"{ONE}: two words: name must be a word such as mask_inverted, got 'two words'",
        ),
        ({"one_toml": entry() + entry()}, f"{ONE}: minus stands twice; give each mistake a name of its own"),
        (
            {"one_toml": entry(), "minus_py": WRITTEN},
            f"{ONE}: minus stands also in minus.py; give each mistake a name of its own",
        ),
        ({"three_toml": entry()}, "{folder}/three.toml: named after no task; name it one.toml or two.toml"),
        ({"one_toml": "mistakes = 3\n"}, f"{ONE}: only [[mistakes]] entries may stand here, got mistakes"),
        ({"one_toml": "[mistake]\n"}, f"{ONE}: only [[mistakes]] entries may stand here, got mistake"),
        (
            {"one_toml": "[[mistakes]\n"},
            f"{ONE}:1: not TOML: Expected ']]' at the end of an array declaration",
        ),
        ({"bad_py": WRITTEN.replace('"one"', '"three"')}, "{folder}/bad.py: TASK must be one or two, got 'three'"),
        (
            {"bad_py": WRITTEN.replace("Count again.", " ")},
            "{folder}/bad.py: HINT is missing: it is what a student with this mistake reads",
        ),
        ({"bad_py": WRITTEN.replace("return", "return return")}, "{folder}/bad.py:8: not valid Python: invalid syntax"),
        (
            {"bad_py": WRITTEN.split("def")[0]},
            "{folder}/bad.py: defines nothing; write the functions that the mistake gets wrong",
        ),
    ],
)  # fmt: skip
def test_what_is_refused_when_it_is_read(sums, files, said):
    """One line: the file, the entry, what is wrong, what to do."""
    assignment = sums(**files)
    places = {"folder": assignment.hidden / "mistakes", "reference": assignment.reference}

    with pytest.raises(AuthoringError) as refused:
        read_mistakes(assignment)

    assert str(refused.value) == said.format(**places)


def test_all_that_do_not_fit_are_told_at_once(sums):
    """A reference that was mended leaves several stale: each has its line, and those that fit have none."""
    stale = entry(name='"stale"', edits='[["x + z", "x"]]') + entry(name='"lost"', function='"gone"')
    assignment = sums(one_toml=entry() + stale, bad_py=WRITTEN.replace('"one"', '"three"'))

    known, faults = try_mistakes(assignment)
    told = [str(fault) for fault in faults]
    assert [mistake.name for mistake in known] == ["minus"] and len(told) == 3
    assert {name for name in ("bad.py", "stale", "lost") for line in told if name in line} == {
        "bad.py",
        "stale",
        "lost",
    }


@pytest.mark.parametrize(
    ("edits", "said"),
    [
        (
            '[["total = x + y", "total = x +"]]',
            "add is not Python after the edits: line 13, 'total = x +  # of both': invalid syntax",
        ),
        ('[["# of both", "# of all"]]', "the edits change only comments or spaces; write what the mistake says"),
        ('[["def add", "def plus"]]', "add is not defined any more after the edits; keep its name"),
    ],
)
def test_what_is_refused_when_it_is_used(sums, edits, said):
    """What takes parsing is looked at when the mistake is first needed, and by `gradkit verify`."""
    mistake = only(sums(one_toml=entry(edits=edits)))

    for use in (mistake.patch, mistake.code, lambda: mistake.submission(REFERENCE)):
        with pytest.raises(AuthoringError) as refused:
            use()
        assert str(refused.value) == f"{mistake.path}: minus: {said}"


def test_a_mistake_that_does_not_load_is_named(sums):
    """With the line of the reference that fails."""
    assignment = sums(one_toml=entry(function='"LIMIT"', edits='[["3", "three"]]'))
    (mistake,) = Staff(assignment).mistakes

    with pytest.raises(AuthoringError) as refused:
        mistake.subject  # noqa: B018

    said = "minus: line 5 of sums.py: does not load: NameError: name 'three' is not defined"
    assert str(refused.value) == f"{assignment.hidden / 'mistakes' / 'one.toml'}: {said}"


def test_an_unknown_name(sums):
    """The nearest one is offered."""
    assignment = sums(one_toml=entry())

    with pytest.raises(InputError, match="no mistake is called 'minos'; did you mean 'minus'"):
        find_mistake(read_mistakes(assignment), "minos", assignment.hidden)


# ---- the judge


def test_nothing_is_compiled_before_it_is_needed(sums, monkeypatch):
    """A judge that meets no failing check makes no mistake's module."""
    made = []
    code = EditedMistake.code
    monkeypatch.setattr(EditedMistake, "code", lambda self: made.append(self.name) or code(self))
    staff = Staff(sums(one_toml=entry() + ZERO))

    concerned = staff.concerned({"add"})

    assert [mistake.name for mistake in concerned] == ["minus", "zero"] and made == []
    assert concerned[0].subject is concerned[0].subject and made == ["minus"]


def test_a_function_taken_as_a_default_is_the_mistaken_one(sums):
    """`twice` takes `add` as its default: a mistake in `add` changes what it answers, as in a student's file."""
    assignment = sums(one_toml=entry())
    (mistake,) = Staff(assignment).mistakes
    handed_in: dict = {}
    exec(compile(mistake.source.submission(REFERENCE), "submission", "exec", dont_inherit=True), handed_in)

    assert mistake.subject._module.twice(1) == handed_in["twice"](1) == 0


@pytest.mark.parametrize("id", assignment_ids(ROOT))
def test_the_kits_mistakes_are_python_and_quick_to_read(id):
    """Each gives a patch and a submission; all of an assignment's are read in a few hundredths of a second."""
    assignment = load_assignment(ROOT, id)
    reference = assignment.reference.read_text(encoding="utf-8")

    begun = time.process_time()
    mistakes = read_mistakes(assignment)
    took = time.process_time() - begun

    assert took < 1  # some 20 ms; a machine under load may take longer
    for mistake in mistakes:
        mistake.code()
        compile(mistake.submission(reference), mistake.name, "exec", dont_inherit=True)
