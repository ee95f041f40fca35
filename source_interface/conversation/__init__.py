"""A reporter's conversation: who holds it, what is found on coming back, and its pages of one size."""
