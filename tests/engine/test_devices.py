"""What is asked of nvidia-smi, with a stand-in for it; and what a judge gets of the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradkit.devices import VideoMemory, used_mib
from gradkit.errors import GradkitError, InputError
from gradkit.judge import isolation
from gradkit.judge.isolation import clean_environment
from gradkit.judges import LocalJudges
from gradkit.model import CaseResult, Check, CheckResult, Graded, Outcome
from gradkit.prices import matrix
from gradkit.verify import Report, Variant
from gradkit.worker import sandbox


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

    with pytest.raises(GradkitError, match="1000 MiB more video memory than at the start .* nvidia-smi shows by what"):
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


def test_of_the_loaders_paths_only_the_drivers_are_kept(monkeypatch):
    """A library that a worker may not read, or that anybody could put somewhere, is not looked for."""
    monkeypatch.setenv(
        "LD_LIBRARY_PATH", "/usr/local/nvidia/lib64:/home/me/lib::/usr/local/nvidia/../../tmp:/usr/local/cuda/lib64"
    )
    assert clean_environment(Path("/scratch"))["LD_LIBRARY_PATH"] == "/usr/local/nvidia/lib64:/usr/local/cuda/lib64"

    monkeypatch.setenv("LD_LIBRARY_PATH", "/home/me/lib")
    assert "LD_LIBRARY_PATH" not in clean_environment(Path("/scratch"))


def test_a_worker_with_a_device_reads_what_the_driver_reads(sandboxed, grading_in, small_kit, reference_source):
    """The driver asks /sys about its card. Where tensors stay on the CPU nobody may look there."""
    source = f"{reference_source}\n\nimport os\n\nos.listdir('/sys/module')\n"

    with grading_in(small_kit, device="cpu:0") as grade:
        assert grade(source).score == 100
    with grading_in(small_kit) as grade:
        assert {result.outcome for result in grade(source).results} == {Outcome.FAILED}


def test_packages_of_an_environment_below_this_one_are_readable(monkeypatch, tmp_path):
    """Where torch came with the machine, a .pth file leads to it, and its libraries are loaded late."""
    below = tmp_path / "lib" / "site-packages"
    below.mkdir(parents=True)
    monkeypatch.syspath_prepend(str(below))
    monkeypatch.syspath_prepend(str(tmp_path))

    readable = sandbox.system_readable()

    assert str(below) in readable and str(tmp_path) not in readable


@pytest.mark.skipif(Path("/dev/nvidiactl").exists(), reason="not run: there is a device here")
def test_a_device_that_does_not_work_is_nobodys_zero(sandboxed, grading_in, kit_with_torch, reference_source):
    """It is started before the submission is read, and outside the time of its first check."""
    with grading_in(kit_with_torch, device="cuda") as grade:
        graded = grade(reference_source)

    assert graded.status == "not_graded" and "cuda can't be used in it" in graded.reason


@pytest.mark.parametrize("devices", [[], ["/dev/nvidia0", "/dev/nvidiactl"]])
def test_bubblewrap_shows_the_devices_there_are(monkeypatch, devices):
    """Its /dev has none of its own, and the driver reads more of /sys than torch does."""
    monkeypatch.setattr(isolation, "glob", lambda pattern: devices)

    command = " ".join(isolation.bubblewrapped_zygote(3, (), Path("/scratch")))

    for device in devices:
        assert f"--dev /dev {' '.join(f'--dev-bind {each} {each}' for each in devices)}" in command, device
    assert ("--ro-bind /sys /sys" in command) == bool(devices)
    assert ("--ro-bind /sys/devices/system/cpu" in command) != bool(devices)


@pytest.mark.parametrize(
    ("mark", "outcome"), [("", Outcome.GRADER_ERROR), ("import pytest\n\n\n@pytest.mark.gpu\n", Outcome.FAILED)]
)
def test_a_case_that_needs_a_device_is_not_repeated_where_there_is_none(
    sandboxed, grading_in, kit, reference_source, mark, outcome
):
    """The judge makes no CUDA call, so it can't ask whether the reference fails too, nor which mistake answers so."""
    tests = kit / "solutions" / "scaling" / "test_hidden.py"
    text = tests.read_text(encoding="utf-8").replace('@number("2.2")', f'{mark}@number("2.2")')
    tests.write_text(
        text.replace('agree("standardise", 1e-3', 'assert agree is None\n    agree("standardise", 1e-3'),
        encoding="utf-8",
    )

    with grading_in(kit, device="cpu:0") as grade:
        results = {result.check.number: result for result in grade(reference_source).results}

    assert results["2.2"].outcome is outcome


def test_what_was_not_run_is_no_failure_in_the_kill_matrix():
    """A check that needs a GPU has a sign of its own in every row, and a legend where there is one."""
    checks = [
        Check(f"hidden:test_{name}", number, name, "scale", 50, True, "It holds.")
        for name, number in (("here", "1.1"), ("device", "1.2"))
    ]

    def graded(here: Outcome, there: Outcome) -> Graded:
        results = tuple(
            CheckResult(check, (CaseResult("", outcome),)) for check, outcome in zip(checks, (here, there), strict=True)
        )
        return Graded("", "scaling", "graded", results)

    def text(there: Outcome) -> str:
        rows = {
            name: (Variant(name, name, task="scale"), graded(here, there))
            for name, here in (("reference", Outcome.PASSED), ("mistake", Outcome.FAILED))
        }
        return matrix(Report("scaling", checks, {"scale": 100}, rows, seeds=1))

    assert "50.00! x-\n" in text(Outcome.NOT_RUN) and "-: needs a GPU" in text(Outcome.NOT_RUN)
    assert "50.00! x.\n" in text(Outcome.PASSED) and "needs a GPU" not in text(Outcome.PASSED)


def test_a_matrix_of_nothing_is_empty():
    """Where files contradict one another nothing is run, and the faults stand alone."""
    assert matrix(Report("scaling", [], problems=["a fault"])) == ""
