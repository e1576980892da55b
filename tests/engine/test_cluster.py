"""A cluster gives the grades that this machine gives, whatever becomes of its workers."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from gradkit.batch import Batch
from gradkit.cluster import judges as judges_there
from gradkit.cluster.jobs import lay_out, pack
from gradkit.cluster.judges import ClusterJudges
from gradkit.errors import GradkitError, InputError
from gradkit.judges import LocalJudges

distributed = pytest.importorskip("distributed", reason="not run: Dask is not installed (gradkit[cluster])")
psutil = pytest.importorskip("psutil")  # comes with it

pytestmark = pytest.mark.usefixtures("sandboxed")

SLOW = "\nimport time\ntime.sleep(0.1)\n"
SLOWER = "\nimport time\ntime.sleep(1.5)\n"  # its worker dies in this time


def local_cluster(workers: int):
    return distributed.LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        dashboard_address=None,
        memory_limit=0,
        silence_logs=50,
    )


@pytest.fixture(scope="module")
def two_workers():
    """A scheduler and two worker processes, each with a nanny that starts it anew."""
    with local_cluster(2) as running:
        yield running


@pytest.fixture
def write(tmp_path, reference_source):
    """Write submissions: the reference, slowed down, with something before it."""

    def write(name: str, text: str = "") -> Path:
        path = tmp_path / "in" / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text or f"{reference_source}{SLOW}# {name}\n", encoding="utf-8")
        return path

    return write


def rows(out: Path) -> dict[str, dict[str, str]]:
    with open(out / "grades.csv", encoding="utf-8", newline="") as file:
        return {row["submission"]: row for row in csv.DictReader(file)}


def told(out: Path) -> dict[str, dict]:
    """What students read, without the times."""
    found = {path.parent.name: json.loads(path.read_text()) for path in out.glob("*/results.json")}
    for content in found.values():
        del content["execution_time"]
    return found


def our_judges() -> set[int]:
    """Pids of the judges below this process, those that other tests share among them."""
    found = set()
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):  # it has just ended
            if "gradkit.judge.process" in process.cmdline():
                found.add(process.pid)
    return found


class DiesAtWork(distributed.WorkerPlugin):
    """Ends its worker process in the middle of a submission with a name, up to some times; the deaths are in a file.

    A submission can't do that itself; a machine that fails on it can.
    """

    name = "dies-at-work"

    def __init__(self, sign: str, times: int, deaths: Path) -> None:
        self.sign, self.times, self.deaths = sign, times, deaths

    def transition(self, key, start, finish, **kwargs) -> None:
        if finish == "executing" and self.sign in str(key):
            threading.Timer(0.2, self.die).start()

    def die(self) -> None:
        if len(pids(self.deaths)) < self.times:
            with open(self.deaths, "a", encoding="utf-8") as file:
                print(os.getpid(), file=file)
            os.kill(os.getpid(), signal.SIGKILL)


def pids(deaths: Path) -> list[int]:
    return [int(line) for line in deaths.read_text(encoding="utf-8").split()]


@pytest.fixture
def killer(two_workers, tmp_path):
    """Have each worker process die that works on a submission with a name, up to some times: the file of their pids."""
    with distributed.Client(two_workers.scheduler_address, set_as_default=False) as client:

        def start(sign: str, times: int) -> Path:
            deaths = tmp_path / "deaths"
            deaths.touch()
            client.register_plugin(DiesAtWork(sign, times, deaths))
            return deaths

        yield start
        client.unregister_worker_plugin(DiesAtWork.name)


def test_a_killed_worker_costs_nothing_and_the_grades_are_the_local_ones(
    two_workers, killer, write, small_kit, scaling, mistaken, tmp_path
):
    """Same seed, same table, same texts, with a worker process killed in the middle of a submission, and a judge too."""
    files = [write(f"s{number}") for number in range(6)]
    files[3] = write("s3", f"{files[3].read_text()}{SLOWER}")
    files += [write("wrong", mistaken("unbiased_variance")), write("broken", "def def")]
    files += [write("empty", " ")]
    with LocalJudges(small_kit, "scaling", jobs=2) as judges:
        Batch(scaling, files, tmp_path / "here", judges, seed=3).run()
    deaths, judges_killed, others = killer("s3", 1), [], our_judges()

    def kill_a_judge(row) -> None:
        if not judges_killed:
            judges_killed.append(min(our_judges() - others))
            os.kill(judges_killed[0], signal.SIGKILL)

    with ClusterJudges(two_workers.scheduler_address, small_kit, "scaling") as judges:
        result = Batch(scaling, files, tmp_path / "there", judges, seed=3).run(kill_a_judge)

    assert len(pids(deaths)) == len(judges_killed) == 1
    assert {row.submission: row.status for row in result.rows if row.status != "graded"} == {"empty": "refused"}
    assert (tmp_path / "there" / "grades.csv").read_bytes() == (tmp_path / "here" / "grades.csv").read_bytes()
    assert told(tmp_path / "there") == told(tmp_path / "here")


def test_a_submission_on_which_workers_die_is_not_graded_and_its_neighbours_are(
    two_workers, killer, write, small_kit, scaling, tmp_path
):
    """After three workers it is given up, by name and with the reason; nobody else is suspected."""
    files = [write(name) for name in ("a", "b", "culprit", "c", "d", "e")]
    write("culprit", f"{files[2].read_text()}{SLOWER}")
    deaths = killer("culprit", 10)

    with ClusterJudges(two_workers.scheduler_address, small_kit, "scaling") as judges:
        result = Batch(scaling, files, tmp_path / "out", judges, seed=3).run()

    table = rows(tmp_path / "out")
    assert not result.all_graded and len(pids(deaths)) == 3
    assert table.pop("culprit")["status"] == "not_graded"
    assert {row["score"] for row in table.values()} == {"100"} and len(table) == 5
    reason = next(row.reason for row in result.rows if row.submission == "culprit")
    assert reason.startswith("the grader ended 3 times while grading this submission: the cluster's worker tcp://")


def test_an_interrupted_run_is_gone_on_with(two_workers, write, small_kit, tmp_path):
    """Ctrl-C on the command line: whole files, no judge left on the workers; --resume grades the rest."""
    files = [str(write(f"s{number:02d}")) for number in range(8)]
    out = tmp_path / "out"
    command = [sys.executable, "-m", "gradkit", "grade", "scaling", *files, "--out", str(out)]
    command += ["--root", str(small_kit), "--scheduler", two_workers.scheduler_address]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        for line in process.stderr:
            if line.startswith("[2/8]"):
                process.send_signal(signal.SIGINT)
                break
        said = process.stderr.read()

    assert process.returncode == 130 and "--resume" in said and "Traceback" not in said
    assert 2 <= sum(row["status"] == "graded" for row in rows(out).values()) < len(rows(out)) == 8
    with distributed.Client(two_workers.scheduler_address, set_as_default=False) as client:
        assert not any(client.run(kept_judges).values())

    again = subprocess.run([*command, "--resume"], capture_output=True, text=True, timeout=120)

    assert again.returncode == 0, again.stderr
    assert {row["score"] for row in rows(out).values()} == {"100"} and len(rows(out)) == 8


def kept_judges() -> int:
    from gradkit.cluster.worker import _kept

    return len(_kept)


def test_workers_that_come_later_are_used(small_kit):
    """A cluster that grows while a run is on has more places."""
    with local_cluster(1) as growing:
        with ClusterJudges(growing.scheduler_address, small_kit, "scaling") as judges:
            assert judges.places() == 1

            growing.scale(2)

            deadline = time.monotonic() + 30
            while judges.places() < 2 and time.monotonic() < deadline:
                time.sleep(0.1)
            assert judges.places() == 2


def test_a_scheduler_that_goes_away_ends_the_run_with_one_line(write, small_kit, scaling, tmp_path, monkeypatch):
    """What is graded stays; the rest is in the table without a score and can be gone on with."""
    monkeypatch.setattr(judges_there, "CONNECT_S", 3)  # Dask looks for it anew for as long
    files = [write(f"s{number}") for number in range(6)]
    gone = local_cluster(1)
    with (
        ClusterJudges(gone.scheduler_address, small_kit, "scaling") as judges,
        pytest.raises(GradkitError, match="--resume goes on"),
    ):
        Batch(scaling, files, tmp_path / "out", judges, seed=3).run(lambda row: gone.close())

    found = rows(tmp_path / "out")
    waiting = [row for row in found.values() if row["status"] == "not_graded"]
    assert set(found) == {f"s{number}" for number in range(6)}
    assert 1 <= len(waiting) < 6 and not any(row["score"] for row in waiting)


def entered(address: str, root: Path, **options: object) -> str:
    """What is said on the way in."""
    with pytest.raises(InputError) as caught, ClusterJudges(address, root, "scaling", **options):
        pass
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_scheduler_that_is_not_there_is_said_so(small_kit, monkeypatch):
    """Within the time limit, in one line."""
    monkeypatch.setattr(judges_there, "CONNECT_S", 1)

    assert "nobody answers" in entered("tcp://127.0.0.1:1", small_kit)
    assert "not an address such as tcp://host:8786" in entered("localhost", small_kit)


def test_a_cluster_without_workers_or_devices_is_said_so(two_workers, small_kit):
    """Waited for a while, then one line with what to start."""
    with local_cluster(0) as empty:
        assert "has no worker" in entered(empty.scheduler_address, small_kit, arrive_s=0.5)
    assert "--resources GPU=1" in entered(two_workers.scheduler_address, small_kit, device="cuda", arrive_s=0.5)


@pytest.mark.parametrize(
    ("what", "said"),
    [("checks_digest", "holds other checks of scaling"), ("engine_digest", "install the same there")],
)
def test_a_worker_with_another_kit_is_named(two_workers, small_kit, monkeypatch, what, said):
    """Grades from two versions of checks or code are never mixed."""
    monkeypatch.setattr(judges_there, what, lambda *arguments: "another")

    assert said in entered(two_workers.scheduler_address, small_kit)


def test_without_dask_the_extra_is_named(small_kit, monkeypatch):
    """Dask is only needed for clusters."""
    monkeypatch.setitem(sys.modules, "distributed", None)

    assert "pip install 'gradkit[cluster]'" in entered("tcp://127.0.0.1:1", small_kit)


def test_files_travel_whole_and_stay_in_their_folder(tmp_path):
    """Names of any bytes and folders arrive alike; a path that leads out is refused."""
    (tmp_path / "from" / "data").mkdir(parents=True)
    (tmp_path / "from" / "scaling.py").write_text("x = 1\n")
    (tmp_path / "from" / "data" / os.fsdecode(b"\xff.bin")).write_bytes(b"\0\1")

    lay_out(pack(tmp_path / "from"), tmp_path / "to")

    assert pack(tmp_path / "to") == pack(tmp_path / "from")
    with pytest.raises(GradkitError, match="not a path in a submission"):
        lay_out([(b"../out", b"")], tmp_path / "again")


def test_a_cluster_regrades_what_this_machine_would(gradkit, two_workers, write, kit, mistaken, tmp_path):
    """The checks that the change reaches run there alone, and the same grades come of it."""
    right, wrong = write("right"), write("wrong", mistaken("unbiased_variance"))
    run = ("--root", kit, "--out")
    assert gradkit("grade", "scaling", right, wrong, *run, tmp_path / "old", "--seed", 7).returncode == 0
    tests = kit / "solutions" / "scaling" / "test_hidden.py"
    tests.write_text(tests.read_text(encoding="utf-8").replace("+ 5.0)", "+ 6.0)"), encoding="utf-8")
    why = ("--reason", "other data")

    there = gradkit(
        "regrade", tmp_path / "old", *run, tmp_path / "new", *why, "--scheduler", two_workers.scheduler_address
    )
    here = gradkit("regrade", tmp_path / "old", *run, tmp_path / "here", *why)

    assert (there.returncode, here.returncode) == (0, 0), there.stderr
    assert "2 with the changed checks run again, 0 graded anew in full" in there.stdout
    assert told(tmp_path / "new") == told(tmp_path / "here") and rows(tmp_path / "new") == rows(tmp_path / "here")
