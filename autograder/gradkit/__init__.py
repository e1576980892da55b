"""Grades submissions in a process that never runs them. `autograder/README.md` is the map."""

__version__ = "0.1.0"
