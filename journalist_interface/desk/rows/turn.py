"""The number that rises with every change, and keeps two things of one day in their order."""

from sqlalchemy import Connection, update

from journalist_interface.desk.rows.models import TurnRow


def new_turn(connection: Connection) -> int:
    """The next turn. As a transaction's first statement it takes the write lock before anything is read."""
    return connection.execute(
        update(TurnRow).values(last=TurnRow.last + 1).returning(TurnRow.last)
    ).scalar_one()
