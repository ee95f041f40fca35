"""The collection service: hands sealed envelopes to their unit's courier and takes sealed replies. Ciphertext only."""
