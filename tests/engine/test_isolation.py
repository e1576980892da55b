"""Every level of isolation that this machine can show grades alike, says which it is, and is refused where there is none."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from gradkit.errors import IsolationError
from gradkit.judge import isolation
from gradkit.worker.sandbox import Capabilities, probe

NOBODY = 65534
ATTACKS = Path(__file__).parent.parent / "attacks" / "corpus"
# One of each kind that an ordinary user's sandbox has to stop by itself.
CHOSEN = (
    "a04_write_results",
    "a36_proc_environ",
    "a38_grader_source",
    "a44_shm_scan",
    "a48_sockets",
    "a51_exec_shell",
    "a57_fork_bomb",
    "a65_daemon",
    "a67_kill_all",
)


def linux(**found: object) -> Capabilities:
    return Capabilities("Linux", "x86_64", machine_supported=True, **found)


@pytest.mark.parametrize(
    ("capabilities", "level"),
    [
        (linux(root=True, can_change_uid=True, landlock_abi=7, seccomp=True), "separate-user"),
        (linux(root=True, can_change_uid=True, landlock_abi=0, seccomp=True), "separate-user"),
        (linux(root=True, can_change_uid=False, landlock_abi=7, seccomp=True), "none"),
        (linux(root=True, can_change_uid=True, landlock_abi=7, seccomp=False), "none"),
        (
            linux(landlock_abi=4, seccomp=True, bubblewrap="/usr/bin/bwrap", bubblewrap_works=True),
            "bubblewrap",
        ),
        (linux(landlock_abi=0, seccomp=True, bubblewrap="/usr/bin/bwrap", bubblewrap_works=True), "none"),
        (linux(landlock_abi=6, seccomp=True), "same-user"),
        (linux(landlock_abi=5, seccomp=True), "none"),
        (Capabilities("Linux", "riscv64", seccomp=True, root=True, can_change_uid=True), "none"),
        (Capabilities("Darwin", "arm64"), "none"),
        (Capabilities("Windows", "AMD64"), "none"),
    ],
)
def test_the_strongest_level_is_chosen(capabilities, level):
    """What a machine gives decides the level; anything missing that a level needs is a step down, or a refusal."""
    assert isolation.choose(capabilities).level == level


def test_where_nothing_isolates_hidden_checks_are_refused_with_a_way_out():
    """One line that says where to grade instead; nothing runs with less."""
    with pytest.raises(IsolationError, match=r"hidden checks are not run here: no sandbox for Darwin.*Grade on Linux"):
        isolation.require(isolation.choose(Capabilities("Darwin", "arm64")), [])


@pytest.mark.parametrize(
    ("level", "at_least", "refused"),
    [
        ("separate-user", "separate-user", False),
        ("bubblewrap", "separate-user", True),
        ("same-user", "bubblewrap", True),
        ("same-user", "same-user", False),
        ("same-user", "", False),
    ],
)
def test_less_isolation_than_required_is_refused(level, at_least, refused):
    """The levels have an order, and the refusal names both."""
    chosen = isolation.Isolation(level, 7, True)
    if not refused:
        isolation.require(chosen, [], at_least=at_least)
        return
    with pytest.raises(IsolationError, match=f"{at_least} is required.*{level}"):
        isolation.require(chosen, [], at_least=at_least)


def test_without_landlock_open_solutions_are_refused(tmp_path_factory):
    """Files are then kept by mode alone, so a folder that anybody may read is named, with the command that closes it."""
    solutions = Path(tempfile.mkdtemp(dir="/var/tmp" if os.path.isdir("/var/tmp") else None))
    solutions.chmod(0o755)
    no_landlock = isolation.Isolation("separate-user", 0, True)
    try:
        with pytest.raises(IsolationError, match="chmod 700"):
            isolation.require(no_landlock, [solutions])
        solutions.chmod(0o700)
        isolation.require(no_landlock, [solutions])
    finally:
        solutions.rmdir()


@pytest.fixture(scope="module")
def open_kit(small_kit):
    """A copy of the small kit that belongs to nobody, in a folder that nobody may enter."""
    top = Path(tempfile.mkdtemp(prefix="gradkit-test-", dir="/var/tmp"))
    top.chmod(0o755)
    shutil.copytree(small_kit, top / "kit")
    (top / "in").mkdir()
    for folder, _, files in os.walk(top):
        os.chown(folder, NOBODY, NOBODY)
        for name in files:
            os.chown(os.path.join(folder, name), NOBODY, NOBODY)
    yield top
    shutil.rmtree(top)


def grade_as_nobody(top: Path, submissions: dict[str, str], path: str) -> dict[str, dict]:
    """Grade sources as an ordinary user; results.json by name."""
    for name, source in submissions.items():
        (top / "in" / f"{name}.py").write_text(source, encoding="utf-8")
    out = Path(tempfile.mkdtemp(dir=top))
    os.chown(out, NOBODY, NOBODY)
    command = [
        sys.executable,
        "-m",
        "gradkit",
        "grade",
        "scaling",
        *(str(top / "in" / f"{name}.py") for name in submissions),
    ]
    command += ["--out", str(out / "out"), "--root", str(top / "kit")]
    environment = {"PATH": path, "HOME": str(top), "LANG": "C.UTF-8"}
    done = subprocess.run(
        command,
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        env=environment,
        cwd=top,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return {name: json.loads((out / "out" / name / "results.json").read_text(encoding="utf-8")) for name in submissions}


@pytest.mark.parametrize("level", ["bubblewrap", "same-user"])
@pytest.mark.usefixtures("sandboxed")
def test_an_ordinary_user_grades_with_the_same_score_and_stops_the_same_attacks(
    open_kit, reference_source, level, tmp_path
):
    """Both levels give the reference 100, and each attack of the sample nothing for the attacked task."""
    if os.geteuid() != 0:
        pytest.skip("not run: only root can become another user")
    if isolation.unreadable_ancestor(Path(sys.prefix)):
        pytest.skip("not run: another user can't read this environment")
    if level == "bubblewrap" and not probe().bubblewrap_works:
        pytest.skip("not run: bubblewrap is not installed or does not work here")
    path = "/usr/bin:/bin" if level == "bubblewrap" else str(tmp_path / "no-bubblewrap-here")
    attacks = {name: f"{reference_source}\n\n{(ATTACKS / f'{name}.py').read_text(encoding='utf-8')}" for name in CHOSEN}

    got = grade_as_nobody(open_kit, {"reference": reference_source, **attacks}, path)

    assert got["reference"]["score"] == 100
    for name, result in got.items():
        assert result["extra_data"]["isolation"]["level"] == level
        assert "ESCAPED" not in json.dumps(result), name
        if name != "reference":
            assert result["score"] == 60, name
