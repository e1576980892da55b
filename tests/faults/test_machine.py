"""A machine that fails: a full disk, a read-only one, no more processes. Nobody gets a zero for it, and nothing is lost."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from gradkit.errors import ZygoteError

ROOT = Path(__file__).resolve().parent.parent.parent
NOBODY = 65534


@contextlib.contextmanager
def small_disk(folder: Path, size: str):
    """A file system of its own at `folder`."""
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True, text=True
    )
    if done.returncode != 0:
        pytest.skip(f"not run: no file system can be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture
def submissions(tmp_path, reference_source):
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(1, 5):
        (folder / f"student{number:02}.py").write_text(reference_source, encoding="utf-8")
    return folder


def whole_results(out: Path) -> dict[str, float]:
    """The scores of every results.json, each of which must be whole."""
    return {
        path.parent.name: json.loads(path.read_text(encoding="utf-8"))["score"] for path in out.rglob("results.json")
    }


@pytest.mark.skipif(os.geteuid() != 0, reason="not run: only root may mount")
def test_a_full_disk_stops_the_run_and_resume_goes_on(gradkit, small_kit, submissions, sandboxed, tmp_path):
    """One line names the file; no truncated JSON; with room again, the rest is graded."""
    out = tmp_path / "out"
    out.mkdir()
    with small_disk(out, "24k"):
        full = gradkit("grade", "scaling", submissions, "--out", out, "--root", small_kit)
        first = whole_results(out)
        kept = tmp_path / "kept"
        shutil.copytree(out, kept)
    resumed = gradkit("grade", "scaling", submissions, "--out", kept, "--root", small_kit, "--resume")

    assert full.returncode == 2 and "No space left" in full.stderr and "Traceback" not in full.stderr
    assert len(first) < 5
    assert resumed.returncode == 0, resumed.stderr
    assert whole_results(kept) == {f"student{number:02}": 100 for number in range(1, 5)}


@pytest.mark.skipif(os.geteuid() != 0, reason="not run: only root may mount")
def test_a_read_only_disk_is_named_before_anything_is_graded(gradkit, small_kit, submissions, sandboxed, tmp_path):
    """Exit code 2 and one line."""
    out = tmp_path / "out"
    out.mkdir()
    with small_disk(out, "1m"):
        subprocess.run(["mount", "-o", "remount,ro", out], check=True)
        done = gradkit("grade", "scaling", submissions, "--out", out, "--root", small_kit)

    assert done.returncode == 2 and "Read-only file system" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="not run: only root may become another user")
@pytest.mark.parametrize("processes", [1, 3, 6])
def test_a_machine_out_of_processes_gives_no_zero(small_kit, reference_source, sandboxed, processes):
    """Whatever part can't be started, the submission is not graded, or the run says so: never 0 of 100."""
    top = Path(tempfile.mkdtemp(prefix="gradkit-test-", dir="/var/tmp"))
    try:
        top.chmod(0o755)
        shutil.copytree(small_kit, top / "kit")
        (top / "student01.py").write_text(reference_source, encoding="utf-8")
        (top / "out").mkdir()
        user = 57_000 + os.getpid() % 900  # one that has no other process
        for folder, _, files in os.walk(top):
            for name in ("", *files):
                os.chown(os.path.join(folder, name), user, user)
        done = subprocess.run(
            [sys.executable, "-m", "gradkit", "grade", "scaling", top / "student01.py", "--out", top / "out", "--root", top / "kit"],
            cwd=ROOT, capture_output=True, text=True, timeout=120, user=user, group=user, extra_groups=[],
            env={"PATH": "/usr/bin:/bin", "HOME": str(top), "LANG": "C.UTF-8", "OMP_NUM_THREADS": "1"},
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NPROC, (processes, processes)),
        )  # fmt: skip
        graded = [json.loads(path.read_text(encoding="utf-8")) for path in (top / "out").rglob("results.json")]
    finally:
        shutil.rmtree(top)

    for results in graded:
        assert results["score"] == 100 or results["extra_data"]["status"] == "not_graded" or not results["extra_data"]["complete"]  # fmt: skip
    assert done.returncode != 0 or [results["score"] for results in graded] == [100]


@pytest.mark.parametrize("path", sorted((ROOT / "autograder").rglob("*.py")), ids=lambda path: path.name)
def test_no_deadline_is_kept_by_a_clock_that_can_be_set(path):
    """`time.time` and `datetime.now` jump with the machine's clock; deadlines and durations use the monotonic one."""
    calls = [node.func for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]  # fmt: skip
    names = {
        f"{call.value.id}.{call.attr}"
        for call in calls
        if isinstance(call, ast.Attribute) and isinstance(call.value, ast.Name)
    }

    # A file's age is told by the clock that stamped it; see `sweep_scratch`.
    allowed = {"time.time"} if path.name == "judges.py" else set()
    assert not names & {"time.time", "datetime.now", "datetime.utcnow"} - allowed


@pytest.mark.parametrize("failing", ["os.chown", "tempfile.mkdtemp", "os.memfd_create", "subprocess.run"])
def test_a_failure_of_the_graders_own_is_nobodys_zero(
    small_kit, reference_source, sandboxed, monkeypatch, tmp_path, failing
):
    """No right, no room, no descriptor, no process: in the judge each is an error of the grader's."""
    from gradkit.judge import isolation
    from gradkit.judge.bytecode import Bytecode
    from gradkit.judge.deadlines import Patience
    from gradkit.judge.subjects import Session
    from gradkit.judge.submissions import SubmissionSubject
    from gradkit.judge.zygotes import Zygote
    from gradkit.manifest import load_assignment
    from gradkit.worker import sandbox

    chosen = isolation.choose(sandbox.probe())
    if failing == "os.chown" and chosen.level != "separate-user":
        pytest.skip("not run: folders are handed over only where workers have users of their own")
    tmp_path.chmod(0o711)
    for folder in tmp_path.parents:
        if folder.stat().st_uid == os.getuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o011)
    module = tmp_path / "scaling.py"
    module.write_text(f"{reference_source}\n\ndef spin():\n    while True:\n        pass\n", encoding="utf-8")
    manifest = load_assignment(small_kit, "scaling").manifest
    with contextlib.closing(Zygote(manifest, chosen, tmp_path)) as zygote:
        patience = Patience(manifest.timeout_s, lambda name: {name})
        subject = SubmissionSubject(zygote, module, patience, Bytecode(module))
        subject.begin_case(0.0, alone=False)
        theirs = Session(subject).module

        def fail(*args, **kwargs):
            raise PermissionError(1, "Operation not permitted")

        if failing == "subprocess.run":  # looked at while a worker is at work
            spin = theirs.spin
        monkeypatch.setattr(failing, fail)
        with pytest.raises(ZygoteError, match="the grader's own PermissionError"):
            if failing == "subprocess.run":
                spin()
            else:
                theirs.centre
        monkeypatch.undo()
        subject.close()
