"""The information page on the clear net: a few static files that lead to the onion, and ask for nothing."""
