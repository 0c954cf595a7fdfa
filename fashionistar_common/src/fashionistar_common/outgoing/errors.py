from ..exceptions import FashionistarError, UnavailableError


class CallInTransactionError(FashionistarError):
    """{provider} was called inside a transaction: rows would stay locked for as long as it takes to answer."""

    code = "call_in_transaction"


class NoAnswerError(UnavailableError):
    """{provider} did not answer.

    The fact `sent` tells whether it may have got the request, and done what it asks for.
    """

    code = "no_answer"


class AnswerTooLargeError(UnavailableError):
    """{provider} answered with more than it may."""

    code = "answer_too_large"


class CircuitOpenError(UnavailableError):
    """{provider} has failed too often and is not asked at the moment."""

    code = "circuit_open"
