"""The API key: from the environment to the header of a request, and nowhere else."""

from __future__ import annotations

import os
from collections.abc import Callable

from headway.errors import EngineError

#: Shorter ones ("EMPTY", "x") are no secrets, and would be found in any text.
_SHORTEST = 8


class Secret:
    """An API key that does not show.

    Parameters
    ----------
    variable : str or None
        The environment variable that holds it; without one there is no key.

    Raises
    ------
    EngineError
        Where it holds something that cannot be sent in a header.
    """

    def __init__(self, variable: str | None) -> None:
        self.variable = variable
        key = os.environ.get(variable, "").strip() if variable else ""
        if not (key.isascii() and key.isprintable()):
            key = ""  # a dump of local variables shows this one
            raise EngineError(
                f"the API key in the environment variable {variable} holds characters that cannot "
                "be sent; correct the variable"
            )
        # In closures, so that neither `vars` nor a dump of local variables shows it.
        self.headers: Callable[[], dict[str, str]] = lambda: (
            {"Authorization": f"Bearer {key}"} if key else {}
        )
        self.redact: Callable[[str], str] = lambda text: (
            text.replace(key, "[API key]") if len(key) >= _SHORTEST else text
        )

    def __repr__(self) -> str:
        return f"Secret({self.variable!r})"
