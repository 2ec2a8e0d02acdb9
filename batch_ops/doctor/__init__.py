"""Is this deployment healthy? `python -m batch_ops.doctor` looks at everything and changes nothing that stays.

Looking and judging are apart: `*_probes` and `azure_cli` ask services and give frozen sights; every other module
turns sights into findings and knows no service.
"""
