"""What is known of tasks beside their results, which the backend keeps."""

from django.db import models
from django.utils import timezone


class DeadTask(models.Model):
    """A task that was given up: everything that is needed to look into it, and to run it again."""

    task_id = models.CharField(max_length=64, unique=True, help_text="The result id of the first attempt.")
    task = models.CharField(max_length=300, help_text="The path of its function.")
    args = models.JSONField(default=list)
    kwargs = models.JSONField(default=dict)
    backend = models.CharField(max_length=100)
    queue_name = models.CharField(max_length=100)
    priority = models.SmallIntegerField(default=0)
    key = models.CharField(max_length=200, blank=True)
    context = models.JSONField(default=dict, help_text="Request, user and trace of whoever enqueued it.")
    attempts = models.PositiveSmallIntegerField()
    error = models.CharField(max_length=300)
    traceback = models.TextField(blank=True)
    failed_at = models.DateTimeField(default=timezone.now, db_index=True)
    replayed_at = models.DateTimeField(null=True, blank=True)
    replayed_by = models.CharField(max_length=200, blank=True)
    replay_id = models.CharField(max_length=64, blank=True, help_text="The result id of the run that followed.")

    class Meta:
        indexes = [models.Index("task", "failed_at", name="dead_task_by_task")]

    def __str__(self) -> str:
        return f"{self.task} ({self.task_id})"


class RetriedTask(models.Model):
    """Where a task that has failed at least once goes on: its newest attempt."""

    task_id = models.CharField(max_length=64, primary_key=True, help_text="The result id of the first attempt.")
    attempt = models.PositiveSmallIntegerField()
    backend = models.CharField(max_length=100)
    result_id = models.CharField(max_length=64)
    queued_at = models.DateTimeField(default=timezone.now, db_index=True)

    def __str__(self) -> str:
        return f"{self.task_id}, attempt {self.attempt}"


class TaskKey(models.Model):
    """What a keyed task is about, so that it is enqueued once and done once."""

    task = models.CharField(max_length=300)
    key = models.CharField(max_length=200, null=True, help_text="Empty: given up, and free for another task.")  # noqa: DJ001
    backend = models.CharField(max_length=100)
    result_id = models.CharField(max_length=64, blank=True)
    enqueued_at = models.DateTimeField(default=timezone.now, db_index=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    doubles = models.PositiveIntegerField(default=0, help_text="Deliveries that came after it was done.")

    class Meta:
        # NULL is equal to nothing: any number of keys that were given up.
        constraints = [models.UniqueConstraint(fields=["task", "key"], name="one_task_per_key")]

    def __str__(self) -> str:
        return f"{self.key} ({self.task})"


class PeriodicTask(models.Model):
    """When a task with a schedule runs next."""

    task = models.CharField(max_length=300, unique=True)
    schedule = models.CharField(max_length=100, help_text="A cron expression, from the code.")
    enabled = models.BooleanField(default=True)
    next_run_at = models.DateTimeField()
    last_run_at = models.DateTimeField(null=True, blank=True)
    last_result_id = models.CharField(max_length=64, blank=True)

    def __str__(self) -> str:
        return self.task
