"""The triggers: each calls one use case. `batch_ops.wiring` puts the system together."""

import logging
from functools import cache

import azure.functions as func

from batch_ops import wiring
from batch_ops.domain.errors import ServiceFault

app = func.FunctionApp()
log = logging.getLogger("batch_ops")


@app.queue_trigger(arg_name="message", queue_name="%BLOB_CREATED_QUEUE%", connection="DATA_STORAGE")
async def blob_created(message: func.QueueMessage) -> None:
    """An image was dropped (Event Grid's BlobCreated), or somebody asks to look at it again."""
    system = await wiring.system()
    await system.inbox.blob_created(message.get_body(), message.dequeue_count or 1)


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
    system = await wiring.system()
    await system.inbox.collect(message.get_body(), message.dequeue_count or 1)


@cache
def _page() -> func.AsgiMiddleware:
    # Who only moves files along need not wait for what makes pages.
    from batch_ops.page.app import page_app

    return func.AsgiMiddleware(page_app(wiring.system, wiring.utc_now))  # type: ignore[no-untyped-call]


@app.route("page/{*rest}", methods=["GET", "HEAD", "POST"], auth_level=func.AuthLevel.ANONYMOUS)
async def page(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Somebody looks at the page, or steers: App Service authentication says who it is."""
    answer: func.HttpResponse = await _page().handle_async(req, context)
    return answer
