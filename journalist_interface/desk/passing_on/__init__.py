"""Passing a conversation on to another unit: the handover, and its envelopes sealed anew."""
