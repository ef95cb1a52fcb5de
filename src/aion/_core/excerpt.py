"""A value as a message shows it: short, on one line, whatever it is."""

from __future__ import annotations


def excerpt(value: object, chars_max: int = 80) -> str:
    """The `repr` of a value, cut to about `chars_max` characters; its type where it has no usable `repr`."""
    if type(value) is int and value.bit_length() > 4 * chars_max:
        # The decimal form of a huge integer is slow to make, and beyond 4,300 digits Python refuses to.
        return f"an integer of {value.bit_length():,} bits"
    if isinstance(value, str | bytes | bytearray) and len(value) > chars_max:
        return f"{value[:chars_max]!r}... ({len(value):,} long)"
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - the user's own code; a failure must not replace the error that is being told
        return f"an object of type {type(value).__name__}"
    text = " ".join(text.split())
    return text if len(text) <= chars_max else f"{text[:chars_max]}..."
