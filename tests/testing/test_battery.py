"""Two fronts, one truth: a report for the command line, and cases for pytest."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

import zoo.testing
from zoo.errors import UsageError
from zoo.parts import SLOTS
from zoo.registry import open_registry
from zoo.testing.battery import Report, carry_out, subject_of
from zoo.testing.check import DoesNotApplyError, check
from zoo.testing.subject import Subject

AT_LEAST = {"encoder": 25, "attention": 26, "sampler": 31, "decoder": 31, "velocity": 29}
"""How many checks each slot has; raise it with them, so that none goes missing unseen."""


@pytest.mark.parametrize("slot", SLOTS)
def test_a_slot_has_all_its_checks(slot):
    names = [one.name for one in zoo.testing.checks(slot)]
    assert len(names) >= AT_LEAST[slot]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("slot", SLOTS)
def test_a_check_says_its_promise_and_its_cure(slot):
    for one in zoo.testing.checks(slot):
        assert one.promise
        assert len(one.promise) <= 110
        assert one.cure
        assert not one.cure.endswith(".")


def test_a_report_counts_every_check():
    report = zoo.testing.run("attention.last")
    assert report.ok
    assert len(report.outcomes) == len(zoo.testing.checks("attention"))
    passed, skipped = len(report.having("passed")), len(report.having("skipped"))
    assert str(report) == f"ran {passed}, passed {passed}, failed 0, skipped {skipped}"
    assert all(outcome.reason for outcome in report.having("skipped"))


def test_a_part_can_be_named_found_or_described():
    entry = open_registry().find("attention", "last")
    reports = [zoo.testing.run(part) for part in ("attention.last", entry, entry.description)]
    assert [report.part for report in reports] == ["attention.last"] * 3
    light = [outcome.verdict for report in reports for outcome in report.outcomes[1:2]]
    assert light == ["passed", "passed", "skipped"]


def test_settings_are_tested_as_they_are_chosen():
    subject = subject_of("encoder.keys", {"plane": "sounding"})
    assert str(subject) == "encoder.keys plane=sounding"
    assert subject.build().plane == "sounding"


def test_fewer_checks_than_demanded_are_a_failure():
    report = zoo.testing.run("attention.last")
    short = Report(report.part, report.outcomes[:3], report.demanded)
    assert not short.having("failed")
    assert not short.ok
    assert str(short).endswith("must run")


def _last() -> Subject:
    return subject_of("attention.last")


def test_only_an_optional_check_may_be_skipped():
    @check("attention", cure="none")
    def never_applies(subject):
        """Nothing."""
        raise DoesNotApplyError("no wish to")

    assert carry_out(never_applies, _last()).verdict == "failed"
    skipped = carry_out(replace(never_applies, optional=True), _last())
    assert (skipped.verdict, skipped.reason) == ("skipped", "no wish to")


def test_whatever_a_part_raises_is_a_failure_with_its_place():
    @check("attention", cure="none")
    def falls_over(subject):
        """Nothing."""
        raise KeyError("octave")

    outcome = carry_out(falls_over, _last())
    assert outcome.verdict == "failed"
    assert outcome.reason.startswith("KeyError at test_battery.py:")


@pytest.mark.parametrize(
    ("code", "seen"),
    [
        ("import torch", "imports torch"),
        ("import a_module_that_nobody_has", "failed"),
        ("raise SystemExit(7)", "failed"),
    ],
)
def test_a_plugin_that_is_not_light_is_caught(tmp_path, monkeypatch, code, seen):
    (tmp_path / "plugin_of_a_test.py").write_text(f"{code}\nzoo_parts = lambda: []\n")
    monkeypatch.syspath_prepend(tmp_path)
    source = replace(_last().source, target="plugin_of_a_test")
    light = next(one for one in zoo.testing.checks("attention") if one.name == "plugin_is_light")
    outcome = carry_out(light, replace(_last(), source=source))
    assert outcome.verdict == "failed"
    assert seen in outcome.reason


def test_a_plugin_in_a_single_file_need_not_be_light():
    source = replace(_last().source, origin="file", target="my_attention.py")
    light = next(one for one in zoo.testing.checks("attention") if one.name == "plugin_is_light")
    assert carry_out(light, replace(_last(), source=source)).verdict == "skipped"


@pytest.mark.parametrize("name", ["last", "attntion.last", "attention.lst"])
def test_an_unknown_part_is_a_usage_error(name):
    with pytest.raises(UsageError):
        zoo.testing.run(name)


def test_cases_are_the_checks_with_expected_failures_marked():
    cases = zoo.testing.cases("attention.last", expect_fail={"any_length_will_do": "one day"})
    assert len(cases) == len(zoo.testing.checks("attention"))
    marked = {case.id: case.marks[0].kwargs for case in cases if case.marks}
    assert marked == {"attention.last-any_length_will_do": {"strict": True, "reason": "one day"}}


def test_an_expected_failure_must_name_a_check():
    with pytest.raises(UsageError, match="did you mean any_length_will_do"):
        zoo.testing.parametrize("attention.last", expect_fail={"any_lenght_will_do": "one day"})


def test_a_plugin_author_gets_the_checks_as_pytest_cases(tmp_path):
    (tmp_path / "test_contract.py").write_text(
        "import zoo.testing\n\n"
        "@zoo.testing.parametrize('attention.last', expect_fail={'any_length_will_do': 'not so'})\n"
        "def test_contract(case):\n"
        "    case()\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 1
    assert "XPASS(strict)" in done.stdout
    assert "1 failed, " in done.stdout
    assert "5 skipped" in done.stdout


def test_pytest_is_imported_only_by_those_who_test():
    code = "import sys, zoo.testing; sys.exit('pytest' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
