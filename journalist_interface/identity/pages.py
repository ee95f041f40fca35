"""The pages of the identity holders: the requests on the stick, one of them, and what came of it.

A form that opens details works once, and only for the request that was shown with it: the stick is read again when the
form comes. What it showed is on no other page, and loading it again shows nothing.

Python cannot wipe memory, but a process that ends leaves none. So the worker that was sent passphrases, and may have
shown details, serves nothing after that: another, which knows nothing of them, takes its place.
"""

from flask import Blueprint, Response, abort, g, make_response, render_template, request
from werkzeug import Response as AnyResponse

from common.allowance import RETIRE
from common.report import disclosure
from common.report.disclosure import Why, WhyNot
from journalist_interface.identity import decision
from journalist_interface.identity.decision import Given, NoStick, NotDecided, Waiting
from journalist_interface.identity.services import services
from journalist_interface.workstation.guard import let_in

entering = Blueprint("entering", __name__)
pages = Blueprint("requests", __name__)

_ANOTHER = (
    "The request on the stick is another than the one that you were shown. Nothing was opened, and nothing signed. "
    "Read this one; somebody may have exchanged them."
)


def on_every_page() -> dict[str, object]:
    """What the frame shows."""
    inside = "csrf" in g
    return {
        "inside": inside,
        "csrf": g.csrf if inside else "",
        "unit_id": services().settings.unit if inside else "",
    }


@pages.after_request
def forget(response: Response) -> Response:
    """End this worker once the answer is out, whatever came of the form. Nobody outside can make it end."""
    if request.method == "POST" and "csrf" in g and RETIRE in request.environ:
        response.call_on_close(request.environ[RETIRE])
    return response


@entering.get("/enter/<untrusted_token>")
def enter(untrusted_token: str) -> AnyResponse:
    """Let the browser in that has the link."""
    return let_in(untrusted_token, "requests.listed")


@pages.get("/")
def listed() -> str:
    """The requests on the stick."""
    settings = services().settings
    waiting, (_, damaged) = decision.waiting_on(settings), decision.read_trail(settings)
    return render_template(
        "requests.html", waiting=waiting, damaged=damaged, stick_is_there=settings.stick.is_dir()
    )


@pages.get("/requests/<file>")
def shown(file: str) -> Response:
    """One request, and what can be decided."""
    return _page(_find(file))


@pages.post("/requests/<file>/open")
def open_(file: str) -> Response:
    """Two holders open the details: shown in this answer, and nowhere else."""
    waiting = _find(file)
    if not _is_as_shown(waiting):
        return _page(waiting, _ANOTHER)
    given = [Given(request.form.get(f"name{n}", ""), request.form.get(f"passphrase{n}", "")) for n in (1, 2)]
    try:
        why = Why(request.form.get("why", ""))
    except ValueError:
        return _page(waiting, "Say why it is opened. Nothing was opened.")
    try:
        details = decision.open_details(services().settings, waiting, given, why)
    except (NotDecided, NoStick) as error:
        return _page(waiting, str(error) or str(error.__doc__))
    return make_response(render_template("details.html", waiting=waiting, details=details))


@pages.post("/requests/<file>/refuse")
def refuse(file: str) -> Response:
    """One holder refuses."""
    waiting = _find(file)
    if not _is_as_shown(waiting):
        return _page(waiting, _ANOTHER)
    given = Given(request.form.get("name", ""), request.form.get("passphrase", ""))
    try:
        why = WhyNot(request.form.get("why", ""))
    except ValueError:
        return _page(waiting, "Say why it is refused. Nothing was signed.")
    try:
        decision.refuse(services().settings, waiting, given, why)
    except (NotDecided, NoStick) as error:
        return _page(waiting, str(error) or str(error.__doc__))
    return make_response(render_template("refused.html", waiting=waiting))


def _find(file: str) -> Waiting:
    waiting = decision.find(services().settings, file)
    if waiting is None:
        abort(404)
    return waiting


def _is_as_shown(waiting: Waiting) -> bool:
    """Whether the stick still has the request that the form was shown with. A form that is none of ours ends here."""
    as_shown = services().forms.use(request.form.get("form", ""), disclosure.digest_of(waiting.document))
    if as_shown is None:
        abort(400)
    return as_shown


def _page(waiting: Waiting, problem: str | None = None) -> Response:
    """The request, with names and reasons as they were chosen: only passphrases are typed again."""
    page = render_template(
        "request.html",
        waiting=waiting,
        problem=problem,
        holders=services().settings.holders(),
        form=services().forms.show(disclosure.digest_of(waiting.document)),
        chosen=request.form,
        reasons=[why.value for why in Why],
        refusals=[why.value for why in WhyNot],
    )
    return make_response(page, 422 if problem else 200)
