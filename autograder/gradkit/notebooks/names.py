"""Which names a statement gives a value to, and which it needs: at once, or when its functions are called."""

from __future__ import annotations

import symtable
from dataclasses import dataclass


@dataclass(frozen=True)
class Names:
    """The names at the top level of one statement.

    Attributes:
        binds: Names it gives a value to.
        now: Names it needs while it is executed.
        later: Names that its functions need when they are called.
    """

    binds: frozenset[str] = frozenset()
    now: frozenset[str] = frozenset()
    later: frozenset[str] = frozenset()


def names_of(text: str) -> Names:
    """The names of the statements in `text`.

    Raises:
        SyntaxError, RecursionError, MemoryError, ValueError: When Python can't make a symbol table of it.
    """
    table = symtable.symtable(text, "cell", "exec")
    binds = frozenset(
        s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported() or s.is_namespace()
    )
    now = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_referenced()}
    later: set[str] = set()
    for child in table.get_children():
        _needs(child, now, later, inside=False)
    return Names(binds, frozenset(now), frozenset(later))


def _needs(table: symtable.SymbolTable, now: set[str], later: set[str], *, inside: bool) -> None:
    """Add the global names that a function or a class refers to.

    A class's body is executed at once, a function's when it is called.
    """
    inside = inside or table.get_type() == "function"
    held = later if inside else now
    held.update(symbol.get_name() for symbol in table.get_symbols() if symbol.is_global() and symbol.is_referenced())
    for child in table.get_children():
        _needs(child, now, later, inside=inside)
