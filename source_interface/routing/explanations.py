"""Why a report goes where it goes, in the words of the page: a sentence for each reason that the rules give."""

from common.registry.units import UnitKind
from common.report.routing import Reason, Route

_SENTENCES = {
    Reason.ITS_UNIT: "{unit} deals with corruption in the force that you chose.",
    Reason.FORCE_NOT_KNOWN: "You did not choose a force, so somebody has to find out first whose work it is.",
    Reason.MOVED: (
        "They moved or left, or there are more forces than you could choose, so somebody has to find out first whose "
        "work it is."
    ),
    Reason.SEVERAL_UNITS: (
        "The forces that you chose have different units. None of them should get what is about another before somebody "
        "has looked at it."
    ),
    Reason.CONFLICT_ROUTE: (
        "It is, or might be, about those who would open it, or about people above them. So it goes past them, to the "
        "body that their unit names for this."
    ),
    Reason.OVERSIGHT_BODY: (
        "It is, or might be, about those who would open it, or about people above them. So it goes past them, to a "
        "body that oversees the force."
    ),
    Reason.CONFLICT_WITHOUT_OVERSEER: (
        "It is, or might be, about those who would open it, or about people above them. So it goes past them. No "
        "oversight body can receive it here at present."
    ),
    Reason.KEPT_FROM_UNIT: "The unit that would open it serves, or might serve, a force that must not see it.",
    Reason.SUSPENDED: (
        "The unit of the force that you chose cannot receive anything here at present: its keys might not be safe."
    ),
    Reason.NOT_ENROLLED: "The force that you chose has no unit here yet.",
    Reason.SUCCESSOR: "A force that you chose is part of another force today, and that one counts.",
    Reason.SAME_UNIT: "One unit serves all the forces that you chose.",
    Reason.ALSO_OVERSEER: (
        "A second copy is locked for {second}, so that it does not rest with one of the two alone. This site tells "
        "neither what the other does."
    ),
    Reason.NOT_ALSO_OVERSEER: "A second copy often goes to an oversight body as well. This time it does not.",
}
_OF_A_KIND = {
    UnitKind.UNIT: "It is part of the police.",
    UnitKind.DESK: (
        "The charity’s own desk stands in. Its people are not police. They open the report on a computer that is never "
        "online, read it, and decide who should have it."
    ),
    UnitKind.OVERSEER: "An oversight body is not part of any police force.",
}


def in_sentences(route: Route) -> list[str]:
    """Why the report goes there: first what decided, then who that is, then what else is to be said."""
    names = {"unit": route.unit.name, "second": route.second.name if route.second else ""}
    told = [_SENTENCES[reason].format(**names) for reason in route.reasons]
    return [told[0], _OF_A_KIND[route.unit.kind], *told[1:]]
