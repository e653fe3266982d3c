"""Recordings for tests: tiny ones made by hand, and the published ones laid out as folders."""

from __future__ import annotations

import json
import lzma
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

#: Published recordings beside the repository; absent in most checkouts.
TRACES = Path(__file__).parents[2] / "shared" / "traces"


def published(*parts: str) -> Path:
    """Return a file or folder of the published recordings, or skip the test."""
    path = TRACES.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"the published recordings are not here ({Path(*parts)})")
    return path


def write_json(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def unpacked(path: Path) -> Any:
    with lzma.open(path, "rt", encoding="utf-8") as f:
        return json.load(f)


def lay_out_personas(run: str, folder: Path) -> None:
    """Write memories and settings of a published run as the program's folders."""
    for file, name in (
        ("memory_nodes.json.xz", "associative_memory/nodes.json"),
        ("scratch.json.xz", "scratch.json"),
    ):
        for persona, state in unpacked(published("raw", run, file)).items():
            write_json(folder / "personas" / persona / "bootstrap_memory" / name, state)


def lay_out_head(run: str, folder: Path, meta_name: str) -> list[str]:
    """Write `meta.json` and the places before step 0; return the names."""
    (meta,) = json.loads(published("raw", run, "meta_as_found.json").read_text()).values()
    write_json(folder / meta_name, meta)
    names = list(meta["persona_names"])
    first: dict[str, Any] = {}
    for town in ("base_the_ville_n25", "base_the_ville_isabella_maria_klaus"):
        spawn = json.loads(published("raw", "personas", f"{town}.json").read_text())
        first |= spawn["environment_0"]
    write_json(folder / "environment" / "0.json", {n: first[n] for n in names})
    return names


def lay_out_storage(run: str, folder: Path) -> Path:
    """Lay a published run out as `storage/<simulation>`, one file a step."""
    lay_out_head(run, folder, "reverie/meta.json")
    movement = folder / "movement"
    movement.mkdir(parents=True)
    with lzma.open(published("raw", run, "movement.jsonl.xz"), "rt", encoding="utf-8") as lines:
        for line in lines:
            frame = json.loads(line)
            (movement / f"{frame.pop('step')}.json").write_text(json.dumps(frame), encoding="utf-8")
    lay_out_personas(run, folder)
    return folder


def lay_out_compressed(run: str, folder: Path) -> Path:
    """Lay a published run out as `compressed_storage/<simulation>`, one file for all steps."""
    lay_out_head(run, folder, "meta.json")
    packed = published("raw", run, "master_movement.json.xz")
    (folder / "master_movement.json").write_bytes(lzma.decompress(packed.read_bytes()))
    lay_out_personas(run, folder)
    return folder


#: Simulated time of step 0 of tiny towns.
START = datetime(2023, 2, 13)
TALK = [["Ann", "Hello Ben, how are you?"], ["Ben", "Fine, thank you."]]


def _node(number: int, kind: str, step: int, subject: str, text: str, **more: Any) -> Any:
    created = f"2023-02-13 00:00:{10 * step:02d}"
    return {
        **{"node_count": number, "type": kind, "created": created, "subject": subject},
        **{"predicate": "is", "object": "", "description": text, "embedding_key": text},
        **{"filling": None, **more},
    }


class TinyTown:
    """Two agents and four steps: Ann walks east, and talks with Ben in step 2.

    All parts are plain JSON values; a test changes what it is about and writes a layout.
    """

    def __init__(self) -> None:
        self.meta: dict[str, Any] = {
            **{"start_date": "February 13, 2023", "curr_time": "February 13, 2023, 00:00:40"},
            **{"sec_per_step": 10, "maze_name": "the_ville", "step": 4},
            "persona_names": ["Ann", "Ben"],
        }
        self.times = [f"February 13, 2023, 00:00:{10 * t:02d}" for t in range(4)]
        self.environment: Any = {"Ann": {"x": 9, "y": 5}, "Ben": {"x": 20, "y": 5}}
        self.frames: list[Any] = [
            {
                "Ann": self._entry(10 + t, "reading a book @ the Ville:library:hall:table"),
                "Ben": self._entry(20, "cooking (cutting bread) @ the Ville:home:kitchen:stove"),
            }
            for t in range(4)
        ]
        for name, other in (("Ann", "Ben"), ("Ben", "Ann")):
            for t in (2, 3):
                talk = {"description": f"conversing about bread @ <persona> {other}", "chat": TALK}
                self.frames[t][name] |= talk
        self.memories: dict[str, Any] = {
            "Ann": {
                "node_7": _node(7, "thought", 3, "Ann", "Ann liked the talk", filling=["node_4"]),
                "node_6": _node(6, "thought", 3, "Ann", "plan to buy bread", filling=["node_4"]),
                "node_5": _node(5, "thought", 3, "Ann", "Ann reads", filling=["node_3", "node_2"]),
                "node_4": _node(4, "chat", 3, "Ann", "conversing about bread", filling=TALK),
                "node_3": _node(3, "event", 2, "Ben", "Ben is cutting bread", filling=[]),
                "node_2": _node(2, "event", 1, "the Ville:library:hall:table", "table is idle"),
                "node_1": _node(1, "thought", 0, "Ann", "Ann's plan for today"),
            },
            "Ben": {"node_1": _node(1, "event", 1, "Ann", "Ann is reading a book")},
        }
        self.settings: dict[str, Any] = {
            name: {"vision_r": 8, "name": name, "age": 30, "innate": "kind"}
            for name in ("Ann", "Ben")
        }

    @staticmethod
    def _entry(x: int, description: str) -> dict[str, Any]:
        place = {"movement": [x, 5], "pronunciatio": "📖"}
        return {**place, "description": description, "chat": None}

    def storage(self, folder: Path) -> Path:
        """Write `storage/<simulation>`."""
        write_json(folder / "reverie" / "meta.json", self.meta)
        for t, (time, frame) in enumerate(zip(self.times, self.frames, strict=True)):
            if frame is not None:
                told = {"persona": frame, "meta": {"curr_time": time}}
                write_json(folder / "movement" / f"{t}.json", told)
        return self._write_rest(folder)

    def compressed(self, folder: Path) -> Path:
        """Write `compressed_storage/<simulation>`: an agent appears only where it changed."""
        write_json(folder / "meta.json", self.meta)
        frames: dict[str, Any] = {}
        last: dict[str, Any] = {}
        for t, frame in enumerate(self.frames):
            if frame is not None:
                frames[str(t)] = {n: e for n, e in frame.items() if last.get(n) != e}
                last |= frame
        write_json(folder / "master_movement.json", frames)
        return self._write_rest(folder)

    def _write_rest(self, folder: Path) -> Path:
        if self.environment is not None:
            write_json(folder / "environment" / "0.json", self.environment)
        for name, nodes in self.memories.items():
            mind = folder / "personas" / name / "bootstrap_memory"
            write_json(mind / "associative_memory" / "nodes.json", nodes)
            if name in self.settings:
                write_json(mind / "scratch.json", self.settings[name])
        return folder
