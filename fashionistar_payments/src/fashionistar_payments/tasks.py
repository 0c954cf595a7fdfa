"""Background tasks."""

from fashionistar_common.tasks import task

from . import services


@task(queue_name="critical", max_attempts=3)
def replay_webhooks() -> None:
    """Process the webhook events that wait; to be enqueued by a scheduler, every few minutes."""
    services.replay_webhooks()
