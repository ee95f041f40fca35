"""Compromise drills: what to do on a bad day, rehearsed for real in a throw-away country. A page stands beside each."""
