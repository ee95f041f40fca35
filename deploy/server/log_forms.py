"""All that a server may say: the forms of its log lines. What has another form is not written.

Values in them are ours: process ids, signals, kinds of errors, places in the code, ids of units, days. Whoever adds a
line to the log adds its form here, and asks first what a reporter's words could do in it. gunicorn puts the time, the
process and the level before its own; the host's journal keeps all of it in memory for a day.
"""

import re

_PLACE = r"[\w./<>-]+:\d+"
_KIND = r"[A-Za-z_][\w.]*"
FORMS = (
    # Ours.
    rf"{_KIND}(?: at {_PLACE})?",  # an error: its kind and where in the code
    rf"A thread ended by {_KIND}(?: at {_PLACE})?",
    r"A request was not HTTP and was refused\.",
    r"A connection that tells of no circuit was refused\.",
    r"the disk is nearly full: a message was refused",
    rf"a message could not be kept: {_KIND}",
    rf"(?:a page failed|an envelope's archive was refused|an envelope was set aside): {_KIND}(?: at {_PLACE})?",
    r"\d+ sealed messages that the database does not know were set aside for \d+ days",
    r"Something odd lies among the messages that are set aside: it was left alone",
    r"\d+ things in the inbox were not as a courier leaves them: none was taken",
    r"The disk has no room for a copy of the database: it was not written anew",
    r"The database could not be written anew",
    rf"what is past its time could not be tidied away: {_KIND}",
    r"the certificate of unit [a-z0-9-]{1,64} is refused by gpg",
    r"The registry is refused: [\w ,.-]{1,100}\. Until it is mended nothing is taken in or given out\.",
    r"(?:common|keys|source_interface|journalist_interface|deploy)\.[\w.]+: [^\n]+",  # why it did not start
    rf"Something of another form was not written: {_KIND} at {_PLACE}",
    # gunicorn's, of its processes.
    r"Worker \(pid:\d+\) was sent SIG[A-Z0-9]+!(?: Perhaps out of memory\?)?",
    r"Worker \(pid:\d+\) exited with code \d+\.?",
    r"WORKER TIMEOUT \(pid:\d+\)",
    r"Shutting down: [\w ]+",
    r"Reason: [\w .]+",
)
_ALL = re.compile("|".join(f"(?:{form})" for form in FORMS))
GUNICORN_HEAD = re.compile(r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}\] \[\d+\] \[[A-Z]+\] ")


def is_allowed(message: str) -> bool:
    """Whether a message, without gunicorn's head, has one of the forms."""
    return _ALL.fullmatch(message) is not None
