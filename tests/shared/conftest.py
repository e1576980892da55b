"""Property-based tests draw the same examples on every run, so that a pass today is a pass tomorrow."""

import sys
from pathlib import Path

from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))  # for claims, which no package holds

settings.register_profile("coursekit", derandomize=True, database=None, deadline=None)
settings.load_profile("coursekit")
