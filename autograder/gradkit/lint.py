"""Finds calls that an assignment bans, and ways around that, in a submission's text. Nothing is run.

What is found is told to the student and to staff with its line. It decides no score: a text can't prove what a program
does, so a person looks. Of banned calls, a student's own pytest tells in the same words (`coursekit.costs`).
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from coursekit.costs import is_banned, names_used, uses_banned

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


MOST_FINDINGS = 100  # of one submission


@dataclass(frozen=True)
class Finding:
    """One place: its line, what is named there, and whether it is banned or a way around."""

    line: int
    name: str
    banned: bool

    def text(self, where: str) -> str:
        if self.banned:
            return uses_banned(where, self.name)
        return f"{where} uses {self.name}, through which banned calls can be reached"


def find_banned(text: str, manifest: Manifest) -> list[Finding]:
    """Uses of banned names, and evasions, by line, the first hundred; none where the assignment bans nothing.

    A banned name is dotted, such as `torch.softmax`, and found under any alias it was imported by; or a method, such as
    `.softmax`, and found on anything, and in any import.
    """
    banned = {*manifest.banned, *(name for task in manifest.tasks for name in task.banned)}
    if not banned:
        return []
    found = []
    for line, name, bare in names_used(ast.parse(text)):
        if is_banned(name, bare, banned):
            found.append(Finding(line, name, True))
        elif name in EVASIONS:
            found.append(Finding(line, name, False))
    return sorted(set(found), key=lambda finding: (finding.line, finding.name))[:MOST_FINDINGS]
