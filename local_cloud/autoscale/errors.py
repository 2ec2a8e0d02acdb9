"""What can be wrong with a formula.

    FormulaError        the text is no formula: refused when a pool is made or changed
    EvaluationError     a value, not an exception: the formula stands, this evaluation of it failed
      (raised inside the evaluator as Failure, which never leaves this package)

Code and shape of both are Azure Batch's own. Its sentence for missing samples is known from public reports,
the other sentences are ours.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Position(NamedTuple):
    """Where something stands in a formula: line and column, both from 1."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"Line {self.line}, Col {self.column}"


class Code(StrEnum):
    """Error codes of the Batch service that concern formulas."""

    SYNTAX = "AutoScalingFormulaSyntaxError"
    TOO_LONG = "AutoScalingFormulaTooLong"
    EVALUATION = "AutoScalingFormulaEvaluationError"
    INSUFFICIENT_DATA = "InsufficientSampleData"


class FormulaError(Exception):
    """A text that is not a formula; `str()` is "Line L, Col C: ..." and `code` the service's error code."""

    def __init__(self, code: Code, position: Position, reason: str) -> None:
        super().__init__(f"{position}: {reason}")
        self.code = code
        self.position = position

    @property
    def message(self) -> str:
        """The whole sentence, position included."""
        return str(self)


class Failure(Exception):
    """This evaluation cannot go on (internal; becomes an EvaluationError)."""

    def __init__(self, reason: str, code: Code = Code.EVALUATION) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code
        self.position: Position | None = None


@dataclass(frozen=True, slots=True)
class EvaluationError:
    """Why an evaluation failed, in the fields of Azure's AutoScaleRunError.

    `values` are its name/value pairs; the one called "Message" holds "Line L, Col C: ...".
    """

    code: Code
    message: str
    values: tuple[tuple[str, str], ...]

    @property
    def detail(self) -> str:
        """The sentence with line and column."""
        return dict(self.values)["Message"]


_SUMMARIES = {
    Code.INSUFFICIENT_DATA: "Autoscale evaluation failed due to insufficient sample data",
    Code.EVALUATION: "Autoscale evaluation failed because the formula could not be evaluated",
    Code.SYNTAX: "Autoscale evaluation failed because the formula has a syntax error",
    Code.TOO_LONG: "Autoscale evaluation failed because the formula is too long",
}


def evaluation_error(detail: str, *, cause: Code) -> EvaluationError:
    """Make the error of a failed evaluation; only missing samples have a code of their own there."""
    code = cause if cause is Code.INSUFFICIENT_DATA else Code.EVALUATION
    return EvaluationError(code, _SUMMARIES[cause], (("Message", detail),))
