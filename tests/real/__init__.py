"""The adapters against stores that the owning programs themselves made."""
