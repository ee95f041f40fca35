"""What can go wrong with the private network, each with what to do."""

from deploy.errors import DeployError


class TorMissing(DeployError):
    """Tor is not installed."""


class NetworkFailed(DeployError):
    """The private network, or a tor on it, did not come up. The message quotes how far it came."""
