"""The class report: HTML to look at, made from the graded results of a run. Nothing is graded or changed here."""
