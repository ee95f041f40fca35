"""Firefox as it is when it is installed, at the holders' desk: it offers to save no passphrase, and keeps none."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import pytest
from flask import Flask
from werkzeug.serving import make_server

from deploy.run.servers import listen, port_of
from journalist_interface.identity.app import create_app
from tests.journalist_interface.identity.conftest import (
    REACH,
    ask,
    given,
    registry_with,
    settings,
    signer,
    stick,
)

__all__ = ["ask", "given", "registry_with", "settings", "signer", "stick"]

TYPED = "typed into an ordinary form"
ORDINARY = (
    "<form method=post><input name=plain id=plain><input name=user><input type=password name=secret id=secret>"
    "<main><button>Send</button></main></form>"
)
HEARD = """
w.heard = [];
for (let topic of ['passwordmgr-prompt-save', 'passwordmgr-prompt-change'])
    Services.obs.addObserver({observe: login => w.heard.push(login.QueryInterface(Ci.nsILoginInfo).password)}, topic);
done();
"""
KEPT = """
(async () => {
    const { FormHistory } = ChromeUtils.importESModule('resource://gre/modules/FormHistory.sys.mjs');
    done((await FormHistory.search(['value'], {})).map(found => found.value));
})();
"""
OF_THE_WINDOW = """
(async () => {
    const from = name => ChromeUtils.importESModule(`resource:///modules/sessionstore/${name}.sys.mjs`)[name];
    await from('TabStateFlusher').flush(w.gBrowser.selectedBrowser);
    done(from('SessionStore').getWindowState(w));
})();
"""


def asked(page, script):
    """What the browser itself answers, not a page of it."""
    with page.marionette.using_context("chrome"):
        return page.marionette.execute_async_script(
            "const w = Services.wm.getMostRecentWindow('navigator:browser'), done = arguments[0];" + script,
            new_sandbox=False,
        )


@contextmanager
def serving(settings) -> Iterator[tuple[str, str]]:
    """The desk's link, and the address of an ordinary form beside it."""
    listener, ordinary = listen("desk", 0, "--port"), Flask("ordinary")
    ordinary.add_url_rule("/", "form", lambda: ORDINARY, methods=["GET", "POST"])
    port = port_of(listener)
    app = create_app(settings, port)

    def both(environ, start_response):
        if environ["PATH_INFO"] == "/ordinary":
            return ordinary(environ | {"PATH_INFO": "/"}, start_response)
        return app(environ, start_response)

    with listener:
        server = make_server("127.0.0.1", port, both, threaded=True, fd=listener.fileno())
        thread = Thread(target=server.serve_forever)
        thread.start()
        base = f"http://127.0.0.1:{port}"
        try:
            yield base + app.config["ONE_TIME_LINK"], f"{base}/ordinary"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


@pytest.fixture
def stock(firefox):
    """With what a fresh profile has, and Marionette takes away."""
    prefs = {"signon.rememberSignons": True, "browser.formfill.enable": True}
    before = {name: firefox.marionette.get_pref(name) for name in prefs}
    firefox.marionette.set_prefs(prefs)
    asked(firefox, HEARD)
    yield firefox
    firefox.marionette.set_prefs({name: value for name, value in before.items() if value is not None})


def test_stock_firefox_offers_to_save_no_passphrase_and_keeps_none(stock, settings, ask, given):
    ask()
    with serving(settings) as (link, ordinary):
        stock.go(link)
        stock.press("Conversation")
        phrases = [phrase for _, phrase in given[:2]]
        for number, (name, phrase) in enumerate(given[:2], 1):
            stock.find(f"#name{number}").send_keys(name)
            stock.type(f"#passphrase{number}", phrase)
            assert stock.find(f"#passphrase{number}").value_of_css_property("-webkit-text-security") == "disc"
        assert "This browser shows what is typed" not in stock.words
        assert not any(phrase in json.dumps(asked(stock, OF_THE_WINDOW)) for phrase in phrases)
        stock.all("form[action$=open] label")[4].click()
        stock.press("Open and show it once")
        assert stock.text(".words") == REACH

        stock.go(ordinary)  # what the browser does with others, so that it is seen not to do it with ours
        stock.type("#plain", TYPED)
        stock.type("#secret", "an ordinary password")
        assert TYPED in json.dumps(asked(stock, OF_THE_WINDOW))
        stock.press("Send")
        stock.wait_for(lambda: asked(stock, "done(w.heard);"))
        stock.wait_for(lambda: TYPED in asked(stock, KEPT))
    heard = asked(stock, "done(w.heard);")  # Firefox offers at each letter
    assert all("an ordinary password".startswith(offered) for offered in heard)
    assert not set(phrases) & set(asked(stock, KEPT))
