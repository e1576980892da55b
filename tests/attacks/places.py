"""Runs the whole corpus in every place of the isolation table that this machine can show, and prints what came of it.

    python tests/attacks/places.py            needs root; containers need Docker or dockerd, bubblewrap its package

Each row is a run of `test_attacks.py` there. An attack succeeds when it gets an outcome that its file does not allow it,
leaks when a secret or an ESCAPED is told to anyone, and survives when a process of a worker is left.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "docker"))

from containers import HARDENED, WITHOUT_FILTERS, WITHOUT_LANDLOCK, Docker, daemon  # noqa: E402

NOBODY = 65534
Run = Callable[[list[str], Path], subprocess.CompletedProcess]
ORDINARY: list[Run] = []  # the runs of an ordinary user, whose workers have no user of their own


def pytest_command(report: Path) -> list[str]:
    options = [
        "-q",
        "-p",
        "no:cacheprovider",
        f"--junitxml={report}",
        f"--basetemp={report.parent}/temporary",
    ]
    return [sys.executable, "-B", "-m", "pytest", "tests/attacks/test_attacks.py", *options]


def as_root(command: list[str], folder: Path) -> subprocess.CompletedProcess:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def as_nobody(path: str) -> Run:
    """An ordinary user, whose PATH has bubblewrap or has not."""

    def run(command: list[str], folder: Path) -> subprocess.CompletedProcess:
        os.chown(folder, NOBODY, NOBODY)
        environment = {"PATH": path, "HOME": str(folder), "TMPDIR": str(folder), "LANG": "C.UTF-8"}
        return subprocess.run(
            command, cwd=ROOT, env=environment, user=NOBODY, group=NOBODY, extra_groups=[], capture_output=True, text=True
        )  # fmt: skip

    ORDINARY.append(run)
    return run


def in_container(docker: Docker, *, options: Sequence[str] = (), profile: str = "") -> Run:
    def run(command: list[str], folder: Path) -> subprocess.CompletedProcess:
        return docker.run(command, options=options, profile=profile, writable=[folder])

    return run


def left_processes() -> int:
    """Workers of an ordinary user that are still there."""
    count = 0
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if entry.stat().st_uid == NOBODY and (entry / "comm").read_text().strip() == "gradkit-zygote":
                count += 1
        except OSError:
            pass
    return count


def row(place: str, run: Run) -> str:
    # Not in /tmp, which a hardened container replaces.
    folder = Path(tempfile.mkdtemp(prefix="gradkit-places-", dir="/var/tmp"))
    folder.chmod(0o755)
    try:
        begun = time.monotonic()
        done = run(pytest_command(folder / "report.xml"), folder)
        elapsed_s = time.monotonic() - begun
        if not (folder / "report.xml").exists():
            return f"| {place} | not run: {(done.stderr or done.stdout).strip().splitlines()[-1][:120]} | | | | |"
        cases = [
            case
            for case in ElementTree.parse(folder / "report.xml").iter("testcase")
            if case.get("name").startswith("test_attack_gains_nothing")
        ]
        skipped = [case.find("skipped").get("message") for case in cases if case.find("skipped") is not None]
        if len(skipped) == len(cases):
            return f"| {place} | refused: {skipped[0].removeprefix('not run: ').split('. ')[0]} | 0 | | | |"
        cases = [case for case in cases if case.find("skipped") is None]
        facts = [{one.get("name"): one.get("value") for one in case.iter("property")} for case in cases]
        failed = [case.get("name") for case in cases if list(case.iter("failure")) or list(case.iter("error"))]
        total = {name: sum(int(fact.get(name, 0)) for fact in facts) for name in ("succeeded", "leaked", "survivors")}
        if run in ORDINARY:  # there the tests can't tell whose a process is
            total["survivors"] += left_processes()
        note = f"; failed: {', '.join(failed)}" if failed else ""
        return (
            f"| {place} | {facts[0].get('isolation', '?')} | {len(cases)} | {total['succeeded']} | {total['leaked']} | "
            f"{total['survivors']} | {elapsed_s:.0f} s{note}"
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    if os.geteuid() != 0:
        sys.exit("places.py: run it as root: it becomes an ordinary user by itself")
    without_bwrap = Path(tempfile.mkdtemp(prefix="gradkit-path-", dir="/var/tmp"))
    without_bwrap.chmod(0o755)
    print("| place | isolation | attacks | succeeded | leaked | survivors |\n| --- | --- | --- | --- | --- | --- |")
    print(row("root", as_root), flush=True)
    if shutil.which("bwrap"):
        print(row("ordinary user, bubblewrap", as_nobody("/usr/bin:/bin")), flush=True)
    print(row("ordinary user, no bubblewrap", as_nobody(str(without_bwrap))), flush=True)
    without_bwrap.rmdir()
    try:
        with daemon() as docker:
            print(row("root, default container", in_container(docker)), flush=True)
            print(
                row("root, container, no Landlock", in_container(docker, profile=WITHOUT_LANDLOCK)),
                flush=True,
            )
            print(row("root, hardened container", in_container(docker, options=HARDENED)), flush=True)
            print(
                row("root, container, no system-call filter", in_container(docker, profile=WITHOUT_FILTERS)),
                flush=True,
            )
            print(
                row(
                    "root, container that may not change users",
                    in_container(docker, options=["--cap-drop=SETUID", "--cap-drop=SETGID"]),
                ),
                flush=True,
            )
    except RuntimeError as error:
        print(f"| containers | not run: {error} | | | | |")


if __name__ == "__main__":
    main()
