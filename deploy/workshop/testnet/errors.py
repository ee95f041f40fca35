"""What can go wrong with the private network, each with what to do."""

from deploy.errors import DeployError


class TorMissing(DeployError):
    """Tor is not installed."""


class NetworkFailed(DeployError):
    """The private network, or a tor on it, did not come up or has ended. The message quotes what tor said last."""
