"""Talks to programs that run and keep things of their own. Asks; what it lets them remove a plan has named."""
