"""`candour deploy admit`, `dismiss` and `couriers`, on the host."""

from collections.abc import Callable
from pathlib import Path

from stem.control import Controller

from deploy.host.place import ONIONS
from deploy.onions import couriers
from deploy.onions.control import HOST_CONTROL, Control, connected
from deploy.onions.errors import NotPublished
from deploy.run.progress import step


def admit_here(name: str, line: str, onions: Path = Path(ONIONS), control: Control = HOST_CONTROL) -> None:
    """Let a courier in, and say when it counts. Raises CourierRefused, TorUnreachable, NotPublished."""
    _change(lambda: couriers.admit(onions, name, line), onions, control)
    print(f"{name} can reach the collection. It may collect once the registry names its key.", flush=True)


def dismiss_here(name: str, onions: Path = Path(ONIONS), control: Control = HOST_CONTROL) -> None:
    """Let a courier in no longer. Raises CourierRefused, TorUnreachable, NotPublished."""
    _change(lambda: couriers.dismiss(onions, name), onions, control)
    print(
        f"{name} cannot find the collection any more, except from what its tor remembers, for some hours. If its "
        "machine is lost, have a registry without its key signed too: that turns it away at once.",
        flush=True,
    )


def list_here(onions: Path = Path(ONIONS)) -> None:
    """Print the names, one a line."""
    names = couriers.admitted(onions)
    print("\n".join(names) if names else "No courier is let in.", flush=True)


def _change(change: Callable[[], None], onions: Path, control: Control) -> None:
    with connected(control) as controller:  # first, so that nothing is changed that tor would not hear of
        change()
        with step("Publishing who is let in"):
            _publish(controller, onions)


def _publish(controller: Controller, onions: Path) -> None:
    if not couriers.reload(controller, onions):
        raise NotPublished(
            "It is written down and tor has been told, but no relay has taken it yet. Look at `candour doctor` in "
            "some minutes."
        )
