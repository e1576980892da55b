"""`make gpu` itself: parts that pass, fail, hang and die; what is kept; what is said where there is no device; and a simulated run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent

# A part's process as it may turn out to be: its name says how.
PARTS = """
import json, os, pathlib, subprocess, sys, time
name, told = sys.argv[1], pathlib.Path(sys.argv[sys.argv.index("--out") + 1])
tell = lambda **state: told.write_text(json.dumps(state))
with open({log!r}, "a") as log:
    print(name, file=log)
if name == "passes":
    tell(outcome="passed", figures={{"rows": [{{"a": 1, "b": "<b>"}}], "lines": ["one", "two"]}})
if name == "fails":
    tell(outcome="failed", reason="3 is not 4", figures={{}})
if name == "hangs":
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    tell(figures={{"child": child.pid}}, at="its second step")
    time.sleep(600)
if name == "dies":
    print("no more memory", file=sys.stderr)
    os._exit(7)
if name == "says nothing":
    sys.exit(0)
"""
DRIVER = """
import sys
sys.path.insert(0, {here!r})
from pathlib import Path
import run
run.PARTS = Path({parts!r})
run.all_parts = lambda: [run.Part(name, f"It {{name}}.", 2.0) for name in {names!r}]
run._commit = lambda: {commit!r}
run.DEVICE_FILE = Path({device!r})
sys.exit(run.main())
"""


@pytest.fixture
def orchestrated(tmp_path):
    """Run parts of these names, in a process that adopts and ends what they leave; its result, the parts by name, and what was begun."""

    def run(
        *words: str, names=("passes", "fails"), commit="abc", device="/dev/null"
    ) -> tuple[subprocess.CompletedProcess, dict[str, dict], list[str]]:
        log = tmp_path / "log"
        log.write_text("")
        (tmp_path / "parts.py").write_text(PARTS.format(log=str(log)))
        driver = DRIVER.format(
            here=str(HERE), parts=str(tmp_path / "parts.py"), names=list(names), commit=commit, device=device
        )
        done = subprocess.run(
            [sys.executable, "-c", driver, "--out", str(tmp_path / "out"), *words],
            capture_output=True,
            text=True,
            timeout=100,
        )
        kept = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))
        return done, {part["name"]: part for part in kept["parts"]}, log.read_text().split("\n")[:-1]

    return run


def test_each_part_ends_in_its_own_way(orchestrated, tmp_path):
    """One that hangs costs its limit, one that dies says its last line, and the others are what they are."""
    done, parts, begun = orchestrated("--simulate", names=["hangs", "dies", "says nothing", "fails", "passes"])

    assert done.returncode == 1
    assert {name: part["outcome"] for name, part in parts.items()} == {
        "environment": "passed",
        "hangs": "failed",
        "dies": "failed",
        "says nothing": "failed",
        "fails": "failed",
        "passes": "passed",
    }
    assert parts["hangs"]["reason"] == "ended after its limit of 2 s, at its second step"
    assert parts["dies"]["reason"] == "the process ended with status 7: no more memory"
    assert parts["says nothing"]["reason"] == "the process ended with status 0: it said nothing"
    assert parts["fails"]["reason"] == "3 is not 4"
    assert not Path(f"/proc/{parts['hangs']['figures']['child']}").exists()  # although it had a session of its own
    page = (tmp_path / "out" / "page.html").read_text(encoding="utf-8")
    assert (
        "1 passed" not in page
        and "2 passed, 4 failed" in page
        and "&lt;b&gt;" in page
        and "<script" not in page
        and "http" not in page
    )


def test_what_has_passed_is_not_run_again(orchestrated):
    """For the same files and device. What failed is."""
    assert orchestrated("--simulate")[2] == ["passes", "fails"]
    done, parts, begun = orchestrated("--simulate")
    assert begun == ["fails"] and parts["passes"]["outcome"] == "passed"
    assert orchestrated("--simulate", "--again")[2] == ["passes", "fails"]
    assert orchestrated("--simulate", "--only", "passes", "--again")[2] == ["passes"]
    assert orchestrated("--simulate", commit="files 123")[2] == ["passes", "fails"]


def test_files_are_known_again_without_git(monkeypatch, tmp_path):
    """Where a checkout was copied to, git and its folder may be missing."""
    monkeypatch.syspath_prepend(str(HERE))
    import run

    monkeypatch.setattr(run, "ROOT", tmp_path)
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "one.py").write_text("x = 1\n")
    first = run._commit()
    assert first.startswith("files ") and first == run._commit()
    (tmp_path / "shared" / "one.py").write_text("x = 2\n")
    assert run._commit() != first


def test_when_time_is_up_the_rest_is_for_another_run(orchestrated):
    """Nothing is begun any more, and that is said of each."""
    done, parts, begun = orchestrated("--simulate", "--minutes", "0")

    assert begun == [] and done.returncode == 0
    assert {part["reason"] for name, part in parts.items() if name != "environment"} == {
        "the 0 minutes are over: run this again for the rest"
    }


@pytest.mark.parametrize(
    ("device", "reason"),
    [("/no/such/device", "no NVIDIA device is here"), ("/dev/null", "finds no CUDA device")],
    ids=["no device file", "torch has no device"],
)
def test_without_a_device_nothing_is_claimed(orchestrated, monkeypatch, device, reason):
    """Every part is `not run`, with the reason, and that is no failure."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")

    done, parts, begun = orchestrated(device=device)

    assert done.returncode == 0 and begun == []
    assert {part["outcome"] for name, part in parts.items() if name != "environment"} == {"not run"}
    assert all(reason in part["reason"] for name, part in parts.items() if name != "environment")


