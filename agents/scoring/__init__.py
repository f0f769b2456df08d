"""The parts of the scorer worker; `agents.scorer` puts them together."""
