"""A conversation as both sides derive and read it: the codename, its secrets, its links, its mailbox, its headers."""
