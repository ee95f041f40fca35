"""A file's name, as someone else chose it, made harmless.

The result has no path, no control or invisible characters (which can make `exe.jpg` of `gpj.exe`), does not
start with a dot or a dash, and has at most 100 bytes. The number in front keeps two files of one name apart.
"""

import re
import unicodedata

_LONGEST = 100  # bytes, without number and folder
_LONGEST_SUFFIX = 12
FOLDER = "files/"
_SAFE = re.compile(r"files/\d{4}-[^/\\\x00]{1,100}")


def archive_name(number: int, untrusted_name: str) -> str:
    """`files/0001-photo.jpg` for the first file of a report, whatever its sender called it."""
    last = re.split(r"[/\\]", untrusted_name)[-1]
    shown = "".join(char for char in last if unicodedata.category(char)[0] not in "CZ" or char == " ")
    composed = unicodedata.normalize("NFC", shown)  # last, so that nothing is left to compose
    name = re.sub(r'[<>:"|?*]', "_", composed).strip(" .-") or "file"
    stem, dot, suffix = name.rpartition(".")
    if not dot or len(suffix.encode()) > _LONGEST_SUFFIX:
        stem, suffix = name, ""
    else:
        suffix = "." + suffix
    room = _LONGEST - len(suffix.encode())
    stem = stem.encode()[:room].decode(errors="ignore")
    return f"{FOLDER}{number:04d}-{(stem + suffix).rstrip(' .-')}"


def is_archive_name(untrusted_name: str) -> bool:
    """True for a name that archive_name makes: read back from an archive that someone else may have written."""
    if not _SAFE.fullmatch(untrusted_name):
        return False
    number, _, name = untrusted_name.removeprefix(FOLDER).partition("-")
    return archive_name(int(number), name) == untrusted_name
