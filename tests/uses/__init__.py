"""Who uses an artifact."""
