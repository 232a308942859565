"""A home for one's own models: saved by name and version, verified, loaded without executing what is in a file."""
