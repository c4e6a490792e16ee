"""Our C++ is clean by the checks of .clang-tidy, which says why some are left out. Every warning is an error."""

from __future__ import annotations

import pytest

from driver import tidy
from driver.paths import CHECKOUT, NATIVE


def test_clang_tidy(capsys: pytest.CaptureFixture[str]) -> None:
    """clang-tidy has nothing to say of any file; what was clean before is not looked at again."""

    def tell(text: str) -> None:
        with capsys.disabled():
            print(f"\n  {text}", end="", flush=True)

    verdicts = tidy.check(NATIVE, tell)
    known = sum(verdict.from_cache for verdict in verdicts)
    findings = list(dict.fromkeys(verdict.findings for verdict in verdicts if verdict.findings))
    assert not findings, "\n\n".join(findings)
    print(f"{len(verdicts)} files are clean, {known} of them known to be")


def test_every_source_is_looked_at() -> None:
    """Those too that the native build does not compile."""
    checked = {str(unit.source.relative_to(CHECKOUT)) for unit in tidy.units(NATIVE)}
    ours = {str(path.relative_to(CHECKOUT)) for path in tidy.sources() if path.suffix == ".cpp"}
    assert ours - checked == set(tidy.NOT_CHECKED)


def test_key_follows_what_a_verdict_depends_on() -> None:
    """Other arguments, another header: another key."""
    unit = tidy.units(NATIVE)[0]
    assert tidy.key(unit) == tidy.key(unit)
    assert tidy.key(unit._replace(command=unit.command + " -DX")) != tidy.key(unit)
    assert tidy.key(unit._replace(inputs=unit.inputs[1:])) != tidy.key(unit)
