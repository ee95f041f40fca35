"""The collection service: what a unit's courier calls, on a private onion. It never sees plaintext.

Every request is signed; the signature says which unit is calling, and each look at the listing names that unit, so
that nothing of another unit is seen, not even counted. It has neither the database nor the pepper: it reads the outbox
and writes the inbox, and what passes between those and the store does so at settled hours alone (see
common/store/settlement.py). There are no cookies, no pages, no access log. Run it in one process: the nonces it has
seen are in its memory.
"""

import os
from pathlib import Path

from flask import Flask, Response, g, request

from common.config import BadConfiguration, ServerConfig, read_server_config
from common.registry.file import RegistryFile
from common.store.inbox import Inbox
from common.store.outbox import Outbox
from common.transport import forwarding, post
from journalist_interface.collection import envelopes, errors, forwards, posts
from journalist_interface.collection.freshness import Freshness
from journalist_interface.collection.services import EXTENSION, Services, services
from journalist_interface.collection.signatures import verify


def create_app(config: ServerConfig | None = None) -> Flask:
    """The application. `config` None: the file that CANDOUR_SERVER names. Raises BadConfiguration."""
    settings = config or read_server_config(_named_by_environment())
    app = Flask("candour_collection", static_folder=None, template_folder=None)
    app.config.update(
        MAX_CONTENT_LENGTH=post.MOST_BYTES + 1,
        PROVIDE_AUTOMATIC_OPTIONS=False,
    )
    app.url_map.merge_slashes = False  # no redirects: a request is answered as it was signed
    app.url_map.strict_slashes = True
    app.extensions[EXTENSION] = Services(
        Outbox(settings.outbox, settings.blobs),
        Inbox(settings.inbox),
        RegistryFile.of(settings),
        Freshness(),
        settings.limits,
    )
    errors.install(app)
    app.before_request(_admit)
    app.after_request(_finish_response)
    app.register_blueprint(envelopes.blueprint)
    app.register_blueprint(posts.blueprint)
    app.register_blueprint(forwards.blueprint)
    return app


def _named_by_environment() -> Path:
    named = os.environ.get("CANDOUR_SERVER")
    if not named:
        raise BadConfiguration("Set CANDOUR_SERVER to the path of server.toml.")
    return Path(named)


def _admit() -> None:
    """Before anything else, unknown addresses included: whose request is this?"""
    collection = services()
    most = forwarding.CHUNK if request.path.startswith(f"{forwards.PREFIX}/") else post.MOST_BYTES
    request.max_content_length = most + 1  # one more, to tell what is too large from what just fits
    g.unit = verify(request, collection.registry.current(), collection.freshness, most)


def _finish_response(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    if response.status_code == 204:
        del response.headers["Content-Type"]  # there is none
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
