"""The two onion services: their torrc, who may reach the private one, their health, and a pair for the demo."""
