"""Commands of `python -m batch_ops.files`.

list | show | retry | cancel | pause | resume | backfill | rerun | compare | crop | poison | month | index
"""
