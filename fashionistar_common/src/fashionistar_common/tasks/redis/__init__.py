"""Tasks on Redis Streams: one server, a Sentinel-watched master, or a Cluster. Needs the extra `redis`."""

from .backend import RedisBackend
from .queue import QueueFacts

__all__ = ["QueueFacts", "RedisBackend"]
