"""What a command leaves beside its output: error records, and the two ways it can end before its end."""

from __future__ import annotations

from dataclasses import dataclass, replace

SMA = "System.Management.Automation."
NESTED = "ParentContainsErrorRecordException"  # the reason of a record that an exception of the engine carries


@dataclass(frozen=True)
class ErrorRecord:
    """An error record as far as the constant script reports it.

    `id` is the FullyQualifiedErrorId, `exception` the full name of the exception's type, `reason` what the category
    says of it (by default that type's short name).
    """

    message: str
    id: str
    category: str = "NotSpecified"
    exception: str = "System.InvalidOperationException"
    reason: str = ""

    def __post_init__(self) -> None:
        if not self.reason:
            object.__setattr__(self, "reason", self.exception.rsplit(".", 1)[-1])


class Failed(Exception):
    """A terminating error on its way to whoever asked for the command.

    `record` is the innermost one, which the constant script looks for; `outer` the one around it, if there is another.
    """

    def __init__(self, record: ErrorRecord, outer: ErrorRecord | None = None) -> None:
        super().__init__(record.message)
        self.record, self.outer = record, outer or record


class StoppedAtError(Failed):
    """A written error where errors stop."""

    def __init__(self, record: ErrorRecord) -> None:
        super().__init__(replace(record, exception=SMA + "ActionPreferenceStopException", reason=record.reason))


class Stopped(BaseException):
    """The command was stopped from outside."""


def runtime_error(message: str, id: str, category: str = "NotSpecified", exception: str = "RuntimeException") -> Failed:
    """A terminating error that an exception of the engine carries."""
    return Failed(ErrorRecord(message, id, category, SMA + exception, NESTED))


def not_recognized(name: str) -> Failed:
    """There is no such command."""
    return runtime_error(
        f"The term '{name}' is not recognized as the name of a cmdlet, function, script file, or operable program. Check the "
        "spelling of the name, or if a path was included, verify that the path is correct and try again.",
        "CommandNotFoundException",
        "ObjectNotFound",
        "CommandNotFoundException",
    )


def not_simulated(name: str, advice: str = "") -> ErrorRecord:
    """A command that a real server has and the lab does not."""
    return ErrorRecord(
        f"The lab does not simulate {name}. This says nothing about a real server. {advice}".rstrip(),
        f"LabNotSimulated,{name}",
        "NotImplemented",
        "System.NotImplementedException",
    )
