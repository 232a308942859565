"""Policies, which are pure."""
