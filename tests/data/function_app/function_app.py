"""A function app that shows what a trigger host does with it; each line of its log is looked for by a test."""

import asyncio
import json
import logging
import os
import threading
import time
from pathlib import Path

import azure.functions as func

app = func.FunctionApp()
log = logging.getLogger("app")
RUNNING: set[str | None] = set()


@app.function_name("echo")
@app.queue_trigger(arg_name="message", queue_name="echo-%WORD%", connection="DATA")
async def echo(message: func.QueueMessage, context: func.Context) -> None:
    body = message.get_body().decode()
    if body.startswith("setting "):
        log.info("%s is %s", body, os.environ.get(body.split()[1]))
        return
    dimensions = {
        "body": body,
        "message": message.id,
        "dequeue_count": message.dequeue_count,
        "inserted": message.insertion_time is not None,
        "loop": id(asyncio.get_running_loop()),
        "thread": threading.current_thread() is threading.main_thread(),
        "function": context.function_name,
        "cwd": str(Path.cwd()),
    }
    log.info("echo got a message", extra={"custom_dimensions": dimensions})


@app.function_name("echo_sync")
@app.queue_trigger(arg_name="message", queue_name="echo-sync-%WORD%", connection="DATA")
def echo_sync(message: func.QueueMessage) -> None:
    log.info("sync got %s", message.get_json()["word"], extra={"word": message.get_json()["word"]})


@app.function_name("fails")
@app.queue_trigger(arg_name="message", queue_name="fails-%WORD%", connection="DATA")
async def fails(message: func.QueueMessage) -> None:
    raise ValueError(f"no good: {message.get_body().decode()}")


@app.function_name("slow")
@app.queue_trigger(arg_name="message", queue_name="slow-%WORD%", connection="DATA")
async def slow(message: func.QueueMessage) -> None:
    order = json.loads(message.get_body())
    RUNNING.add(message.id)
    log.info("slow began", extra={"word": order["word"], "together": len(RUNNING)})
    try:
        await asyncio.sleep(order["seconds"])
        log.info("slow ended", extra={"word": order["word"]})
    finally:
        RUNNING.discard(message.id)


@app.function_name("tick")
@app.timer_trigger(arg_name="timer", schedule="%TICK_SCHEDULE%")
async def tick(timer: func.TimerRequest) -> None:
    status = timer.schedule_status  # type: ignore[attr-defined]  # the SDK's abstract class leaves it out
    log.info("tick", extra={"past_due": timer.past_due, "status": bool(status)})


@app.function_name("failing_tick")
@app.timer_trigger(arg_name="timer", schedule="0 0 4 1 1 *")
@app.retry(strategy="fixed_delay", max_retry_count="2", delay_interval="00:00:00")
def failing_tick(timer: func.TimerRequest, context: func.Context) -> None:
    log.info("failing tick", extra={"retry": context.retry_context.retry_count})
    time.sleep(0.01)
    raise RuntimeError("never works")


@app.function_name("quiet")
@app.queue_trigger(arg_name="message", queue_name="quiet-%WORD%", connection="DATA")
async def quiet(message: func.QueueMessage) -> None:
    log.info("quiet is not to be seen")
    log.error("quiet says %s", message.get_body().decode())


@app.function_name("echo_http")
@app.route("things/{kind:alpha}/{*rest}", methods=["GET", "PUT"], auth_level=func.AuthLevel.FUNCTION)
async def echo_http(req: func.HttpRequest) -> func.HttpResponse:
    told = {
        "method": req.method,
        "url": req.url,
        "params": dict(req.params),
        "route": dict(req.route_params),
        "headers": dict(req.headers),
        "bytes": list(req.get_body()),
    }
    answer = func.HttpResponse(json.dumps(told), mimetype="application/json", status_code=201)
    answer.headers.add("X-Own", "1")
    answer.headers.add("Set-Cookie", "a=b/c; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=60")
    answer.headers.add("Set-Cookie", "d=e")
    return answer


@app.function_name("binary")
@app.route("binary", auth_level=func.AuthLevel.ANONYMOUS)
def binary(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(bytes(range(256)), mimetype="image/png")


@app.function_name("plain")
@app.route(auth_level=func.AuthLevel.ADMIN)
async def plain(req: func.HttpRequest) -> str:
    return "plain"


@app.function_name("http_fails")
@app.route("things/fail", auth_level=func.AuthLevel.ANONYMOUS)
async def http_fails(req: func.HttpRequest) -> func.HttpResponse:
    raise ValueError("not for strangers")
