"""What runs the Rust targets: libFuzzer where it can be built, else `headway-proof fuzz`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

#: What cargo-fuzz passes: counters at every edge and comparison. Stable Rust knows these too, so
#: neither it nor a nightly toolchain is needed.
COUNTERS = (
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
)


def guided_binaries() -> Path | None:
    """Build the targets with libFuzzer and tell where they are; None where it does not work."""
    host = _host()
    folder = ROOT / "build" / "fuzz" / "rust"
    done = subprocess.run(
        [
            *("cargo", "build", "--quiet", "--release", "--target", host),
            *("--manifest-path", "rust/fuzz/Cargo.toml", "--target-dir", str(folder)),
        ],
        cwd=ROOT, text=True, capture_output=True, check=False,
        # With a target, build scripts are built without the counters.
        env={**os.environ, "CARGO_ENCODED_RUSTFLAGS": "\x1f".join(COUNTERS)},
    )  # fmt: skip
    if done.returncode:
        print(f"no libFuzzer, as it cannot be built:\n{done.stderr[-1000:]}", file=sys.stderr)
        return None
    return (folder / host / "release").relative_to(ROOT)


def random_binary() -> Path:
    """Build `headway-proof`, with the checks of a debug build, and tell where it is."""
    subprocess.run(["cargo", "build", "--quiet", "-p", "headway-proof"], cwd=ROOT, check=True)
    target = Path(os.environ.get("CARGO_TARGET_DIR", "target"))
    return target / "debug" / "headway-proof"


def _host() -> str:
    said = subprocess.run(["rustc", "-vV"], text=True, capture_output=True, check=True).stdout
    found = re.search(r"^host: (\S+)", said, re.MULTILINE)
    assert found, said
    return found[1]
