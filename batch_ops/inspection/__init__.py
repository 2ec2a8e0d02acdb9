"""Is this image fit for its project? Asked before a machine is paid for."""
