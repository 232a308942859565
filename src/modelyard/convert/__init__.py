"""Safe copies of model files: one file an edge, bytes from file to file, and a proof of equality."""
