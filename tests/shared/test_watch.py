"""`pytest --watch` as a student runs it: in an unpacked bundle, in a process, by saving files and pressing keys."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gradkit.bundle import student_bundle
from gradkit.manifest import load_assignment

PATIENCE_S = 60  # for a loaded machine
WATCHING = "Watching scaling.py"


class Session:
    """One watch, and what it has said so far."""

    def __init__(self, folder: Path, *arguments: str, stdin: int = subprocess.PIPE) -> None:
        self.folder, self.module = folder, folder / "scaling.py"
        self._log = folder.parent / "said.txt"
        self._at = 0
        with open(self._log, "wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--watch", *arguments],
                cwd=folder,
                stdin=stdin,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUTF8": "1"},
            )

    def wait_for(self, text: str) -> str:
        """What it says up to a text, which must come."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            said = self._log.read_text(encoding="utf-8")[self._at :]
            if text in said:
                self._at += said.index(text) + len(text)
                return said[: said.index(text)]
            time.sleep(0.05)
        pytest.fail(f"{text!r} did not come; it said:\n{said}")

    def press(self, keys: bytes) -> None:
        self.process.stdin.write(keys)
        self.process.stdin.flush()

    def ended(self) -> tuple[int, str]:
        """Its exit status, and the rest of what it says."""
        status = self.process.wait(PATIENCE_S)
        return status, self._log.read_text(encoding="utf-8")[self._at :]


@pytest.fixture
def bundle(small_kit, tmp_path) -> Path:
    """The folder of a student who has written nothing."""
    student_bundle([load_assignment(small_kit, "scaling")], tmp_path / "course")
    return tmp_path / "course" / "scaling"


@pytest.fixture
def watch(bundle) -> Iterator:
    sessions = []

    def start(*arguments: str, **options: object) -> Session:
        sessions.append(Session(bundle, *arguments, **options))
        return sessions[-1]

    yield start
    for session in sessions:
        session.process.kill()
        session.process.wait()


@pytest.fixture
def half(bundle, reference_source) -> str:
    """The stub with its first task written."""
    body = re.search(r"# BEGIN SOLUTION centre\n(.*?)\n[^\n]*# END SOLUTION centre", reference_source, re.DOTALL)[1]
    stub = (bundle / "scaling.py").read_text(encoding="utf-8")
    blank = re.search(r'[^\n]*# YOUR CODE HERE\n[^\n]*raise NotImplementedError\("task centre[^\n]*\n', stub)[0]
    return stub.replace(blank, f"{body}\n")


def test_a_save_runs_the_task_at_work_and_moves_on(watch, half, reference_source):
    """From the first task that is not done to the next, and to the end, which ends it."""
    session = watch()
    session.wait_for(f"{WATCHING}, task centre")

    session.module.write_text(half, encoding="utf-8")
    session.wait_for("Task centre is done")
    session.wait_for(f"{WATCHING}, task standardise")

    session.module.write_text(reference_source, encoding="utf-8")
    session.wait_for("All public checks pass")
    assert session.ended() == (0, ". Hidden checks run when you submit.\n")


def test_two_saves_of_one_second_and_one_length_are_two(watch, half, monkeypatch):
    """Python's bytecode can't tell them apart: without care the second run would judge the first file."""
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    right = "return x - x.mean(axis=0)"
    assert half.count(right) == 1
    session = watch()
    session.wait_for(f"{WATCHING}, task centre")

    def save(text: str) -> None:
        beside = session.folder.parent / "beside"
        beside.write_text(text, encoding="utf-8")
        os.utime(beside, (1_700_000_000, 1_700_000_000))
        beside.replace(session.module)

    save(half.replace(right, right.replace("-", "+")))
    session.wait_for(f"{WATCHING}, task centre")
    save(half)
    session.wait_for("Task centre is done")


