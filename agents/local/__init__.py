"""Brokers on this machine, for development, tests and the demo."""
