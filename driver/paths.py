"""Where things are in the checkout."""

from __future__ import annotations

from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
BUILD = CHECKOUT / "build"
TARGET = BUILD / "x86_64"
NATIVE = BUILD / "native"
LOGS = BUILD / "logs"
