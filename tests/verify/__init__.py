"""Whether what is verified is told precisely, and what is whole raises no alarm."""
