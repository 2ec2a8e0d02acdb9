"""What the triggers do with the messages of the queues: decode, call the use case, and make sure none is lost.

If a service can't answer now, the order is sent again with a delay, so that the message's deliveries are not used up.
After any other error the host delivers the message again; at its last delivery the error is noted in the file's row.
"""

import logging
from dataclasses import replace
from datetime import timedelta

from attrs import define

from batch_ops.domain import messages
from batch_ops.domain.errors import ServiceFault
from batch_ops.domain.orders import LookOrder
from batch_ops.ports.services import Outbox
from batch_ops.use_cases.access_test import AccessTest
from batch_ops.use_cases.collect import Collect
from batch_ops.use_cases.last_delivery import LastDelivery
from batch_ops.use_cases.project_changed import ProjectChanged, project_of_blob
from batch_ops.use_cases.start import Start

log = logging.getLogger("batch_ops")

OUTAGE_PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(minutes=8)
# As host.json has it (maxDequeueCount): after this one the host moves a message to the poison queue.
LAST_DELIVERY = 5


@define(kw_only=True, eq=False)
class Inbox:
    """Handles a message, given its body and how often it was delivered, including this time."""

    _outbox: Outbox
    _start: Start
    _project_changed: ProjectChanged
    _collect: Collect
    _last_delivery: LastDelivery
    _projects_container: str
    _access_test: AccessTest | None = None

    async def blob_created(self, body: bytes, deliveries: int) -> None:
        """Handle a new image or a changed project (Event Grid's BlobCreated), or an order to look again."""
        order = messages.look_order(body)
        if order is None:
            return
        log.info("Looking at %s.", order.name, extra={"correlation_id": order.correlation_id})
        try:
            await self._look(order)
        except ServiceFault as fault:
            log.warning("Will look again later: %s", fault.sentence, extra={"correlation_id": order.correlation_id})
            await self._outbox.look_again(replace(order, tries=order.tries + 1), _pause(fault, order.tries))
        except Exception as exc:
            if deliveries >= LAST_DELIVERY and order.container != self._projects_container:
                await self._last_delivery.look(order.name, order.correlation_id, exc)
            raise

    async def _look(self, order: LookOrder) -> None:
        if self._access_test and self._access_test.is_asked_by(order):
            await self._access_test(order)
        elif order.container != self._projects_container:
            await self._start(order)
        elif (project := project_of_blob(order.name)) is not None:
            await self._project_changed(project)

    async def collect(self, body: bytes, deliveries: int) -> None:
        """Handle an order to move the results of a run."""
        order = messages.collect_order(body)
        ids = {"correlation_id": order.correlation_id, "task_id": order.task_id}
        log.info("Collecting %s.", order.name, extra=ids)
        try:
            await self._collect(order)
        except ServiceFault as fault:
            log.warning("Will collect later: %s", fault.sentence, extra=ids)
            await self._outbox.send(replace(order, tries=order.tries + 1), _pause(fault, order.tries))
        except Exception as exc:
            if deliveries >= LAST_DELIVERY:
                await self._last_delivery.collect(order, exc)
            raise


def _pause(fault: ServiceFault, tries: int) -> timedelta:
    """Return the wait that the service asks for, else twice as long each time: thousands of messages may be waiting."""
    return fault.retry_after or min(OUTAGE_PAUSE * 2 ** min(tries, 10), LONGEST_PAUSE)
