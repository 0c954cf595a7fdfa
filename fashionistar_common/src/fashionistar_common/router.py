"""v2: `api.add_router("", create_router())`."""

from ninja import Router

from .api.v2 import notifications, tasks


def create_router() -> Router:
    """A new router, a part for each subject; each can be mounted once."""
    router = Router()
    router.add_router("/notifications", notifications.create_router())
    router.add_router("/tasks", tasks.create_router())
    return router


router = create_router()
