"""What the people who build and try Candour need, and no host: the demo, a private Tor network, drills, benches."""
