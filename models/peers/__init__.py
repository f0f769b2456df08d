"""Recommenders of others, asked beside the product at the same moments: what lists are compared with.

peer.py      what one is, and what they share
ease.py      EASE: a linear model of items in closed form
rules.py     sequential rules between items that follow each other
implicit.py  matrix factorisation and item neighbours of the library implicit (extra `bench`)
surprise.py  matrix factorisation of ratings by the library Surprise (extra `bench`)
"""
