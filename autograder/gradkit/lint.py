"""Finds calls that an assignment bans, and ways around that, in a submission's text. Nothing is run.

What is found is told to the student and to staff with its line. It decides no score: a text can't prove what a program
does, so a person looks.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from gradkit.manifest import Manifest

# Names that reach a function without naming it. Rarely needed, so worth a person's look where calls are banned.
EVASIONS = frozenset(
    {
        "eval",
        "exec",
        "compile",
        "__import__",
        "getattr",
        "globals",
        "vars",
        "importlib",
        "ctypes",
        "torch.ops",
        "torch._C",
    }
)


LONGEST_NAME = (
    200  # characters of one name; none that is banned is half as long, and a file may hold one of a megabyte
)
DEEPEST = 12  # attributes in a row that are looked at, the last ones
MOST_FINDINGS = 100  # of one submission


@dataclass(frozen=True)
class Finding:
    """One place: its line, what is named there, and whether it is banned or a way around."""

    line: int
    name: str
    banned: bool

    def text(self, where: str) -> str:
        if self.banned:
            return f"{where} uses {self.name}, which this assignment asks you to write yourself"
        return f"{where} uses {self.name}, through which banned calls can be reached"


def find_banned(text: str, manifest: Manifest) -> list[Finding]:
    """Uses of banned names, and evasions, by line, the first hundred; none where the assignment bans nothing.

    A banned name is dotted, such as `torch.softmax`, and found under any alias it was imported by; or a method, such as
    `.softmax`, and found on anything, and in any import.
    """
    banned = {*manifest.banned, *(name for task in manifest.tasks for name in task.banned)}
    if not banned:
        return []
    tree = ast.parse(text)
    aliases = dict(_aliases(tree))
    defined = {node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names = [f"{_told(node.module)}.{_told(alias.name)}" for alias in node.names]
        elif isinstance(node, (ast.Attribute, ast.Name)) and (name := _dotted(node, aliases)):
            names = [name] if name not in defined else []
        else:
            continue
        for name in names:
            method = f".{name.rpartition('.')[2]}"
            if name in banned or (not isinstance(node, ast.Name) and method in banned):
                found.append(Finding(node.lineno, name, True))
            elif name in EVASIONS:
                found.append(Finding(node.lineno, name, False))
    return sorted(set(found), key=lambda finding: (finding.line, finding.name))[:MOST_FINDINGS]


def _aliases(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """What each imported name stands for: `F` for `torch.nn.functional`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield (
                    (alias.asname, _told(alias.name))
                    if alias.asname
                    else (alias.name.partition(".")[0], alias.name.partition(".")[0])
                )
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                yield alias.asname or alias.name, f"{_told(node.module)}.{_told(alias.name)}"


def _dotted(node: ast.expr, aliases: dict[str, str]) -> str:
    """`F.softmax` as `torch.nn.functional.softmax`; `x.softmax` as `x.softmax`; `f(x).softmax` as `?.softmax`."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute) and len(parts) < DEEPEST:
        parts.append(_told(node.attr))
        node = node.value
    parts.append(aliases.get(node.id, _told(node.id)) if isinstance(node, ast.Name) else "?")
    return ".".join(reversed(parts))


def _told(name: str | None) -> str | None:
    """A name, or `?` for one that is too long to be kept for each of its uses."""
    return "?" if name and len(name) > LONGEST_NAME else name
