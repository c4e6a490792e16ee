"""Every numbered case has a test, and each ran somewhere."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from pid1.cases import COUNT, KINDS
from pid1.conftest import OUTCOMES

FOLDER = Path(__file__).parent


@pytest.mark.name("pid1/every-case-has-a-test")
def test_every_case_has_a_test(request: pytest.FixtureRequest) -> None:
    """All numbers from 1 to 31 are declared; where both kinds of machine were asked for, each ran in one at least."""
    declared: dict[int, int] = {}
    for path in sorted(FOLDER.glob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "case":
                number = ast.literal_eval(node.args[0])
                declared[number] = declared.get(number, 0) + 1
    declared.pop(0, None)
    assert sorted(declared) == list(range(1, COUNT + 1))
    outcomes = {number: kinds for number, kinds in request.session.stash.get(OUTCOMES, {}).items() if number}
    for number, kinds in sorted(outcomes.items()):
        print(f"case {number:2}: {', '.join(f'{kind} {outcome}' for kind, outcome in sorted(kinds.items()))}")
    # With a part chosen by name, only what was chosen can be asked for.
    asked = {kind.partition(":")[0] for kinds in outcomes.values() for kind in kinds}
    if asked == set(KINDS) and not request.config.getoption("--select"):
        ran = {number for number, kinds in outcomes.items() if any(outcome != "skipped" for outcome in kinds.values())}
        assert sorted(ran) == list(range(1, COUNT + 1)), "these cases ran in no machine"
