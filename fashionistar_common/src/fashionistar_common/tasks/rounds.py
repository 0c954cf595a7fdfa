"""What a relay does for tasks between two rounds of events."""


def housekeeping() -> tuple[int, int]:
    """Queue again what lost its worker, and start what is due; returns how many of each.

    Any number of processes may call it, every TASK_RECLAIM_INTERVAL seconds.
    """
    from .lost import requeue_lost_tasks
    from .schedule import start_due_tasks

    return requeue_lost_tasks(), start_due_tasks()
