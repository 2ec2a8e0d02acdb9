"""Commands of `python -m batch_ops.files`.

list | show | retry | cancel | pause | resume | confirm | contrast | backfill | rerun | compare | crop | fetch |
counts | month | poison | index
"""
