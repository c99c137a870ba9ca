"""Errors that a user can act on: what was found, where, what was expected, what to do."""

import errno

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
NO_WRITING = (errno.EROFS, errno.EACCES, errno.EPERM)


class KaikuError(Exception):
    """A fault in the user's data, configuration or machine, told in plain words.

    found: what stands there and where; expected: what should; remedy: what to do about it.
    """

    def __init__(self, found: str, *, expected: str = "", remedy: str = ""):
        self.found, self.expected, self.remedy = found, expected, remedy
        super().__init__(found, expected, remedy)

    def __str__(self) -> str:
        parts = [_sentence(self.found)]
        if self.expected:
            parts.append(_sentence(f"Expected: {self.expected}"))
        if self.remedy:
            parts.append(_sentence(self.remedy))
        return " ".join(parts)


def _sentence(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "!", "?")) else text + "."


class DecodeError(KaikuError):
    """A recording or clip that cannot be decoded."""


class CorruptFile(KaikuError):
    """An artefact whose bytes are not what its own header, index or digest says."""


class SettingsError(KaikuError):
    """A configuration that does not mean anything: unknown key, wrong type, missing folder."""


def of_system(error: OSError) -> str:
    """What the system refused, where, and what to do, as a sentence."""
    where = f" for {error.filename}" if error.filename else ""
    if error.errno in NO_ROOM:
        return (
            f"no room is left on the disk{where} ({error.strerror}). Make some and run again; nothing finished is lost."
        )
    if error.errno in NO_WRITING:
        return (
            f"{error.filename or 'a file'} may not be read or written ({error.strerror}). "
            "Give yourself the right to, or work in a folder of your own, and run again; nothing finished is lost."
        )
    return f"{error} (nothing finished is lost; run again once this is mended)"
