"""Grading on a Dask cluster: what travels (`jobs`), what runs there (`worker`), and what waits for it here (`judges`)."""
