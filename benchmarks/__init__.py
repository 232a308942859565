"""Paired measurements of modelyard against the programs people use now."""
