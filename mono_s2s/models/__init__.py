"""The models, the monotone parametrization and checkpoints."""
