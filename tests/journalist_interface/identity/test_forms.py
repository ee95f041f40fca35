"""A form works once, for what was shown with it, also with the worker that comes next."""

import os

from journalist_interface.identity.forms import Forms

ONE, OTHER = "1a" * 32, "2b" * 32


def test_a_form_works_once_and_for_what_was_shown_with_it():
    forms = Forms()
    for shown, sent, works in ((ONE, ONE, True), (ONE, OTHER, False)):
        token = forms.show(shown)
        assert forms.use(token, sent) is works
        assert forms.use(token, shown) is None
    for never in ("", "x", "00" * 16, "11" * 16, "11" * 17, "ü"):
        assert forms.use(never, ONE) is None


def test_the_oldest_forms_are_forgotten_and_no_others():
    forms = Forms()
    tokens = [forms.show(ONE) for _ in range(1002)]
    assert [forms.use(token, ONE) for token in tokens[:3]] == [None, None, True]
    assert forms.use(tokens[-1], ONE) is True


def test_what_a_worker_used_is_used_for_the_next():
    forms = Forms()
    used, left = forms.show(ONE), forms.show(OTHER)
    worker = os.fork()
    if worker == 0:
        os._exit(0 if forms.use(used, ONE) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]) == 0
    assert forms.use(used, ONE) is None
    assert forms.use(left, OTHER) is True
