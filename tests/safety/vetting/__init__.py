"""Writes the list of vetted names from released packages, for review. Not part of what is shipped."""
