"""Is this deployment healthy? `python -m batch_ops.doctor` examines everything and leaves no change behind.

Looking and judging are separate: `look` and the ports of `ports.health` return frozen values, and `judge` turns them
into findings. `azure_cli` asks for what no port knows.
"""
