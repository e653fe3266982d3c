"""Every exception Headway raises, in one tree.

The message of each says what is wrong, where (file, agent, step), the limit that was passed and
what to do. Wording tells whose fault it is: the classes under `HeadwayError` are about what the
caller gave, except `InvariantError`, which is always a bug of Headway.
"""

from __future__ import annotations


class HeadwayError(Exception):
    """Root of every error raised on purpose by Headway."""


class TraceError(HeadwayError, ValueError):
    """A trace, or a recording to import, is damaged, incomplete or contradicts itself."""


class MissingExtraError(HeadwayError, ImportError):
    """A feature needs a package that is not installed; the message names the extra to install."""
