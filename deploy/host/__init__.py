"""Puts Candour onto a machine of its own: users, code, settings, services, walls.

What is installed is data: `tree/` mirrors the host's own file system, file by file. The modules only carry it there,
with the standard library alone: they run before there is an environment.
"""
