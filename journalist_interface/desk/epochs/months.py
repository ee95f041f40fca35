"""Epochs at the desk: what is sealed to each month's key, and the end of an old one.

A month's key is destroyed only when nobody seals to it any more and nothing that is still needed is sealed to it.
It is gone from the home before that is noted: a kill between leaves a key that is gone and not noted, never
the reverse.
"""

from dataclasses import dataclass
from datetime import date

from common.days import today
from common.gpg.epochs import Epoch, epochs_of, month_of
from common.gpg.keyring import Where, destroy, keys_of
from common.gpg.opening import OpeningFailed
from common.phrases import count, day
from journalist_interface.desk.opening.inspection import CannotOpen, open_envelope
from journalist_interface.desk.rows.sealed_to import Holding
from journalist_interface.desk.services import Desk, NotHere


class NotNow(Exception):
    """This epoch cannot be destroyed now. The message says why and what to do."""


@dataclass(frozen=True)
class ShownEpoch:
    """An epoch with what is sealed to it. `obstacles`: why it cannot be destroyed now, in whole sentences."""

    epoch: Epoch
    holding: Holding
    destroyed: date | None
    obstacles: tuple[str, ...]

    @property
    def is_current(self) -> bool:
        """Whether it is this month's."""
        return self.epoch.month == month_of(today())

    @property
    def is_past(self) -> bool:
        """Whether its month is over."""
        return self.epoch.month < month_of(today())


@dataclass(frozen=True)
class Unknown:
    """What has yet to be looked into: of these the key is not known."""

    envelopes: int
    answers: int
    unopened: int

    def __bool__(self) -> bool:
        return bool(self.envelopes or self.answers or self.unopened)


def list_epochs(desk: Desk) -> list[ShownEpoch]:
    """The unit's epochs, oldest first. Raises RegistryRefused."""
    _, unit = desk.settings.load_registry()
    found = epochs_of(keys_of(desk.settings.gnupg, unit.fingerprint))
    months = {epoch.fingerprint for epoch in found}
    noted, common = desk.cabinet.sealed_to.destroyed(), _common_obstacles(desk, months)
    shown = []
    for epoch in found:
        holding = desk.cabinet.sealed_to.holding(epoch.fingerprint)
        obstacles = (*_obstacles(epoch, holding), *common)
        shown.append(ShownEpoch(epoch, holding, noted.get(epoch.fingerprint), obstacles))
    return shown


def find_epoch(desk: Desk, fingerprint: str) -> ShownEpoch:
    """The epoch of this fingerprint. Raises NotHere or RegistryRefused."""
    for shown in list_epochs(desk):
        if shown.epoch.fingerprint == fingerprint:
            return shown
    raise NotHere


def unknown(desk: Desk) -> Unknown:
    """How much has yet to be looked into."""
    envelopes, answers, unopened = desk.cabinet.sealed_to.unknown()
    return Unknown(len(envelopes), len(answers), unopened)


def look_for_keys(desk: Desk) -> None:
    """Learn the key of what was opened or sealed before keys were noted. Raises StickBusy."""
    with desk.alone():
        envelopes, answers, _ = desk.cabinet.sealed_to.unknown()
        for identity, size in envelopes:
            try:
                _, _, key = open_envelope(desk, identity, size)
            except CannotOpen:
                continue
            desk.cabinet.sealed_to.learn([(identity, key)], [])
        for identity in answers:
            try:
                key = desk.opener.open(desk.files.answer(identity), lambda _: None, ask=True)
            except OpeningFailed:
                continue
            desk.cabinet.sealed_to.learn([], [(identity, key)])


def destroy_epoch(desk: Desk, fingerprint: str) -> None:
    """Destroy an old epoch's secret in this desk's home, and note it. Doing it again changes nothing.

    Raises NotNow, NotDestroyed, NotHere, StickBusy or RegistryRefused.
    """
    with desk.alone():
        shown = find_epoch(desk, fingerprint)
        if not shown.epoch.is_gone:
            if shown.obstacles:
                raise NotNow(" ".join(shown.obstacles))
            destroy(desk.settings.gnupg, shown.epoch.key)
        desk.cabinet.sealed_to.note_destroyed(fingerprint, today())


def _obstacles(epoch: Epoch, holding: Holding) -> list[str]:
    found = []
    if not epoch.is_over(today()):
        ends = f" until {day(epoch.key.ends)}" if epoch.key.ends else ""
        found.append(f"Reports may be sealed to it{ends}. Wait for that day to pass.")
    if epoch.key.where is Where.CARD:
        found.append("Its key is on a smart card. Delete it there, or destroy the card: this desk cannot.")
    if holding.kept_envelopes or holding.kept_answers:
        found.append(
            f"{count(holding.kept_envelopes, 'message')} and {count(holding.kept_answers, 'answer')} of conversations "
            "that are kept for a case are sealed to it. Choose “Keep for a case” in them again."
        )
    if holding.waiting_answers:
        found.append(
            f"{count(holding.waiting_answers, 'answer')} sealed to it may not have left this desk. Export first."
        )
    if holding.waiting_forwards:
        found.append(
            f"{count(holding.waiting_forwards, 'report')} to be passed on may not have left this desk. Export first."
        )
    return found


def _common_obstacles(desk: Desk, months: set[str]) -> list[str]:
    found = []
    if unknown(desk):
        found.append("Of some messages or answers the month is not known. Look into them first.")
    try:
        if desk.opener.open(desk.settings.reply_key, lambda _: None, ask=True) in months:
            found.append(
                "The key that signs answers is sealed to a month’s key, and would be lost with it. Run "
                "“candour keys unit case-key” first."
            )
    except OpeningFailed:
        found.append("The unit’s key is locked, so that nothing can be checked. Unlock it first.")
    return found
