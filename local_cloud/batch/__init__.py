"""A local Azure Batch service: the REST API of Batch, with tasks as real processes of this machine.

Rooms, each standing on those below it::

    cli, server     the command and the socket
    rest/           front (sign-in, limits, faults) -> handlers: each declares its operation, parses, decides, renders
    service         everything below, put together
    scheduling/     which task runs where, how many nodes there are, what becomes of tasks and jobs
    node/           agents, their runs (files, process group, uploads) and the life of a node
    state/          records, the file they are kept in, time, errors, settings

What is done, what is accepted without effect and what is refused is written in COVERAGE.md.
"""
