"""Background tasks."""

from fashionistar_common.tasks import task

from . import services


@task(queue_name="critical", max_attempts=3, schedule="*/5 * * * *")
def replay_webhooks() -> None:
    """Process the webhook events that wait."""
    services.replay_webhooks()