def test_without_wheels_the_way_to_them_is_told(orchestrated, tmp_path):
    """An interpreter without this kit, and nothing to install from."""
    bare = tmp_path / "bare"
    bare.write_text(f'#!/bin/sh\ncase "$*" in *gradkit*) exit 1;; esac\nexec {sys.executable} "$@"\n')
    bare.chmod(0o755)

    done, parts, begun = orchestrated(
        "--python", str(bare), "--wheels", str(tmp_path), "--environment", str(tmp_path / "made"), "--simulate"
    )

    assert done.returncode == 1 and begun == []
    assert (
        parts["environment"]["outcome"] == "failed"
        and "run make gpu-wheels where there is a network" in parts["environment"]["reason"]
    )
    assert parts["passes"]["reason"] == "there is no environment to run it in"


# ---- the real parts, with the CPU in the device's place


@pytest.fixture(scope="module")
def simulated(sandboxed, tmp_path_factory):
    """What came of the parts that are quick."""
    out = tmp_path_factory.mktemp("simulated")
    words = [f"--only={name}" for name in ("doctor", "sandbox", "timer", "grade gpu_timing", "memory")]
    done = subprocess.run(
        [sys.executable, str(HERE / "run.py"), "--simulate", "--out", str(out), *words],
        capture_output=True,
        text=True,
        timeout=200,
    )
    return done, {
        part["name"]: part for part in json.loads((out / "results.json").read_text(encoding="utf-8"))["parts"]
    }


def test_a_simulated_run_answers_what_the_cpu_can(simulated):
    """The sandbox is the workers' own, the timer is right on a device whose times are known, and CUDA's own is left out."""
    done, parts = simulated

    assert done.returncode == 0, done.stdout
    assert {name: part["outcome"] for name, part in parts.items()} == {
        "environment": "passed",
        "doctor": "passed",
        "sandbox": "passed",
        "timer": "passed",
        "grade gpu_timing": "not run",
        "memory": "not run",
    }
    (whole,) = parts["sandbox"]["figures"]["in the whole sandbox"]
    assert whole["works"] and whole["filter"] and whole["open files"] < 512
    memory_bound = parts["timer"]["figures"]["times of one call"][1]
    assert memory_bound["timer, warm (ms)"] == pytest.approx(0.7, rel=0.1)


