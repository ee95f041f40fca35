"""One sealed file of what a host needs to come back on a clean machine, at the same addresses; and the way back.

Inside are the rows, the sealed envelopes, the settings, the registry and its root, the pepper and the onions' keys. The
last two are secrets, and they are in it on purpose: without them every codename is void and the address is lost. So
the file is sealed to the operator, whose key is not on the host, and it is never on a disk in any other form.
"""
