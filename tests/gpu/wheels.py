"""Collects what this kit needs beside torch, for a machine without a network: `make gpu-wheels`.

    python tests/gpu/wheels.py build/gpu-wheels --python 3.12 --machine x86_64

Torch is on that machine, and this kit is used as it lies there: pip itself is among the wheels, and nothing is built. nbgrader, which brings a whole Jupyter, is not needed there.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
LEFT_OUT = {"torch", "nbgrader"}
ADDED = ["hypothesis>=6.100"]  # which some of the tests marked gpu are written with
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
GLIBC = (17, 24, 26, 27, 28, 31, 34)  # of the platforms that wheels are made for; newer ones are not on every machine


def needed() -> list[str]:
    """The requirements to fetch, as pyproject.toml has them."""
    return [*(one for one in PROJECT["project"]["dependencies"] if name_of(one) not in LEFT_OUT), *ADDED]


def name_of(requirement: str) -> str:
    return re.split(r"[<>=~!\[; ]", requirement)[0].lower()


def collect(folder: Path, python: str, machine: str) -> None:
    """Fill a folder with wheels and the list of what is to be installed from it.

    Raises:
        subprocess.CalledProcessError: When pip finds no wheel for something.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.whl"):
        old.unlink()
    platforms = [f"--platform=manylinux_2_{minor}_{machine}" for minor in GLIBC] + [
        f"--platform=manylinux2014_{machine}"
    ]
    constraints = folder / "constraints.txt"
    pinned = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    constraints.write_text("\n".join(line for line in pinned if name_of(line) not in LEFT_OUT) + "\n", encoding="utf-8")
    words = [
        "--only-binary=:all:",
        "--implementation=cp",
        f"--python-version={python}",
        f"--abi=cp{python.replace('.', '')}",
        "--abi=abi3",
        "--abi=none",
    ]
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--dest", str(folder), *words, *platforms,
         "-c", str(constraints), *needed(), "pip"],
        check=True,
    )  # fmt: skip
    constraints.unlink()
    (folder / "requirements.txt").write_text("\n".join(needed()) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--python", default="3.12", help="version of the Python that has torch there")
    parser.add_argument("--machine", default="x86_64", choices=["x86_64", "aarch64"])
    options = parser.parse_args()
    collect(options.folder, options.python, options.machine)
    wheels = sorted(options.folder.glob("*.whl"))
    for wheel in wheels:
        print(f"{wheel.stat().st_size / 2**20:7.2f} MiB  {wheel.name}")
    print(
        f"{sum(wheel.stat().st_size for wheel in wheels) / 2**20:7.2f} MiB  in {len(wheels)} wheels, for Python {options.python} on {options.machine}: {options.folder}"
    )


if __name__ == "__main__":
    main()
