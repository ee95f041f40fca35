"""What can stop a courier. Each message is a sentence that tells the person what to do."""


class CourierError(Exception):
    """Shown to the person as it is, with no traceback."""


class BadCourierKey(CourierError):
    """The courier's key cannot be used."""


class AnotherCourier(CourierError):
    """Two couriers on one state folder would undo each other's work."""

    def __init__(self) -> None:
        super().__init__("Another courier is at work with this state folder. Wait until it has finished.")


class NoStick(CourierError):
    """There is no folder where the stick should be."""

    def __init__(self, folder: object) -> None:
        super().__init__(f"There is no folder {folder}. Put the stick in, or name another folder.")


class NoRoom(CourierError):
    """What waits does not fit."""

    def __init__(self, folder: object, missing: int) -> None:
        super().__init__(
            f"{folder} has {missing / 1e6:,.1f} MB too little room for what waits. Make room, or take a larger one; "
            "nothing is lost."
        )


class StickDamaged(CourierError):
    """What was read back from the stick is not what was written."""

    def __init__(self) -> None:
        super().__init__("The stick does not keep what is written to it. Take another; nothing is lost.")


class Unreachable(CourierError):
    """The collection did not answer well, however often it was tried. `why`: a sentence."""

    def __init__(self, why: str) -> None:
        super().__init__(f"{why} Run the command again: it goes on where it stopped, and nothing is lost.")
        self.why = why


class NotUp(CourierError):
    """The demo's collection did not answer. `why`: a sentence. `command`: what starts it."""

    def __init__(self, why: str, command: str) -> None:
        super().__init__(
            f"{why} Is Candour running? Start `{command}` in another terminal, leave it there, and go round again: "
            "nothing is lost."
        )


class TurnedAway(CourierError):
    """The collection refused a request; it says why."""

    def __init__(self, sentence: str) -> None:
        super().__init__(f"The collection refuses this courier: {sentence}")


class NotTheCollection(CourierError):
    """What answers does not speak as a collection does."""

    def __init__(self) -> None:
        super().__init__(
            "What answers at the collection's address is not a collection of this version. Check `collection` in "
            "courier.toml."
        )


class NotSettled(CourierError):
    """The demo's servers did not settle. `said`: what they said of it."""

    def __init__(self, said: str) -> None:
        super().__init__(
            f"The servers did not settle, so nothing new is listed. They say: {said or 'nothing'}"
        )


class DeskRefused(CourierError):
    """The demo's desk did not do its part of the round; the message is its own."""
