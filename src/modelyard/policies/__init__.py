"""Pure functions from an inventory to what could be done about it."""
