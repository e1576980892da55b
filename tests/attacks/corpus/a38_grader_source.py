"""Looks for tests, references and mistakes on the disk."""

NUMBER, NAME, BY = 38, "grader-source", "S"
OUTCOMES = ("failed", "timeout")

import os
import sys


def centre(x):
    for top in [
        "/autograder",
        "/home",
        "/root",
        "/tmp",
        "/var/tmp",
        "/srv",
        "/opt",
        os.path.dirname(__file__) + "/../..",
    ]:
        for folder, _, files in os.walk(top):
            for name in files:
                if name.startswith(("test_", "scaling", "graded", "results", "run.json")):
                    try:
                        text = open(os.path.join(folder, name), errors="replace").read()
                    except OSError:
                        continue
                    if folder != os.path.dirname(__file__):
                        print("ESCAPED: read", folder, name, text[:200])
    return x * 0
