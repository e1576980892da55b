"""Says what this machine gives a grader, and what to do about what it does not."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path

from gradkit import devices
from gradkit.errors import IsolationError
from gradkit.judge import isolation
from gradkit.manifest import load_all
from gradkit.worker import sandbox


@dataclass(frozen=True)
class Finding:
    """One line of the examination. `blocking` when hidden checks can't be run because of it."""

    what: str
    good: bool
    advice: str = ""
    blocking: bool = False


def examine(root: Path) -> list[Finding]:
    """Look at the system, the isolation it allows, the interpreter, the devices and the assignments."""
    capabilities = sandbox.probe()
    chosen = isolation.choose(capabilities)
    findings = [
        Finding(
            f"{platform.system()} {platform.release()} on {platform.machine()}, {os.cpu_count()} processors",
            True,
        )
    ]
    findings.append(Finding(f"Python {platform.python_version()} at {sys.executable}", True))
    try:
        isolation.require(chosen, [root / "solutions"])
        findings.append(Finding(f"isolation: {chosen.line()}", True))
    except IsolationError as error:
        findings.append(Finding(f"isolation: {chosen.line()}", False, str(error), blocking=True))
    if capabilities.system == "Linux":
        findings += _linux(capabilities)
    cuda = devices.present()
    findings.append(
        Finding(
            "a CUDA device" if cuda else "no CUDA device",
            cuda,
            "" if cuda else "GPU checks are reported as not run; they count neither for nor against",
        )
    )
    assignments = load_all(root)
    findings.append(
        Finding(
            f"{len(assignments)} assignments at {root}",
            bool(assignments),
            "" if assignments else "gradkit new ID writes one to start from",
        )
    )
    return findings


def _linux(capabilities: sandbox.Capabilities) -> list[Finding]:
    landlock = Finding(
        f"Landlock ABI {capabilities.landlock_abi}"
        if capabilities.landlock_abi
        else f"no Landlock: {capabilities.landlock_reason}",
        bool(capabilities.landlock_abi),
        ""
        if capabilities.landlock_abi
        else "needs Linux 5.13 or newer with lsm=landlock; without it files are kept by user and mode alone",
    )
    seccomp = Finding(
        "system-call filter" if capabilities.seccomp else "no system-call filter",
        capabilities.seccomp,
        "" if capabilities.seccomp else "allow seccomp in the container's profile",
    )
    if capabilities.root:
        return [landlock, seccomp]
    bubblewrap = Finding(
        "bubblewrap works"
        if capabilities.bubblewrap_works
        else "bubblewrap does not work"
        if capabilities.bubblewrap
        else "no bubblewrap",
        capabilities.bubblewrap_works,
        ""
        if capabilities.bubblewrap_works
        else "install bubblewrap and allow user namespaces, for namespaces without network",
    )
    return [landlock, seccomp, bubblewrap]
