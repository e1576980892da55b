"""What is asked of nvidia-smi, with a stand-in for it; and what a judge gets of the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradkit.devices import VideoMemory, used_mib
from gradkit.errors import GradkitError, InputError
from gradkit.judges import LocalJudges
from gradkit.judge.isolation import clean_environment


@pytest.fixture
def nvidia_smi(tmp_path, monkeypatch):
    """Put a program of that name first on the PATH; it notes its arguments and prints what it is told to."""
    place = tmp_path / "bin"
    place.mkdir()
    monkeypatch.setenv("PATH", f"{place}:/usr/bin:/bin")

    def answers(text: str, status: int = 0) -> Path:
        (place / "answer").write_text(text)
        program = place / "nvidia-smi"
        program.write_text(f'#!/bin/sh\necho "$@" > {place}/asked\ncat {place}/answer\nexit {status}\n')
        program.chmod(0o755)
        return place

    return answers


def test_the_first_visible_device_is_asked_for(nvidia_smi, monkeypatch):
    """Workers put tensors on the first device they see."""
    place = nvidia_smi("1234\n")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,1")

    assert used_mib() == 1234
    assert (place / "asked").read_text().split() == [
        "--query-gpu=memory.used",
        "--format=csv,noheader,nounits",
        "-i",
        "3",
    ]


@pytest.mark.parametrize(
    ("text", "status", "said"),
    [
        ("[N/A]\n", 0, r"says \[N/A\]"),
        ("No devices were found\n", 6, "No devices were found"),
        ("", 0, "failed"),
    ],
)
def test_what_is_no_number_is_said(nvidia_smi, text, status, said):
    """A slice of a device has no such figure; nobody takes that for 0."""
    nvidia_smi(text, status)

    with pytest.raises(GradkitError, match=said):
        used_mib()
    assert "not looked at between submissions" in VideoMemory().fault


def test_memory_that_is_not_given_back_ends_the_run(nvidia_smi):
    """A little more is the driver's; what stays is said in figures, with what to do."""
    nvidia_smi("500\n")
    memory = VideoMemory(within_s=0.1)
    nvidia_smi("540\n")
    memory.wait_until_free()
    nvidia_smi("1500\n")

    with pytest.raises(
        GradkitError, match="1000 MiB more video memory than at the start .* nvidia-smi shows by what"
    ):
        memory.wait_until_free()


def test_one_device_grades_one_submission_at_a_time():
    """Two would share its memory and its time."""
    with pytest.raises(InputError, match="--jobs 2: a device grades one submission at a time"):
        LocalJudges(Path(), "scaling", device="cuda", jobs=2)


def test_a_judge_gets_nothing_of_the_environment_that_it_does_not_need(monkeypatch):
    """A grading machine's keys and a cluster's tokens stay where they are."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("DASK_DISTRIBUTED__COMM__TLS__CLIENT__KEY", "secret")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")

    given = clean_environment(Path("/scratch"))

    assert "secret" not in given.values()
    assert given["CUDA_VISIBLE_DEVICES"] == "1" and given["HOME"] == "/scratch"
