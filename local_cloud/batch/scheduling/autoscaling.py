"""Autoscale of pools: samples every 30 seconds, evaluations by interval, targets applied."""

from dataclasses import dataclass, replace
from datetime import timedelta

from local_cloud.autoscale import Evaluation, FormulaError, Samples, Targets, evaluate, parse
from local_cloud.batch.scheduling.fleet import Fleet
from local_cloud.batch.state.account import Account
from local_cloud.batch.state.agenda import Timers
from local_cloud.batch.state.errors import ServiceError
from local_cloud.batch.state.model import Deallocation, Json, NodeState, Pool, PoolState, named_values
from local_cloud.batch.state.times import iso

SAMPLE_PERIOD = timedelta(seconds=30)
ENABLE_PAUSE = timedelta(seconds=30)  # between two requests to enable autoscale on one pool


@dataclass(frozen=True, slots=True)
class Run:
    """An evaluation, and how the service shows it."""

    evaluation: Evaluation
    view: Json


class Autoscaling:
    """Samples all pools and steers those that have a formula."""

    def __init__(self, account: Account, fleet: Fleet, timers: Timers) -> None:
        self._account = account
        self._fleet = fleet
        self._timers = timers
        self._samples: dict[str, Samples] = {}
        self._schedules: dict[str, int] = {}  # pool -> number of its present schedule

    def resume(self) -> None:
        """Begin to sample; autoscaled pools of an earlier service are evaluated after one interval."""
        self._sample()
        for pool in self._account.pools.values():
            if pool.autoscale:
                self._schedule(pool)

    def check(self, formula: str) -> None:
        """Refuse a formula that is none."""
        try:
            parse(formula)
        except FormulaError as exc:
            raise ServiceError(str(exc.code), str(exc), PropertyName="autoScaleFormula") from exc

    def begin(self, pool: Pool) -> Pool:
        """Evaluate a pool's formula now, then by its interval."""
        self._schedule(pool)
        return self._apply(pool)

    def enable(self, pool: Pool, formula: str | None, interval: timedelta | None) -> Pool:
        """Turn autoscale on, or change its formula or interval; a new interval starts a new schedule."""
        now = self._account.clock.now()
        if pool.enabled_at is not None and now - pool.enabled_at < ENABLE_PAUSE:
            raise ServiceError("TooManyEnableAutoScaleRequests")
        if formula is None and interval is None:
            raise ServiceError("InvalidAutoScalingSettings", "A formula, an interval or both must be given.")
        if formula is None and not pool.autoscale:
            raise ServiceError(
                "InvalidAutoScalingSettings", "Autoscale is not enabled yet, so a formula must be given."
            )
        if formula is not None:
            self.check(formula)
        restart = interval is not None or not pool.autoscale
        pool = self._account.touch_pool(
            pool,
            autoscale=True,
            formula=pool.formula if formula is None else formula,
            interval=pool.interval if interval is None else interval,
            enabled_at=now,
        )
        if restart:
            self._schedule(pool)
        return self._apply(pool)

    def evaluate(self, pool: Pool, formula: str) -> Run:
        """Evaluate a formula for a pool; change nothing."""
        now = self._account.clock.now()
        current = Targets(pool.target_dedicated, pool.target_low_priority)
        samples = self._samples.setdefault(pool.key, Samples())
        result = evaluate(formula, samples, now, seed=int(now.timestamp()), current=current)
        view: Json = {"timestamp": iso(now), "results": result.results}
        if result.error is not None:
            view["error"] = {
                "code": str(result.error.code),
                "message": result.error.message,
                "values": named_values(result.error.values),
            }
        return Run(result, view)

    def _apply(self, pool: Pool) -> Pool:
        run = self.evaluate(pool, pool.formula)
        pool = self._account.put_pool(replace(pool, last_run=run.view))
        targets = run.evaluation.targets
        unchanged = (targets.dedicated, targets.low_priority) == (
            pool.target_dedicated,
            pool.target_low_priority,
        )
        if run.evaluation.error is not None or unchanged:
            return pool
        return self._fleet.resize(
            pool,
            targets.dedicated,
            targets.low_priority,
            Deallocation(str(run.evaluation.deallocation_option)),
        )

    def _schedule(self, pool: Pool) -> None:
        number = self._schedules[pool.key] = self._schedules.get(pool.key, 0) + 1
        key, created = pool.key, pool.created

        def due() -> None:
            found = self._account.pools.get(key)
            if (
                found is None
                or found.created != created
                or not found.autoscale
                or found.state is PoolState.DELETING
                or self._schedules.get(key) != number
            ):
                return
            self._timers.at(self._account.clock.now() + found.interval, due)
            self._apply(found)

        self._timers.at(self._account.clock.now() + pool.interval, due)

    def _sample(self) -> None:
        now = self._account.clock.now()
        self._timers.at(now + SAMPLE_PERIOD, self._sample)
        for key in self._samples.keys() - self._account.pools.keys():
            del self._samples[key]
        for pool in self._account.pools.values():
            self._samples.setdefault(pool.key, Samples()).record(now, self._metrics(pool))

    def _metrics(self, pool: Pool) -> dict[str, float]:
        nodes = self._account.nodes[pool.key].values()
        counts = [self._account.tasks[job.key].counts for job in self._account.jobs_on(pool.key)]
        active = sum(count.active for count in counts)
        running = sum(count.running for count in counts)
        return {
            "$ActiveTasks": active,
            "$RunningTasks": running,
            "$PendingTasks": active + running,
            "$SucceededTasks": sum(count.succeeded for count in counts),
            "$FailedTasks": sum(count.failed for count in counts),
            "$TaskSlotsPerNode": pool.slots_per_node,
            "$CurrentDedicatedNodes": sum(node.dedicated for node in nodes),
            "$CurrentLowPriorityNodes": sum(not node.dedicated for node in nodes),
            "$PreemptedNodeCount": sum(node.state is NodeState.PREEMPTED for node in nodes),
            "$SampleNodeCount": len(nodes),
        }
