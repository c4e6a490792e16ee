"""Unit tests of kconfig.py, and of this folder's fragments as far as no kernel source is needed for them."""

from __future__ import annotations

import sys
import tempfile
import unittest
from pathlib import Path

ROOM = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOM))

import kconfig  # noqa: E402  (the room's name has a hyphen, so it cannot be a package)


def wishes(text: str, name: str = "topic.config") -> list[kconfig.Wish]:
    return kconfig.parse_fragment(text, name)


class Parsing(unittest.TestCase):
    def test_values_and_off(self) -> None:
        found = wishes('# what and why\nCONFIG_A=y\n\n# CONFIG_B is not set\nCONFIG_C="x y"\nCONFIG_D=64\n')
        self.assertEqual([(w.symbol, w.value, w.line) for w in found],
                         [("A", "y", 2), ("B", "n", 4), ("C", '"x y"', 5), ("D", "64", 6)])

    def test_bad_lines_name_their_place(self) -> None:
        for line in ("CONFIG_A", "#CONFIG_A is not set", "# CONFIG_A is not  set", "A=y", "CONFIG_A=", "CONFIG_A=m", "CONFIG_A =y"):
            with self.subTest(line=line), self.assertRaisesRegex(kconfig.ConfigError, "topic.config:2"):
                wishes(f"# header\n{line}\n")

    def test_a_symbol_twice(self) -> None:
        with self.assertRaisesRegex(kconfig.ConfigError, "already said in line 1"):
            wishes("CONFIG_A=y\nCONFIG_A=y\n")

    def test_final_config_leaves_out_what_is_off(self) -> None:
        self.assertEqual(kconfig.parse_config("# comment\nCONFIG_A=y\n# CONFIG_B is not set\nCONFIG_C=n\n"), {"A": "y"})

    def test_architecture_from_the_name(self) -> None:
        names = {"base.config": None, "x86_64.config": "x86_64", "crypto-x86_64.config": "x86_64", "a-aarch64.config": "aarch64"}
        self.assertEqual({name: kconfig.fragment_architecture(name) for name in names}, names)


class Loading(unittest.TestCase):
    def load(self, **files: str) -> list[kconfig.Wish]:
        with tempfile.TemporaryDirectory() as folder:
            for name, text in files.items():
                (Path(folder) / f"{name.replace('__', '-')}.config").write_text(text)
            return kconfig.load_fragments(Path(folder), "x86_64")

    def test_other_architectures_stay_out(self) -> None:
        self.assertEqual([w.symbol for w in self.load(a="CONFIG_A=y\n", b__aarch64="CONFIG_B=y\n")], ["A"])

    def test_two_fragments_may_agree_but_not_differ(self) -> None:
        self.assertEqual(len(self.load(a="CONFIG_A=y\n", b="CONFIG_A=y\n")), 2)
        with self.assertRaisesRegex(kconfig.ConfigError, "b.config:1 wants CONFIG_A=n, a.config:1 wants it to be y"):
            self.load(a="CONFIG_A=y\n", b="# CONFIG_A is not set\n")

    def test_nothing_to_load(self) -> None:
        with self.assertRaisesRegex(kconfig.ConfigError, "no fragment for x86_64"):
            self.load(b__aarch64="CONFIG_B=y\n")


class Comparing(unittest.TestCase):
    def verdict(self, text: str, final: str, exceptions: str = "", known: str = "A B") -> kconfig.Verdict:
        return kconfig.compare(wishes(text), kconfig.parse_config(final), kconfig.parse_exceptions(exceptions),
                               known=frozenset(known.split()))

    def test_all_as_wished(self) -> None:
        verdict = self.verdict("CONFIG_A=y\n# CONFIG_B is not set\n", "CONFIG_A=y\n")
        self.assertEqual((verdict.failures, verdict.unneeded), ([], []))

    def test_failures_name_symbol_and_fragment(self) -> None:
        cases = {
            "CONFIG_A=y": ("", "topic.config:1: CONFIG_A should be y, but it is off"),
            "CONFIG_A=64": ("CONFIG_A=32", "topic.config:1: CONFIG_A should be 64, but it is 32"),
            "# CONFIG_A is not set": ("CONFIG_A=y", "topic.config:1: CONFIG_A should be off, but it is y"),
            "# CONFIG_Z is not set": ("", "topic.config:1: CONFIG_Z should be off, but this kernel has no such symbol"),
        }
        for wish, (final, failure) in cases.items():
            with self.subTest(wish=wish):
                self.assertEqual(self.verdict(wish, final).failures, [failure])

    def test_an_exception_accepts_only_its_value(self) -> None:
        accept = "[A]\nfinal = {}\nreason = because\n"
        self.assertEqual(self.verdict("CONFIG_A=64", "CONFIG_A=32", accept.format(32)).failures, [])
        failures = self.verdict("CONFIG_A=64", "CONFIG_A=32", accept.format(16)).failures
        self.assertEqual(failures, ["topic.config:1: CONFIG_A should be 64, but it is 32; its exception accepts only 16"])

    def test_an_exception_without_need(self) -> None:
        accept = "[A]\nreason = because\n[B]\nreason = because\narchitecture = aarch64\n"
        verdict = self.verdict("CONFIG_A=y", "CONFIG_A=y", accept)
        self.assertEqual(verdict.failures, [])
        self.assertEqual(len(verdict.unneeded), 1)
        self.assertIn("CONFIG_A", verdict.unneeded[0])

    def test_bad_exceptions(self) -> None:
        for text, message in (("[A]\nfinal = n\n", "no reason"), ("[A]\nreason = r\nfianl = n\n", "unknown key 'fianl'"),
                              ("[A]\nreason = r\narchitecture = vax\n", "architecture"), ("A\n", "exceptions.ini")):
            with self.subTest(text=text), self.assertRaisesRegex(kconfig.ConfigError, message):
                kconfig.parse_exceptions(text)


class ThisFolder(unittest.TestCase):
    def test_fragments_and_exceptions_are_well_formed(self) -> None:
        found = kconfig.load_fragments(ROOM / "fragments", "x86_64")
        symbols = {wish.symbol for wish in found}
        for exception in kconfig.parse_exceptions((ROOM / "exceptions.ini").read_text()):
            self.assertIn(exception.symbol, symbols)

    def test_each_fragment_says_what_it_is_for(self) -> None:
        for path in sorted((ROOM / "fragments").glob("*.config")):
            with self.subTest(fragment=path.name):
                self.assertRegex(path.read_text().splitlines()[0], r"^# (?!CONFIG_)\S.{10,}")

    def test_merged_text_reads_back(self) -> None:
        found = kconfig.load_fragments(ROOM / "fragments", "x86_64")
        final = kconfig.parse_config(kconfig.merged_text(found))
        self.assertEqual(kconfig.compare(found, final, []).failures, [])


if __name__ == "__main__":
    unittest.main()
