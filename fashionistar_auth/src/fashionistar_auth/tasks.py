"""Background work: ids in, one service call each."""

from fashionistar_common.tasks import task

from . import services


@task(schedule="27 3 * * *")
def purge_expired_verifications() -> None:
    """Delete codes and spent refresh tokens that no longer matter."""
    services.purge_expired()
