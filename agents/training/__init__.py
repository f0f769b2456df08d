"""Data sets to train and evaluate language models with, and reports of what they reach."""
