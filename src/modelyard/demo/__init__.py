"""A sample workstation: the layouts real tools leave, in sparse files, the same for the same seed."""
