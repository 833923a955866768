"""mono-s2s: a machine-learning claim, carried from params.yaml to the LaTeX table."""
