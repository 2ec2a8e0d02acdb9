"""The one place where the use cases are put together: ports and settings in, the whole app out.

The app, the commands, the doctor and every test and simulation use this same graph over their own ports.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from batch_ops.containers.classifiers import Classifiers
from batch_ops.containers.problem_file import ProblemFile
from batch_ops.containers.staging import Staging
from batch_ops.domain.settings import Settings
from batch_ops.domain.transitions import Policy
from batch_ops.ports.services import BatchService, BlobStore, ImageCheck, Outbox, PoisonQueues
from batch_ops.ports.tables import Ledger, Worklist
from batch_ops.runs.admission import Admission
from batch_ops.runs.claims import Claims
from batch_ops.runs.ending import Ending
from batch_ops.runs.launcher import Launcher
from batch_ops.runs.steps import Steps
from batch_ops.use_cases.backfill import Backfiller
from batch_ops.use_cases.collect import Collect
from batch_ops.use_cases.due_files import DueFiles
from batch_ops.use_cases.idle_jobs import IdleJobs
from batch_ops.use_cases.inbox import Inbox
from batch_ops.use_cases.last_delivery import LastDelivery
from batch_ops.use_cases.observation import Observation
from batch_ops.use_cases.poison_queues import PoisonCare
from batch_ops.use_cases.project_changed import ProjectChanged
from batch_ops.use_cases.reconcile import Reconcile
from batch_ops.use_cases.start import Start
from batch_ops.use_cases.steering import Steering
from batch_ops.use_cases.sweep import Sweep
from batch_ops.use_cases.undelivered_events import UndeliveredEvents


@dataclass(frozen=True, slots=True)
class Ports:
    """What the product needs of the world."""

    ledger: Ledger
    worklist: Worklist
    blobs: BlobStore
    batch: BatchService
    outbox: Outbox
    check: ImageCheck
    poison: PoisonQueues


@dataclass(frozen=True, slots=True)
class System:
    """The use cases: the first three serve the triggers, the others the commands.

    `start`, `collect`, `project_changed`, `claims`, `ending` and `staging` are what those three are made of.
    """

    inbox: Inbox
    reconcile: Reconcile
    steering: Steering
    backfiller: Backfiller
    poison: PoisonCare
    start: Start
    collect: Collect
    project_changed: ProjectChanged
    claims: Claims
    ending: Ending
    staging: Staging


def assemble(ports: Ports, settings: Settings, clock: Callable[[], datetime], new_id: Callable[[], str]) -> System:
    """Put the app together. It has called nothing yet, and remembers nothing."""
    ledger, worklist, blobs, batch, outbox = ports.ledger, ports.worklist, ports.blobs, ports.batch, ports.outbox
    policy = Policy(settings.job_prefix, settings.large_pool_id, settings.lost_after)
    staging = Staging(blobs, settings.staging_container)
    problem_file = ProblemFile(blobs, settings.results_container, staging)
    ending = Ending(
        ledger=ledger,
        worklist=worklist,
        batch=batch,
        outbox=outbox,
        problem_file=problem_file,
        staging_kept=settings.staging_kept,
        clock=clock,
    )
    launcher = Launcher(
        ledger=ledger, worklist=worklist, blobs=blobs, batch=batch, ending=ending, settings=settings, clock=clock
    )
    steps = Steps(ledger=ledger, outbox=outbox, launcher=launcher, ending=ending)
    claims = Claims(
        ledger=ledger,
        worklist=worklist,
        launcher=launcher,
        ending=ending,
        problem_file=problem_file,
        settings=settings,
        clock=clock,
        new_id=new_id,
    )
    admission = Admission(worklist=worklist, settings=settings, clock=clock)
    start = Start(
        ledger=ledger,
        blobs=blobs,
        check=ports.check,
        classifiers=Classifiers(blobs=blobs, worklist=worklist, check=ports.check, settings=settings, clock=clock),
        admission=admission,
        claims=claims,
        launcher=launcher,
        ending=ending,
        settings=settings,
        clock=clock,
    )
    observation = Observation(
        ledger=ledger,
        blobs=blobs,
        batch=batch,
        staging=staging,
        steps=steps,
        ending=ending,
        policy=policy,
        settings=settings,
        clock=clock,
    )
    due_files = DueFiles(
        ledger=ledger,
        worklist=worklist,
        batch=batch,
        outbox=outbox,
        staging=staging,
        admission=admission,
        launcher=launcher,
        ending=ending,
        start=start,
        observation=observation,
        settings=settings,
        clock=clock,
    )
    project_changed = ProjectChanged(ledger=ledger, worklist=worklist, outbox=outbox, settings=settings)
    sweep = Sweep(
        ledger=ledger,
        worklist=worklist,
        blobs=blobs,
        outbox=outbox,
        project_changed=project_changed,
        undelivered_events=UndeliveredEvents(blobs=blobs, outbox=outbox, settings=settings),
        settings=settings,
        clock=clock,
    )
    reconcile = Reconcile(
        ledger=ledger,
        worklist=worklist,
        batch=batch,
        observation=observation,
        due_files=due_files,
        idle_jobs=IdleJobs(worklist=worklist, batch=batch, settings=settings, clock=clock),
        sweep=sweep,
        settings=settings,
        clock=clock,
    )
    collect = Collect(
        ledger=ledger,
        blobs=blobs,
        outbox=outbox,
        staging=staging,
        problem_file=problem_file,
        launcher=launcher,
        ending=ending,
        steps=steps,
        start=start,
        policy=policy,
        settings=settings,
        clock=clock,
    )
    inbox = Inbox(
        outbox=outbox,
        start=start,
        project_changed=project_changed,
        collect=collect,
        last_delivery=LastDelivery(
            ledger=ledger,
            worklist=worklist,
            blobs=blobs,
            claims=claims,
            settings=settings,
            clock=clock,
            new_id=new_id,
        ),
        projects_container=settings.projects_container,
    )
    steering = Steering(
        ledger=ledger,
        worklist=worklist,
        blobs=blobs,
        batch=batch,
        outbox=outbox,
        ending=ending,
        settings=settings,
        clock=clock,
    )
    return System(
        inbox=inbox,
        reconcile=reconcile,
        steering=steering,
        backfiller=Backfiller(ledger=ledger, blobs=blobs, outbox=outbox, settings=settings),
        poison=PoisonCare(ports.poison, (settings.blob_created_queue, settings.collect_queue)),
        start=start,
        collect=collect,
        project_changed=project_changed,
        claims=claims,
        ending=ending,
        staging=staging,
    )
