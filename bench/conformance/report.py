"""The report of the checks: it runs them on methods and prints how each ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from bench.conformance.checks import CHECKS
from bench.conformance.subject import ContractError, Subject
from bench.registry import Method

Outcome = Literal["ok", "skipped", "FAILED"]


@dataclass(frozen=True)
class Result:
    """The outcome of one check, with the reason where it was skipped or failed."""

    check: str
    outcome: Outcome
    reason: str = ""

    def __str__(self) -> str:
        reason = f": {self.reason}" if self.reason else ""
        return f"  {self.outcome:8}{self.check}{reason}"


def run_checks(method: Method) -> Iterator[Result]:
    """Yield the result of each check of one method, as soon as it is known."""
    subject = Subject(method)
    for name, check in CHECKS.items():
        try:
            reason = check(subject)
        except ContractError as error:
            yield Result(name, "FAILED", str(error))
        except Exception as error:  # In the method's own code any error is a finding, not a crash.
            yield Result(name, "FAILED", f"{type(error).__name__}: {error}")
        else:
            yield Result(name, "skipped" if reason else "ok", reason or "")


def report(methods: Iterable[Method]) -> bool:
    """Print the results of all methods, one line per check, and return whether none failed."""
    failed = []
    for method in methods:
        print(f"{method.name} ({method.family})", flush=True)
        for result in run_checks(method):
            print(result, flush=True)
            if result.outcome == "FAILED":
                failed.append(f"{method.name}: {result.check}")
    print("\nall checks passed" if not failed else f"\n{len(failed)} failed: {'; '.join(failed)}")
    return not failed
