"""Envelopes and replies."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "envelope",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("receipt_tag", sa.LargeBinary(16), nullable=False, unique=True),
        sa.Column("unit", sa.String(64), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("padded_size", sa.BigInteger(), nullable=False),
        sa.Column("collected_day", sa.Date(), nullable=True),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_envelope_waiting", "envelope", ["unit", "collected_day", "id"])
    op.create_table(
        "reply",
        sa.Column("tag", sa.LargeBinary(16), primary_key=True),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("expires", sa.Date(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_reply_expires", "reply", ["expires"])


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("reply")
    op.drop_table("envelope")
