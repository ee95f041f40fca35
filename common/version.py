"""The version of Candour. The number stands here alone; `CHANGELOG.md` says what each version brought."""

import re

VERSION = "0.1.0"
_FORM = re.compile(r"(0|[1-9][0-9]{0,3})\.(0|[1-9][0-9]{0,3})\.(0|[1-9][0-9]{0,3})")


class NotAVersion(ValueError):
    """This is no version that Candour can have: three numbers with dots between them."""


def numbers(untrusted: str) -> tuple[int, ...]:
    """The numbers of a version, which compare as versions do. Raises NotAVersion."""
    found = _FORM.fullmatch(untrusted)
    if found is None:
        raise NotAVersion("not a version of Candour")
    return tuple(map(int, found.groups()))
