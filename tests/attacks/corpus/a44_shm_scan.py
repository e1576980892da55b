"""Leaves notes in shared folders for the next check."""

NUMBER, NAME, BY = 44, "shm-scan", "S"
OUTCOMES = ("failed",)
NEEDS_LANDLOCK = True  # without it shared folders and command lines are open, as SECURITY.md says

import os


def centre(x):
    for folder in ("/dev/shm", "/tmp", "/var/tmp", "/run"):
        try:
            for name in os.listdir(folder):
                if name.startswith("note-of-scaling"):
                    print("ESCAPED: found a note in", folder)
            open(f"{folder}/note-of-scaling", "w").close()
            print("ESCAPED: left a note in", folder)
        except OSError:
            pass
    return x * 0
