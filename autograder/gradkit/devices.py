"""A CUDA device seen from outside: asked of nvidia-smi, for neither the grading process nor the judge may call CUDA."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

from gradkit.errors import GradkitError

DRIVER = Path("/dev/nvidiactl")  # where the driver is loaded, and a container is given its devices

FREE_WITHIN_S = 30.0  # the driver gives memory back a moment after a process has ended
SLACK_MIB = 64  # what the driver's own bookkeeping moves by


def present() -> bool:
    """Whether a CUDA device is here, as far as can be told without a CUDA call."""
    return DRIVER.exists()


class VideoMemory:
    """The memory in use on the device that submissions are graded on, against what it was at the start.

    A submission whose processes are gone has none left. What is not given back would be the next submission's loss,
    and could tell it of the one before.

    Attributes:
        fault: Why it can't be looked at, for people; empty where it can.
    """

    def __init__(self, *, within_s: float = FREE_WITHIN_S) -> None:
        self._within_s = within_s
        self.fault = ""
        self._at_start = 0
        try:
            self._at_start = used_mib()
        except GradkitError as error:
            self.fault = f"video memory is not looked at between submissions: {error}"

    def wait_until_free(self) -> None:
        """Wait until no more is in use than at the start.

        Raises:
            GradkitError: When it is not given back.
        """
        if self.fault:
            return
        deadline = time.monotonic() + self._within_s
        while (more := used_mib() - self._at_start) > SLACK_MIB:
            if time.monotonic() > deadline:
                raise GradkitError(
                    f"{more} MiB more video memory than at the start is in use, {self._within_s:g} s after the last "
                    "submission ended: nvidia-smi shows by what; end it, and --resume goes on"
                )
            time.sleep(0.2)


def used_mib() -> int:
    """Memory in use on the device that a worker would see first, in MiB.

    Raises:
        GradkitError: When nvidia-smi is missing, fails, or does not tell.
    """
    command = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
    first = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[0].strip()
    if first:
        command += ["-i", first]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except FileNotFoundError:
        raise GradkitError("nvidia-smi is not on the PATH") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise GradkitError(f"nvidia-smi: {type(error).__name__}") from None
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0 or not lines:
        said = (done.stdout + done.stderr).strip().splitlines()
        raise GradkitError(f"nvidia-smi failed: {said[-1] if said else f'status {done.returncode}'}")
    value = lines[0].strip()
    if not value.isdigit():  # such as [N/A], for a slice of a device (MIG)
        raise GradkitError(f"nvidia-smi says {value[:40]} for the memory in use")
    return int(value)
