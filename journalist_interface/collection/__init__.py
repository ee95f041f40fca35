"""The collection: gives units' couriers sealed envelopes, and takes what their desks signed. Ciphertext only."""
