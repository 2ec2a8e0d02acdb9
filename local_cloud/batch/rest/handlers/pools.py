"""Requests about pools."""

from dataclasses import replace

from local_cloud.batch.rest import pool_bodies
from local_cloud.batch.rest.calls import Call, Reply, changed, created, listing, one, versioned
from local_cloud.batch.rest.container_bodies import check_containers
from local_cloud.batch.rest.odata import EQUALITY, ORDER, PREFIX, Properties, Property, Type
from local_cloud.batch.rest.operations import EXPAND, FILTERED, POOL, Routes
from local_cloud.batch.rest.versions import pool_as_of
from local_cloud.batch.rest.views import pool_view
from local_cloud.batch.service import BatchService
from local_cloud.batch.state.errors import ServiceError
from local_cloud.batch.state.model import AllocationState, Deallocation, Json, Pool, PoolState
from local_cloud.batch.state.times import parse_duration

ROUTES = Routes()
FILTERS: Properties[Pool] = {
    "id": Property(lambda pool: pool.id, operators=PREFIX | ORDER),
    "state": Property(lambda pool: pool.state),
    "stateTransitionTime": Property(lambda pool: pool.state_since, Type.MOMENT, ORDER),
    "creationTime": Property(lambda pool: pool.created, Type.MOMENT, ORDER),
    "lastModified": Property(lambda pool: pool.modified, Type.MOMENT, ORDER),
    "allocationState": Property(lambda pool: pool.allocation),
    "allocationStateTransitionTime": Property(lambda pool: pool.allocation_since, Type.MOMENT, ORDER),
    "enableAutoScale": Property(lambda pool: pool.autoscale, Type.BOOLEAN, EQUALITY),
    "vmSize": Property(lambda pool: pool.spec["vmSize"], operators=PREFIX | EQUALITY),
    "enableInterNodeCommunication": Property(
        lambda pool: pool.spec.get("enableInterNodeCommunication", False), Type.BOOLEAN, EQUALITY
    ),
}


def _pool(service: BatchService, call: Call) -> Pool:
    """Find the pool that a request names, and check the request's conditions on it."""
    pool = service.account.pool(call.parts["poolId"])
    call.check_conditions(pool.revision, pool.modified)
    return pool


def _changeable(service: BatchService, call: Call) -> Pool:
    """Find the pool that a request wants to change."""
    pool = _pool(service, call)
    if pool.state is PoolState.DELETING:
        raise ServiceError("PoolBeingDeleted", f"The pool '{pool.id}' is being deleted.")
    return pool


def _body(service: BatchService, call: Call) -> Json:
    """Read the body of a request that may give a pool another start task."""
    body = call.body()
    check_containers(service.settings.containers_on_host, body.get("startTask"), "startTask.")
    return body


def _changed(call: Call, pool: Pool, status: int = 200) -> Reply:
    return changed(call, pool, status)


@ROUTES.add("POST", "/pools", body=pool_bodies.POOL_CREATE)
def create_pool(service: BatchService, call: Call) -> Reply:
    body = _body(service, call)
    if body["id"].lower() in service.account.pools:
        raise ServiceError("PoolExists", f"There is a pool '{body['id']}' already.")
    pool = service.make_pool(body)
    return created(call, pool, f"pools/{pool.id}")


def _view(service: BatchService, call: Call, pool: Pool) -> Json:
    nodes = service.account.nodes[pool.key].values()
    dedicated = sum(node.dedicated for node in nodes)
    view = pool_view(pool, call.base, dedicated, len(nodes) - dedicated)
    if pool.spec.get("identity") is None and (granted := service.identities.all()):
        view["identity"] = {
            "type": "UserAssigned",
            "userAssignedIdentities": [{"resourceId": identity} for identity in granted],
        }
    return pool_as_of(call.version, view)


@ROUTES.add("GET", POOL, EXPAND)
def get_pool(service: BatchService, call: Call) -> Reply:
    pool = _pool(service, call)
    return one(call, "pools", _view(service, call, pool), versioned(pool))


@ROUTES.add("HEAD", POOL)
def pool_exists(service: BatchService, call: Call) -> Reply:
    return Reply(headers=versioned(_pool(service, call)))


@ROUTES.add("GET", "/pools", FILTERED | EXPAND)
def list_pools(service: BatchService, call: Call) -> Reply:
    pools = pools_after(service, call)
    return listing(call, "pools", pools, lambda pool: _view(service, call, pool), lambda pool: pool.key, FILTERS)


def pools_after(service: BatchService, call: Call) -> list[Pool]:
    """Return the pools by name, after the request's `$skiptoken`."""
    token = call.query.get("$skiptoken", "")
    pools = sorted(service.account.pools.values(), key=lambda pool: pool.key)
    return [pool for pool in pools if pool.key > token]


