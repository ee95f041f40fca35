"""Where a message goes: one record for the cookie, the conversation's header and the seal."""

from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Destination:
    """Who gets a message, and what its reporter said of who must not.

    `unit`: id of who has the conversation, "" where nobody is chosen. `second`: id of the second seal, "" where there
    is none. `kept_from`: the force that must not see it, by its id; SEVERAL (`common/report/report.py`): more than one,
    which were not named; "" for none. `involved`: those who would see it, or who are above them, are or might be.
    """

    unit: str = ""
    second: str = ""
    kept_from: str = field(default="", repr=False)
    involved: bool = False

    @property
    def units(self) -> tuple[str, ...]:
        """The ids of all who can open it: the second seal last."""
        return tuple(one for one in (self.unit, self.second) if one)

    @property
    def unsaid(self) -> "Destination":
        """The same units, with nothing said of forces."""
        return replace(self, kept_from="", involved=False)
