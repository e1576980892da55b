"""What students and the grader share: comparison, gradient checks, data, plots, the simulated GPU, the pytest plugin."""
