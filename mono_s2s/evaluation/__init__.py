"""Generation, ROUGE, losses and lengths."""
