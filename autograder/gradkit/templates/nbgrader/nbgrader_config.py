"""nbgrader's settings for this course, written by `gradkit bundle nbgrader`. Run nbgrader's commands in this folder.

Keep this folder to staff: the seed below tells the hidden checks' inputs, and the gradebook holds the grades.
"""

import os
import sys

from nbgrader.preprocessors import (
    AssignLatePenalties,
    CheckCellMetadata,
    ClearOutput,
    ComputeChecksums,
    DeduplicateIds,
    IncludeHeaderFooter,
    LockCells,
    OverwriteCells,
    OverwriteKernelspec,
    SaveCells,
)

from gradkit.gradebook import GradesExport, JudgeGrades, SubmissionExporter

c = get_config()  # noqa: F821 - nbgrader puts it here

# nbgrader calls a program of its own environment, `alembic`, and looks for it on the path.
os.environ["PATH"] = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", os.defpath)])

c.CourseDirectory.course_id = "{course}"

# The judge grades; nothing of a submission is executed by nbgrader.
c.JudgeGrades.kit = "{kit}"  # where the kit lies: its checks and references stay there
c.JudgeGrades.seed = {seed}
c.JudgeGrades.device = "cpu"

# As released: the notebooks in source/ are cut already, so nbgrader need not clear solutions.
c.GenerateAssignment.preprocessors = [
    IncludeHeaderFooter, LockCells, ClearOutput, CheckCellMetadata, ComputeChecksums, SaveCells,
    ComputeChecksums, CheckCellMetadata,
]  # fmt: skip

c.Autograde.exporter_class = SubmissionExporter
c.Autograde.sanitize_preprocessors = [
    ClearOutput, DeduplicateIds, OverwriteKernelspec, OverwriteCells, CheckCellMetadata,
]  # fmt: skip
c.Autograde.autograde_preprocessors = [JudgeGrades, AssignLatePenalties, CheckCellMetadata]

c.ExportApp.plugin_class = GradesExport

# `nbgrader zip_collect ID` takes files such as student01_attention.ipynb or student01_2026-01-15_attention.ipynb out of
# downloaded/ID/archive/, zipped or not. Change the pattern to what your learning platform names them.
c.FileNameCollectorPlugin.named_regexp = r".*[/\\](?P<student_id>[A-Za-z0-9.@-]+)_(?:.*_)?(?P<file_id>{ids})\.ipynb$"
