def storable(text: str) -> str:
    """The text with NUL characters and halves of surrogate pairs spelled out: no database takes those.

    For what is noted about a failure, which must not fail itself.
    """
    return text.replace("\0", "\\x00").encode(errors="backslashreplace").decode()
