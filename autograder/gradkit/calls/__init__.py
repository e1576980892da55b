"""What a call of a submission's function is: its bytes (`values`, in `frames`), and what is done on its arrival (`runtime`).

Both sides use it: the worker for a submission, and the judge for the reference and the known mistakes.
"""
