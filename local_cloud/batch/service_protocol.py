"""What handlers use of the service: named here so that they need not import how it is put together."""

from collections import Counter
from typing import Protocol

from local_cloud.batch.account import Account
from local_cloud.batch.agents import Agents
from local_cloud.batch.auth import Authenticator
from local_cloud.batch.autoscaling import Autoscaling
from local_cloud.batch.blob_access import BlobAccess
from local_cloud.batch.clock import Clock
from local_cloud.batch.dispatcher import Dispatcher
from local_cloud.batch.faults import Faults
from local_cloud.batch.fleet import Fleet
from local_cloud.batch.identities import Identities
from local_cloud.batch.job_control import JobControl
from local_cloud.batch.node_life import NodeLife


class Service(Protocol):
    """The parts of a running service."""

    account: Account
    access: BlobAccess
    authenticator: Authenticator
    autoscaling: Autoscaling
    clock: Clock
    dispatcher: Dispatcher
    faults: Faults
    agents: Agents
    fleet: Fleet
    life: NodeLife
    identities: Identities
    jobs: JobControl
    calls: Counter[str]
