"""What can go wrong with the onions, each with what to do."""

from deploy.errors import DeployError


class TorUnreachable(DeployError):
    """There is no tor at the control port or socket, or it does not let us in. The message says which."""


class TorRefused(DeployError):
    """Tor does not do what it was asked. The message quotes it."""


class CourierRefused(DeployError):
    """A courier cannot be admitted or dismissed like that. The message says why."""


class NotPublished(DeployError):
    """No relay has taken the descriptor of an onion in time, so nobody can find it."""
