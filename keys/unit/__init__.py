"""A unit's own keys: made, kept on cards, split into shares; and its identity holders' key."""
