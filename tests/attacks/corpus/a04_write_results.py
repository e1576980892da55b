"""Writes results and grades wherever they may lie."""

NUMBER, NAME, BY = 4, "write-results", "S"
OUTCOMES = ("failed",)
NEEDS_LANDLOCK = True  # without it shared folders and command lines are open, as SECURITY.md says

import glob
import os


def centre(x):
    places = [
        "/autograder/results/results.json",
        "/tmp/results.json",
        "../results.json",
        "../../results.json",
    ]
    for place in (
        places + glob.glob("/tmp/*/*/results.json") + [os.environ.get("OUT", "/out") + "/grades.csv"]
    ):
        try:
            with open(place, "w") as file:
                file.write('{"score": 100, "tests": []}')
            print("ESCAPED: wrote", place)
        except OSError:
            pass
    return x * 0
