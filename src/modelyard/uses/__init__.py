"""Who uses an artifact: processes, servers, kernels, adapters that need it, people's own code."""

ADAPTER = "adapter_config.json"
"""A name that every walk marks: what lies there says which base model an adapter needs."""
