"""The steps that use cases share, assembled once and handed to each of them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from batch_ops.containers.certificates import Certificates
from batch_ops.containers.companions import Companions
from batch_ops.containers.problem_file import ProblemFile
from batch_ops.containers.staging import Staging
from batch_ops.domain.settings import Settings
from batch_ops.ports.ports import Ports
from batch_ops.runs.admission import Admission
from batch_ops.runs.budget_gate import BudgetGate
from batch_ops.runs.claims import Claims
from batch_ops.runs.contrasts import Contrasts
from batch_ops.runs.ending import Ending
from batch_ops.runs.image_look import ImageLook
from batch_ops.runs.launcher import Launcher
from batch_ops.runs.node_catalog import NodeCatalog
from batch_ops.runs.steps import Steps
from batch_ops.runs.strays import Strays

type Clock = Callable[[], datetime]
type NewId = Callable[[], str]


@dataclass(frozen=True, slots=True)
class Runs:
    """The steps of a run, from admission to its end, and the two places they write to."""

    staging: Staging
    problem_file: ProblemFile
    ending: Ending
    launcher: Launcher
    steps: Steps
    claims: Claims
    admission: Admission
    nodes: NodeCatalog
    budget: BudgetGate
    contrasts: Contrasts
    certificates: Certificates
    strays: Strays
    image_look: ImageLook


def assemble_runs(ports: Ports, settings: Settings, clock: Clock, new_id: NewId) -> Runs:
    """Assemble the shared steps, without calling any service."""
    ledger, worklist, notes = ports.ledger, ports.worklist, ports.notes
    blobs, batch, outbox = ports.blobs, ports.batch, ports.outbox
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
    certificates = Certificates(blobs, settings.frozen_container, settings.audit_every)
    launcher = Launcher(
        ledger=ledger,
        worklist=worklist,
        blobs=blobs,
        batch=batch,
        ending=ending,
        certificates=certificates,
        settings=settings,
        clock=clock,
    )
    claims = Claims(
        ledger=ledger,
        worklist=worklist,
        notes=notes,
        launcher=launcher,
        ending=ending,
        problem_file=problem_file,
        settings=settings,
        clock=clock,
        new_id=new_id,
    )
    nodes = NodeCatalog(batch=batch, clock=clock)
    return Runs(
        staging=staging,
        problem_file=problem_file,
        ending=ending,
        launcher=launcher,
        steps=Steps(ledger=ledger, outbox=outbox, launcher=launcher, ending=ending, settings=settings, clock=clock),
        claims=claims,
        admission=Admission(worklist=worklist, settings=settings, clock=clock),
        nodes=nodes,
        contrasts=Contrasts(notes=notes, clock=clock),
        certificates=certificates,
        strays=Strays(ledger=ledger, notes=notes, blobs=blobs, claims=claims, settings=settings, clock=clock),
        image_look=ImageLook(
            blobs=blobs,
            check=ports.check,
            notes=notes,
            companions=Companions(blobs, settings.input_container),
            settings=settings,
        ),
        budget=BudgetGate(ledger=ledger, worklist=worklist, nodes=nodes, settings=settings, clock=clock),
    )
