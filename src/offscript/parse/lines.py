"""Bytes to lines, without any I/O: feed chunks of any size, get the same lines (promise 1; ours)."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections import Counter
from typing import TYPE_CHECKING, Any

from offscript.entries import Line
from offscript.errors import StateError
from offscript.parse.mask import Masker, stems_in

if TYPE_CHECKING:
    from offscript.parse.known_lines import KnownLines
    from offscript.parse.raw_lines import RawLines

REPLACEMENT = "\ufffd"
_BOM = b"\xef\xbb\xbf"

# A cut may fall inside a credential too short to be known for one: the last word is dropped up to this many bytes.
_LAST_WORD = 256


class LineSplitter:
    r"""Cuts chunks of bytes into lines; the same lines however the bytes are chunked (ours).

    Lines end at LF; one CR before it is dropped, and a byte-order mark at the start of a line. Invalid UTF-8 and NUL
    become U+FFFD. A line over `max_line_bytes` is cut there and the rest skipped as it comes, so memory is bounded by
    the cap and the chunk. Blank lines are skipped but numbered. Credentials are masked. What was repaired is counted
    by reason in `counts`: lines that were `cut` (and `cut_bytes`), held `invalid_utf8` or `nul`, were `blank`, or
    were `masked`.

    >>> splitter = LineSplitter("app.log")
    >>> [line.text for line in splitter.feed(b"one\r\ntw")], [line.text for line in splitter.feed(b"o\nthree")]
    (['one'], ['two'])
    >>> splitter.finish()
    [Line(text='three', source='app.log', number=3, offset=9)]
    """

    def __init__(self, source: str = "-", max_line_bytes: int = 1 << 20, known: KnownLines | None = None) -> None:
        self.source = source
        self.max_line_bytes = max_line_bytes
        self.known = known  # lines met before, of other sources too: it changes no answer
        self.counts: Counter[str] = Counter()
        self._number = 1
        self._offset = 0
        self._held = bytearray()  # appended to piece by piece: bytes would be copied each time
        self._dropped = 0
        self._ends_in_cr = False
        self._masker = Masker()

    @property
    def position(self) -> tuple[int, int]:
        """Number and byte offset of the next line, or of the one whose end has not come."""
        return self._number, self._offset

    @property
    def unfinished(self) -> int:
        """Bytes that have come of a line whose end has not."""
        return len(self._held) + self._dropped

    def feed(self, chunk: bytes) -> list[Line]:
        """The lines that end in this chunk."""
        if b"\n" not in chunk:
            self._hold(chunk)
            return []
        lines: list[Line] = []
        rest = chunk
        if self._held or self._dropped:
            first, _, rest = chunk.partition(b"\n")
            self._hold(first)
            self._end_held(1, lines)
        whole, _, tail = rest.rpartition(b"\n")
        if len(rest) > len(tail):
            self._whole(whole, lines)
        self._hold(tail)
        return lines

    def feed_raw(self, chunk: bytes) -> list[RawLines | list[Line]]:
        """The lines that end in this chunk, left as bytes in one piece where they need no repair."""
        if b"\n" not in chunk:
            self._hold(chunk)
            return []
        if self._held and not self._dropped and len(self._held) + len(chunk) <= self.max_line_bytes:
            # to copy a chunk costs less than to read one line by itself
            chunk = bytes(self._held) + chunk
            self._held, self._ends_in_cr = bytearray(), False
        found: list[RawLines | list[Line]] = []
        begin, end = 0, chunk.rindex(b"\n")
        if self._held or self._dropped:
            lines: list[Line] = []
            begin = chunk.index(b"\n") + 1
            self._hold(chunk[: begin - 1])
            self._end_held(1, lines)
            found.append(lines)
        if begin <= end:
            found.append(self._whole_raw(chunk, begin, end))
        self._hold(chunk[end + 1 :])
        return [piece for piece in found if len(piece)]

    def _whole_raw(self, chunk: bytes, begin: int, end: int) -> RawLines | list[Line]:
        # the compiler is loaded only for files
        from offscript.parse.known_lines import KnownLines  # noqa: PLC0415
        from offscript.parse.raw_lines import raw_lines  # noqa: PLC0415

        self.known = self.known or KnownLines()
        raw = None
        if end - begin <= self.max_line_bytes:
            place = self._number, self._offset
            raw = raw_lines(chunk, begin, end, self.source, *place, self._masker, self.known)
        if raw is None:
            lines: list[Line] = []
            self._whole(chunk[begin:end], lines)
            return lines
        self.counts["masked"] += raw.masked
        self.counts["blank"] += raw.blank
        self._number += len(raw) + raw.blank
        self._offset += end - begin + 1
        return raw

    def finish(self) -> list[Line]:
        """The last line, if its end never came; more chunks may follow, as the start of a new line."""
        lines: list[Line] = []
        if self._held or self._dropped:
            self._end_held(0, lines)
        return lines

    def _hold(self, piece: bytes) -> None:
        """Keep a piece of an unfinished line: one byte over the cap tells a long line from one that just fits."""
        if not piece:
            return
        room = self.max_line_bytes + 1 - len(self._held)
        if room > 0:
            self._held += piece[:room]
        self._dropped += max(0, len(piece) - max(room, 0))
        self._ends_in_cr = piece.endswith(b"\r")

    def _end_held(self, newline: int, lines: list[Line]) -> None:
        raw, size = bytes(self._held), len(self._held) + self._dropped
        length = size - self._ends_in_cr
        self._held, self._dropped, self._ends_in_cr = bytearray(), 0, False
        self._line(raw, length, size + newline, lines)

    def _whole(self, block: bytes, lines: list[Line]) -> None:
        """Lines that begin and end in one chunk: plain ones (nearly all) need no repair and are decoded together."""
        longest = self.max_line_bytes
        plain = block.isascii() and b"\0" not in block and b"\r" not in block
        if not plain:
            for raw in block.split(b"\n"):
                self._line(raw, len(raw) - raw.endswith(b"\r"), len(raw) + 1, lines)
            return
        source, number, offset, masker = self.source, self._number, self._offset, self._masker
        start, suspects = 0, iter([*stems_in(block), len(block)])
        suspect = next(suspects)
        for text in block.decode("ascii").split("\n"):
            end = start + len(text)
            if len(text) > longest:
                self._number, self._offset = number, offset + start
                self._line(text.encode("ascii"), len(text), len(text) + 1, lines)
            elif text and not text.isspace():
                if suspect < end or masker.pem:
                    masked = masker.line(text)
                    self.counts["masked"] += masked != text
                    text = masked
                lines.append(Line(text, source, number, offset + start))
            else:
                self.counts["blank"] += 1
            while suspect < end:
                suspect = next(suspects)
            number += 1
            start = end + 1
        self._number, self._offset = number, offset + start

    def _line(self, raw: bytes, length: int, size: int, lines: list[Line]) -> None:
        """One line of `length` bytes, of which `raw` holds at least those up to the cap and the next."""
        number, offset = self._number, self._offset
        self._number += 1
        self._offset += size
        text = self._text(raw, length)
        if not text or text.isspace():
            self.counts["blank"] += 1
            return
        masked = self._masker.line(text)
        self.counts["masked"] += masked != text
        lines.append(Line(masked, self.source, number, offset))

    def _text(self, raw: bytes, length: int) -> str:
        raw = raw[:length]
        if length > self.max_line_bytes:
            self.counts["cut"] += 1
            self.counts["cut_bytes"] += length - self.max_line_bytes
            raw = _cut(raw, self.max_line_bytes)
        raw = raw.removeprefix(_BOM)
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            self.counts["invalid_utf8"] += 1
            text = raw.decode("utf-8", "replace")
        if "\0" in text:
            self.counts["nul"] += 1
            text = text.replace("\0", REPLACEMENT)
        return text

    def to_dict(self, *, rewound: bool = False) -> dict[str, Any]:
        """The whole state as JSON: a splitter made of it goes on in mid-line.

        It holds the raw bytes of the unfinished line, before masking. With `rewound` it holds none: then whoever
        reads goes back to the byte offset of `position` and feeds from there.
        """
        return {
            "source": self.source,
            "max_line_bytes": self.max_line_bytes,
            "counts": {reason: n for reason, n in sorted(self.counts.items()) if n},
            "number": self._number,
            "offset": self._offset,
            "held": "" if rewound else b64encode(self._held).decode("ascii"),
            "dropped": 0 if rewound else self._dropped,
            "ends_in_cr": False if rewound else self._ends_in_cr,
            "pem": self._masker.pem,
        }

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> LineSplitter:
        """The splitter that `to_dict` described; StateError when it is damaged."""
        try:
            splitter = cls(str(state["source"]), int(state["max_line_bytes"]))
            splitter.counts.update({str(reason): int(n) for reason, n in state["counts"].items()})
            splitter._number, splitter._offset = int(state["number"]), int(state["offset"])
            splitter._held = bytearray(b64decode(state["held"], validate=True))
            splitter._dropped, splitter._ends_in_cr = int(state["dropped"]), bool(state["ends_in_cr"])
            splitter._masker.pem = max(0, min(int(state["pem"]), Masker.STRANGERS))
        except (KeyError, TypeError, ValueError, AttributeError) as damage:
            raise StateError("the reading state is damaged", remedy="start reading this source anew") from damage
        return splitter


def _cut(raw: bytes, longest: int) -> bytes:
    """The first `longest` bytes, less a character that was cut through and a last word that was."""
    end = longest
    while end > max(longest - 4, 0) and raw[end] & 0xC0 == 0x80:
        end -= 1
    kept = raw[:end]
    if raw[end : end + 1].isspace():
        return kept
    low = max(end - _LAST_WORD, 0)
    word = max(kept.rfind(b" ", low), kept.rfind(b"\t", low))
    return kept[:word] if word > 0 else kept
