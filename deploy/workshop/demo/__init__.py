"""The demo: a small country with real keys, made once in a data folder, and its servers in the foreground."""
