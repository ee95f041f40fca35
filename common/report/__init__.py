"""A report: what is in it, where it goes, the archive that is sealed, and what is sealed apart inside."""
