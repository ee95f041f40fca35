"""What can go wrong with a backup."""

from deploy.errors import DeployError


class BackupFailed(DeployError):
    """No backup was made. The message says why and what to do."""


class RestoreRefused(DeployError):
    """Nothing was put in place. The message says why and what to do."""