@pytest.fixture
def parts(monkeypatch, tmp_path):
    """The module of the parts, and a place for what one tells."""
    monkeypatch.syspath_prepend(str(HERE))
    import parts as module

    return (
        module,
        module.Told(tmp_path / "told.json"),
        lambda: json.loads((tmp_path / "told.json").read_text(encoding="utf-8"))["figures"],
    )


def test_grades_on_the_device_stand_beside_those_of_the_cpu(sandboxed, parts, kit, monkeypatch):
    """The reference, the stub, another solution and mistakes, with a check that runs on the device alone."""
    module, told, figures = parts
    tests = kit / "solutions" / "scaling" / "test_hidden.py"
    text = tests.read_text(encoding="utf-8").replace(
        '@number("2.2")', 'import pytest\n\n\n@pytest.mark.gpu\n@number("2.2")'
    )
    tests.write_text(
        text.replace("def test_eps_is_inside_the_root(", "def test_eps_is_inside_the_root(device, "), encoding="utf-8"
    )
    monkeypatch.setattr(module, "ROOT", kit)
    monkeypatch.setattr(module, "MISTAKES", 2)

    module.grade("cpu:0", told, "scaling")

    rows = {row["submission"]: row for row in figures()["scores"]}
    assert (rows["reference"]["CPU"], rows["reference"]["device"]) == ("80/80", "100/100")
    assert (rows["stub"]["CPU"], rows["stub"]["device"]) == ("0/80", "0/100")
    assert len(rows) == 4 + len(list((kit / "solutions" / "scaling" / "alternatives").glob("*.py")))
    assert figures()["checks that run on the device alone"] == ["hidden:test_eps_is_inside_the_root: passed"]


def test_a_grade_that_differs_on_the_device_is_found(sandboxed, parts, kit, monkeypatch):
    """A reference that can't do on the device what it does on the CPU is told by the checks that differ."""
    module, told, figures = parts
    reference = kit / "solutions" / "scaling" / "scaling.py"
    head, mark, rest = reference.read_text(encoding="utf-8").partition("    # BEGIN SOLUTION")
    broken = "    # BEGIN SOLUTION centre\n    import os\n\n    try:\n        os.listdir('/sys/module')\n        return x\n    except OSError:\n        pass\n    # END SOLUTION\n"
    reference.write_text(head + broken + mark + rest, encoding="utf-8")
    monkeypatch.setattr(module, "ROOT", kit)
    monkeypatch.setattr(module, "MISTAKES", 2)

    with pytest.raises(module.Failed, match="reference differs in"):
        module.grade("cpu:0", told, "scaling")


def test_gpu_attacks_are_run_with_a_device(sandboxed, parts):
    """The same files as on a GPU, in a worker that is given the stand-in."""
    module, told, figures = parts

    rows = module._pytest(["tests/attacks/test_attacks.py", "-k", "a85_patch_timer"], told, {"GRADKIT_DEVICE": "cpu:0"})

    assert [(row["name"], row["outcome"]) for row in rows] == [("test_attack_gains_nothing[a85_patch_timer]", "passed")]


def test_a_refused_system_call_is_found_by_halving(parts, monkeypatch):
    """A device that needs one call of the filter: which one is told."""
    module, told, figures = parts
    monkeypatch.setattr(
        module,
        "_probe",
        lambda device, relaxed, **options: {
            "works": "call:userfaultfd" in relaxed or "filter" in relaxed,
            "error": "CUDA error 999",
        },
    )

    with pytest.raises(module.Failed, match=r"CUDA error 999\): filter is in the way"):
        module.sandbox("cuda", told)
    assert figures()["the call that is refused"] == "userfaultfd"
