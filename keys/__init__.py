"""Ceremonies: making keys, and signing the registry that names them. Runs offline; imports no network client."""