def test_whatever_a_file_does_ends_a_run_and_not_the_watching(watch, half):
    """A syntax error, a crash of the interpreter, and a loop that a save breaks off."""
    session = watch()
    session.wait_for(WATCHING)

    session.module.write_text("def centre(:\n", encoding="utf-8")
    assert "scaling.py:1" in session.wait_for(WATCHING)
    session.module.write_text("import os\nos._exit(7)\n", encoding="utf-8")
    session.wait_for("The run ended without a result (status 7)")
    session.module.write_text("print('in the loop', flush=True)\nwhile True:\n    pass\n", encoding="utf-8")
    time.sleep(1.5)  # it is in the loop, or about to be: a save counts in either case
    session.module.write_text(half, encoding="utf-8")
    session.wait_for("Task centre is done")


def test_a_save_by_renaming_and_one_without_a_change(watch, half):
    """Editors write beside and rename; touching a file is no change."""
    session = watch()
    session.wait_for(WATCHING)

    session.module.touch()
    time.sleep(1.0)
    beside = session.folder / ".scaling.py.swp"
    beside.write_text(half, encoding="utf-8")
    beside.replace(session.module)

    assert session.wait_for("Task centre is done").count("standardise(") == 0
    session.wait_for(f"{WATCHING}, task standardise")


@pytest.mark.parametrize("keys", [b"q\n", b"xyz\n Q \n"])
def test_q_ends_it_cleanly(watch, keys):
    """At rest, whatever was typed before."""
    session = watch()
    session.wait_for(WATCHING)

    session.press(keys)

    status, said = session.ended()
    assert status == 0 and said.endswith("Stopped watching.\n") and "Traceback" not in said


def test_ctrl_c_leaves_nothing_behind(watch):
    """In the middle of a run that does not end: no traceback, no process."""
    session = watch()
    session.wait_for(WATCHING)
    session.module.write_text(
        "import os, pathlib, time\npathlib.Path('pid.txt').write_text(str(os.getpid()))\ntime.sleep(1000)\n",
        encoding="utf-8",
    )
    deadline = time.monotonic() + PATIENCE_S
    while not (pid := session.folder / "pid.txt").exists() or not pid.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)

    session.process.send_signal(signal.SIGINT)

    status, said = session.ended()
    assert status == 0 and said.endswith("Stopped watching.\n") and "Traceback" not in said
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def test_without_a_keyboard_it_goes_on(watch, half):
    """Standard input may be closed: saving works, and Ctrl-C ends it."""
    session = watch(stdin=subprocess.DEVNULL)
    session.wait_for(WATCHING)

    session.module.write_text(half, encoding="utf-8")
    session.wait_for("Task centre is done")
    session.process.send_signal(signal.SIGINT)
    assert session.ended()[0] == 0


def test_one_task_is_followed_if_it_is_named(watch, half):
    """It stays with it, done or not."""
    session = watch("--task", "centre")
    session.wait_for(WATCHING)

    session.module.write_text(half, encoding="utf-8")

    said = session.wait_for(WATCHING)
    assert "1 passed" in said and "Task centre is done" not in said


@pytest.mark.parametrize(
    ("arguments", "where", "said"),
    [
        (["--watch"], "..", "--watch follows one assignment: go into its folder first"),
        (["--watch", "--pdb"], ".", "--watch has no debugger: leave --pdb or --watch out"),
    ],
)
def test_what_it_can_not_do_is_one_line(bundle, arguments, where, said):
    """Pytest's status for bad usage."""
    command = [sys.executable, "-m", "pytest", "-p", "coursekit.plugin", *arguments]

    done = subprocess.run(command, cwd=bundle / where, capture_output=True, text=True, timeout=PATIENCE_S)

    assert done.returncode == 4 and f"ERROR: {said}" in done.stderr and "Traceback" not in done.stderr


def test_the_screen_is_cleared_on_a_terminal_alone(bundle):
    """In a pipe or a file nothing but text is written."""
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "--watch"], cwd=bundle, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    said = b""
    while WATCHING.encode() not in said:
        said += os.read(ours, 4096)
    os.write(ours, b"q\n")

    assert b"\x1b[2J" in said and process.wait(PATIENCE_S) == 0
    os.close(ours)
