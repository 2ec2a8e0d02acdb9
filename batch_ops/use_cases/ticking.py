"""What the timer calls, assembled from the use cases that it drives."""

from batch_ops.domain.settings import Settings
from batch_ops.ports.ports import Ports
from batch_ops.runs.shared import Clock, Runs
from batch_ops.use_cases.due_files import DueFiles
from batch_ops.use_cases.idle_jobs import IdleJobs
from batch_ops.use_cases.observation import Observation
from batch_ops.use_cases.parts_observation import PartsObservation
from batch_ops.use_cases.poison_drain import PoisonDrain
from batch_ops.use_cases.pool_watch import PoolWatch
from batch_ops.use_cases.project_changed import ProjectChanged
from batch_ops.use_cases.reconcile import Reconcile
from batch_ops.use_cases.start import Start
from batch_ops.use_cases.sweep import Sweep
from batch_ops.use_cases.undelivered_events import UndeliveredEvents


def assemble_reconcile(
    ports: Ports, runs: Runs, start: Start, project_changed: ProjectChanged, settings: Settings, clock: Clock
) -> Reconcile:
    """Assemble reconcile over the shared steps, without calling any service."""
    pool_watch = PoolWatch(batch=ports.batch, worklist=ports.worklist, settings=settings, clock=clock)
    observation = Observation(
        blobs=ports.blobs,
        batch=ports.batch,
        outbox=ports.outbox,
        staging=runs.staging,
        steps=runs.steps,
        ending=runs.ending,
        problem_file=runs.problem_file,
        pool_watch=pool_watch,
        nodes=runs.nodes,
        settings=settings,
        clock=clock,
    )
    parts = PartsObservation(
        batch=ports.batch,
        staging=runs.staging,
        steps=runs.steps,
        launcher=runs.launcher,
        problem_file=runs.problem_file,
        nodes=runs.nodes,
        observation=observation,
        ending=runs.ending,
        settings=settings,
        clock=clock,
    )
    due_files = DueFiles(
        ledger=ports.ledger,
        worklist=ports.worklist,
        batch=ports.batch,
        outbox=ports.outbox,
        staging=runs.staging,
        admission=runs.admission,
        budget=runs.budget,
        launcher=runs.launcher,
        ending=runs.ending,
        start=start,
        observation=observation,
        parts=parts,
        settings=settings,
        clock=clock,
    )
    sweep = Sweep(
        ledger=ports.ledger,
        index=ports.index,
        worklist=ports.worklist,
        blobs=ports.blobs,
        outbox=ports.outbox,
        project_changed=project_changed,
        strays=runs.strays,
        undelivered_events=UndeliveredEvents(blobs=ports.blobs, outbox=ports.outbox, settings=settings),
        settings=settings,
        clock=clock,
    )
    return Reconcile(
        ledger=ports.ledger,
        worklist=ports.worklist,
        batch=ports.batch,
        observation=observation,
        parts=parts,
        pool_watch=pool_watch,
        budget=runs.budget,
        due_files=due_files,
        idle_jobs=IdleJobs(worklist=ports.worklist, batch=ports.batch, settings=settings, clock=clock),
        sweep=sweep,
        poison_drain=PoisonDrain(ports.poison, settings.queues, ports.worklist, clock),
        settings=settings,
        clock=clock,
    )
