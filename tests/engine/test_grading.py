"""What a submission gets, and what its student reads."""

from __future__ import annotations

import json
import shutil
import time
import types

import pytest

from gradkit import results
from gradkit.calls.values import encode
from gradkit.grading import Intermittently
from gradkit.judge import bytecode
from gradkit.judge.bytecode import Bytecode
from gradkit.judge.staff import Staff
from gradkit.judge.subjects import LocalSubject, Session
from gradkit.judge.submissions import _raised
from gradkit.manifest import load_assignment
from gradkit.model import Outcome
from gradkit.stubs import build_stub

BROKEN_STANDARDISE = "\n\ndef standardise(x, *, eps=1e-5):\n"


def outcomes(graded, task):
    return {result.check.number: result.outcome.value for result in graded.results if result.check.task == task}


def hints(graded):
    return {case.mistake for result in graded.results for case in result.cases if case.mistake}


def test_the_reference_gets_full_marks(grade_source, reference_source):
    """Every check passes on the reference."""
    graded = grade_source(reference_source)

    assert graded.score == graded.max_score == 100 and graded.status == "graded" and graded.complete


def test_the_stub_gets_nothing_and_is_told_so(grade_source, scaling):
    """An untouched stub scores 0, each check `not_written`."""
    graded = grade_source(build_stub(scaling))

    assert graded.score == 0
    assert {result.outcome for result in graded.results} == {Outcome.NOT_WRITTEN}


def test_a_known_mistake_is_named(grade_source, mistaken):
    """A submission that answers as a mistake does gets its hint, and keeps the other task's points."""
    graded = grade_source(mistaken("unbiased_variance"))

    assert hints(graded) == {"unbiased_variance"}
    assert set(outcomes(graded, "centre").values()) == {"passed"}


def test_the_same_mistake_in_other_words_is_named_too(grade_source, reference_source):
    """Mistakes are matched by what they answer, not by how they are written."""
    own_words = (
        BROKEN_STANDARDISE
        + "    n = len(x)\n    mu = sum(x) / n\n    spread = (sum((row - mu) ** 2 for row in x) / max(n - 1, 1) + eps) ** 0.5\n    return (x - mu) / spread\n"
    )

    assert hints(grade_source(reference_source + own_words)) == {"unbiased_variance"}


def test_an_unknown_mistake_gets_no_hint(grade_source, reference_source):
    """A wrong hint is worse than none: an answer that no mistake gives is described, and no cause is named."""
    graded = grade_source(reference_source + BROKEN_STANDARDISE + "    return x * 1.37 + 0.11\n")

    assert not hints(graded)
    assert "Observed: standardise" in results.explain(
        next(result for result in graded.results if result.check.number == "2.1")
    )


def test_two_mistakes_in_two_functions_get_both_hints(grade_source, mistaken):
    """Each failed check is matched by itself."""
    both = ("centre_over_examples", "eps_outside_the_root")

    assert hints(grade_source(mistaken(*both))) == set(both)


@pytest.mark.parametrize(
    ("body", "outcome", "said"),
    [
        ("    raise NotImplementedError\n", "not_written", "not written"),
        ("    raise RuntimeError(str(x))\n", "failed", "your code raised RuntimeError at scaling.py:"),
        ("    return None\n", "rejected", "None"),
        ("    return x.tolist()\n", "rejected", "list"),
        ("    return x.astype('float32')\n", "failed", "float32"),
        ("    return x[:1]\n", "failed", "shape"),
        ("    return lambda: x\n", "rejected", "an object of your own"),
        ("    import os; os._exit(0)\n", "crashed", "exit code 0"),
        ("    raise SystemExit(0)\n", "failed", "SystemExit"),
        ("    import ctypes; ctypes.string_at(0)\n", "crashed", "SIGSEGV"),
        ("    return [[[x] * 9] * 9] * 9\n", "rejected", "list"),
        ("    import torch\n    return x\n", "failed", "ModuleNotFoundError"),
        ("    return x.astype(complex)\n", "rejected", "not read"),
        ("    def deep(): return deep()\n    return deep()\n", "failed", "RecursionError"),
        ("    bytearray(1 << 40)\n    return x\n", "failed", "MemoryError"),
    ],
)
def test_outcomes(grade_source, reference_source, body, outcome, said):
    """Each way to fail has its outcome and its words, and costs no other task's points."""
    graded = grade_source(reference_source + BROKEN_STANDARDISE + body)

    hidden = next(result for result in graded.results if result.check.number == "2.1")
    assert hidden.outcome.value == outcome
    assert said in hidden.cases[0].summary
    assert set(outcomes(graded, "centre").values()) == {"passed"}


