"""Phrases that may give their writer away: found when there, and never slow."""

import time

import pytest

from source_interface.intake.hints import hints_for

pytestmark = pytest.mark.slow

FOUND = {
    "Only three of us knew about it.": "how few people",
    "just two people could open the cupboard": "how few people",
    "ONLY A FEW OFFICERS were there": "how few people",
    "only the night\nof us": "how few people",
    "my sergeant told me": "how you are placed",
    "it was My Line Manager": "how you are placed",
    "He asked my DCI.": "how you are placed",
    "my husband is one of them": "how you are placed",
    "collar number 1234": "may belong to one person",
    "shoulder no. AB12": "may belong to one person",
    "warrant: 4455": "may belong to one person",
    "I am a custody sergeant": "what you do",
    "I’m a police officer there": "what you do",
    "speaking as an analyst": "what you do",
    "on 3rd of March": "exact day or time",
    "on 14 November": "exact day or time",
    "on 3/4/2026": "exact day or time",
    "at 10:30pm": "exact day or time",
    'She said "do it now or you will be next in line for it".': "long quotation",
    "He said “leave the bag where it is, nobody will ask.”": "long quotation",
    "write to someone@example.org": "address or a telephone number",
    "ring 07700 900123": "address or a telephone number",
    "ring +44 7700 900123": "address or a telephone number",
}
NOTHING = [
    "",
    "An officer takes money from a garage owner, in the spring.",
    "A sergeant said so. Someone on the team heard it.",
    'He called it "the box".',
    "It happened twice, about three years ago.",
    "-----BEGIN PGP MESSAGE-----\n\nmy sergeant 3/4/2026\n-----END PGP MESSAGE-----",
    "谢谢 ευχαριστώ \u202e\u0000",
]


@pytest.mark.parametrize(("text", "hint"), FOUND.items())
def test_a_phrase_is_found(text, hint):
    [said] = [one for one in hints_for(text) if hint in one]
    assert said.endswith(".")


@pytest.mark.parametrize("text", NOTHING)
def test_plain_words_are_left_alone(text):
    assert hints_for(text) == []


def test_hints_come_once_each_and_in_order():
    text = " ".join(FOUND)
    hints = hints_for(text * 20)
    assert len(hints) == len(set(hints)) == 7
    assert hints_for(text) == hints


SLOW = [
    *("a", " ", "\n", "1", "0", "12/", "1.", '"', "“", '"a', "a@", "@", "a.", ".+-", "é", "\u202e", "’"),
    *(
        "my ",
        "my line ",
        "only ",
        "only the a ",
        "i am a ",
        "as a a a ",
        "as an ",
        "i am a aaaaaaaaaaaaaaaaaaaa ",
    ),
    *("collar ", "staff no", "staff number #", "+44 ", "0 1", "07 ", "12 of ", "1st of "),
    *("a" * 63 + "@", "a" * 64 + " ", '"' + "x" * 161),
]


@pytest.mark.parametrize("piece", SLOW, ids=repr)
def test_no_text_takes_more_than_linear_time(piece):
    def seconds(length):
        text = (piece * (length // len(piece) + 1))[:length]
        best = 9.0
        for _ in range(2):
            started = time.thread_time()
            hints_for(text)
            best = min(best, time.thread_time() - started)
        return best

    small, large = seconds(25_000), seconds(100_000)
    assert large < 1.0
    assert large < 12 * small + 0.02, f"{small:.4f} s for a quarter of it, then {large:.4f} s"
