"""Notebooks: `read` takes student code out of one, as data; `write` cuts the one that students get."""
