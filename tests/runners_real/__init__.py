"""Tests against what real runners and trackers leave on a disk."""
