"""`pytest --watch`: run the checks of the task at work again whenever the student's file is saved, until all of them pass.

Each run is a process of its own, so that whatever a file does when it is imported ends that run and not the watching: a
crash, an endless loop, a syntax error. Files are looked at a few times a second and compared by content: that works for
editors that write beside and rename, on network drives and on Windows. Nothing here needs more than Python.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from coursekit.progress import Progress, Ran

LOOK_S = 0.25  # between two looks at the files; a file counts as saved when two looks see the same
LIMIT_S = 300.0  # for one run; checks have limits of their own, which end most runs long before
STATE = "COURSEKIT_STATE"  # names the file in which a run leaves which tasks are done


def leave_state(progress: Progress, checks: Sequence[Ran]) -> None:
    """Tell whoever watches which of the tasks that ran are done: all functions, and no check that fails."""
    if not (path := os.environ.get(STATE)):
        return
    failed = {ran.task for ran in checks if ran.failed}
    done: dict[str, bool] = {task: task not in failed for task in dict.fromkeys(ran.task for ran in checks)}
    for function, state in progress.states.items():
        if function.task in done and not state.done and function not in progress.untried:
            done[function.task] = False
    Path(path).write_text(json.dumps(done), encoding="utf-8")


class Watch:
    """Follows one assignment.

    Args:
        folder: The assignment's, with the student's file.
        manifest: The assignment's, as read.
        arguments: Pytest's, for every run.
        task: The only task to follow; "" for the first that is not done, and then the next.
        fixed: What to run is chosen by `arguments` alone.
    """

    def __init__(
        self, folder: Path, manifest: Mapping, arguments: Sequence[str], *, task: str = "", fixed: bool = False
    ) -> None:
        self._folder, self._arguments = folder, list(arguments)
        self._only, self._fixed = task, fixed
        self._tasks = {entry["id"]: entry["title"] for entry in manifest["tasks"]}
        self._module = manifest.get("module") or f"{folder.name}.py"
        self._done: dict[str, bool] = {}
        self._quit = threading.Event()
        self._seen = self._digest()

    def follow(self) -> int:
        """Run until all is done, or until the student quits; the exit status."""
        threading.Thread(target=self._read_keys, daemon=True).start()
        try:
            while not self._quit.is_set():
                task = self._task_at_work()
                status = self._run(["--task", task] if task and not self._only else [])
                if status is None:  # quit, or saved meanwhile
                    continue
                if self._is_finished(task):
                    self._say("All public checks pass. Hidden checks run when you submit.")
                    return 0
                if task and self._done.get(task) and not self._only:
                    self._say(f"Task {task} is done: {self._tasks[task]}.")
                    continue
                if not self._fixed and not task and not self._only:
                    continue  # all were run to find the task at work
                self._say(
                    f"Watching {self._module}{f', task {task}' if task else ''}. Save it to run again; q and Enter to quit."
                )
                self._wait_for_a_save()
        except KeyboardInterrupt:
            pass
        self._say("Stopped watching.")
        return 0

    def _task_at_work(self) -> str:
        """The task to run; "" for all of them, which tells where the student is."""
        if self._only or self._fixed or not self._done:
            return self._only
        return next((task for task in self._tasks if not self._done.get(task, False)), "")

    def _is_finished(self, task: str) -> bool:
        return not task and not self._only and not self._fixed and all(self._done.get(id, False) for id in self._tasks)

    def _run(self, more: Sequence[str]) -> int | None:
        """The status of one run; None if it was broken off because of a save or of q."""
        with tempfile.TemporaryDirectory() as folder:
            state = Path(folder) / "state.json"
            self._clear()
            self._forget_bytecode()
            environment = {**os.environ, STATE: str(state)}
            command = [sys.executable, "-m", "pytest", *self._arguments, *more]
            process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, **_apart())
            try:
                why = self._attend(process)
            finally:
                _end(process)
            if why:
                self._say(why)
                return None
            with contextlib.suppress(OSError, ValueError):  # a run that crashed leaves none
                self._done |= json.loads(state.read_text(encoding="utf-8"))
                return process.returncode
            self._wait_after_a_crash(process.returncode)
            return None

    def _forget_bytecode(self) -> None:
        """Python takes bytecode for fresh if size and second agree: two quick saves of one length would run the first."""
        for path in self._folder.glob("*.py"):
            with contextlib.suppress(OSError):  # Windows: another program has it open
                Path(importlib.util.cache_from_source(path)).unlink(missing_ok=True)

    def _attend(self, process: subprocess.Popen) -> str:
        """Wait for a run; why it must be broken off, or empty."""
        begun = time.monotonic()
        while process.poll() is None:
            if self._quit.wait(LOOK_S):
                return "Broken off."
            if self._is_saved():
                return f"{self._module} was saved: running again."
            if time.monotonic() - begun > LIMIT_S:
                self._say(
                    f"Broken off after {LIMIT_S:g} s: is there a loop that does not end? Save to run again; q and Enter to quit."
                )
                self._wait_for_a_save()
                return " "
        return ""

    def _wait_after_a_crash(self, status: int) -> None:
        """A run without an end of its own, such as one that the operating system stopped."""
        self._say(
            f"The run ended without a result (status {status}). Save {self._module} to run again; q and Enter to quit."
        )
        self._wait_for_a_save()

    def _wait_for_a_save(self) -> None:
        while not self._quit.wait(LOOK_S) and not self._is_saved():
            pass

    def _is_saved(self) -> bool:
        """Whether a file has other contents than before, and the same at two looks: not half of them."""
        now = self._digest()
        if not now or now == self._seen:
            return False
        time.sleep(LOOK_S / 2)
        if self._digest() != now:
            return False
        self._seen = now
        return True

    def _digest(self) -> str:
        """Of the contents of the assignment's Python files; empty while one of them can't be read, as in a renaming."""
        total = hashlib.blake2b()
        try:
            for path in sorted(self._folder.glob("*.py")):
                total.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
            if not (self._folder / self._module).is_file():
                return ""
        except OSError:
            return ""
        return total.hexdigest()

    def _read_keys(self) -> None:
        """Wait for q and Enter. Read from the descriptor: a thread in `sys.stdin` would be in the way at the end."""
        held = b""
        with contextlib.suppress(OSError):
            while data := os.read(0, 1024):
                *lines, held = (held + data).split(b"\n")
                if any(line.strip().lower() in (b"q", b"quit", b"exit") for line in lines):
                    self._quit.set()
                    return

    def _clear(self) -> None:
        if sys.stdout.isatty():
            os.system("")  # noqa: S605, S607 - lets the Windows console read the next line
            sys.stdout.write("\x1b[2J\x1b[H")
        sys.stdout.flush()

    def _say(self, line: str) -> None:
        if line.strip():
            print(f"\n{line}", flush=True)


def _apart() -> dict[str, object]:
    """A run is ended as a whole, and Ctrl-C is for the one who watches."""
    if os.name == "posix":
        return {"start_new_session": True}
    return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}


def _end(process: subprocess.Popen) -> None:
    """End a run and what it has started; nothing happens if it has ended."""
    if process.poll() is None:
        with contextlib.suppress(OSError):
            if os.name == "posix":
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
    process.wait()


def without_watch(arguments: Iterable[str]) -> list[str]:
    """Pytest's arguments for a single run."""
    return [argument for argument in arguments if argument != "--watch"]
