"""A pytest plugin: hidden checks in an ordinary pytest, each once, with all tensors on the device of standin.py."""

from __future__ import annotations

import pytest
import standin

from gradkit.judge import plain
from gradkit.judge.subjects import LocalSubject


class SubjectOnDevice(LocalSubject):
    """Staff's code in this process, given its tensors on the device, as a worker is."""

    def reset(self) -> None:
        super().reset()
        self._runtime._place = lambda tensor: tensor.to("cuda")

    def request(self, *words: object) -> object:
        with standin.cuda():
            return super().request(*words)


plain.LocalSubject = SubjectOnDevice


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of each check's cases the first: what is asked of a device is much the same in all of them."""
    first: dict[object, pytest.Item] = {}
    for item in items:
        first.setdefault((item.path, item.originalname), item)
    config.hook.pytest_deselected(items=[item for item in items if item not in first.values()])
    items[:] = first.values()
