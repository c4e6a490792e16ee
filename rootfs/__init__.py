"""Composer of the root file system."""
