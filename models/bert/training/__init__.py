"""How models learn from labelled texts and pairs, and what they are measured by."""
