"""Property-based tests draw the same examples on every run, so that a pass today is a pass tomorrow."""

from hypothesis import settings

settings.register_profile("coursekit", derandomize=True, database=None, deadline=None)
settings.load_profile("coursekit")
