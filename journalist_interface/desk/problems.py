"""What the desk says when something cannot be done: what happened, and what to do."""

from dataclasses import dataclass

from flask import Response, make_response, render_template

from common.conversation.mailbox import AnswerTooLong
from common.gpg.keyring import NotDestroyed
from common.gpg.sealing import SealingFailed
from common.registry.registry import RegistryRefused
from common.report.archive import WrongFile
from common.report.disclosure import DisclosureRefused
from journalist_interface.desk.answers.composition import AnswerLost, NoMoreRoom, NoReplyKey
from journalist_interface.desk.epochs.months import NotNow
from journalist_interface.desk.opening.inspection import CannotOpen
from journalist_interface.desk.opening.oversight import CopyOnly
from journalist_interface.desk.opening.saved_files import NotSaved
from journalist_interface.desk.passing_on.handover import ForwardLost
from journalist_interface.desk.passing_on.resealing import NotForwardable
from journalist_interface.desk.rows.answers import HandedOver, TakenBack
from journalist_interface.desk.rows.forwards import Changed
from journalist_interface.desk.services import NotHere, StickBusy
from journalist_interface.desk.settings import NoCaseKey
from journalist_interface.desk.stick.bundle_export import NoStick


@dataclass(frozen=True)
class Problem:
    """A page that says what happened (`title`, `message`) and what to do."""

    status: int
    title: str
    message: str
    what_to_do: str

    @classmethod
    def unexpected(cls) -> "Problem":
        """For what nobody foresaw."""
        return cls(
            500,
            "Something went wrong",
            "The desk could not do this. Reports that were imported are safe: they lie sealed on the disk.",
            "Go back and try again. If it happens again, restart the desk, and tell your operator what you did; "
            "the desk’s own output names the place in the program, and nothing of any report.",
        )


_STATUS = {
    400: Problem(
        400,
        "This form was not accepted",
        "It did not come from a page of this desk, or from a page of an earlier start of it. Nothing was done.",
        "Go to the list of conversations and open the page again from there.",
    ),
    403: Problem(
        403,
        "This desk is locked to you",
        "The desk opens only to the browser that used its one-time link. A link works once.",
        "Restart the desk to get a new link, and open that link in the browser that you want to work in.",
    ),
    404: Problem(
        404,
        "There is nothing here",
        "This desk has no such page, conversation, message or file.",
        "Go to the list of conversations and look for it there.",
    ),
    405: Problem(
        405,
        "This page cannot be used like that",
        "It answers a button, and was asked for as an address, or the other way round. Nothing was done.",
        "Go back and use the button or the link on the page.",
    ),
    413: Problem(
        413,
        "This is far too long",
        "The form holds more than the desk takes. Nothing was sealed.",
        "Go back, copy your words somewhere safe, shorten them, and send them as several answers.",
    ),
    415: Problem(
        415,
        "The desk takes no files",
        "What was sent is not a plain form. Nothing was done.",
        "Go back and use the form on the page. Reports come onto the desk from the stick only.",
    ),
    421: Problem(
        421,
        "This is not the desk’s address",
        "The desk answers only under the address that it printed when it was started.",
        "Type that address, beginning with http://127.0.0.1, into the browser yourself.",
    ),
}

_ASK_OPERATOR = "If it happens again, tell your operator."
_ERRORS: tuple[tuple[type[Exception], int, str, str], ...] = (
    (
        RegistryRefused,
        409,
        "The registry cannot be used",
        "Get the current one from whoever signs it, and put it in place whole. Reading goes on without it.",
    ),
    (NoCaseKey, 409, "There is no case key", "Do what is said above, then choose “Keep for a case” again."),
    (
        NotNow,
        409,
        "This month’s key was not destroyed",
        "Do what is said above, then come back to the months.",
    ),
    (NotDestroyed, 409, "This month’s key was not destroyed", "Do what is said above."),
    (StickBusy, 409, "The desk is busy with the stick", "Go back in a minute and try again."),
    (NoStick, 409, "The stick is not there", "Put the stick in, or free some room on it, and export again."),
    (TakenBack, 409, "Nothing was exported", "Go back and export again."),
    (
        CopyOnly,
        409,
        "This is a copy",
        "Nothing was sealed. You can read it, save its files and keep it for a case.",
    ),
    (HandedOver, 409, "This was passed on", "Nothing was sealed. Whoever has it now answers in it."),
    (NotForwardable, 409, "It was not passed on", "Nothing was sealed. Go back and choose again."),
    (Changed, 409, "It was not passed on", "Go back to the conversation, and pass it on again."),
    (NoReplyKey, 409, "Nothing was signed", "Mend what is named above, then do it again. Nothing was lost."),
    (
        AnswerLost,
        409,
        "It was not sealed again",
        "Unlock the key, or put the file back from a copy, and try again.",
    ),
    (
        ForwardLost,
        409,
        "It was not sealed again",
        "Unlock the key, or put the file back from a copy, and try again.",
    ),
    (NoMoreRoom, 409, "There is no room for another answer", "Use what the reporter has been told already."),
    (DisclosureRefused, 409, "It was not asked for", "Nothing was written. Do what is said above."),
    (AnswerTooLong, 409, "The answer is too long", "Shorten it, or send it as two answers."),
    (SealingFailed, 409, "Nothing was sealed", f"Go back and try again. {_ASK_OPERATOR}"),
    (
        WrongFile,
        409,
        "The file was not saved",
        "The sealed original is kept as it came. Note the message’s reference and tell your operator.",
    ),
    (NotSaved, 409, "The file was not saved", f"Do what is said above. {_ASK_OPERATOR}"),
)


def page_of_status(status: int) -> Response:
    """The page of the problem that an HTTP status stands for."""
    return show(_STATUS.get(status) or Problem.unexpected())


def page_of_error(error: Exception) -> Response | None:
    """The page of the problem that a named error stands for; None for one that nobody foresaw."""
    problem = of_error(error)
    return None if problem is None else show(problem)


def of_error(error: Exception) -> Problem | None:
    """The problem that a named error stands for; None for one that nobody foresaw."""
    if isinstance(error, NotHere):
        return _STATUS[404]
    if isinstance(error, CannotOpen):
        return Problem(
            409,
            "This message does not open",
            f"It could not be opened: {error}. It is kept sealed.",
            "If a card or a passphrase is missing, bring it and try again from “Could not be opened”.",
        )
    for kind, status, title, what_to_do in _ERRORS:
        if isinstance(error, kind):
            return Problem(status, title, str(error) or (kind.__doc__ or ""), what_to_do)
    return None


def show(problem: Problem) -> Response:
    """The page of a problem."""
    return make_response(render_template("problem.html", problem=problem), problem.status)
