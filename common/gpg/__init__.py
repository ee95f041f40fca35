"""GnuPG: how it is run, what it seals, which secret keys it has, and how it opens what a stranger sealed."""
