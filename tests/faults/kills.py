"""Kills the parts of a grader at random points of a batch, goes on with it, and looks whether anything was lost.

    python tests/faults/kills.py [--rounds 20] [--submissions 60] [--seed N]

A round grades a class afresh. Judges, zygotes and workers are killed (SIGKILL) again and again, then the grading process
itself; `--resume` goes on, under the same fire at first. What must hold:

- every submission has the score that it has when nobody is killed, and the tables are alike byte for byte;
- what was graded when the grading process died is not graded again;
- every JSON file in the results is whole whenever it is looked at, which a thread does all the time;
- no process and no half-written file is left.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from gradkit.manifest import load_assignment
from gradkit.mistakes import read_mistakes
from gradkit.scaffold import new_assignment
from gradkit.stubs import build_stub

KINDS = ("judge", "zygote", "worker")
ZYGOTE = "gradkit-zygote"
SEED = 7  # of the checks' inputs


class Broken(Exception):
    """Something that must hold does not."""


# --- the class -------------------------------------------------------------------------------------------------


def make_kit(root: Path) -> None:
    """A kit of the one assignment that `gradkit new` writes."""
    (root / "assignments").mkdir(parents=True)
    (root / "solutions").mkdir(mode=0o700)
    new_assignment(root, "scaling")


def make_class(kit: Path, folder: Path, count: int) -> list[Path]:
    """Submissions of every kind that ends the same way each time: right, wrong, unwritten, crashing, unreadable."""
    assignment = load_assignment(kit, "scaling")
    reference = assignment.reference.read_text(encoding="utf-8")
    mistakes = [mistake.submission(reference) for mistake in read_mistakes(assignment)]
    kinds = [
        reference,
        *mistakes,
        build_stub(assignment),
        f"{reference}\n\ndef centre(x):\n    import os; os._exit(3)\n",
        "def def",
    ]
    folder.mkdir()
    paths = []
    for number in range(count):
        paths.append(folder / f"s{number:03d}.py")
        # slow enough to be hit in the middle of something
        paths[-1].write_text(
            f"{kinds[number % len(kinds)]}\nimport time\ntime.sleep(0.02)\n# {number}\n", encoding="utf-8"
        )
    return paths


# --- processes -------------------------------------------------------------------------------------------------


def processes() -> Iterator[tuple[int, int, str]]:
    """Pid, parent and command line of every process."""
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = Path(f"/proc/{entry}/stat").read_text(encoding="utf-8", errors="replace")
                command = Path(f"/proc/{entry}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            except OSError:
                continue
            state, parent = stat.rpartition(")")[2].split()[:2]
            if state != "Z":
                yield int(entry), int(parent), command


def name_of(pid: int) -> str:
    """What a process calls itself; a zygote is forked, so that its command line is the judge's."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
    return ""


def below(top: int) -> dict[str, list[int]]:
    """Pids of the judges, zygotes and workers that descend from a process."""
    table = {pid: (parent, command) for pid, parent, command in processes()}

    def descends(pid: int) -> bool:
        while pid in table and pid != top:
            pid = table[pid][0]
        return pid == top

    found: dict[str, list[int]] = {kind: [] for kind in KINDS}
    for pid, (parent, command) in table.items():
        if pid == top or not descends(pid):
            continue
        if name_of(pid) == ZYGOTE:  # workers are called so too
            found["worker" if name_of(parent) == ZYGOTE else "zygote"].append(pid)
        elif "gradkit.judge.process" in command:
            found["judge"].append(pid)
    return found


# --- watching --------------------------------------------------------------------------------------------------


class Watch:
    """Reads every JSON file of the results again and again, while the round is on."""

    def __init__(self, out: Path) -> None:
        self.looks, self.broken = 0, ""
        self._out, self._ended = out, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._ended.wait(0.005):
            for path in [*self._out.glob("*/*.json"), *self._out.glob("*.json")]:
                self.check(path)

    def check(self, path: Path) -> None:
        try:
            json.loads(path.read_bytes())
            self.looks += 1
        except FileNotFoundError:
            pass
        except ValueError as error:
            self.broken = self.broken or f"{path}: {error}"

    def close(self) -> None:
        self._ended.set()
        self._thread.join()


def finished(out: Path) -> dict[str, int]:
    """The submissions that are graded to the end, with the inode of their record: another write gives another."""
    found = {}
    for path in out.glob("*/graded.json"):
        content = json.loads(path.read_bytes())
        if content["complete"] and content["status"] == "graded":
            found[path.parent.name] = path.stat().st_ino
    return found


# --- a round ---------------------------------------------------------------------------------------------------


