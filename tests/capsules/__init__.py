"""Environments frozen, built again and proven, with real programs."""
