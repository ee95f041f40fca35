"""Answers: composed, looked at as the reporter will see them, sealed."""
