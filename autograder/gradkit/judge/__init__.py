"""The trusted side: runs the checks, calls the submission through a worker, compares, and explains."""
