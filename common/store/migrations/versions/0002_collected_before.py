"""An envelope that was collected, and lost on the way, waits again, and is still one that was collected."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the day on which it was collected before."""
    op.add_column("envelope", sa.Column("collected_before", sa.Date(), nullable=True))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("envelope", "collected_before")
