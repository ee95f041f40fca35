"""A private Tor network on this machine: three authorities and four relays, all on 127.0.0.1."""
