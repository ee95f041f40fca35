"""The months of a unit's keys: what each opens, the end of an old one, and what is kept for a case."""
