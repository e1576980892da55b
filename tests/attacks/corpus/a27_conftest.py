"""Writes a conftest.py and a plugin where tests might be collected."""

NUMBER, NAME, BY = 27, "conftest", "C"
OUTCOMES = ("failed",)
NEEDS_LANDLOCK = True  # without it shared folders and command lines are open, as SECURITY.md says

import os


def centre(x):
    here = os.path.dirname(os.path.abspath(__file__))
    for folder in (here, os.path.dirname(here), os.path.dirname(os.path.dirname(here))):
        try:
            with open(os.path.join(folder, "conftest.py"), "w") as file:
                file.write("def pytest_runtest_makereport(item, call): ...")
            print("ESCAPED: wrote a conftest.py into", folder)
        except OSError:
            pass
    with open("conftest.py", "w") as file:  # its own folder of this one check
        file.write("raise SystemExit('ESCAPED')")
    return x * 0
