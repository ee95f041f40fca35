"""The registry of a country: its forces, its units, their public keys, signed as one list."""
