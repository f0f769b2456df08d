"""How candidates become lists; `agents.scorer` is the worker around it."""
