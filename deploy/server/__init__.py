"""What runs inside a server process: the gunicorn worker, its sockets and queue, its log, how it is hardened."""
