"""Loops over single entries that numpy has no expression for, compiled by numba."""
