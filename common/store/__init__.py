"""What the servers keep: sealed envelopes, sealed replies, and nothing about who sent or read them."""
