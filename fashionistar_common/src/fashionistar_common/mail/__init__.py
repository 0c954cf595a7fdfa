"""E-mail backends: one that keeps messages as files, one that sends them by a task."""

from .directory import DirectoryEmailBackend
from .queued import MailTooLargeError, QueuedEmailBackend, mail_connection

__all__ = ["DirectoryEmailBackend", "MailTooLargeError", "QueuedEmailBackend", "mail_connection"]
