"""The pages: a module for each stretch of the reporter's way."""
