"""What loading a file would execute, found without ever executing it."""
