"""What models write and how good it is: generation, ROUGE, losses, lengths."""
