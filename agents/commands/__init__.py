"""The commands, one file for each group. Heavy modules are imported inside the functions: help must come at once."""
