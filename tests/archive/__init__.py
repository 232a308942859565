"""Whether what was archived comes back byte for byte, from every shelf and after every stop."""
