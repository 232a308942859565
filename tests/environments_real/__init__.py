"""Environments and caches that the real tools make, offline or against an index on this machine."""
