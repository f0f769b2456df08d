"""Every decoder against bytes that are nearly right, and against bytes that are nothing.

    python -m tests.fuzz --inputs 1000000

An input may be refused (`RecordError`) or accepted. Anything else is a crash. What is accepted must come back equal
when it is written and read again, and must keep the limits that its documentation names (`limits.py` checks them in its
own way); else it is a wrong accept. The same seed makes the same inputs.
"""
