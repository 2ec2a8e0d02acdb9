"""What handlers use of the service: named here so that they need not import how it is put together."""

from collections import Counter
from typing import Protocol

from local_cloud.batch.node.agents import Agents
from local_cloud.batch.node.blob_access import BlobAccess
from local_cloud.batch.node.identities import Identities
from local_cloud.batch.node.node_life import NodeLife
from local_cloud.batch.scheduling.autoscaling import Autoscaling
from local_cloud.batch.scheduling.dispatcher import Dispatcher
from local_cloud.batch.scheduling.fleet import Fleet
from local_cloud.batch.scheduling.job_control import JobControl
from local_cloud.batch.state.account import Account
from local_cloud.batch.state.auth import Authenticator
from local_cloud.batch.state.clock import Clock
from local_cloud.batch.state.faults import Faults


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
