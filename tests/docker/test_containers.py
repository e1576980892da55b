"""Grading inside real containers: the same grades, the same attacks stopped, and a refusal where nothing isolates.

Not run where there is no Docker daemon and none can be started. The tests of the image need one that was built.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest
from containers import HARDENED, WITHOUT_FILTERS, WITHOUT_LANDLOCK, daemon

CORPUS = Path(__file__).parent.parent / "attacks" / "corpus"
CHOSEN = (
    "a04_write_results",
    "a38_grader_source",
    "a48_sockets",
    "a57_fork_bomb",
    "a60_disk_fill",
    "a67_kill_all",
)
IMAGE = os.environ.get("GRADKIT_IMAGE", "gradkit:cpu")


@pytest.fixture(scope="module")
def docker():
    try:
        with daemon() as found:
            yield found
    except RuntimeError as error:
        pytest.skip(f"not run: {error}")


@pytest.fixture
def shared_folder(small_kit):
    """A copy of the small kit with submissions and a place for results, seen alike inside and outside."""
    top = Path(tempfile.mkdtemp(prefix="gradkit-test-", dir="/var/tmp"))
    top.chmod(0o755)
    shutil.copytree(small_kit, top / "kit")
    (top / "kit" / "solutions").chmod(0o700)
    for name in ("in", "out"):
        (top / name).mkdir()
    yield top
    shutil.rmtree(top)


def grade(docker, top: Path, **container: object):
    """Grade `top/in`; what was said, and results.json by submission."""
    command = [sys.executable, "-m", "gradkit", "grade", "scaling", str(top / "in"), "--out", str(top / "out"), "--root", str(top / "kit")]  # fmt: skip
    done = docker.run(command, writable=[top], **container)
    found = {
        path.parent.name: json.loads(path.read_text(encoding="utf-8")) for path in (top / "out").glob("*/results.json")
    }
    return done, found


@pytest.mark.parametrize(
    "container",
    [{}, {"options": HARDENED}, {"profile": WITHOUT_LANDLOCK}],
    ids=["default", "hardened", "no Landlock"],
)
def test_grades_are_those_of_any_other_place(docker, shared_folder, reference_source, container):
    """The reference gets full marks beside attacks that get nothing, and the row says where it was."""
    (shared_folder / "in" / "reference.py").write_text(reference_source, encoding="utf-8")
    for name in CHOSEN:
        attack = (CORPUS / f"{name}.py").read_text(encoding="utf-8")
        (shared_folder / "in" / f"{name}.py").write_text(f"{reference_source}\n\n{attack}", encoding="utf-8")

    done, results = grade(docker, shared_folder, **container)

    assert done.returncode == 0, done.stderr
    assert results.pop("reference")["score"] == 100
    assert {name: result["score"] for name, result in results.items()} == dict.fromkeys(CHOSEN, 60)
    assert "isolation: separate-user" in done.stdout
    assert ("no Landlock" in done.stdout) == (container.get("profile") == WITHOUT_LANDLOCK)


@pytest.mark.parametrize(
    ("container", "reason"),
    [
        ({"profile": WITHOUT_FILTERS}, "refuses system-call filters"),
        ({"options": ["--cap-drop=SETUID", "--cap-drop=SETGID"]}, "may not change its user"),
    ],
    ids=["no filters", "one user"],
)
def test_a_container_that_isolates_nothing_is_refused(docker, shared_folder, reference_source, container, reason):
    """One line that says why and where to grade instead; no score."""
    (shared_folder / "in" / "reference.py").write_text(reference_source, encoding="utf-8")

    done, results = grade(docker, shared_folder, **container)

    assert done.returncode == 1 and reason in done.stderr and not results


@pytest.mark.parametrize("missing", ["CHOWN", "KILL", "DAC_OVERRIDE"])
def test_a_container_that_lets_the_judge_do_too_little_gives_no_zero(docker, shared_folder, reference_source, missing):
    """Where it can't do its work the submission is not graded, for the grader's own reason."""
    (shared_folder / "in" / "reference.py").write_text(reference_source, encoding="utf-8")

    done, results = grade(docker, shared_folder, options=[f"--cap-drop={missing}"])

    (result,) = results.values()
    assert result["score"] == 100 or (result["extra_data"]["status"], done.returncode) == ("not_graded", 1)


def test_open_solutions_without_landlock_are_refused(docker, shared_folder, reference_source):
    """The command that closes them is named."""
    (shared_folder / "in" / "reference.py").write_text(reference_source, encoding="utf-8")
    for folder in (".", "solutions", "solutions/scaling"):
        (shared_folder / "kit" / folder).chmod(0o755)

    done, results = grade(docker, shared_folder, profile=WITHOUT_LANDLOCK)

    assert done.returncode == 1 and "chmod 700" in done.stderr and not results


ALL = ["in:/submissions:ro", "out:/results"]


@pytest.fixture
def image(docker):
    if docker.client("image", "inspect", IMAGE, check=False).returncode != 0:
        pytest.skip(f"not run: no image {IMAGE}: build it as docker/README.md says, or name one in GRADKIT_IMAGE")
    return IMAGE


@pytest.fixture
def handed_in(shared_folder):
    """bpe's reference and stub as two submissions."""
    root = Path(__file__).resolve().parent.parent.parent
    for name, source in (("solved", "solutions"), ("stub", "assignments")):
        (shared_folder / "in" / name).mkdir()
        shutil.copy(root / source / "bpe" / "bpe.py", shared_folder / "in" / name)
    return shared_folder


