"""The kernel's configuration against the checker's recommendations."""

from __future__ import annotations

import sys
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import hardening  # noqa: E402

CONFIG = HERE.parent.parent / "build/x86_64/kernel-config/config"


class Exceptions(unittest.TestCase):
    """Each failed check has a reason, and each reason a failed check."""

    def test_complaints(self) -> None:
        """What is new is named with what is wrong, what is old by its name."""
        found = hardening.complaints({"A": "is not set", "B": '"y"'}, {"B": "reason", "C": "reason"})
        self.assertEqual(len(found), 2)
        self.assertIn("A: is not set", found[0])
        self.assertIn("C: passes now", found[1])

    def test_the_file_is_well_formed(self) -> None:
        """Reasons are sentences and no symbol stands there twice."""
        for symbol, reason in hardening.reasons().items():
            self.assertGreater(len(reason), 20, symbol)


class ThisKernel(unittest.TestCase):
    """The one that was built."""

    @unittest.skipUnless(CONFIG.exists(), "no kernel is built")
    def test_its_configuration(self) -> None:
        """As recommended, or with a reason; better than Talos's 197 of 259 in either case."""
        verdict = hardening.judge(CONFIG)
        print(f"{verdict.passed} of {verdict.checks} checks pass")
        self.assertEqual(hardening.complaints(verdict.failed, hardening.reasons()), [])
        self.assertGreater(verdict.passed / verdict.checks, 197 / 259)


if __name__ == "__main__":
    unittest.main()
