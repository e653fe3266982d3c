"""What a server's refusal means: try elsewhere, leave a field out, or tell the caller."""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from headway.errors import EngineError, PromptTooLongError

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Fields that a request can do without; those that only some servers have may be refused in any
#: words, the others only in words that say that the field itself is not wanted.
_EXTENSIONS = ("priority", "structured_outputs")
_OPTIONAL = ("seed", "max_tokens", "response_format", "temperature", "stop")

_UNWANTED = re.compile(
    r"(not|n't) (be )?(support|permit|allow|enabl|implement|accept|available|recogni[sz]ed)"
    r"|unsupported|unavailable|unknown|unrecogni[sz]ed|unexpected|no such|extra (input|field)",
    re.IGNORECASE,
)
_TOO_LONG = re.compile(
    r"context.?length|context (size|window)|maximum context|(prompt|input) is too long"
    r"|max_model_len|exceed_context_size",
    re.IGNORECASE,
)
_LIMITS = (r"context (?:length|size|window)\D{0,20}(\d+)", r"n_ctx\W+(\d+)")
_TOKENS = (
    r"(\d+) (?:tokens )?in the messages",
    r"(\d+) input tokens",
    r"n_prompt_tokens\W+(\d+)",
    r"resulted in (\d+) tokens",
    r"requested (\d+) tokens",
    r"prompt\D{0,20}(\d+) tokens",
)


class AttemptError(Exception):
    """One attempt at one server failed; another server may answer. Internal.

    Attributes
    ----------
    blame : bool
        Whether something seems to be wrong with the server: it is not to be used until looked at.
    retry_after : float or None
        Seconds it asked to wait.
    """

    def __init__(
        self, reason: str, *, blame: bool = True, retry_after: float | None = None
    ) -> None:
        super().__init__(reason)
        self.blame = blame
        self.retry_after = retry_after


def said_by(text: str) -> tuple[str, str]:
    """Return the message of an error's body, and the field it is about, if it tells."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return text.strip()[:500], ""
    error = content.get("error", content) if isinstance(content, dict) else content
    if isinstance(error, dict):
        detail = error.get("detail")
        if isinstance(detail, list) and detail and isinstance(detail[0], dict):
            place = detail[0].get("loc")
            name = str(place[-1]) if isinstance(place, list) and place else ""
            return f"{name}: {detail[0].get('msg')}", name
        message = error.get("message", detail)
        if isinstance(message, str):
            return message[:500], str(error.get("param") or "")
    return text.strip()[:500], ""


def refused_field(text: str, sent: Mapping[str, object]) -> str | None:
    """Return the field that a 400 or 422 refuses, if it was sent and can be left out."""
    message, param = said_by(text)
    if _TOO_LONG.search(text):
        return None
    names = {param.partition(".")[0], *re.findall(r"\w+", message)}
    for name in (*_EXTENSIONS, *_OPTIONAL):
        if name in names and name in sent and (name in _EXTENSIONS or _UNWANTED.search(message)):
            return name
    return None


def check_status(
    server: str, status: int, headers: Mapping[str, str], text: str, key_from: str | None
) -> None:
    """Raise what a status other than 200 means.

    Raises
    ------
    AttemptError
        Where another server, or a later attempt, may do better.
    EngineError
        Where the request or a setting is wrong.
    """
    if status == 200:
        return
    message, _ = said_by(text)
    said = f"{server} answered {status}: {message or 'no reason given'}"
    if status in (408, 425, 429) or status >= 500:
        after = retry_after_of(headers)
        # With a time to wait it is overloaded, not broken.
        broken = status >= 500 and after is None
        raise AttemptError(said, blame=broken, retry_after=after)
    if status in (400, 413, 422) and _TOO_LONG.search(text):
        tokens, limit = _first(_TOKENS, text), _first(_LIMITS, text)
        raise PromptTooLongError(
            f"{said}; shorten the prompt, or ask for fewer output tokens",
            tokens=tokens,
            limit=limit,
        )
    if status in (401, 403):
        where = f"the environment variable {key_from}" if key_from else "no environment variable"
        raise EngineError(f"{said}; the API key is taken from {where}: look whether it is right")
    if status == 404:
        raise EngineError(f"{said}; look whether the address and the model are right")
    if 300 <= status < 400:
        goal = headers.get("location", "elsewhere")
        raise EngineError(f"{server} redirects to {goal} ({status}); give that address instead")
    raise EngineError(f"{said}; the same request will be refused again")


def retry_after_of(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a `Retry-After` asks to wait, in either of its two forms."""
    value = headers.get("retry-after")
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            moment = parsedate_to_datetime(value)
        except ValueError:
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        seconds = (moment - datetime.now(UTC)).total_seconds()
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def _first(patterns: tuple[str, ...], text: str) -> int:
    """Return the first number found by one of the patterns, or -1."""
    for pattern in patterns:
        found = re.search(pattern, text, re.IGNORECASE)
        if found:
            return int(found[1])
    return -1
