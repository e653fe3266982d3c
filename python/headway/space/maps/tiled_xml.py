"""Tiled's XML in the shape of Tiled's JSON, so that one reader serves both.

Nothing is loaded from elsewhere, entities cannot be declared, and depth and number of elements are
bounded. A number stays text here.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Any
from xml.parsers import expat

from headway.errors import SpaceError

if TYPE_CHECKING:
    from pathlib import Path

#: Most elements within each other, and in all; tiles written as one element each do not count.
DEPTH_LIMIT = 100
ELEMENTS_LIMIT = 500_000

_LAYERS = {
    "layer": "tilelayer",
    "objectgroup": "objectgroup",
    "group": "group",
    "imagelayer": "imagelayer",
}

#: What in JSON are values of their own, so no attribute can pretend to be one.
_CHILDREN = frozenset(
    (
        *("layers", "properties", "data", "chunks", "polygon", "polyline", "point", "ellipse"),
        *("objects", "tiles", "tilesets", "object", "tileset", "objectgroup"),
    )
)


class _Builder:
    """Builds the tree of a document that may be hostile."""

    def __init__(self, where: str) -> None:
        self._where, self._depth, self._elements = where, 0, 0
        self._tree = ET.TreeBuilder()
        self._open: list[str] = []
        #: Numbers of tiles written as elements, by the element they stand in.
        self.tiles: dict[ET.Element, list[str]] = {}
        self._holders: list[ET.Element] = []

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._open.append(tag)
        if tag == "tile" and len(self._open) > 1 and self._open[-2] in ("data", "chunk"):
            self.tiles.setdefault(self._holders[-1], []).append(attributes.get("gid", "0"))
            return
        self._elements += 1
        if len(self._open) > DEPTH_LIMIT or self._elements > ELEMENTS_LIMIT:
            raise SpaceError(
                f"{self._where}: more than {DEPTH_LIMIT} elements within each other, or more than "
                f"{ELEMENTS_LIMIT} in all"
            )
        self._holders.append(self._tree.start(tag, attributes))

    def end(self, tag: str) -> None:
        self._open.pop()
        if tag == "tile" and self._open and self._open[-1] in ("data", "chunk"):
            return
        self._holders.pop()
        self._tree.end(tag)

    def data(self, text: str) -> None:
        self._tree.data(text)

    def refuse(self, *_: object) -> None:
        raise SpaceError(f"{self._where}: the file declares entities, which no map needs")

    def close(self) -> ET.Element:
        return self._tree.close()


def parse_xml(data: bytes, path: Path, kind: str) -> dict[str, Any]:
    """Return a map, a tileset or a template as Tiled's JSON would hold it.

    Raises
    ------
    SpaceError
        If it is not XML, too deep, too large, or declares entities.
    """
    where = f"{path}: this {kind}"
    builder = _Builder(where)
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.EntityDeclHandler = builder.refuse
    try:
        parser.Parse(data, True)
        root = builder.close()
    except (expat.ExpatError, LookupError, ValueError, AssertionError) as error:
        if isinstance(error, SpaceError):
            raise
        raise SpaceError(f"{where} is not valid XML: {error}") from error
    return {"tag": root.tag, **_element(root, builder.tiles)}


def _element(element: ET.Element, tiles: dict[ET.Element, list[str]]) -> dict[str, Any]:
    """Return attributes and children under the names JSON has for them."""
    found: dict[str, Any] = {k: v for k, v in element.attrib.items() if k not in _CHILDREN}
    for child in element:
        tag = child.tag
        if tag in _LAYERS and element.tag in ("map", "group"):
            layer = {**_element(child, tiles), "type": _LAYERS[tag]}
            found.setdefault("layers", []).append(layer)
        elif tag == "properties":
            found["properties"] = [_property(each) for each in child.iter("property")]
        elif tag == "data":
            _set_data(found, child, tiles)
        elif tag in ("polygon", "polyline"):
            found[tag] = _points(child.get("points", ""))
        elif tag in ("point", "ellipse"):
            found[tag] = True
        elif tag in ("object", "tile", "tileset") and element.tag != "template":
            found.setdefault(tag + "s", []).append(_element(child, tiles))
        elif tag in ("object", "tileset", "objectgroup"):
            found[tag] = _element(child, tiles)
    return found


def _property(element: ET.Element) -> dict[str, Any]:
    value = element.get("value")
    return {"name": element.get("name", ""), "value": element.text if value is None else value}


def _set_data(layer: dict[str, Any], data: ET.Element, tiles: dict[ET.Element, list[str]]) -> None:
    layer["encoding"] = data.get("encoding", "elements")
    layer["compression"] = data.get("compression", "")
    chunks = [
        {**chunk.attrib, "data": tiles.get(chunk, chunk.text or "")} for chunk in data.iter("chunk")
    ]
    if chunks:
        layer["chunks"] = chunks
    else:
        layer["data"] = tiles.get(data, data.text or "")


def _points(text: str) -> list[dict[str, str]]:
    pairs = (pair.partition(",") for pair in text.split())
    return [{"x": x, "y": y} for x, _, y in pairs]
