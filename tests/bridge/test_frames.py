import struct

import pytest

from twinrank.bridge import _frames

# Written by hand from contract section 12: u32 LE length, header, u32 LE length, body.
HELLO = b"\x0e\x00\x00\x00" + b'{"op":"hello"}' + b"\x00\x00\x00\x00"


def test_a_frame_is_two_lengths_and_two_parts() -> None:
    assert _frames.encode({"op": "hello"}) == HELLO
    assert (
        _frames.encode({"op": "score"}, b"\xff\x00")
        == b"\x0e\x00\x00\x00" + b'{"op":"score"}' + b"\x02\x00\x00\x00\xff\x00"
    )


def test_decoding_gives_back_what_was_encoded() -> None:
    assert _frames.decode(HELLO) == ({"op": "hello"}, b"")
    header = {"ok": False, "message": "größer 😀", "candidate": 3}
    assert _frames.decode(_frames.encode(header, b"body")) == (header, b"body")


@pytest.mark.parametrize("cut", range(len(HELLO)))
def test_every_cut_of_a_frame_is_refused(cut: int) -> None:
    with pytest.raises(_frames.FrameError, match="ends after"):
        _frames.decode(HELLO[:cut])


def test_bytes_after_a_frame_are_refused() -> None:
    with pytest.raises(_frames.FrameError, match="1 bytes follow"):
        _frames.decode(HELLO + b"\n")


@pytest.mark.parametrize("text", [b"", b"[]", b"null", b"{", b'{"a":"\xff"}'])
def test_a_header_that_is_no_object_is_refused(text: bytes) -> None:
    with pytest.raises(_frames.FrameError, match="header"):
        _frames.decode(struct.pack("<I", len(text)) + text + struct.pack("<I", 0))


def test_a_length_over_the_limit_is_refused_before_anything_is_read() -> None:
    asked: list[int] = []

    def take(count: int) -> bytes:
        asked.append(count)
        return struct.pack("<I", 64 * 1024 * 1024 + 1)

    with pytest.raises(_frames.FrameError, match="67108865 bytes"):
        _frames.read(take)
    assert asked == [4]


def test_text_in_place_of_a_frame_is_called_what_it_is() -> None:
    with pytest.raises(_frames.FrameError, match="something other than frames"):
        _frames.decode(b"INFO starting\n")


def test_a_part_over_the_limit_is_not_sent() -> None:
    with pytest.raises(_frames.FrameError, match="the frame's body has 67108865 bytes"):
        _frames.encode({}, bytes(64 * 1024 * 1024 + 1))
