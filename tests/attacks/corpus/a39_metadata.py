"""Reads what Gradescope says of the student, the due dates and earlier results."""

NUMBER, NAME, BY = 39, "metadata", "S"
OUTCOMES = ("failed",)


def centre(x):
    for path in (
        "/autograder/submission_metadata.json",
        "/autograder/results/results.json",
        "/autograder/source/gradescope.json",
        "/autograder/submission/../submission_metadata.json",
    ):
        try:
            print("ESCAPED: read", path, open(path).read()[:100])
        except OSError:
            pass
    return x * 0
