"""Recomputes what the workers hold, from the topics, and says what differs.

reading.py    topics read to an offset, transactions decided
moment.py     the offsets that belong together while the stream runs
sealed.py     a changelog, transaction by transaction
sources.py    records of applications, sorted into good, bad, misplaced
table.py      the rows of one user partition, and the co-counts of its histories
profiles.py   one user partition: events → profiles
compare.py    a profile against the replay of its events    words.py   categories and tags, and since when
lists.py      one list, or one outcome, for every trigger
rows.py       one item partition: co-count changes, and histories → item rows
neighbours.py item rows → published neighbours
audit.py      all of it                     report.py    what was found
"""