def grade(kit: Path, files: list[Path], out: Path, *more: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "gradkit", "grade", "scaling", *map(str, files), "--root", str(kit)]
    command += ["--out", str(out), "--seed", str(SEED), "--jobs", "2", *more]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def under_fire(
    process: subprocess.Popen, out: Path, rng: random.Random, kills: Counter, until: Callable[[], bool]
) -> None:
    """Kill parts of a grader at random moments until it ends or `until` says so.

    Most shots wait for some progress since the last, or a busy machine would only ever start judges; a few do not.
    """

    def over() -> bool:
        return process.poll() is not None or until()

    while not over():
        kind = rng.choice(KINDS)
        aim = len(list(out.glob("*/graded.json"))) + (rng.randrange(1, 8) if rng.random() < 0.9 else 0)
        while len(list(out.glob("*/graded.json"))) < aim and not over():
            time.sleep(0.02)
        time.sleep(rng.uniform(0, 0.3))
        gone_by = time.monotonic() + 2
        while not over() and time.monotonic() < gone_by:
            targets = below(process.pid)[kind]
            if targets:
                try:
                    os.kill(rng.choice(targets), signal.SIGKILL)
                    kills[kind] += 1
                    break
                except ProcessLookupError:
                    pass  # it was done just then


def drained(process: subprocess.Popen) -> list[str]:
    """Read what a process says, in the background, so that it never waits for a reader."""
    said: list[str] = []
    threading.Thread(target=lambda: said.extend(process.stderr), daemon=True).start()
    return said


def play(kit: Path, files: list[Path], out: Path, rng: random.Random, expected: bytes) -> Counter:
    """One round.

    Raises:
        Broken: With what does not hold.
    """
    kills: Counter = Counter()
    watch = Watch(out)
    try:
        dies_at = rng.randrange(len(files) // 6, len(files) * 5 // 6)
        first = grade(kit, files, out)
        said = drained(first)
        under_fire(first, out, rng, kills, lambda: len(list(out.glob("*/graded.json"))) >= dies_at)
        tree = below(first.pid)
        if first.poll() is None:
            first.kill()
            kills["grading process"] += 1
        elif first.returncode not in (0, 1):
            raise Broken(f"the run ended with {first.returncode}: {''.join(said)[-500:]}")
        else:
            kills["gave up"] += 1
            print("gave up:", said[-1].strip(), flush=True)
        first.wait()
        done = finished(out)
        kills["kept"] = len(done)

        second = grade(kit, files, out, "--resume")
        said = drained(second)
        shots = rng.randrange(1, 4)
        begun = sum(kills.values())
        under_fire(second, out, rng, kills, lambda: sum(kills.values()) - begun >= shots)
        if second.wait(600) not in (0, 1):
            raise Broken(f"--resume ended with {second.returncode}: {''.join(said)[-500:]}")
        if second.returncode == 1:  # something was hit too often; it is not graded, and nothing is lost
            kills["third run"] += 1
        third = grade(kit, files, out, "--resume")
        said = drained(third)
        if third.wait(600) != 0:
            raise Broken(f"the last --resume ended with {third.returncode}: {''.join(said)[-500:]}")
    finally:
        watch.close()
    kills["looks"] = watch.looks
    if watch.broken:
        raise Broken(f"not whole: {watch.broken}")
    now = finished(out)
    if again := [name for name, inode in done.items() if now.get(name) != inode]:
        raise Broken(f"graded twice: {again}")
    if (out / "grades.csv").read_bytes() != expected:
        raise Broken(f"the table is another: {out / 'grades.csv'}")
    if half := [path for path in out.rglob(".*") if path.is_file()]:
        raise Broken(f"left half-written: {half}")
    gone_by = time.monotonic() + 60
    pids = [pid for kind in KINDS for pid in tree[kind]]
    while left := [pid for pid, _, command in processes() if pid in pids and "gradkit" in command]:
        if time.monotonic() > gone_by:
            raise Broken(f"processes {left} of the grader that was killed are left")
        time.sleep(0.2)
    return kills


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--submissions", type=int, default=60)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    options = parser.parse_args()
    print(f"{options.rounds} rounds of {options.submissions} submissions; --seed {options.seed}", flush=True)
    rng = random.Random(options.seed)
    folder = Path(tempfile.mkdtemp(prefix="kills-"))
    kit = folder / "kit"
    make_kit(kit)
    files = make_class(kit, folder / "class", options.submissions)
    undisturbed = grade(kit, files, folder / "undisturbed")
    said = drained(undisturbed)
    if undisturbed.wait(600) != 0:
        sys.exit(f"an undisturbed run fails: {''.join(said)[-500:]}")
    expected = (folder / "undisturbed" / "grades.csv").read_bytes()
    total: Counter = Counter()
    for number in range(1, options.rounds + 1):
        out = folder / f"round-{number}"
        begun = time.monotonic()
        try:
            kills = play(kit, files, out, rng, expected)
        except Broken as error:
            sys.exit(f"round {number}: {error}\nkept for looking: {folder}")
        total += kills
        counts = ", ".join(f"{kills[kind]} {kind}" for kind in (*KINDS, "grading process"))
        print(
            f"round {number}: killed {counts}; {kills['kept']} kept; {time.monotonic() - begun:.0f} s",
            flush=True,
        )
        shutil.rmtree(out)
    shutil.rmtree(folder)
    counts = ", ".join(f"{total[kind]} times a {kind}" for kind in (*KINDS, "grading process"))
    print(f"killed {counts}; {total['third run']} rounds needed a third run")
    print(f"{total['kept']} grades kept over a kill of the grading process, none given twice; none lost")
    print(f"{total['looks']:,} JSON files read meanwhile, each whole")


if __name__ == "__main__":
    main()
