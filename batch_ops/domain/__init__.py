"""Decides: frozen values and pure rules. Nothing here waits, and nothing knows a service."""
