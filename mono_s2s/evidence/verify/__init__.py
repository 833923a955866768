"""`mono verify`: the committed evidence judged anew, without checkpoints, without DVC and without torch.

`checking.verify` is the whole of it; each class of finding has a module: reading (schemas), recomputing (numbers),
rebuilding (what is rendered), locks (what DVC recorded). `reproduced` compares two sets of results.
"""
