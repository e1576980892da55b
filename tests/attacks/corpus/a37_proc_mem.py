"""Opens memory and descriptors of its parent."""

NUMBER, NAME, BY = 37, "proc-mem", "S"
OUTCOMES = ("failed",)

import os


def centre(x):
    for pid in (os.getppid(), 1):
        for name in ("mem", "fd", "root", "cwd"):
            try:
                os.open(f"/proc/{pid}/{name}", os.O_RDONLY)
                print("ESCAPED: opened", pid, name)
            except OSError:
                pass
    return x * 0
