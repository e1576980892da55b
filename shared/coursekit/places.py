"""Where in an answer a value is, in words: `output[2]['keys']`, or "the third item of what was fed"."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from coursekit.describe import short


class Place(NamedTuple):
    """The place of a value in the answer: as a summary may show it, and in full."""

    shown: str
    full: str

    def item(self, index: int) -> Place:
        return Place(f"{self.shown}[{index}]", f"{self.full}[{index}]")

    def key(self, key: Any, *, show: bool) -> Place:
        return Place(f"{self.shown}[{key!r}]" if show else f"{self.shown}[…]", f"{self.full}[{short(key)}]")

    def field(self, name: str) -> Place:
        return Place(f"{self.shown}.{name}", f"{self.full}.{name}")

    @property
    def noun(self) -> str:
        """What is shown, for the middle of a sentence."""
        return self.shown


class _Words(Place):
    """The same for an answer whose name is a phrase, after which brackets could not be read."""

    def item(self, index: int) -> Place:
        ordinal = _ordinal(index)
        names = []
        for name in self:
            phrase = _EACH_CALL.fullmatch(name)
            names.append(f"in the {ordinal} call, {phrase[1]}" if phrase else _of_part(f"the {ordinal} item", name))
        return _Words(*names)

    def key(self, key: Any, *, show: bool) -> Place:
        if show and self.shown.startswith("gradient of "):
            return _Words(f"{self.shown} in {key}", f"{self.full} in {key}")
        return _Words(
            _of_part(f"the value for {key!r}", self.shown) if show else _of_part("a value", self.shown),
            _of_part(f"the value for {short(key)}", self.full),
        )

    def field(self, name: str) -> Place:
        return _Words(_of_part(name, self.shown), _of_part(name, self.full))

    @property
    def noun(self) -> str:
        call = _IN_CALL.fullmatch(self.shown)
        return f"{call[2]} {call[1].rstrip(', ')}" if call else self.shown


_EACH_CALL = re.compile(r"(.+)(?: of each call|, call by call)")

_IN_CALL = re.compile(r"(in the \S+ call, )(.+)")

_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth".split()


def place_called(name: str) -> Place:
    """Where a value called `name` is: `output[2]`, or "the third item of what was fed"."""
    return _Words(name, name) if " " in name else Place(name, name)


def _of_part(part: str, name: str) -> str:
    """The name of a part; the call that it belongs to stays in front."""
    call = _IN_CALL.fullmatch(name)
    return f"{call[1]}{part} of {call[2]}" if call else f"{part} of {name}"


def _ordinal(index: int) -> str:
    return _ORDINALS[index] if index < len(_ORDINALS) else f"{index + 1}th"
