"""Contract checks as a report for the command line, and as cases for pytest."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

import zoo.testing
from zoo.errors import UsageError
from zoo.parts import SLOTS
from zoo.registry import open_registry
from zoo.testing.battery import CheckReport, part_under_test, run_check
from zoo.testing.check import Check, NotApplicableError, check
from zoo.testing.under_test import PartUnderTest

AT_LEAST = {"encoder": 26, "attention": 28, "sampler": 33, "decoder": 34, "velocity": 30}
"""Minimum number of checks of each slot; raise it when a check is added, so that none is lost unnoticed."""


@pytest.mark.parametrize("slot", SLOTS)
def test_a_slot_has_all_its_checks(slot):
    names = [check.name for check in zoo.testing.checks(slot)]
    assert len(names) >= AT_LEAST[slot]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("slot", SLOTS)
def test_a_check_has_a_requirement_and_a_hint(slot):
    for contract_check in zoo.testing.checks(slot):
        assert contract_check.requirement
        assert len(contract_check.requirement) <= 110
        assert contract_check.hint
        assert not contract_check.hint.endswith(".")


def test_a_report_counts_every_check():
    report = zoo.testing.run("attention.last")
    assert report.ok
    assert len(report.outcomes) == len(zoo.testing.checks("attention"))
    passed, skipped = len(report.having("passed")), len(report.having("skipped"))
    assert str(report) == f"ran {passed}, passed {passed}, failed 0, skipped {skipped}"
    assert all(outcome.reason for outcome in report.having("skipped"))


def test_a_part_is_given_by_name_entry_or_description():
    entry = open_registry().find("attention", "last")
    reports = [zoo.testing.run(part) for part in ("attention.last", entry, entry.description)]
    assert [report.part for report in reports] == ["attention.last"] * 3
    verdicts = [outcome.verdict for report in reports for outcome in report.outcomes[1:2]]
    assert verdicts == ["passed", "passed", "skipped"]


def test_settings_are_tested_as_they_are_chosen():
    tested = part_under_test("encoder.keys", {"plane": "sounding"})
    assert str(tested) == "encoder.keys plane=sounding"
    assert tested.build().plane == "sounding"


def test_fewer_checks_than_demanded_are_a_failure():
    report = zoo.testing.run("attention.last")
    short = CheckReport(report.part, report.outcomes[:3], report.demanded)
    assert not short.having("failed")
    assert not short.ok
    assert str(short).endswith("must run")


def _last() -> PartUnderTest:
    return part_under_test("attention.last")


def _check(name: str) -> Check:
    return next(check for check in zoo.testing.checks("attention") if check.name == name)


def test_only_an_optional_check_may_be_skipped():
    @check("attention", hint="none")
    def never_applies(tested):
        """A test without assertions."""
        raise NotApplicableError("not applicable")

    assert run_check(never_applies, _last()).verdict == "failed"
    skipped = run_check(replace(never_applies, optional=True), _last())
    assert (skipped.verdict, skipped.reason) == ("skipped", "not applicable")


def test_any_exception_of_a_part_is_a_failure_with_file_and_line():
    @check("attention", hint="none")
    def falls_over(tested):
        """A test without assertions."""
        raise KeyError("octave")

    outcome = run_check(falls_over, _last())
    assert outcome.verdict == "failed"
    assert outcome.reason.startswith("KeyError at test_battery.py:")


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import torch", "imports torch"),
        ("import a_module_that_does_not_exist", "failed"),
        ("raise SystemExit(7)", "failed"),
    ],
)
def test_a_plugin_that_imports_torch_or_fails_is_caught(tmp_path, monkeypatch, code, message):
    (tmp_path / "plugin_of_a_test.py").write_text(f"{code}\nzoo_parts = lambda: []\n")
    monkeypatch.syspath_prepend(tmp_path)
    source = replace(_last().source, target="plugin_of_a_test")
    without_torch = _check("plugin_loads_without_torch")
    outcome = run_check(without_torch, replace(_last(), source=source))
    assert outcome.verdict == "failed"
    assert message in outcome.reason


def test_a_plugin_in_a_single_file_may_import_torch():
    source = replace(_last().source, origin="file", target="my_attention.py")
    without_torch = _check("plugin_loads_without_torch")
    assert run_check(without_torch, replace(_last(), source=source)).verdict == "skipped"


@pytest.mark.parametrize("name", ["last", "attntion.last", "attention.lst"])
def test_an_unknown_part_is_a_usage_error(name):
    with pytest.raises(UsageError):
        zoo.testing.run(name)


def test_cases_are_the_checks_with_expected_failures_marked():
    cases = zoo.testing.cases("attention.last", expect_fail={"any_length_works": "one day"})
    assert len(cases) == len(zoo.testing.checks("attention"))
    marked = {case.id: case.marks[0].kwargs for case in cases if case.marks}
    assert marked == {"attention.last-any_length_works": {"strict": True, "reason": "one day"}}


def test_an_expected_failure_must_name_a_check():
    with pytest.raises(UsageError, match="did you mean any_length_works"):
        zoo.testing.parametrize("attention.last", expect_fail={"any_lenght_works": "one day"})


def test_a_plugin_author_gets_the_checks_as_pytest_cases(tmp_path):
    (tmp_path / "test_contract.py").write_text(
        "import zoo.testing\n\n"
        "@zoo.testing.parametrize('attention.last', expect_fail={'any_length_works': 'not so'})\n"
        "def test_contract(case):\n"
        "    case()\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 1
    assert "XPASS(strict)" in done.stdout
    assert "1 failed, " in done.stdout
    assert "5 skipped" in done.stdout


def test_importing_the_checks_does_not_import_pytest():
    code = "import sys, zoo.testing; sys.exit('pytest' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
