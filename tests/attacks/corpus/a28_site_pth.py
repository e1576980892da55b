"""Writes a sitecustomize.py and a .pth file into the interpreter."""

NUMBER, NAME, BY = 28, "site-pth", "S"
OUTCOMES = ("failed",)

import os
import site
import sys


def centre(x):
    for folder in {*sys.path, *site.getsitepackages(), site.getusersitepackages()}:
        for name in ("sitecustomize.py", "zz_evil.pth"):
            try:
                with open(os.path.join(folder, name), "w") as file:
                    file.write("import os")
                if os.path.realpath(folder) != os.path.realpath(os.getcwd()):
                    print("ESCAPED: wrote", name, "into", folder)
            except OSError:
                pass
    return x * 0
