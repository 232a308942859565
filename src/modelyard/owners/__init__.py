"""Talks to programs that run and keep things of their own. Asks, never changes."""
