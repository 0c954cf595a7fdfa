"""What is known of the request, task or event that runs at the moment."""

from contextvars import ContextVar

#: Follows a request into the events it publishes and the tasks those start; empty outside of any.
request_id: ContextVar[str] = ContextVar("request_id", default="")
