"""Event Grid's part on one machine: a BlobCreated event in a storage queue for every committed blob.

`journal.cjs` writes down, inside Azurite's process, every request that committed a blob; `EventGrid` follows
that journal. Its cost depends on the uploads since the last look, never on what the containers hold.
"""

from local_cloud.events.delivery import Delivery, FileControl, Policy
from local_cloud.events.event_grid import EventGrid
from local_cloud.events.schema import BlobCreated, Subscription

__all__ = ["BlobCreated", "Delivery", "EventGrid", "FileControl", "Policy", "Subscription"]
