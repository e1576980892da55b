"""Lets `pytest solutions/ID/test_hidden.py` run hidden checks on the reference, or on `--submission FILE`, in this process."""

from gradkit.judge.plain import *  # noqa: F403
