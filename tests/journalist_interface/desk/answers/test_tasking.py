"""Questions that may task a reporter are named, and a second person releases every answer."""

import pytest

from journalist_interface.desk.answers import tasking


@pytest.mark.parametrize(
    ("text", "phrases"),
    [
        ("Could you find out who signed it?", ("Could you find",)),
        ("Please  take a\nphotograph of the book.", ("Please take",)),
        ("We would like you to stay close to him.", ("like you to stay",)),
        ("Keep an eye on the store.", ("Keep an eye",)),
        ("Let us know when he is back; next time, too.", ("Let us know when", "next time")),
        ("Can you send copies of the rota?", ("Can you send",)),
        ("Go back once more.", ("Go back",)),
        ("Did you yourself see who signed it?", ()),
        ("Which station was it? You need not answer.", ()),
        ("Thank you. We have read it, and you need do nothing.", ()),
        ("We found out the rest ourselves.", ()),
    ],
)
def test_words_that_may_task_are_found_and_others_are_not(text, phrases):
    assert tasking.phrases_in(text) == phrases


def test_a_long_text_of_near_misses_takes_no_time():
    assert tasking.phrases_in("could you " * 50_000) == ()


def form_for(browser, reporter, text):
    page = browser.post(f"/conversations/{reporter.identity}/answer/preview", {"text": text}).text
    return page, browser.fields(page)


def sealed(world, reporter):
    return world.desk().cabinet.answers.of_conversation(reporter.identity)


@pytest.fixture
def reporter(world):
    from tests.journalist_interface.desk.passing_on.test_handover import brought

    return brought(world, ("Something happened.", ()))


def test_an_answer_is_sealed_only_when_a_second_person_releases_it(world, browser, reporter):
    assert "may task the reporter" not in form_for(browser, reporter, "Thank you. We have read it.")[0]
    page, fields = form_for(browser, reporter, "Could you find out more?")
    assert "may task the reporter" in page
    assert "<q>Could you find</q>" in page
    path = f"/conversations/{reporter.identity}/answer/seal"
    again = browser.post(path, fields)
    assert again.status_code == 200
    assert "Let a second person read it" in again.text
    assert "Could you find out more?" in again.text
    assert not sealed(world, reporter)
    assert browser.post(path, browser.fields(again.text) | {"released": "yes"}).status_code == 303
    assert len(sealed(world, reporter)) == 1
