"""Is this image fit for its project? Checked before any machine is paid for."""
