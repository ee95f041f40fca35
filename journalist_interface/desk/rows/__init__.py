"""The desk's database: a module for each kind of row, and the sealed files beside it."""
