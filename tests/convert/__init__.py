"""Conversions of files that real frameworks wrote, loaded by the real safetensors."""
