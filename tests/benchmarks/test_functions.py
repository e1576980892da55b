"""What a student sees of a function that is written and right while nothing else is."""

from __future__ import annotations

import importlib.util
import random
import sys
from pathlib import Path

import pytest
from coursekit.functions import Function

from gradkit.manifest import assignment_ids, load_assignment

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SAMPLE = 2  # functions of each assignment; `python tests/benchmarks/functions.py` tries all


@pytest.fixture(scope="module")
def functions():
    """functions.py as a module."""
    spec = importlib.util.spec_from_file_location("functions", HERE / "functions.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["functions"] = module
    spec.loader.exec_module(module)
    return module


def test_it_notices_a_function_that_is_not_confirmed(functions, small_kit, tmp_path):
    """One passes; the other is called by a check of its task only, together with one that is not written."""
    assignment = load_assignment(small_kit, "scaling")
    centre, standardise = functions.functions_to_write(assignment)
    tests = assignment.public_tests
    text = tests.read_text(encoding="utf-8")
    tests.write_text(
        text.replace("impl.standardise(x, eps=0.0)", "impl.standardise(impl.centre(x), eps=0.0)"), encoding="utf-8"
    )

    found = functions.told(assignment, [centre, standardise])

    tests.write_text(text, encoding="utf-8")
    assert found == {centre: "", standardise: "waits"}


def test_a_part_of_a_class_is_written_with_what_it_calls(functions):
    """bpe's decoder needs the constructor, and not the encoder."""
    assignment = load_assignment(ROOT, "bpe")
    reference = functions.Reference(assignment)
    first, decoding = (task.id for task in assignment.manifest.tasks if "Tokenizer" in task.functions)

    text = reference.alone(Function(first, "Tokenizer"))

    assert f"task {first} is not written yet" not in text and f"task {decoding} is not written yet" in text
    compile(text, "bpe.py", "exec")


@pytest.mark.parametrize("id", assignment_ids(ROOT))
def test_each_function_is_confirmed_as_soon_as_it_is_written(functions, id):
    """`pytest` in the bundle shows that it passes, and asks for another one."""
    assignment = load_assignment(ROOT, id)
    chosen = random.Random(id).sample(functions.functions_to_write(assignment), SAMPLE)

    found = functions.told(assignment, chosen)

    assert not any(found.values()), found
