"""A LaTeX paper against folders of results: which of its numbers do the results say, and which not.

Reading (`latex`, `tables`, `numbers`, `results`) knows nothing of judging (`words`, `search`, `judging`); `report` puts
the two together, `terminal` and `page` show what came out.
"""
