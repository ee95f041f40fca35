"""A reviewer's day, through the pages: import, read, save, answer, export; and the reporter reads the answer."""

import hashlib

from common.conversation import mailbox, reply
from common.transport import bundle, bundle_item, post
from common.transport.post import ReceiptsPost, ReplyPost

PHOTO = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 400


def test_from_the_stick_to_the_answer_and_back(world, browser):
    reporter = world.reporter()
    world.bundle(
        world.seal(reporter, "He takes money at the depot.", [("photo.jpg", [PHOTO])]),
        world.seal(reporter, "One more thing.", first=False),
        world.seal(world.reporter(), "Another matter."),
    )

    imported = browser.post("/import")
    assert "3 new messages" in imported.text
    assert "3 messages opened for the first time" in imported.text

    listed = browser.get("/").text
    assert f"C-{reporter.identity[:8]}" in listed
    assert "2 messages, 1 file" in listed

    page = browser.get(f"/conversations/{reporter.identity}").text
    assert page.index("He takes money at the depot.") < page.index("One more thing.")
    assert "0001-photo.jpg" in page
    assert hashlib.sha256(PHOTO).hexdigest() in page
    message = page.split('id="m-')[1][:32]

    saved = browser.post(f"/messages/{message}/files/1/save")
    assert saved.status_code == 200
    place = world.folder / "saved" / f"C-{reporter.identity[:8]}" / f"M-{message[:8]}" / "0001-photo.jpg"
    assert str(place) in saved.text
    assert place.read_bytes() == PHOTO
    assert place.stat().st_mode & 0o777 == 0o600

    words = "Thank you.\nDid you see the date on it?"
    preview = browser.post(f"/conversations/{reporter.identity}/answer/preview", {"text": words})
    assert words in preview.text
    assert "The Unit of demo-unit" in preview.text
    fields = browser.fields(preview.text)
    sealed = browser.post(f"/conversations/{reporter.identity}/answer/seal", fields | {"released": "yes"})
    assert sealed.status_code == 303
    after = browser.get(f"/conversations/{reporter.identity}").text
    assert words in after
    assert "Waiting to be exported" in after

    exported = browser.post("/export")
    assert "1 answer and receipts for 3 messages written to the stick" in exported.text
    assert "Exported on" in browser.get(f"/conversations/{reporter.identity}").text

    key = world.house.unit.reply_public_key
    [folder] = bundle.found(world.stick, "posts")
    manifest = bundle.read_manifest(folder, "posts", "demo-unit", (key,))
    posts = [
        post.read(bundle_item.read_item(manifest.folder, item, post.MOST_BYTES), key)
        for item in manifest.items
    ]
    [receipts] = [one for one in posts if isinstance(one, ReceiptsPost)]
    assert len(receipts.held) == 3
    [document] = [one for one in posts if isinstance(one, ReplyPost)]
    assert set(document.candidates) <= set(mailbox.tags(reporter.secrets.mailbox_key))
    opened = reply.read(
        reporter.key.open(document.ciphertext), reporter.identity, world.house.unit.reply_public_key
    )
    assert isinstance(opened, reply.Reply)
    assert opened.number == 1
    assert opened.text == words
    assert opened.unit == "demo-unit"
