"""Azurite, Microsoft's emulator of Azure Storage, as a process of this machine.

`server` starts and ends it. The scripts are loaded into its process: `guard.cjs` ends it with its owner,
`removals.cjs` makes removals cheap, `lookups.cjs` lookups of rows, `reads.cjs` keeps reads whole, `latency.cjs` slows
and counts requests for benchmarks, `cut.cjs` cuts connections for tests.
"""
