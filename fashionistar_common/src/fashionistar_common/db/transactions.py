from django.db import connections


def inside_transaction() -> bool:
    """Whether a transaction is open on any connection of this thread.

    The one that does not count is the one Django's `TestCase` wraps around a test, as with `atomic(durable=True)`.
    """
    for connection in connections.all(initialized_only=True):
        blocks = connection.atomic_blocks
        if blocks and not getattr(blocks[-1], "_from_testcase", False):
            return True
    return False
