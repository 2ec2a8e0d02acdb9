"""What each group of operations does."""

from local_cloud.batch.rest.handlers import account, files, jobs, node_access, nodes, pools, tasks, undone

OPERATIONS = (
    *(*pools.ROUTES, *nodes.ROUTES, *node_access.ROUTES, *jobs.ROUTES, *tasks.ROUTES, *files.ROUTES, *account.ROUTES),
    *undone.OPERATIONS,
)
