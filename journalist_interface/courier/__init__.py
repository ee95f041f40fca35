"""The courier: carries sealed bundles between the collection's onion and a stick. It can open nothing."""
