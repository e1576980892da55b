"""The command line: the only package that prints, and the only one that knows exit codes.

0: all done. 1: something was not graded, or a promise does not hold. 2: bad usage or bad input.
"""

from __future__ import annotations

import sys

from gradkit.cli import authoring, course, grading, handing_out, regrading  # noqa: F401 - each adds its commands
from gradkit.cli.app import app, err
from gradkit.errors import GradkitError, InputError

INTERRUPTED = 130  # what typer makes of Ctrl-C


def main() -> None:
    """Entry point: every error that has a message for people ends here, as one line."""
    try:
        status = app(standalone_mode=False) or 0
        if status == INTERRUPTED:
            err.print("stopped; what was graded is kept, and --resume goes on from there")
        sys.exit(status)
    except InputError as error:
        err.print(f"gradkit: {error}", markup=False)
        sys.exit(2)
    except GradkitError as error:
        err.print(f"gradkit: {error}", markup=False)
        sys.exit(1)
    except Exception as error:
        if hasattr(error, "show"):  # a usage error of typer's
            error.show()
            sys.exit(2)
        raise
