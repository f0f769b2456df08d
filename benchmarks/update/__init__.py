"""Profile update: the same events and the same work on the product's runtime layer and on its peers, side by side."""
