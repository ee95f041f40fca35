"""An upload that hardly moves holds a place that others wait for."""

import io

import pytest

from common.config import Limits
from source_interface import form
from source_interface.refusals import Refused

BODY = b'--b\r\nContent-Disposition: form-data; name="text"\r\n\r\nSlow words.\r\n--b--\r\n'


def read(limits: Limits) -> form.StreamedForm:
    streamed = form.StreamedForm(io.BytesIO(BODY), "multipart/form-data; boundary=b", len(BODY), limits)
    streamed.read_fields()
    return streamed


def test_less_than_the_stated_rate_is_cut_off_with_the_rate_named(monkeypatch):
    monkeypatch.setattr(form, "_WATCH_SECONDS", 0.0)
    limits = Limits(least_bytes_a_second=10**15)
    with pytest.raises(Refused) as refused:
        read(limits)
    assert refused.value.reason.status == 408
    assert f"{10**15} bytes a second" in refused.value.sentence(limits)


def test_a_steady_pace_is_let_on(monkeypatch):
    monkeypatch.setattr(form, "_WATCH_SECONDS", 0.0)
    assert read(Limits(least_bytes_a_second=0)).text == "Slow words."


def test_the_rate_is_looked_at_over_a_minute():
    assert read(Limits(least_bytes_a_second=10**15)).text == "Slow words."


def test_what_is_only_heard_out_is_cut_off_too(monkeypatch):
    """Or a refused upload that drips would hold a thread for a quarter of an hour."""
    head = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
    body, limits = io.BytesIO(head + bytes(1_000_000)), Limits(least_bytes_a_second=10**15)
    streamed = form.StreamedForm(body, "multipart/form-data; boundary=b", None, limits)
    streamed.read_fields()
    monkeypatch.setattr(form, "_WATCH_SECONDS", 0.0)
    assert streamed.drain(60, 10**9) is False
    assert len(body.read()) > 0
