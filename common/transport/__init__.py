"""What travels between the servers and a unit's desk, and when: bundles, parcels, posts, forwards, couriers' keys."""
