"""Moving: everything kept, nothing lost wherever it stops, every owner told."""