def test_the_image_grades_a_mounted_folder(docker, image, handed_in):
    """The README's command, hardened: results in the other mount."""
    volumes = [f"--volume={handed_in}/in:/submissions:ro", f"--volume={handed_in}/out:/results"]

    done = docker.client("run", "--rm", "--network=none", *HARDENED, *volumes, image, "grade", "bpe", "/submissions", check=False)  # fmt: skip

    assert done.returncode == 0, done.stderr
    scores = {
        name: json.loads((handed_in / "out" / name / "results.json").read_text())["score"]
        for name in ("solved", "stub")
    }
    assert scores == {"solved": 100, "stub": 0}


def test_the_image_runs_as_gradescope_runs_it(docker, image, handed_in):
    """The submission and the results mounted where Gradescope has them."""
    volumes = [
        f"--volume={handed_in}/in/solved:/autograder/submission",
        f"--volume={handed_in}/out:/autograder/results",
    ]

    done = docker.client("run", "--rm", "--network=none", *volumes, "--env=GRADKIT_ASSIGNMENT=bpe", image, "/autograder/run_autograder", check=False)  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert json.loads((handed_in / "out" / "results.json").read_text())["score"] == 100


@pytest.mark.parametrize(
    ("volumes", "command", "complaint"),
    [
        (ALL, ["grade", "nothing", "/submissions"], "no assignment called 'nothing'"),
        (["in:/submissions:ro", "out:/results:ro"], ["grade", "bpe", "/submissions"], "/results"),
        (["out:/results"], ["grade", "bpe", "/submissions"], "/submissions"),
        (["in:/submissions:ro"], ["grade", "bpe", "/submissions"], "results would be lost"),
        (ALL, ["grade", "bpe", "/submissions", "--device", "cuda"], "no NVIDIA device"),
        (ALL, ["grade", "bpe", "/submissions", "--scheduler", "tcp://127.0.0.1:9"], "127.0.0.1:9"),
    ],
    ids=["unknown assignment", "read-only results", "no submissions", "no results", "no GPU", "no scheduler"],
)
def test_a_wrong_run_is_told_in_a_line(docker, image, handed_in, volumes, command, complaint):
    """Exit code 2, and what to do."""
    mounts = [f"--volume={handed_in}/{volume}" for volume in volumes]

    done = docker.client("run", "--rm", "--network=none", *mounts, image, *command, check=False)

    assert done.returncode == 2 and complaint in done.stderr, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
