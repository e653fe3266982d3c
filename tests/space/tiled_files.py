"""Small maps, written as Tiled writes them in each of its forms."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from xml.sax.saxutils import quoteattr

import numpy as np

#: Encoding and compression of tile data. "elements" is XML's own; JSON has lists instead of csv.
XML_FORMS = (
    ("csv", ""), ("elements", ""), ("base64", ""), ("base64", "gzip"), ("base64", "zlib"),
)  # fmt: skip
JSON_FORMS = (("", ""), ("base64", ""), ("base64", "gzip"), ("base64", "zlib"))


def packed(tiles: np.ndarray, compression: str) -> str:
    data = tiles.astype("<u4").tobytes()
    data = {"": bytes, "gzip": gzip.compress, "zlib": zlib.compress}[compression](data)
    return base64.b64encode(data).decode()


def tile_layer(name: str, tiles, *, chunk: int | None = None, at=(0, 0), **more) -> dict:
    """A layer in JSON; its tiles stay an array until it is written."""
    tiles = np.asarray(tiles, np.uint32)
    layer = {"type": "tilelayer", "name": name, "x": 0, "y": 0, "opacity": 1, "visible": True}
    layer |= {"width": tiles.shape[1], "height": tiles.shape[0], **more}
    if chunk is None:
        return {**layer, "data": tiles}
    chunks = []
    for y in range(0, tiles.shape[0], chunk):
        for x in range(0, tiles.shape[1], chunk):
            part = np.zeros((chunk, chunk), np.uint32)
            block = tiles[y : y + chunk, x : x + chunk]
            part[: block.shape[0], : block.shape[1]] = block
            chunks.append({"x": x + at[0], "y": y + at[1], "width": chunk, "height": chunk})
            chunks[-1]["data"] = part
    return {**layer, "chunks": chunks}


def object_layer(name: str, *objects: dict, **more) -> dict:
    plain = {"x": 0, "y": 0, "width": 0, "height": 0, "rotation": 0, "name": "", "type": ""}
    numbered = [{**plain, "id": i, "visible": True, **each} for i, each in enumerate(objects, 1)]
    return {
        "type": "objectgroup", "name": name, "draworder": "topdown", "opacity": 1, "visible": True,
        "x": 0, "y": 0, "objects": numbered, **more,
    }  # fmt: skip


def group(name: str, *layers: dict, **more) -> dict:
    return {
        "type": "group", "name": name, "layers": list(layers), "opacity": 1, "visible": True,
        "x": 0, "y": 0, **more,
    }  # fmt: skip


def properties(**values) -> list[dict]:
    kinds = {bool: "bool", int: "int", float: "float", str: "string"}
    return [{"name": k, "type": kinds[type(v)], "value": v} for k, v in values.items()]


def tileset(*, firstgid: int = 1, tiles=()) -> dict:
    return {
        "firstgid": firstgid, "name": "set", "tilewidth": 32, "tileheight": 32, "tilecount": 64,
        "columns": 8, "margin": 0, "spacing": 0, "image": "set.png", "imagewidth": 256,
        "imageheight": 256, "tiles": list(tiles),
    }  # fmt: skip


def town(width: int, height: int, layers, *, tilesets=(), **more) -> dict:
    return {
        "type": "map", "version": "1.10", "tiledversion": "1.10.2", "orientation": "orthogonal",
        "renderorder": "right-down", "width": width, "height": height, "tilewidth": 32,
        "tileheight": 32, "infinite": "chunks" in str(layers),
        "nextlayerid": 9, "nextobjectid": 99, "layers": list(layers),
        "tilesets": list(tilesets) or [tileset()], **more,
    }  # fmt: skip


def to_json(value, form: tuple[str, str]):
    """The map as JSON, in new objects."""
    if isinstance(value, list):
        return [to_json(each, form) for each in value]
    if not isinstance(value, dict):
        return value
    new = {key: to_json(each, form) for key, each in value.items()}
    if isinstance(value.get("data"), np.ndarray):
        tiles = value["data"]
        new["data"] = packed(tiles, form[1]) if form[0] else tiles.ravel().tolist()
    if value.get("type") == "tilelayer" and form[0]:
        new |= {"encoding": form[0], "compression": form[1]}
    return new


def write_json(path, town_: dict, form=("", "")):
    path.write_text(json.dumps(to_json(town_, form)))
    return path


def write_xml(path, town_: dict, form=("csv", "")):
    path.write_text('<?xml version="1.0" encoding="UTF-8"?>\n' + to_xml("map", town_, form))
    return path


def to_xml(tag: str, value: dict, form) -> str:
    """An element with its attributes and children, as Tiled names them."""
    inside, attributes = "", {}
    names = {"objectgroup": "objectgroup", "tilelayer": "layer", "group": "group"}
    for key, each in value.items():
        if key == "layers":
            inside += "".join(to_xml(names[layer["type"]], layer, form) for layer in each)
        elif key in ("tilesets", "objects", "tiles"):
            inside += "".join(to_xml(key[:-1], child, form) for child in each)
        elif key == "properties":
            inside += "<properties>"
            inside += "".join(to_xml("property", prop, form) for prop in each) + "</properties>"
        elif key == "chunks":
            inside += _data("".join(_chunk(chunk, form) for chunk in each), form)
        elif key == "data":
            inside += _data(_tiles(each, form), form)
        elif key in ("polygon", "polyline"):
            text = " ".join(f"{point['x']},{point['y']}" for point in each)
            inside += f'<{key} points="{text}"/>'
        elif key in ("point", "ellipse"):
            inside += f"<{key}/>"
        elif key == "objectgroup":
            inside += to_xml(key, each, form)
        elif key == "image":
            inside += f'<image source="{each}" width="256" height="256"/>'
        elif not (tag in ("layer", "objectgroup", "group", "map") and key == "type"):
            attributes[key] = int(each) if tag != "property" and each is True else each
    if tag in ("layer", "objectgroup", "group", "map"):
        attributes = {k: int(v) if isinstance(v, bool) else v for k, v in attributes.items()}
    texts = {k: str(v).lower() if isinstance(v, bool) else str(v) for k, v in attributes.items()}
    listed = "".join(f" {k}={quoteattr(v)}" for k, v in texts.items())
    return f"<{tag}{listed}>{inside}</{tag}>"


def _data(inside: str, form) -> str:
    encoding = f' encoding="{form[0]}"' if form[0] != "elements" else ""
    compression = f' compression="{form[1]}"' if form[1] else ""
    return f"<data{encoding}{compression}>{inside}</data>"


def _chunk(chunk: dict, form) -> str:
    at = " ".join(f'{key}="{chunk[key]}"' for key in ("x", "y", "width", "height"))
    return f"<chunk {at}>{_tiles(chunk['data'], form)}</chunk>"


def _tiles(tiles: np.ndarray, form) -> str:
    if form[0] == "base64":
        return "\n   " + packed(tiles, form[1]) + "\n  "
    numbers = tiles.ravel().tolist()
    if form[0] == "elements":
        return "".join(f'<tile gid="{number}"/>' if number else "<tile/>" for number in numbers)
    return "\n" + ",".join(map(str, numbers)) + "\n"
