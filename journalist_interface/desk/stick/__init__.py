"""The stick, both ways: bundles taken in, bundles written, what came back, requests to identity holders."""
