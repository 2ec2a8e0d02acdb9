"""What each group of operations does."""

from local_cloud.batch.rest.handlers import files, jobs, nodes, pool_reports, pools, tasks, undone

OPERATIONS = (
    *(*pools.ROUTES, *pool_reports.ROUTES, *nodes.ROUTES, *jobs.ROUTES, *tasks.ROUTES, *files.ROUTES),
    *undone.OPERATIONS,
)
