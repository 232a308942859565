"""Who uses an artifact: processes, servers, kernels, adapters that need it, people's own code."""
