"""The triggers: each decodes, logs and calls one use case. `batch_ops.wiring` puts the system together."""

import logging

import azure.functions as func

from batch_ops import messages, wiring
from batch_ops.errors import ServiceFault
from batch_ops.start import Hint

app = func.FunctionApp()
log = logging.getLogger("batch_ops")


@app.queue_trigger(arg_name="message", queue_name="%BLOB_CREATED_QUEUE%", connection="DATA_STORAGE")
async def blob_created(message: func.QueueMessage) -> None:
    """An image was dropped (Event Grid's BlobCreated), or somebody asks to look at it again."""
    order = messages.look_order(message.get_body())
    if order is None:
        return
    log.info("Looks at %s.", order.name, extra={"correlation_id": order.correlation_id})
    system = await wiring.system()
    try:
        if order.container == system.settings.projects_container:
            await system.project_changed(order.name)
            return
        await system.start(Hint(order.name, order.correlation_id, order.sequencer, order.backfill, order.again))
    except ServiceFault as fault:
        log.warning("Looked at again later: %s", fault.sentence, extra={"correlation_id": order.correlation_id})
        pause = fault.retry_after or wiring.OUTAGE_PAUSE
        await system.outbox.look_again(
            order.name, order.correlation_id, pause, backfill=order.backfill, again=order.again
        )


@app.timer_trigger(arg_name="timer", schedule="%RECONCILE_SCHEDULE%", run_on_startup=False)
async def reconcile(timer: func.TimerRequest) -> None:
    """A tick: the ledger follows Azure Batch, and what was left undone is finished."""
    if timer.past_due:
        log.info("This tick is late.")
    system = await wiring.system()
    try:
        await system.reconcile()
    except ServiceFault as fault:
        log.warning("This tick was cut short: %s", fault.sentence)


@app.queue_trigger(arg_name="message", queue_name="%COLLECT_QUEUE%", connection="DATA_STORAGE")
async def collect(message: func.QueueMessage) -> None:
    """The completion handler: the results of a run are moved to where people look for them."""
    order = messages.collect_order(message.get_body())
    log.info("Collects %s.", order.name, extra={"correlation_id": order.correlation_id, "task_id": order.task_id})
    system = await wiring.system()
    await system.collect(order)
