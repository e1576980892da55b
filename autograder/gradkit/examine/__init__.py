"""Looks at an assignment as its author left it: its files without running them, then the students' setting."""
