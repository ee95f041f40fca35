"""Alembic's way in: runs on the connection that `common.store.database.migrate` hands over."""

from alembic import context

from common.store.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
