"""The images' files without a Docker daemon: read by hadolint, and their entry point run where it stands on the CPU."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

DOCKER = Path(__file__).resolve().parent.parent.parent / "docker"
DOCKERFILES = sorted([*DOCKER.glob("Dockerfile"), *DOCKER.glob("*.Dockerfile")])
HADOLINT = Path(sys.executable).with_name("hadolint")


def instructions(path: Path) -> list[tuple[str, str]]:
    """A Dockerfile's instructions, each with what it says in one line."""
    text = re.sub(r"\\\n", " ", re.sub(r"^\s*#.*\n", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE))
    return [tuple(line.split(None, 1)) for line in text.splitlines() if line.strip()]


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_hadolint_has_no_complaint(path):
    """It reads the shell in RUN, too."""
    done = subprocess.run([str(HADOLINT), "--no-color", str(path)], capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_what_an_image_is_made_of(path):
    """Bases have a tag, no layer keeps what was fetched to install, and nothing is fetched by a name of its own."""
    said = instructions(path)
    bases = [text.partition("=")[2] for word, text in said if word == "ARG" and text.startswith("BASE=")]
    runs = [text for word, text in said if word == "RUN"]

    assert all(re.search(r":[\w.-]+$", base) and not base.endswith(":latest") for base in bases) and bases
    assert not any("apt-get install" in text and "rm -rf /var/lib/apt/lists" not in text for text in runs)
    assert not any("pip install" in text and "--no-cache-dir" not in text for text in runs)
    assert not any(re.search(r"\b(curl|wget|git clone)\b|--break-system-packages", text) for text in runs)
    assert {word for word, _ in said} <= {
        "ARG",
        "FROM",
        "RUN",
        "COPY",
        "ENTRYPOINT",
        "CMD",
    }  # no ENV that could hold a secret, no ADD


def test_the_base_for_a_gpu_is_the_same_wherever_it_is_named():
    """In the Dockerfile, the handout for staff and the compose file."""
    named = {
        image
        for path in (*DOCKERFILES, DOCKER / "README.md", DOCKER / "compose.yaml")
        for image in re.findall(r"nvidia/cuda:[\w.-]+", path.read_text(encoding="utf-8"))
    }

    assert len(named) == 1 and re.fullmatch(r"nvidia/cuda:\d+\.\d+\.\d+-base-ubuntu\d+\.\d+", named.pop())


def test_the_hidden_side_is_closed_and_the_entry_point_is_ours():
    """Workers are other users; root inside is the judge, which makes them."""
    said = instructions(DOCKER / "Dockerfile")

    assert ("ENTRYPOINT", '["/opt/gradkit/entrypoint"]') in said and ("CMD", '["doctor"]') in said
    last = [text for word, text in said if word == "RUN"][-1]
    assert "chmod -R go-rwx /opt/gradkit/kit/solutions" in last
    copied = [text.split()[-1] for word, text in said if word == "COPY"]
    assert copied.index("/opt/gradkit/kit/solutions") < len(copied) - 1  # what a change of the kit touches comes late


@pytest.fixture
def image(tmp_path, small_kit):
    """What the image has in /opt/gradkit, laid out with the small kit in it."""
    shutil.copy(DOCKER / "entrypoint.sh", tmp_path / "entrypoint")
    (tmp_path / "entrypoint").chmod(0o755)
    shutil.copytree(small_kit, tmp_path / "kit")
    (tmp_path / "kit" / "solutions").chmod(0o700)
    command = tmp_path / "venv" / "bin" / "gradkit"
    command.parent.mkdir(parents=True)
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m gradkit "$@"\n')
    command.chmod(0o755)

    def run(*words: str) -> subprocess.CompletedProcess:
        environment = {**os.environ, "COLUMNS": "200"}
        return subprocess.run(
            [str(tmp_path / "entrypoint"), *words],
            cwd="/",
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


def test_the_entry_point_hands_over_to_gradkit(image):
    """`doctor` of the kit that is beside it, from any folder; a path is a program of its own."""
    assert "1 assignments at" in image("doctor").stdout
    assert image("/bin/echo", "as", "Gradescope").stdout == "as Gradescope\n"
    assert image("no-such-command").returncode == 2


@pytest.mark.skipif(
    " /results " in Path("/proc/mounts").read_text() if Path("/proc/mounts").exists() else False,
    reason="/results is mounted here",
)
def test_results_that_would_be_lost_are_refused_before_anything_is_graded(image):
    """With the option to add; not where another place was named."""
    done = image("grade", "scaling", "/submissions")

    assert done.returncode == 2 and "results would be lost with the container: add -v" in done.stderr


def test_the_entry_point_grades(image, sandboxed, reference_source, tmp_path):
    """On the CPU, as on any base; what asks for a device that is not here is refused in a line."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "solved.py").write_text(reference_source, encoding="utf-8")

    done = image("grade", "scaling", str(tmp_path / "in"), "--out", str(tmp_path / "out"))

    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "out" / "solved" / "results.json").read_text(encoding="utf-8"))["score"] == 100
    if not Path("/dev/nvidiactl").exists():
        refused = image("grade", "scaling", str(tmp_path / "in"), "--out", str(tmp_path / "other"), "--device", "cuda")
        assert refused.returncode != 0 and "no NVIDIA device is here" in refused.stderr