@ROUTES.add("PATCH", POOL, body=pool_bodies.POOL_UPDATE)
def update_pool(service: BatchService, call: Call) -> Reply:
    """Change what is given, and only that."""
    pool = _changeable(service, call)
    body = _body(service, call)
    fixed = {"vmSize", "taskSlotsPerNode", "virtualMachineConfiguration"} & body.keys()
    if fixed and service.account.nodes[pool.key]:
        raise ServiceError(
            "OperationInvalidForCurrentState",
            f"{', '.join(sorted(fixed))} can be changed in an empty pool only.",
        )
    pool = service.account.touch_pool(pool, spec={**pool.spec, **body})
    return _changed(call, pool)


@ROUTES.add("POST", POOL + "/updateproperties", body=pool_bodies.POOL_REPLACE)
def replace_pool_properties(service: BatchService, call: Call) -> Reply:
    """Replace properties; what is not given is removed."""
    pool = _changeable(service, call)
    body = _body(service, call)
    spec = {name: value for name, value in pool.spec.items() if name not in ("startTask", "metadata")}
    pool = service.account.touch_pool(pool, spec={**spec, **body})
    return _changed(call, pool, 204)


@ROUTES.add("DELETE", POOL)
def delete_pool(service: BatchService, call: Call) -> Reply:
    pool = _changeable(service, call)
    service.fleet.delete_pool(pool)
    return Reply(202)


def _steady(pool: Pool) -> None:
    if pool.autoscale:
        raise ServiceError(
            "OperationNotValidOnPool", f"The pool '{pool.id}' takes its size from its autoscale formula."
        )
    if pool.allocation is not AllocationState.STEADY:
        raise ServiceError("PoolBeingResized", f"The pool '{pool.id}' is being resized.")


@ROUTES.add("POST", POOL + "/resize", body=pool_bodies.POOL_RESIZE)
def resize_pool(service: BatchService, call: Call) -> Reply:
    pool = _changeable(service, call)
    body = call.body()
    _steady(pool)
    if "resizeTimeout" in body:
        pool = replace(pool, resize_timeout=parse_duration(body["resizeTimeout"]))
    pool = service.fleet.resize(
        pool,
        body.get("targetDedicatedNodes", pool.target_dedicated),
        body.get("targetLowPriorityNodes", pool.target_low_priority),
        Deallocation(body.get("nodeDeallocationOption", "requeue")),
    )
    return _changed(call, pool, 202)


@ROUTES.add("POST", POOL + "/stopresize")
def stop_resize(service: BatchService, call: Call) -> Reply:
    pool = _changeable(service, call)
    if pool.allocation is not AllocationState.RESIZING:
        raise ServiceError("OperationInvalidForCurrentState", f"The pool '{pool.id}' is not being resized.")
    pool = service.fleet.stop_resize(pool)
    return _changed(call, pool, 202)


@ROUTES.add("POST", POOL + "/removenodes", body=pool_bodies.REMOVE_NODES)
def remove_nodes(service: BatchService, call: Call) -> Reply:
    """Remove nodes; the pool's targets shrink with it."""
    pool = _changeable(service, call)
    body = call.body()
    if not body["nodeList"]:
        raise ServiceError("InvalidPropertyValue", "nodeList names no node.", PropertyName="nodeList")
    if pool.allocation is not AllocationState.STEADY:
        raise ServiceError("PoolBeingResized", f"The pool '{pool.id}' is being resized.")
    nodes = {node.key: node for node in (service.account.node(pool.id, name) for name in body["nodeList"])}
    pool = service.fleet.remove_nodes(
        pool, list(nodes.values()), Deallocation(body.get("nodeDeallocationOption", "requeue"))
    )
    return _changed(call, pool, 202)


@ROUTES.add("POST", POOL + "/enableautoscale", body=pool_bodies.ENABLE_AUTOSCALE)
def enable_autoscale(service: BatchService, call: Call) -> Reply:
    pool = _changeable(service, call)
    body = call.body()
    interval = body.get("autoScaleEvaluationInterval")
    pool = service.autoscaling.enable(
        pool, body.get("autoScaleFormula"), None if interval is None else parse_duration(interval)
    )
    return _changed(call, pool)


@ROUTES.add("POST", POOL + "/disableautoscale")
def disable_autoscale(service: BatchService, call: Call) -> Reply:
    pool = _changeable(service, call)
    pool = service.account.touch_pool(pool, autoscale=False, formula="", last_run=None)
    return _changed(call, pool)


@ROUTES.add("POST", POOL + "/evaluateautoscale", body=pool_bodies.EVALUATE_AUTOSCALE)
def evaluate_autoscale(service: BatchService, call: Call) -> Reply:
    pool = service.account.pool(call.parts["poolId"])
    body = call.body()
    if not pool.autoscale:
        raise ServiceError("OperationNotValidOnPool", f"Autoscale is not enabled on the pool '{pool.id}'.")
    run = service.autoscaling.evaluate(pool, body["autoScaleFormula"])
    return one(call, "Microsoft.Azure.Batch.Protocol.Entities.AutoScaleRun", run.view)
