"""What can be said about a wrong answer, given the right one.

Each function looks for structure in the difference and returns a `Finding`: an observation that holds for
every coordinate, never a guess at its cause. An observation is made only on strong evidence. It has to
explain every entry to tolerance, and leave next to nothing of the error of any wrong one, through enough
distinct values that no coincidence would; where several observations explain the same answer, all of them
are named or only what they share. Otherwise the finding is how many entries are wrong, and by how much. No
text holds a value of the inputs or of the expected answer, except that it is zero everywhere.

`coursekit.compare` calls this module once two values differ; nothing here decides whether they do.
"""

from coursekit.diagnosis.arrays import of_arrays
from coursekit.diagnosis.evidence import KINDS
from coursekit.diagnosis.numbers import of_scalars
from coursekit.diagnosis.sequences import of_sequences
from coursekit.diagnosis.shapes import of_shapes

__all__ = ["KINDS", "of_arrays", "of_scalars", "of_sequences", "of_shapes"]
