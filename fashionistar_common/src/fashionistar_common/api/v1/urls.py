"""v1: include under a path without a slash at its end, such as `api/v1`."""

from django.urls import path

from . import notifications, tasks

app_name = "fashionistar_common_v1"

urlpatterns = [
    path("/notifications/preferences", notifications.Preferences.as_view(), name="preferences"),
    path("/notifications/push-subscriptions", notifications.PushSubscriptions.as_view(), name="push-subscriptions"),
    path(
        "/notifications/push-subscriptions/<uuid:subscription_id>",
        notifications.PushSubscriptionDetail.as_view(),
        name="push-subscription",
    ),
    path("/tasks/<slug:task_id>", tasks.TaskDetail.as_view(), name="task"),
]
