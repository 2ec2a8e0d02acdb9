"""Which engine this is."""

VERSION = "1.0.0"
"""Changes whenever a pixel could: certificates are for one version."""
