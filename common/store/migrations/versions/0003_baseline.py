"""Envelopes, replies, and what was returned."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
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
        sa.Column("state", sa.String(9), nullable=False),
        sa.Column("sha256", sa.LargeBinary(32), nullable=True),
        sa.Column("held_day", sa.Date(), nullable=True),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_envelope_state", "envelope", ["state", "unit", "id"])
    op.create_table(
        "reply",
        sa.Column("tag", sa.LargeBinary(16), primary_key=True),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("expires", sa.Date(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_reply_expires", "reply", ["expires"])
    op.create_table(
        "returned",
        sa.Column("unit", sa.String(64), primary_key=True),
        sa.Column("post", sa.String(32), primary_key=True),
        sa.Column("why", sa.String(8), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("returned")
    op.drop_table("reply")
    op.drop_table("envelope")
