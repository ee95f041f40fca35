"""Claims whose test cannot fail: each of many small patches breaks a claim, and its tests have to notice."""
