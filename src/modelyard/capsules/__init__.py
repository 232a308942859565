"""Environment capsules: everything it takes to build an environment again, in one file, and the proof that it works."""
