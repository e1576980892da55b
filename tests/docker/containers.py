"""Runs commands in real containers, without an image registry: this machine's own system, mounted read-only.

The container has namespaces, capabilities, cgroups and Docker's system-call profile as any other; only its files are
those that the tests run with.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
IMAGE = "gradkit-test:empty"
HARDENED = (
    "--read-only", "--tmpfs=/tmp", "--tmpfs=/var/tmp", "--cap-drop=ALL", "--cap-add=SETUID",
    "--cap-add=SETGID", "--cap-add=KILL", "--cap-add=CHOWN", "--cap-add=DAC_OVERRIDE", "--cap-add=FOWNER",
    "--security-opt=no-new-privileges", "--pids-limit=512", "--memory=4g",
)  # fmt: skip


def profile_refusing(*rules: dict[str, object]) -> str:
    """A system-call profile, as JSON, that allows everything but what the rules name, which the kernel seems not to know."""
    refused = [{**rule, "action": "SCMP_ACT_ERRNO", "errnoRet": 38} for rule in rules]
    return json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": refused})


PR_SET_SECCOMP = 22
WITHOUT_LANDLOCK = profile_refusing(
    {"names": ["landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"]}
)
WITHOUT_FILTERS = profile_refusing(
    {"names": ["seccomp"]},
    {"names": ["prctl"], "args": [{"index": 0, "value": PR_SET_SECCOMP, "op": "SCMP_CMP_EQ"}]},
)


@contextlib.contextmanager
def daemon() -> Iterator[Docker]:
    """The Docker daemon that answers here, or one started for as long as this lasts.

    Raises:
        RuntimeError: Saying why there is none.
    """
    if not shutil.which("docker"):
        raise RuntimeError("Docker is not installed")
    if subprocess.run(["docker", "version"], capture_output=True, timeout=20).returncode == 0:
        yield Docker(os.environ.get("DOCKER_HOST", ""))
        return
    if os.geteuid() != 0 or not shutil.which("dockerd"):
        raise RuntimeError("no Docker daemon answers, and none can be started by this user")
    folder = Path(tempfile.mkdtemp(prefix="gradkit-docker-", dir="/var/tmp"))
    address = f"unix://{folder}/socket"
    command = [
        "dockerd", "--bridge=none", "--iptables=false", f"--data-root={folder}/data", f"--exec-root={folder}/exec",
        f"--pidfile={folder}/pid", f"--host={address}",
    ]  # fmt: skip
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        docker = Docker(address)
        deadline = time.monotonic() + 60
        while docker.client("version", check=False).returncode != 0:
            if process.poll() is not None or time.monotonic() > deadline:
                last = (folder / "log").read_text(errors="replace").strip().splitlines()[-1:]
                raise RuntimeError(f"the Docker daemon does not start: {' '.join(last)}")
            time.sleep(0.2)
        yield docker
    finally:
        process.terminate()
        process.wait(60)
        shutil.rmtree(folder, ignore_errors=True)


class Docker:
    """A daemon's client."""

    def __init__(self, address: str) -> None:
        self._environment = {**os.environ, **({"DOCKER_HOST": address} if address else {})}

    def client(self, *arguments: str, check: bool = True, **options: object) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(["docker", *arguments], env=self._environment, capture_output=True, text=True, **options)
        if check and done.returncode != 0:
            raise RuntimeError(f"docker {arguments[0]}: {done.stderr.strip()}")
        return done

    def run(
        self,
        command: Sequence[str],
        *,
        options: Sequence[str] = (),
        profile: str = "",
        writable: Sequence[Path] = (),
        readable: Sequence[Path] = (),
    ) -> subprocess.CompletedProcess[str]:
        """Run a command as root in a container that holds this system and the kit, read-only.

        Args:
            command: Found by its path on this machine.
            options: For `docker run`.
            profile: A system-call profile as JSON; Docker's own when empty.
            writable: Folders that are the same inside, to leave results in.
            readable: Further folders to be seen.
        """
        self._make_image()
        mounts = ["/usr", "/etc", "/bin", "/sbin", "/lib", "/lib64", sys.prefix, sys.base_prefix, str(ROOT)]
        kept = {path: "ro" for path in [*mounts, *map(str, readable)] if Path(path).exists()}
        kept |= {str(path): "rw" for path in writable}
        volumes = [f"--volume={path}:{path}:{mode}" for path, mode in kept.items()]
        if not any(option.startswith("--tmpfs") for option in options):
            volumes += ["--tmpfs=/tmp:exec,mode=1777", "--tmpfs=/var/tmp:mode=1777"]
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            if profile:
                file.write(profile)
                file.flush()
                options = [*options, f"--security-opt=seccomp={file.name}"]
            environment = ["--network=none", "--env=PYTHONDONTWRITEBYTECODE=1", "--env=OMP_NUM_THREADS=1"]
            return self.client(
                "run", "--rm", *volumes, *environment, *options, f"--workdir={ROOT}", IMAGE, *command, check=False,
            )  # fmt: skip

    def _make_image(self) -> None:
        """An image without a single file."""
        if self.client("image", "inspect", IMAGE, check=False).returncode == 0:
            return
        empty = b"\0" * 10240  # an empty tar
        subprocess.run(
            ["docker", "import", "-", IMAGE],
            env=self._environment,
            input=empty,
            capture_output=True,
            check=True,
        )
