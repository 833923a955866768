"""Documents in: generated, JSONL files or hub data sets; tokenized once, split once."""
