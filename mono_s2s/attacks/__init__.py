"""Adversarial attacks in token-id space."""
