"""What the tests of intake share: an assignment to hand in for, and builders of things to hand in."""

import itertools
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for intake_zoo, which no package holds

from gradkit.errors import InputError
from gradkit.intake import CAPS, discover, materialise
from gradkit.manifest import Manifest, Task


@pytest.fixture
def manifest():
    task = Task(id="softmax", title="A softmax", points=100, minutes=15, functions=["softmax"])
    return Manifest(title="Attention", order=1, summary="One.", tasks=[task], id="attention", module="attention.py")


@pytest.fixture
def lay_out(tmp_path, manifest):
    """Hand in one path and lay it out: a `Prepared`, or an InputError."""

    numbers = itertools.count()

    def lay_out(path, *, caps=CAPS):
        found = discover([path], manifest, caps=caps)
        assert len(found.submissions) == 1, found
        return materialise(found.submissions[0], manifest, tmp_path / "laid-out" / str(next(numbers)), caps=caps)

    return lay_out


@pytest.fixture
def refusal(tmp_path, lay_out):
    """Hand in one path that is refused: the one line that says why. Nothing may be left of it."""

    def refusal(path, **options):
        before = list((tmp_path / "laid-out").glob("*"))
        with pytest.raises(InputError) as refused:
            lay_out(path, **options)
        message = str(refused.value)
        assert message.isprintable() and len(message) < 400
        assert list((tmp_path / "laid-out").glob("*")) == before, "something half-written was left"
        return message

    return refusal
