"""What may be imported, and what is imported only when it is needed."""

import subprocess
import sys

import pytest

MODULES = ["compare", "diagnosis", "gradcheck", "data", "toys", "simgpu", "plots"]

BLOCKED = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ImportError(name + " is not importable here")

sys.meta_path.insert(0, Blocked())
import numpy as np
from coursekit import compare, data, diagnosis, gradcheck, simgpu, toys

assert compare.compare(np.ones((2, 2)), np.ones((2, 2))) is None
assert compare.compare(-np.arange(9.0), np.arange(9.0)).kind == "negated"
assert gradcheck.numeric_vjp(np.tanh, np.ones(3), cotangent=np.ones(3))[0].shape == (3,)
gradcheck.check_vjp(np.tanh, (np.ones(3),), lambda w: w * (1 - np.tanh(1.0) ** 2))
assert len(data.players()[0]) == 10
assert not {{"torch", "matplotlib", "gradkit"}} & set(sys.modules)
"""


def test_numpy_work_needs_neither_torch_nor_matplotlib():
    """Comparing, checking gradients and loading data work where torch and matplotlib can't be imported."""
    code = BLOCKED.format(blocked={"torch", "matplotlib", "pytest", "gradkit"})

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("module", MODULES)
def test_importing_a_module_imports_nothing_heavy(module):
    """Torch, matplotlib and gradkit are not imported by importing a module of coursekit."""
    code = f"import sys, coursekit.{module}; print(*{{'torch', 'matplotlib', 'gradkit'}} & set(sys.modules))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr
