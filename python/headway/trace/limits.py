"""How large a trace may be.

Tables pack what repeats a thousandfold and more, so a small file can stand for more than there is
memory. What a trace says about its size is therefore looked at before anything is made of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headway.errors import TraceError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

#: Agents times places of each; reading them takes up to 20 bytes a place.
PLACES_MAX = 2**28
#: Calls, or recorded answers.
CALLS_MAX = 2**26
#: Of the numbers of a row, unpacked, and of all texts of a table.
ROW_BYTES_MAX = 64
TEXT_BYTES_MAX = 2**30


def size_problem(agents: int, steps: int) -> str | None:
    """Say why so many places are too many, or None."""
    places = agents * (steps + 1)
    if places <= PLACES_MAX:
        return None
    return (
        f"{agents} agents and {steps} steps make {places} places, and at most {PLACES_MAX} fit "
        "into a trace; cut it into shorter ones"
    )


def check_sizes(file: Path, rows: Mapping[str, int], steps: int) -> None:
    """Refuse a header that announces more than fits.

    Raises
    ------
    TraceError
        With the limit.
    """
    problem = size_problem(rows["agents"], steps)
    if problem is not None:
        raise TraceError(f"{file}: {problem}")
    for table, limit in (("positions", PLACES_MAX), ("calls", CALLS_MAX)):
        check_rows(file, table, rows[table], limit)


def check_rows(file: Path, what: str, rows: int, limit: int) -> None:
    """Refuse a table of more rows than fit."""
    if rows > limit:
        raise TraceError(
            f"{file}: {rows} rows of {what} are more than {limit}, which fit; cut what was "
            "recorded into shorter ones"
        )


def check_bytes(file: Path, metadata: Any) -> None:  # noqa: ANN401 - pyarrow has no types
    """Refuse a Parquet file that says of itself that it unpacks to more than fits, before it does.

    Raises
    ------
    TraceError
        With the limit.
    """
    # Of the columns by themselves nothing is asked: with a damaged footer pyarrow would abort.
    groups = (metadata.row_group(at) for at in range(metadata.num_row_groups))
    size = sum(group.total_byte_size for group in groups)
    limit = ROW_BYTES_MAX * metadata.num_rows + TEXT_BYTES_MAX
    if size > limit:
        raise TraceError(
            f"{file}: it unpacks to {size} bytes, and at most {limit} are read; it is damaged, or "
            "must be cut into shorter ones"
        )
