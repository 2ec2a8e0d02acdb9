"""The account: pools, nodes, jobs and tasks in memory, every change written through to the store."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from local_cloud.batch.state.clock import Clock
from local_cloud.batch.state.codec import decode, encode
from local_cloud.batch.state.errors import ServiceError
from local_cloud.batch.state.model import AllocationState, Job, Json, NodeState, Pool, PoolState, Task
from local_cloud.batch.state.node_records import JobNode, Node
from local_cloud.batch.state.store import Store
from local_cloud.batch.state.task_index import TaskIndex
from local_cloud.batch.state.times import Revisions


class Account:
    """All state of the service; ids are looked up without regard to case."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store = store
        self.clock = clock
        self.pools: dict[str, Pool] = {}
        self.nodes: dict[str, dict[str, Node]] = {}
        self.jobs: dict[str, Job] = {}
        self.tasks: dict[str, TaskIndex] = {}
        self.job_nodes: dict[str, dict[tuple[str, str], JobNode]] = {}  # by job, then by pool and node
        self._revisions = Revisions(clock)
        self._seq = 0

    def load(self) -> None:
        """Read what an earlier service has left."""
        for pool in (decode(Pool, body) for body in self.store.read("pool")):
            self.pools[pool.key] = pool
            self.nodes[pool.key] = {}
            self._revisions.seen(pool.revision)
        for node in sorted((decode(Node, body) for body in self.store.read("node")), key=lambda n: n.number):
            self.nodes[node.pool][node.key] = node
        for job in sorted((decode(Job, body) for body in self.store.read("job")), key=lambda j: j.seq):
            self.jobs[job.key] = job
            self.tasks[job.key] = TaskIndex(dependent=job.uses_dependencies)
            self._revisions.seen(job.revision)
            self._seq = max(self._seq, job.seq)
        for prepared in (decode(JobNode, body) for body in self.store.read("jobnode")):
            self.job_nodes.setdefault(prepared.job, {})[prepared.pool, prepared.node] = prepared
        for task in self.store.read_tasks():
            self.tasks[task.job].put(task)
            self._revisions.seen(task.revision)
            self._seq = max(self._seq, task.seq)

    def next_seq(self) -> int:
        """Return the next number by which jobs and tasks are ordered."""
        self._seq += 1
        return self._seq

    def stamp(self) -> Json:
        """Return revision and time of a change that a request makes."""
        return {"revision": self._revisions.next(), "modified": self.clock.now()}

    # Pools and nodes -----------------------------------------------------------------------------

    def pool(self, pool_id: str) -> Pool:
        """Return the pool of this id; PoolNotFound otherwise."""
        pool = self.pools.get(pool_id.lower())
        if pool is None:
            raise ServiceError("PoolNotFound", f"There is no pool '{pool_id}'.")
        return pool

    def put_pool(self, pool: Pool) -> Pool:
        """Add or replace a pool."""
        self.pools[pool.key] = pool
        self.nodes.setdefault(pool.key, {})
        self.store.save("pool", pool.key, encode(pool))
        return pool

    def touch_pool(self, pool: Pool, **changes: Any) -> Pool:
        """Change a pool on a request: with a new revision and modification time."""
        return self.put_pool(replace(pool, **self.stamp(), **changes))

    def settle_pool(self, key: str) -> None:
        """Call a pool steady when no node is on its way in or out; drop one being deleted with its last node."""
        pool, nodes = self.pools.get(key), self.nodes.get(key, {}).values()
        if pool is None:
            return
        if pool.state is PoolState.DELETING and not nodes:
            self.drop_pool(key)
        elif pool.allocation is not AllocationState.STEADY and not any(
            node.leaving is not None or node.state is NodeState.CREATING for node in nodes
        ):
            self.put_pool(replace(pool, allocation=AllocationState.STEADY, allocation_since=self.clock.now()))

    def drop_pool(self, key: str) -> None:
        """Remove a pool."""
        self.pools.pop(key, None)
        self.nodes.pop(key, None)
        self.store.drop("pool", key)

    def node(self, pool_id: str, node_id: str) -> Node:
        """Return a node of a pool; PoolNotFound or NodeNotFound otherwise."""
        node = self.nodes[self.pool(pool_id).key].get(node_id.lower())
        if node is None:
            raise ServiceError("NodeNotFound", f"The pool '{pool_id}' has no node '{node_id}'.")
        return node

    def find_node(self, pool_key: str | None, node_key: str | None) -> Node | None:
        """Return a node by its keys, or None."""
        return self.nodes.get(pool_key or "", {}).get(node_key or "")

    def put_node(self, node: Node) -> Node:
        """Add or replace a node."""
        self.nodes[node.pool][node.key] = node
        self.store.save("node", f"{node.pool}/{node.key}", encode(node))
        return node

    def drop_node(self, node: Node) -> None:
        """Remove a node."""
        self.nodes.get(node.pool, {}).pop(node.key, None)
        self.store.drop("node", f"{node.pool}/{node.key}")

    # Jobs and tasks ------------------------------------------------------------------------------

    def job(self, job_id: str) -> Job:
        """Return the job of this id; JobNotFound otherwise."""
        job = self.jobs.get(job_id.lower())
        if job is None:
            raise ServiceError("JobNotFound", f"There is no job '{job_id}'.")
        return job

    def put_job(self, job: Job) -> Job:
        """Add or replace a job."""
        self.jobs[job.key] = job
        if job.key not in self.tasks:
            self.tasks[job.key] = TaskIndex(dependent=job.uses_dependencies)
        self.store.save("job", job.key, encode(job))
        return job

    def touch_job(self, job: Job, **changes: Any) -> Job:
        """Change a job on a request: with a new revision and modification time."""
        return self.put_job(replace(job, **self.stamp(), **changes))

    def drop_job(self, key: str) -> None:
        """Remove a job with its tasks."""
        for prepared in list(self.job_nodes.pop(key, {}).values()):
            self.drop_job_node(prepared)
        self.jobs.pop(key, None)
        self.tasks.pop(key, None)
        self.store.drop("job", key)
        self.store.drop_tasks(key)

    def put_job_node(self, prepared: JobNode) -> JobNode:
        """Add or replace what is known of a job's preparation on a node."""
        self.job_nodes.setdefault(prepared.job, {})[prepared.pool, prepared.node] = prepared
        self.store.save("jobnode", _job_node_key(prepared), encode(prepared))
        return prepared

    def drop_job_node(self, prepared: JobNode) -> None:
        """Forget that a node was prepared for a job."""
        self.job_nodes.get(prepared.job, {}).pop((prepared.pool, prepared.node), None)
        self.store.drop("jobnode", _job_node_key(prepared))

    def drop_preparations(self, node: Node) -> None:
        """Forget all preparations of a node whose files are lost."""
        for prepared in [found.get((node.pool, node.key)) for found in self.job_nodes.values()]:
            if prepared is not None:
                self.drop_job_node(prepared)

    def task(self, job_id: str, task_id: str) -> Task:
        """Return a task of a job; JobNotFound or TaskNotFound otherwise."""
        task = self.tasks[self.job(job_id).key].tasks.get(task_id.lower())
        if task is None:
            raise ServiceError("TaskNotFound", f"The job '{job_id}' has no task '{task_id}'.")
        return task

    def find_task(self, job_key: str, task_key: str, seq: int) -> Task | None:
        """Return the task of this creation number, or None when it was deleted since."""
        index = self.tasks.get(job_key)
        task = index.tasks.get(task_key) if index else None
        return task if task is not None and task.seq == seq else None

    def add_tasks(self, tasks: Iterable[Task]) -> None:
        """Add new tasks to their jobs."""
        added = list(tasks)
        for task in added:
            self.tasks[task.job].put(task)
        self.store.add_tasks(added)

    def put_task(self, task: Task) -> Task:
        """Replace a task whose state has changed."""
        self.tasks[task.job].put(task)
        self.store.save_task(task)
        return task

    def drop_task(self, task: Task) -> None:
        """Remove a task."""
        self.tasks[task.job].remove(task.key)
        self.store.drop_task(task.job, task.key)

    def jobs_on(self, pool_key: str) -> Iterator[Job]:
        """Return the jobs that name a pool."""
        return (job for job in self.jobs.values() if job.pool_key == pool_key)


def _job_node_key(prepared: JobNode) -> str:
    return f"{prepared.job}/{prepared.pool}/{prepared.node}"