def test_an_endless_loop_costs_its_own_checks_and_no_more_than_the_total_limit(grade_source, reference_source):
    """A loop in one task is a timeout there; the other task's points stay."""
    graded = grade_source(reference_source + BROKEN_STANDARDISE + "    while True: pass\n")

    assert set(outcomes(graded, "standardise").values()) == {"timeout"}
    assert set(outcomes(graded, "centre").values()) == {"passed"}


def test_a_missing_function_is_named(grade_source, reference_source):
    """A renamed function is said to be missing."""
    graded = grade_source(reference_source.replace("def standardise", "def standardize"))

    assert "scaling.py defines no standardise" in graded.results[-1].cases[0].summary


def test_another_signature_is_said_so(grade_source, reference_source):
    """A call that never reached the body points at the signature."""
    graded = grade_source(
        reference_source.replace("def standardise(x: np.ndarray, *, eps: float = 1e-5)", "def standardise(x, y)")
    )

    assert "compare the signature" in graded.results[-1].cases[0].summary


def test_hidden_checks_tell_no_inputs_prints_or_messages(grade_source, reference_source):
    """A submission that prints its inputs and puts them into its exception learns nothing from a hidden check."""
    leak = (
        BROKEN_STANDARDISE + "    text = 'LE' + 'AK' + repr(x.tolist())\n    print(text)\n    raise ValueError(text)\n"
    )

    graded = grade_source(reference_source + leak)

    told = {
        result.check.hidden: results.explain(result) for result in graded.results if result.check.task == "standardise"
    }
    assert "LEAK" not in told[True]
    assert "LEAK" in told[False]


def test_prints_and_warnings_cost_nothing(grade_source, reference_source):
    """Harmless noise, on import and in calls, leaves the score."""
    noise = "import warnings, sys\nprint('hello'); warnings.warn('careful'); print('oops', file=sys.stderr)\n"

    assert grade_source(noise + reference_source).score == 100


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("x = 1 / 0", "importing your file raised ZeroDivisionError at scaling.py:2: division by zero"),
        ("x = np.no_such", "importing your file raised AttributeError at scaling.py:2: module 'numpy' has no attribute 'no_such'"),
        ("get_ipython().magic('x')", "importing your file raised NameError at scaling.py:2: name 'get_ipython' is not defined; this is a notebook's line: delete it, or hand in the .ipynb"),
        ("raise NotImplementedError", "importing your file raised NotImplementedError at scaling.py:2"),
        ("import os; os._exit(3)", "while importing your file, the program ended before answering (exit code 3)"),
    ],
)  # fmt: skip
def test_a_submission_that_does_not_import_is_told_once_where(grade_source, reference_source, line, said):
    """Whatever goes wrong at import stands at the top with its line, and no check says that a function is missing."""
    graded = grade_source(f"import numpy as np\n{line}\n{reference_source}")
    content = results.gradescope(graded)

    assert graded.score == 0 and content["output"].splitlines()[1:] == [said]
    assert {test["output"] for test in content["tests"]} == {
        "Not checked: your file can't be imported. The reason is at the top."
    }


def test_a_compiled_function_runs_as_written(grade_with_torch, reference_source):
    """A worker starts no compiler, so torch.compile changes nothing there."""
    text = reference_source.replace("def centre(", "import torch\n\n\n@torch.compile\ndef centre(")

    assert grade_with_torch(text).score == 100


def test_every_run_gives_the_same_score(grade_source, mistaken):
    """The same submission on the same seed is graded alike, time after time."""
    assert len({grade_source(mistaken("eps_outside_the_root")).score for _ in range(5)}) == 1


