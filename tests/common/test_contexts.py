"""One list of contexts: none is there twice, and none stands anywhere else in the code."""

import re
from itertools import permutations

from common.contexts import Context
from deploy.run.servers import PROJECT

ROOMS = ("common", "source_interface", "journalist_interface", "keys", "deploy")
LITERAL = re.compile(r"""b?["']candour/1 [^"'\n]*["']""")


def test_no_two_are_equal_and_none_can_be_read_as_another_with_more_behind_it():
    assert len({context.value for context in Context}) == len(
        Context.__members__
    )  # an alias would be a second name
    for one, other in permutations(Context, 2):
        assert not one.line.startswith(other.line)
    assert all(context.value.isprintable() and context.value.isascii() for context in Context)


def test_each_is_used_and_none_is_written_out_elsewhere():
    code = {
        file: file.read_text("utf-8")
        for room in ROOMS
        for file in (PROJECT / room).rglob("*.py")
        if file.name != "contexts.py"
    }
    assert {str(file): LITERAL.findall(text) for file, text in code.items() if LITERAL.search(text)} == {}
    everything = "\n".join(code.values())
    assert [context.name for context in Context if f"Context.{context.name}" not in everything] == []
