"""The one place where the use cases are assembled from ports and settings.

The app, the commands of operators and every test and simulation use this same graph over their own ports.
"""

from collections.abc import Callable
from dataclasses import dataclass

from batch_ops.containers.classifiers import Classifiers
from batch_ops.containers.reruns import Reruns
from batch_ops.domain.settings import Settings
from batch_ops.ports.ports import Ports
from batch_ops.runs.contrasts import Contrasts
from batch_ops.runs.shared import Clock, NewId, Runs, assemble_runs
from batch_ops.use_cases.absent_classes import AbsentClasses
from batch_ops.use_cases.access_test import AccessTest
from batch_ops.use_cases.backfill import Backfiller
from batch_ops.use_cases.collect import Collect
from batch_ops.use_cases.confirming import Confirming
from batch_ops.use_cases.counting import Counting
from batch_ops.use_cases.cropping import Cropping
from batch_ops.use_cases.fetching import Fetching
from batch_ops.use_cases.file_pages import FilePages
from batch_ops.use_cases.inbox import Inbox
from batch_ops.use_cases.last_delivery import LastDelivery
from batch_ops.use_cases.month_report import MonthReport
from batch_ops.use_cases.newest_files import NewestFiles
from batch_ops.use_cases.overview import Overviews
from batch_ops.use_cases.poison_queues import PoisonCare
from batch_ops.use_cases.project_changed import ProjectChanged
from batch_ops.use_cases.project_look import ProjectLooks
from batch_ops.use_cases.published_files import PublishedFiles
from batch_ops.use_cases.purging import Purging
from batch_ops.use_cases.reconcile import Reconcile
from batch_ops.use_cases.rerunning import Rerunning
from batch_ops.use_cases.start import Start
from batch_ops.use_cases.steering import Steering
from batch_ops.use_cases.ticking import assemble_reconcile
from batch_ops.use_cases.uploading import Uploading


@dataclass(frozen=True, slots=True)
class System:
    """What the triggers call, `inbox` and `reconcile`, and what the commands call."""

    inbox: Inbox
    reconcile: Reconcile
    steering: Steering
    confirming: Confirming
    month: MonthReport
    counting: Callable[[], Counting]
    fetching: Fetching
    cropping: Cropping
    rerunning: Rerunning
    purging: Purging
    backfiller: Backfiller
    poison: PoisonCare
    contrasts: Contrasts
    file_pages: FilePages
    overview: Overviews
    project_look: ProjectLooks
    published: PublishedFiles
    uploading: Uploading
    settings: Settings


def assemble(
    ports: Ports, settings: Settings, clock: Clock, new_id: NewId, access_test: AccessTest | None = None
) -> System:
    """Assemble the app, without calling any service."""
    ledger, worklist, notes = ports.ledger, ports.worklist, ports.notes
    reruns = Reruns(blobs=ports.blobs, settings=settings)
    runs = assemble_runs(ports, settings, clock, new_id)
    newest = NewestFiles(ledger=ledger, index=ports.index, worklist=worklist)
    classifiers = Classifiers(blobs=ports.blobs, notes=notes, check=ports.check, settings=settings, clock=clock)
    start = _start(ports, runs, reruns, classifiers, settings, clock)
    changed = ProjectChanged(ledger=ledger, worklist=worklist, notes=notes, outbox=ports.outbox, settings=settings)
    collect = Collect(
        ledger=ledger,
        blobs=ports.blobs,
        outbox=ports.outbox,
        staging=runs.staging,
        problem_file=runs.problem_file,
        launcher=runs.launcher,
        ending=runs.ending,
        steps=runs.steps,
        contrasts=runs.contrasts,
        certificates=runs.certificates,
        start=start,
        absent_classes=AbsentClasses(newest=newest, clock=clock),
        settings=settings,
        clock=clock,
    )
    last_delivery = LastDelivery(
        ledger=ledger,
        worklist=worklist,
        blobs=ports.blobs,
        claims=runs.claims,
        settings=settings,
        clock=clock,
        new_id=new_id,
    )
    steering = Steering(
        ledger=ledger,
        index=ports.index,
        newest=newest,
        worklist=worklist,
        blobs=ports.blobs,
        outbox=ports.outbox,
        ending=runs.ending,
        settings=settings,
        clock=clock,
    )
    pages = FilePages(ledger=ledger, index=ports.index, newest=newest, projects=steering.projects)
    return System(
        inbox=Inbox(
            outbox=ports.outbox,
            start=start,
            project_changed=changed,
            collect=collect,
            last_delivery=last_delivery,
            projects_container=settings.projects_container,
            access_test=access_test,
        ),
        reconcile=assemble_reconcile(ports, runs, start, changed, settings, clock),
        steering=steering,
        confirming=Confirming(ledger=ledger, worklist=worklist, notes=notes, outbox=ports.outbox),
        rerunning=Rerunning(ledger=ledger, reruns=reruns, outbox=ports.outbox, clock=clock),
        purging=Purging(
            ledger=ledger,
            index=ports.index,
            worklist=worklist,
            notes=notes,
            blobs=ports.blobs,
            batch=ports.batch,
            staging=runs.staging,
            select=steering.select,
            settings=settings,
            clock=clock,
        ),
        counting=lambda: Counting(blobs=ports.blobs, settings=settings),
        fetching=Fetching(blobs=ports.blobs, container=settings.results_container),
        cropping=Cropping(
            blobs=ports.blobs, classifiers=classifiers, pixels=ports.pixels, container=settings.input_container
        ),
        month=MonthReport(ledger=ledger, projects=steering.projects, clock=clock, currency=settings.prices.currency),
        backfiller=Backfiller(
            ledger=ledger,
            newest=newest,
            blobs=ports.blobs,
            outbox=ports.outbox,
            nodes=runs.nodes,
            settings=settings,
        ),
        poison=PoisonCare(ports.poison, settings.queues),
        contrasts=runs.contrasts,
        file_pages=pages,
        overview=Overviews(
            ledger=ledger,
            index=ports.index,
            worklist=worklist,
            batch=ports.batch,
            projects=steering.projects,
            settings=settings,
            clock=clock,
        ),
        project_look=ProjectLooks(
            classifiers=classifiers,
            pages=pages,
            ledger=ledger,
            worklist=worklist,
            blobs=ports.blobs,
            settings=settings,
            clock=clock,
        ),
        published=PublishedFiles(blobs=ports.blobs, container=settings.results_container),
        uploading=Uploading(blobs=ports.blobs, uploads=ports.uploads, settings=settings),
        settings=settings,
    )


def _start(
    ports: Ports, runs: Runs, reruns: Reruns, classifiers: Classifiers, settings: Settings, clock: Clock
) -> Start:
    return Start(
        ledger=ports.ledger,
        notes=ports.notes,
        blobs=ports.blobs,
        image_look=runs.image_look,
        classifiers=classifiers,
        reruns=reruns,
        admission=runs.admission,
        budget=runs.budget,
        contrasts=runs.contrasts,
        claims=runs.claims,
        launcher=runs.launcher,
        ending=runs.ending,
        strays=runs.strays,
        settings=settings,
        clock=clock,
    )
