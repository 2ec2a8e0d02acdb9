"""A local Azure Batch service: the REST API of Batch, with tasks as real processes of this machine.

Layers, from the socket inwards::

    server -> http (auth, limits, faults) -> operations (one row per REST operation)
           -> handlers (parse, decide, render) -> service (state, scheduler, timers)
           -> agent (one per node) -> execution (files, process group, uploads)

What is done, what is accepted without effect and what is refused is written in COVERAGE.md.
"""
