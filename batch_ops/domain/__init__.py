"""Decides: frozen values and pure rules. Nothing here awaits anything or knows a service."""