def test_results_are_strict_json_in_gradescopes_format(grade_source, reference_source):
    """results.json has Gradescope's fields with their types, and no NaN."""
    graded = grade_source(reference_source + BROKEN_STANDARDISE + "    return x * float('nan')\n")

    content = json.loads(json.dumps(results.gradescope(graded), allow_nan=False))

    assert content["score"] == graded.score and isinstance(content["execution_time"], float)
    assert sum(test["score"] for test in content["tests"]) == pytest.approx(content["score"])
    for test in content["tests"]:
        assert isinstance(test["number"], str) and test["status"] in ("passed", "failed")
        assert 0 <= test["score"] <= test["max_score"]


def test_a_tool_is_not_an_answer():
    """A callback marked `unrecorded` may be used as often as one likes; what a check notes is compared all the same."""
    module = types.ModuleType("own")
    module.ask = lambda tool, times: sum(tool() for _ in range(times)) * 0 + 7

    def transcript(times, counted):
        def tool():
            return 1

        tool.unrecorded = not counted
        session = Session(LocalSubject(module))
        session.note(session.module.ask(tool, times))
        return session.transcript

    assert transcript(1, counted=False) == transcript(3, counted=False)
    assert transcript(1, counted=True) != transcript(3, counted=True)
    assert transcript(1, counted=False)[-1] == ("noted", encode(7))


def test_states_are_handed_on_now_and_then():
    """The first at once, the latest of the others after a while, the last at the end."""
    told = []
    with Intermittently(told.append, every_s=0.2) as tell:
        tell(1)
        assert told == [1]
        tell(2), tell(3)
        assert told == [1]
        deadline = time.monotonic() + 30
        while told == [1] and time.monotonic() < deadline:
            time.sleep(0.01)
        assert told == [1, 3]
        tell(4)

    assert told == [1, 3, 4]


def test_a_state_that_can_not_be_handed_on_is_told():
    """What goes wrong between two states is raised with the next one; what goes wrong with the last, at the end."""

    def fail(state):
        if state > 1:
            raise OSError("no room")

    tell = Intermittently(fail, every_s=0.01)
    tell(1), tell(2)
    deadline = time.monotonic() + 30
    while tell._fault is None and time.monotonic() < deadline:
        time.sleep(0.01)
    with pytest.raises(OSError, match="no room"):
        tell(3)
    with pytest.raises(OSError, match="no room"), Intermittently(fail, every_s=30) as tell:
        tell(1), tell(2)


def test_nothing_writes_into_a_submissions_folder_once_it_is_told_done(tmp_path, monkeypatch):
    """Its bytecode may take longer than its checks. Written later, it stood where the next student's files should go."""
    module = tmp_path / "scaling.py"
    module.write_text("", encoding="utf-8")
    monkeypatch.setattr(bytecode, "_COMPILE", "import time; time.sleep(60)")
    beside = Bytecode(module)
    beside.begin()
    process = beside._process
    running = process.poll() is None

    beside.close()

    assert running and process.poll() is not None


def test_a_mistake_stands_in_for_defaults(small_kit, tmp_path):
    """`whole` takes `part` as its default, so that a mistake in `part` changes what `whole` answers, as in a student's file;
    the mistake itself may keep the right one as a default of its own."""
    root = tmp_path / "kit"
    shutil.copytree(small_kit, root)
    hidden = root / "solutions" / "scaling"
    with open(hidden / "scaling.py", "a", encoding="utf-8") as file:
        file.write("\n\ndef part(x):\n    return x\n\n\ndef whole(x, *, of=part):\n    return of(x)\n")
    mistake = "def part(x, right=part):\n    return right(x) + 1\n"
    header = 'TASK = "centre"\nHINT = """A hint."""\n\n\n'
    (hidden / "mistakes" / "one_more.py").write_text(f'"""One more."""\n\n{header}{mistake}', encoding="utf-8")

    staff = Staff(load_assignment(root, "scaling"))

    subject = next(found for found in staff.mistakes if found.name == "one_more").subject
    assert Session(subject).module.whole(1) == 2
    assert staff.reference_module().whole(1) == 1


def test_a_place_that_is_not_in_the_file_is_not_told():
    """A submission that compiles code of its own may raise at any line: its number could be the digits of an input."""
    said = ("ValueError", ("ValueError",), "", "attention.py")

    assert _raised((*said, 12), {"attention.py": 12}).line == 12
    beyond = _raised((*said, 1_251_568), {"attention.py": 12})
    assert (beyond.file, beyond.line) == ("", 0)
