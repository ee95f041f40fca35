"""The desk's database, opened: one file that only its owner reads, and the doors to its rows.

Every change begins with `new_turn`, which takes SQLite's write lock at once: two changes never interleave.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, Engine

from common.store.database import open_engine
from journalist_interface.desk.rows import models
from journalist_interface.desk.rows.answers import Answers
from journalist_interface.desk.rows.contacts import Contacts
from journalist_interface.desk.rows.conversations import Conversations
from journalist_interface.desk.rows.envelopes import Envelopes
from journalist_interface.desk.rows.forwards import Forwards
from journalist_interface.desk.rows.posts import Posts
from journalist_interface.desk.rows.sealed_to import SealedTo


@dataclass(frozen=True)
class Cabinet:
    """All rows of a desk, over one engine. Safe to share between threads."""

    engine: Engine
    envelopes: Envelopes
    conversations: Conversations
    answers: Answers
    forwards: Forwards
    sealed_to: SealedTo
    contacts: Contacts
    posts: Posts

    def rest(self) -> None:
        """Close idle connections, so that none crosses a fork."""
        self.engine.dispose()


def open_cabinet(database: Path) -> Cabinet:
    """The cabinet in a file, made if it is not there."""
    # SQLite gives its own files beside it the mode of this one.
    os.close(os.open(database, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    engine = open_engine(URL.create("sqlite", database=os.fspath(database)).render_as_string())
    models.create(engine)
    doors = Envelopes(engine), Conversations(engine), Answers(engine), Forwards(engine), SealedTo(engine)
    return Cabinet(engine, *doors, Contacts(engine), Posts(engine))
