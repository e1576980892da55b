"""The wheel holds all that grading needs, and grades outside the repository."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gradkit import __version__

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="module")
def installed() -> Iterator[Path]:
    """An environment with the wheel, and with what is installed here but for the kit itself."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        Path(folder).chmod(0o755)  # workers read the packages as another user
        yield build_and_install(Path(folder))


def build_and_install(out: Path) -> Path:
    source = out / "source"
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    for name in listed:  # copied, since a build leaves its own files beside the sources
        if name.split("/")[0] in ("autograder", "shared") or "/" not in name:
            target = source / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((ROOT / name).read_bytes())
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, source)
    run(sys.executable, "-m", "venv", "--without-pip", out / "env")
    python = out / "env/bin/python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", *out.glob("*.whl"))
    site = next((out / "env/lib").glob("python3*/site-packages"))
    # Only the paths of the first file count, so an editable installation of the kit stays out.
    (site / "beside.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
    return out / "env"


def run(*command: object, **options: object) -> str:
    return subprocess.run(
        [*map(str, command)], capture_output=True, text=True, check=True, timeout=120, **options
    ).stdout


def test_the_wheel_grades_outside_the_repository(installed, tmp_path, small_kit, sandboxed):
    """With `--root`, in a folder that has nothing to do with the kit."""
    module = small_kit / "solutions/scaling/scaling.py"

    def gradkit(*arguments: object) -> str:
        return run(installed / "bin/gradkit", *arguments, cwd=tmp_path)

    assert gradkit("--version").strip() == f"gradkit {__version__}"
    assert "scaling" in gradkit("list", "--root", small_kit)
    assert "100/100" in gradkit("grade", "scaling", module, "--out", "out", "--root", small_kit)
    gradkit("report", "out", "--root", small_kit)
    assert (tmp_path / "out/report/index.html").exists()


def test_the_wheel_holds_the_engine_alone(installed):
    """No solution, no assignment and no test gets into an environment; the licence does."""
    site = next((installed / "lib").glob("python3*/site-packages"))
    names = {path.name for path in site.iterdir()}

    assert names == {"coursekit", "gradkit", f"gradkit-{__version__}.dist-info", "beside.pth"}
    assert (site / f"gradkit-{__version__}.dist-info/licenses/LICENSE").exists()


def test_one_version_is_told_everywhere():
    """The citation names the version that the package has."""
    assert f"version: {__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
