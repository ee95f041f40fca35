"""What the desk leaves on its disk: sealed files, days and numbers. No word of a report, a name or an answer."""

import base64

WORDS = "Kestrel-in-the-rafters"
NAME = "orchard-ledger-scan"
CONTENT = b"the content of a file, marked Halcyon-Underpass"
ANSWER = "Marmalade-tomorrow answer"


def test_nothing_readable_is_left_but_what_was_saved(world, browser, everything_in, caplog, capfd):
    reporter = world.reporter()
    sealed = world.seal(reporter, f"It began with {WORDS}.", [(f"{NAME}.txt", [CONTENT])])
    world.bundle(sealed)
    browser.post("/import")
    path = f"/conversations/{reporter.identity}"
    assert WORDS in browser.get(path).text
    fields = browser.fields(browser.post(f"{path}/answer/preview", {"text": ANSWER}).text)
    browser.post(f"{path}/answer/seal", fields | {"released": "yes"})
    assert ANSWER in browser.get(path).text
    browser.post("/export")

    planted = [WORDS.encode(), NAME.encode(), b"Halcyon-Underpass", ANSWER.encode()]
    planted += [WORDS.encode("utf-16-le"), base64.b64encode(ANSWER.encode())[:-4]]
    keys = [reporter.secrets.mailbox_key.reveal(), reporter.key.public()]
    planted += keys + [base64.b64encode(key)[:-4] for key in keys] + [key.hex().encode() for key in keys]

    def planted_in(folder):
        found = everything_in(folder)
        return [word for word in planted if word in found]

    assert planted_in(world.folder) == []
    assert planted_in(world.stick) == []

    browser.post(f"/messages/{sealed.name}/files/1/save")
    assert planted_in(world.folder / "saved") == [NAME.encode(), b"Halcyon-Underpass"]
    (world.folder / "saved").rename(world.folder.parent / "saved-aside")
    assert planted_in(world.folder) == []
    said = caplog.text + "".join(capfd.readouterr())
    assert not any(word.decode(errors="replace") in said for word in planted)


def test_a_refused_or_failing_page_leaves_nothing_either(world, browser, everything_in, caplog):
    reporter = world.reporter()
    world.bundle(world.seal(reporter, WORDS))
    browser.post("/import")
    path = f"/conversations/{reporter.identity}/answer"
    browser.post(f"{path}/preview", {"text": ANSWER * 2000})
    browser.post(f"{path}/seal", {"text": ANSWER, "csrf": "0"})
    browser.post(f"{path}/nothing", {"text": ANSWER})
    assert ANSWER.encode() not in everything_in(world.folder)
    assert ANSWER not in caplog.text


def test_every_file_and_folder_is_the_owners_alone(world, browser):
    reporter = world.reporter()
    world.bundle(world.seal(reporter, "x", [("a", [b"a"])]))
    browser.post("/import")
    for path in world.folder.rglob("*"):
        if path.parent == world.folder and path.suffix in (".toml", ".json", ".pub"):
            continue
        mode = path.stat().st_mode & 0o777
        assert mode & 0o077 == 0, path
