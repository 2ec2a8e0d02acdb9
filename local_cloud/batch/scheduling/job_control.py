"""What happens to jobs as a whole: disable, enable, terminate, delete, complete, run out of time."""

import asyncio
import shutil
from datetime import timedelta

from local_cloud.batch.node.agent import Agents
from local_cloud.batch.node.execution import StopReason
from local_cloud.batch.node.retention import Retention
from local_cloud.batch.scheduling.fleet import Fleet
from local_cloud.batch.scheduling.job_steps import JobSteps
from local_cloud.batch.state.account import Account
from local_cloud.batch.state.agenda import Agenda, Timers
from local_cloud.batch.state.exit_conditions import exit_options
from local_cloud.batch.state.model import Job, JobState, Task, TaskState
from local_cloud.batch.state.times import LONGEST, parse_duration

_PASSING = (JobState.DISABLING, JobState.TERMINATING, JobState.DELETING)
_ENDING = (JobState.TERMINATING, JobState.COMPLETED, JobState.DELETING)


class JobControl:
    """Moves jobs through their states; a state that ends in -ing lasts until the last run has ended."""

    def __init__(
        self,
        account: Account,
        agents: Agents,
        steps: JobSteps,
        agenda: Agenda,
        timers: Timers,
        retention: Retention,
        fleet: Fleet,
    ) -> None:
        self._account = account
        self._agents = agents
        self._steps = steps
        self._agenda = agenda
        self._timers = timers
        self._retention = retention
        self._fleet = fleet

    def watch_time(self, job: Job) -> None:
        """Terminate the job when its wall clock time is over."""
        limit = job.spec.get("constraints", {}).get("maxWallClockTime")
        if limit is None or job.state in _ENDING:
            return
        length = parse_duration(limit)
        if length >= min(LONGEST, timedelta(days=36_500)):
            return
        key, seq, due = job.key, job.seq, job.created + length

        def expire() -> None:
            found = self._account.jobs.get(key)
            if found is None or found.seq != seq or found.state in _ENDING:
                return
            if found.spec.get("constraints", {}).get("maxWallClockTime") == limit:
                self.terminate(found, "MaxWallClockTimeExpiry")

        self._timers.at(due, expire)

    def disable(self, job: Job, option: str) -> Job:
        """Schedule nothing more of a job; `option` decides what becomes of its running tasks."""
        if job.state is not JobState.DISABLED:
            job = self._to(job, JobState.DISABLING)
        self._stop_runs(job, {"requeue": StopReason.REQUEUED, "terminate": StopReason.TERMINATED}.get(option))
        return self._advance(job.key) or job

    def enable(self, job: Job) -> Job:
        """Let a disabled job run again."""
        if job.state in (JobState.DISABLED, JobState.DISABLING):
            job = self._to(self._to(job, JobState.ENABLING), JobState.ACTIVE)
        self._agenda.add(job.pool_key)
        return self.completed_by_itself(job)

    def terminate(self, job: Job, reason: str) -> Job:
        """End a job; its active tasks stay active for ever."""
        job = self._to(job, JobState.TERMINATING, terminate_reason=reason)
        self._stop_runs(job, StopReason.TERMINATED)
        return self._advance(job.key) or job

    def delete(self, job: Job) -> None:
        """Remove a job with its tasks and their files."""
        if job.state is not JobState.DELETING:
            job = self._to(job, JobState.DELETING)
        self._stop_runs(job, StopReason.DELETED)
        self._advance(job.key)

    def _stop_runs(self, job: Job, reason: StopReason | None) -> None:
        if reason is not None:
            for run in self._agents.runs_of_job(job.key):
                run.stop.request(reason)

    def _to(self, job: Job, state: JobState, **changes: object) -> Job:
        stamp = self._account.stamp()
        return self._account.put_job(job.to(state, stamp["modified"], **stamp, **changes))

    def task_ended(self, job_key: str, task: Task | None) -> None:
        """Take note that a run of the job has ended, or that a task of it was completed without one."""
        if task is not None and task.state is TaskState.COMPLETED:
            self._retention.watch(task)
            self._act(job_key, task)
        job = self._advance(job_key)
        if job is not None:
            self._agenda.add(job.pool_key)  # others may have waited for this task
            self.completed_by_itself(job)

    def _act(self, job_key: str, task: Task) -> None:
        """Do to the job what a completed task of it asks for."""
        job = self._account.jobs.get(job_key)
        if job is None or job.state is not JobState.ACTIVE or not job.acts_on_exits:
            return
        match exit_options(task).job_action:
            case "terminate":
                self.terminate(job, "TaskFailed")
            case "disable":
                self.disable(job, "requeue")

    def completed_by_itself(self, job: Job) -> Job:
        """Terminate a job that wants it when all its tasks are completed; one that never had any goes on."""
        index = self._account.tasks[job.key]
        counts = index.counts
        if (
            job.state is JobState.ACTIVE
            and job.spec.get("onAllTasksComplete") == "terminatejob"
            and index.ever_filled
            and counts.active + counts.running == 0
        ):
            return self.terminate(job, "AllTasksComplete")
        return job

    def _advance(self, job_key: str) -> Job | None:
        """Leave a state that ends in -ing when nothing of the job runs any more."""
        job = self._account.jobs.get(job_key)
        if job is None or job.state not in _PASSING or self._agents.runs_of_job(job_key):
            return job
        if job.state is JobState.DISABLING:
            return self._to(job, JobState.DISABLED)
        if self._steps.release(job):
            return job
        if job.state is JobState.TERMINATING:
            self._give_up_pool(job)
            return self._to(job, JobState.COMPLETED, end=self._account.clock.now())
        if job.state is JobState.DELETING:
            self._agents.spawn(self._remove(job), f"removal of job {job.id}")
        return job

    def step_ended(self, job_key: str) -> None:
        """Take note that a preparation or release task of the job has ended on a node."""
        job = self._advance(job_key)
        if job is not None:
            self._agenda.add(job.pool_key)

    def _give_up_pool(self, job: Job) -> None:
        """Remove the pool that was made for a job, unless it is to stay."""
        pool = self._account.pools.get(job.pool_key)
        if pool is not None and not job.keeps_pool:
            self._fleet.delete_pool(pool)

    async def _remove(self, job: Job) -> None:
        folders = [agent.paths.job(job.id) for agent in self._agents.all()]
        for folder in folders:
            await asyncio.to_thread(shutil.rmtree, folder, True)
        found = self._account.jobs.get(job.key)
        if found is not None and found.seq == job.seq:
            self._account.drop_job(job.key)
            self._give_up_pool(job)

    def resume(self) -> None:
        """Go on with what was under way, after a restart."""
        for job in list(self._account.jobs.values()):
            found = self._advance(job.key)
            if found is not None and found.state is JobState.ENABLING:
                found = self._to(found, JobState.ACTIVE)
            if found is not None:
                self.watch_time(found)
