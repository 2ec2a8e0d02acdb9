"""The whole cloud on one machine: starts every service, prepares it as deploy would, ends it cleanly."""
