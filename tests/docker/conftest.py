"""Lets the tests here import their helper."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
