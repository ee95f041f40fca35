"""`python -m deploy`, which is what ./candour runs."""

from deploy.cli import candour

candour(prog_name="candour")
