r"""Content: the bytes of a file as one string, readable wherever it can be.

    hello\n                        text is itself
    data:;base64,AAEC              bytes that are not UTF-8 text (RFC 2397 data URL)
    sha256:9f86…                   content that is only known by its digest
    sha256:unread;size=…;modified=…    content that is too large to be kept, and to be read at each look:
                                   it is known by its size and by when it was last changed

Text that happens to begin with one of these two prefixes is written as a data URL, so the form
is never ambiguous.
"""

import base64
import binascii
import hashlib

LIMIT = 8 * 1024 * 1024
"""The largest content that is kept, in bytes."""

_DATA = "data:;base64,"
_DIGEST = "sha256:"


def encode(data: bytes) -> str:
    """Return the content string of some bytes."""
    form, text = shell_form(data)
    if form == "text" and text.startswith((_DATA, _DIGEST)):
        form, text = "base64", base64.b64encode(data).decode()
    return text if form == "text" else _DATA + text


def decode(content: str) -> bytes:
    """Return the bytes of a content string.

    Raises:
        ValueError: the content is only known by its digest, or its base64 is damaged.

    """
    if content.startswith(_DIGEST):
        raise ValueError("this content is only known by its digest")
    if content.startswith(_DATA):
        try:
            return base64.b64decode(content[len(_DATA) :], validate=True)
        except binascii.Error as error:
            raise ValueError(f"content is not valid base64: {error}") from None
    return content.encode()


def canonical(content: str) -> str:
    """Return the one form of a content that may have been written by hand.

    Raises:
        ValueError: it is malformed, or larger than `LIMIT`.

    """
    if is_digest(content):
        return content
    data = decode(content)
    if len(data) > LIMIT:
        raise ValueError(f"content has {len(data)} bytes; at most {LIMIT} are kept in the log")
    return encode(data)


def is_digest(content: str) -> bool:
    """Tell whether only the digest of the content is known."""
    return content.startswith(_DIGEST)


def unread(size: int, modified: int) -> str:
    """Return what stands for a content that is too large to be read: all that is cheap to know of it."""
    return f"{_DIGEST}unread;size={size};modified={modified}"


def digest(content: str) -> str:
    """Return `sha256:` and the hexadecimal digest of the bytes of a content."""
    return content if is_digest(content) else digest_of(decode(content))


def digest_of(data: bytes) -> str:
    """Return `sha256:` and the hexadecimal digest of some bytes."""
    return _DIGEST + hashlib.sha256(data).hexdigest()


def shell_form(data: bytes) -> tuple[str, str]:
    """Return (`text`, the text) or (`base64`, its base64), whichever can stand in a shell script."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        return "base64", base64.b64encode(data).decode()
    return "text", text
