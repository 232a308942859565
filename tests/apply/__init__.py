"""What changes the disk."""
