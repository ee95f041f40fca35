"""The reporter's side: a web application that needs no JavaScript and keeps nothing of who uses it."""
