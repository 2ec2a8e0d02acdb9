"""Is this deployment healthy? `python -m batch_ops.doctor` looks at everything and changes nothing that stays.

Looking and judging are apart: `look` and the ports of `ports.health` ask and give frozen values, `judge` turns these
into findings. What no port knows, `azure_cli` asks.
"""
