"""Python with a student's own functions in it, to paste lines into: `python figures.py -i`, in every shell."""

from __future__ import annotations

import code
import codeop
from types import ModuleType
from typing import Any


class Console(code.InteractiveConsole):
    """As `python -i FILE`, but a pasted block needs no blank line before the statement that follows it."""

    def push(self, line: str, *args: Any, **kwargs: Any) -> bool:
        """Take a line; True if more must come before anything can run."""
        if self.buffer and self._follows_a_block(line):
            super().push("", *args, **kwargs)  # what Enter on an empty line does
        return super().push(line, *args, **kwargs)

    def _follows_a_block(self, line: str) -> bool:
        """Whether the lines so far are a whole block, to which this one can't belong (as `else:` would)."""
        block = "\n".join(self.buffer)
        return _state(f"{block}\n") == "whole" and _state(f"{block}\n{line}") == "wrong"


def _state(text: str) -> str:
    """`whole`, `unfinished` or `wrong`."""
    try:
        return "unfinished" if codeop.compile_command(text) is None else "whole"
    except (SyntaxError, ValueError, OverflowError):
        return "wrong"


def talk(student: ModuleType, name: str) -> None:
    """Read lines and run them among the names of a module, until the input ends.

    Args:
        student: The module; what is assigned stays in it.
        name: Its file's name, for the greeting.
    """
    try:
        import readline  # noqa: F401  arrow keys; Windows' own console has them
    except ImportError:
        pass
    greeting = f"Python with the names of {name}: paste the lines under See. exit() ends it."
    Console(vars(student)).interact(greeting, exitmsg="")
