"""The pipeline's stages: one short script each, run as `python -m stages.<name>` from the top folder."""
