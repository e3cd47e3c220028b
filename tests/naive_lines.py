"""The obvious way from bytes to lines: the whole file in memory, one rule after the other."""

from __future__ import annotations

from offscript.entries import Line
from offscript.parse.mask import Masker


def naive_lines(data: bytes, source: str, max_line_bytes: int) -> list[Line]:
    """Split the whole bytes at LF; repair, cut and mask each line."""
    pieces = data.split(b"\n")
    if pieces[-1] == b"":
        pieces.pop()
    masker, lines, offset = Masker(), [], 0
    for number, piece in enumerate(pieces, start=1):
        text = _repaired(piece, max_line_bytes)
        if text.strip():
            lines.append(Line(masker.line(text), source, number, offset))
        offset += len(piece) + 1
    return lines


def _repaired(piece: bytes, cap: int) -> str:
    if piece[-1:] == b"\r":
        piece = piece[:-1]
    if len(piece) > cap:
        piece = _cut(piece, cap)
    if piece[:3] == b"\xef\xbb\xbf":
        piece = piece[3:]
    return piece.decode("utf-8", "replace").replace("\0", "\ufffd")


def _cut(piece: bytes, cap: int) -> bytes:
    end = cap
    while end > max(cap - 4, 0) and 0x80 <= piece[end] < 0xC0:
        end -= 1
    kept = piece[:end]
    if piece[end : end + 1] in (b" ", b"\t", b"\n", b"\r", b"\v", b"\f"):
        return kept
    for back in range(1, 257):
        at = end - back
        if at > 0 and kept[at : at + 1] in (b" ", b"\t"):
            return kept[:at]
    return kept
