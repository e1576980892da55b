"""The judge as a process: reads a `Start` and then one `Unit` a line, and writes events.

    python -I -B -m gradkit.judge.process SCRATCH

The order matters. The environment is clean from the first instruction on; the libraries that judge and workers both need are
imported once; the zygote is forked; and only then the reference, the mistakes and the hidden checks are read.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from gradkit.errors import GradkitError, InputError, ZygoteError
from gradkit.files import remove_tree
from gradkit.judge import isolation as isolation_module
from gradkit.judge.messages import Fatal, Request, Start, Unit
from gradkit.manifest import load_assignment
from gradkit.worker import sandbox


class Lines:
    """JSON values, a line each, on this process's standard streams; everything else printed goes to stderr."""

    def __init__(self) -> None:
        self._in = os.fdopen(os.dup(0), "rb")
        self._out = os.fdopen(os.dup(1), "wb", buffering=0)
        os.dup2(2, 1)
        self._decoder = msgspec.json.Decoder(Request)

    def read(self) -> Iterator[Start | Unit]:
        for line in self._in:
            yield self._decoder.decode(line)

    def write(self, event: object) -> None:
        self._out.write(msgspec.json.encode(event) + b"\n")


def main() -> None:
    """Serve requests from standard input until it ends; any error is told as `Fatal`."""
    scratch = Path(tempfile.mkdtemp(prefix="judge-", dir=sys.argv[1]))
    scratch.chmod(0o711)
    lines = Lines()
    try:
        requests = lines.read()
        start = next(requests, None)
        if start is not None:
            serve(start, requests, lines, scratch)
    except (InputError, GradkitError) as error:
        lines.write(Fatal(str(error), usage=isinstance(error, InputError), died=isinstance(error, ZygoteError)))
        sys.exit(1)
    except BrokenPipeError:  # whoever asked is gone, and nobody is left to tell
        sys.exit(1)
    except Exception as error:
        lines.write(Fatal(f"{type(error).__name__} in the judge: {error}".encode("utf-8", "replace").decode("utf-8")))
        raise
    finally:
        remove_tree(scratch)


def serve(start: Start, requests: Iterator[Unit], lines: Lines, scratch: Path) -> None:
    """Collect the checks once, then run them on one submission after the other."""
    from gradkit.judge.zygotes import Zygote
    from gradkit.worker.zygote import preload

    assignment = load_assignment(Path(start.root), start.assignment)
    isolation = isolation_module.choose(sandbox.probe())
    isolation_module.require(isolation, [assignment.hidden], at_least=start.at_least)
    preload(assignment.manifest.libraries)
    with contextlib.closing(Zygote(assignment.manifest, isolation, scratch)) as zygote:
        from gradkit.judge.run import collect_and_run  # loads torch, pytest and staff's code

        collect_and_run(assignment, zygote, start, requests, lines.write)


if __name__ == "__main__":
    main()
