"""One test module a store; each has a `make` that lays out a complete one."""
