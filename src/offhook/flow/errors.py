"""What can be wrong with a customer's document or with the run of a flow.

Every `DocumentError` is the customer's to mend, so it knows the `Cause` its call ends with and says, in a sentence,
what to change. `OutOfTurn` and `NotOurExport` are ours. No error carries more of a document than a short excerpt.
"""

from typing import ClassVar

from offhook.flow.view import Cause

__all__ = [
    "BrokenDocument",
    "ConflictingActions",
    "DocumentError",
    "DocumentTooLarge",
    "DocumentTypeRefused",
    "FlowLoop",
    "NestingTooDeep",
    "NoAction",
    "NotOurExport",
    "NotText",
    "OutOfTurn",
    "TooManyAttributes",
    "TooManyElements",
    "TooManySteps",
    "TooManyTargets",
    "UnknownEncoding",
    "WrongRoot",
    "WrongType",
    "WrongUrl",
    "excerpt",
]

_EXCERPT_CHARS = 60


def excerpt(text: str) -> str:
    """A text of the customer's, short and on one line, to be shown in an error or a warning."""
    line = " ".join(text.split())
    printable = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)
    return printable if len(printable) <= _EXCERPT_CHARS else printable[: _EXCERPT_CHARS - 1] + "…"


def _named(place: str) -> str:
    """A key or a path of keys as code; the whole document, which has no key, as words."""
    return f"`{place}`" if place else "the document"


class DocumentError(Exception):
    """A document that cannot be run. `str()` is a sentence that tells the customer what to mend."""

    cause: ClassVar[Cause] = Cause.BAD_DOCUMENT
    """What the call ends with."""

    name: ClassVar[str] = "bad_document"
    """The word for it in timelines and in `/v1`; stable."""


class DocumentTooLarge(DocumentError):
    """More bytes than `limits.MAX_DOCUMENT_BYTES`."""

    name = "document_too_large"

    def __init__(self, *, size: int, limit: int) -> None:
        super().__init__(
            f"The document has {size} bytes and the limit is {limit}: put parts of it behind URLs of their own,"
            " and name those as branches."
        )


class NotText(DocumentError):
    """Bytes that are no UTF-8, or half a character written as an escape."""

    name = "not_text"

    def __init__(self, detail: str) -> None:
        super().__init__(f"The document is not valid UTF-8 text ({detail}): send it in UTF-8.")


class UnknownEncoding(DocumentError):
    """The document says that it is in an encoding that is not read here."""

    name = "unknown_encoding"

    def __init__(self, *, encoding: str) -> None:
        super().__init__(f"The document says that it is in `{excerpt(encoding)}`, which is not read here: send UTF-8.")


class BrokenDocument(DocumentError):
    """The document does not follow its own syntax."""

    name = "broken_document"

    def __init__(self, *, language: str, detail: str, line: int | None = None, column: int | None = None) -> None:
        place = "" if line is None else f" (line {line}, column {column})"
        super().__init__(f"The document is not valid {language}: {detail}{place}.")


class DocumentTypeRefused(DocumentError):
    """A document type declaration: with it entities, that can grow without end or read files, would come in."""

    name = "document_type_refused"

    def __init__(self) -> None:
        super().__init__(
            "The document has a document type or entities of its own (`<!…>`), which are never read: leave them out."
            " Where the application should have sent no HTML page, look at what that page says."
        )


class WrongRoot(DocumentError):
    """The outermost element is another than the language has."""

    name = "wrong_root"

    def __init__(self, *, found: str, wanted: str) -> None:
        super().__init__(f"The document's outermost element must be <{wanted}>, and <{excerpt(found)}> was found.")


class NoAction(DocumentError):
    """No verb stands where one is needed."""

    name = "no_action"

    def __init__(self, *, place: str, found: str, known: str) -> None:
        super().__init__(f"No action in {_named(place)}: one of {known} is needed, and {found} was found.")


class ConflictingActions(DocumentError):
    """Two verbs stand where there is room for one."""

    name = "conflicting_actions"

    def __init__(self, *, place: str, first: str, second: str) -> None:
        super().__init__(
            f"Both `{first}` and `{second}` stand in {_named(place)}, where there is room for one action: put the"
            f' second into the `next` of the first, as in {{"{first}": …, "next": {{"{second}": …}}}}.'
        )


class WrongType(DocumentError):
    """A value is of a type, or has a form, that its key cannot take."""

    name = "wrong_type"

    def __init__(self, *, key: str, wanted: str, found: str) -> None:
        super().__init__(f"{_named(key)} must be {wanted}, and {found} was found.")


class WrongUrl(DocumentError):
    """A URL that cannot be asked."""

    name = "wrong_url"

    def __init__(self, *, key: str, found: str) -> None:
        super().__init__(f"`{key}` must be an absolute http or https URL, and {found} was found.")


class NestingTooDeep(DocumentError):
    """More flows within flows than `limits.MAX_DEPTH`."""

    name = "nesting_too_deep"

    def __init__(self, *, limit: int) -> None:
        super().__init__(
            f"The document's actions are nested deeper than {limit}: put the inner ones behind a URL, and name that as"
            " the branch."
        )


class TooManyElements(DocumentError):
    """More XML elements than `limits.MAX_ELEMENTS`."""

    name = "too_many_elements"

    def __init__(self, *, limit: int) -> None:
        super().__init__(f"The document has more than {limit} elements: put parts of it behind URLs of their own.")


class TooManyAttributes(DocumentError):
    """More attributes in one XML element than `limits.MAX_ATTRIBUTES`."""

    name = "too_many_attributes"

    def __init__(self, *, element: str, limit: int) -> None:
        super().__init__(f"<{excerpt(element)}> has more than {limit} attributes: leave out those that mean nothing.")


class TooManySteps(DocumentError):
    """More steps than `limits.MAX_STEPS_PER_DOCUMENT`."""

    name = "too_many_steps"

    def __init__(self, *, limit: int) -> None:
        super().__init__(f"The document has more than {limit} actions: put parts of it behind URLs of their own.")


class TooManyTargets(DocumentError):
    """More parties to call at once than `limits.MAX_TARGETS`."""

    name = "too_many_targets"

    def __init__(self, *, key: str, count: int, limit: int) -> None:
        super().__init__(
            f"`{key}` names {count} parties and at most {limit} can be called at once: call the others from its"
            " `failed` branch."
        )


class FlowLoop(DocumentError):
    """A flow that goes on and on without any time passing."""

    cause = Cause.FLOW_LOOP
    name = "flow_loop"

    def __init__(self, *, count: int, what: str) -> None:
        super().__init__(
            f"{count} {what} ran one after another and no time passed: look for documents that send the call to each"
            " other, or for a sound that cannot be played and whose `next` leads back to it."
        )


class OutOfTurn(Exception):
    """An input that the position of a flow is not waiting for: a fault of ours."""


class NotOurExport(Exception):
    """Plain data that is no export of ours, or one of a version that this program does not know."""
