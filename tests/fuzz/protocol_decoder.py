"""Fuzzes the decoder of what a worker sends, guided by coverage.

    pip install atheris
    python tests/fuzz/protocol_decoder.py --seconds 60

Whatever the bytes, `decode` gives a value or a ProtocolError, and a value that it gives can be sent and read again. The
first input that breaks this is printed and kept as `crash-…` in the current folder, and the exit code is not 0.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import atheris
import numpy as np
import torch

with atheris.instrument_imports(include=["gradkit.calls.values"]):
    from gradkit.calls import values

from coursekit.toys import ModelConfig

from gradkit.errors import ProtocolError

SAMPLES = (
    None, True, -1, 2**70, 1.5, float("nan"), "café", b"\0\xff", [1, [2, (3,)]], {"a": {1, 2}, 2: frozenset({b"x"})},
    np.arange(6.0).reshape(2, 3), np.float32(2), np.zeros((0, 4), np.int64), np.array([True, False]),
    torch.ones(2, 2, dtype=torch.bfloat16), torch.tensor([True]), torch.float16, values.Ref(3, "Tokenizer"),
    values.CallbackRef(2), ModelConfig(),
)  # fmt: skip

executions = decoded = 0


def one_input(data: bytes) -> None:
    global executions, decoded
    executions += 1
    try:
        value = values.decode(data)
    except ProtocolError:
        return
    decoded += 1
    values.decode(values.encode(value))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as corpus:
        for number, sample in enumerate(SAMPLES):
            try:
                (Path(corpus) / str(number)).write_bytes(values.encode(sample))
            except (values.Unsendable, TypeError) as error:
                sys.exit(f"sample {number} can't be sent: {error}")
        limits = [
            f"-max_total_time={chosen.seconds}",
            f"-seed={chosen.seed}",
            "-max_len=4096",
            "-rss_limit_mb=2048",
        ]
        atheris.Setup([sys.argv[0], *limits, "-print_final_stats=1", corpus], one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
