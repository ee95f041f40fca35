"""Runs Candour: the set-up, the servers as child processes, the demo's data folder, the `candour` command.

The only room that may know all the others. It holds no protocol: it starts what the others promise.
"""
