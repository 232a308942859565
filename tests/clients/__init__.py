"""The adapters against what the clients themselves left: each program runs in a home of its own, then is surveyed."""
