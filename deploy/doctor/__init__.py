"""`candour doctor`: a line for each thing that a set-up needs, good or with how to mend it.

Promises: it changes nothing and stops at nothing; a check that cannot be made is a line too.
"""
