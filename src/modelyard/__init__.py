"""Everything machine-learning work leaves on a disk: what it is, what it takes, what may go."""

__version__ = "0.1.0"
