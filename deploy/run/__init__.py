"""What starts, watches and stops the servers and gpg-agents of this machine, and says how far it is."""
