"""Copies whole folders onto other file systems: everything kept, every byte read back from the medium and proven."""
