"""Reading the disk: the C walker, the tree it gives, capped readers, and sums over sets of entries."""
