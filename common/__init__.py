"""The protocol both sides must agree on. Imports neither Flask nor any other room of the house."""
