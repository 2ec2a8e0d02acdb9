"""In-memory services behind the product's ports, as strict as the real ones; the contract suites run on both.

cloud = fakes.Cloud()                      clock, counters, faults and hook that the fakes of one test share
ledger = fakes.FakeLedger(cloud)
cloud.fail("ledger.claim", ServiceFault("..."))            before it takes effect
cloud.fail("batch.create_task", Crash(), when=When.AFTER)  it took effect, but nobody hears of it
"""

from tests.fakes.batch import FakeBatch
from tests.fakes.blobs import FakeBlobs
from tests.fakes.block_uploads import FakeBlockUploads
from tests.fakes.check import FakeCheck
from tests.fakes.cloud import Cloud, TakesEffectLate, When
from tests.fakes.file_index import FakeFileIndex
from tests.fakes.ledger import FakeLedger
from tests.fakes.outbox import FakeOutbox
from tests.fakes.pixels import FakePixels
from tests.fakes.poison import FakePoisonQueues
from tests.fakes.project_notes import FakeProjectNotes
from tests.fakes.worklist import FakeWorklist

__all__ = [
    "Cloud",
    "FakeBatch",
    "FakeBlobs",
    "FakeBlockUploads",
    "FakeCheck",
    "FakeFileIndex",
    "FakeLedger",
    "FakeOutbox",
    "FakePixels",
    "FakePoisonQueues",
    "FakeProjectNotes",
    "FakeWorklist",
    "TakesEffectLate",
    "When",
]
