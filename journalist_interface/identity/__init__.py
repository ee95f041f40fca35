"""The identity holders' desk: the one place where contact details given in confidence are opened, by two together."""
