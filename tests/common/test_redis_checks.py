import pytest

pytest.importorskip("redis", reason="needs the extra `redis`")

from django.core.exceptions import ImproperlyConfigured
from fashionistar_common.redis_servers import redis_servers
from fashionistar_common.tasks.redis import RedisBackend

URL = {"URL": "redis://127.0.0.1:6379/0"}


def problems(options, queues=("default",)):
    backend = RedisBackend("default", {"QUEUES": list(queues), "OPTIONS": options})
    return [message.id.removeprefix("fashionistar_common.") for message in backend.check()]


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        (URL, []),
        ({"URL": "rediss://user:secret@redis.example:6380/1?ssl_ca_certs=/etc/ca.pem"}, []),
        ({"URL": "unix:///run/redis.sock"}, []),
        ({"SENTINELS": ["10.0.0.1:26379", "[::1]:26379"], "SERVICE": "shop", "CLIENT": {"password": "x"}}, ["W030"]),
        ({"CLUSTER": ["10.0.0.1:6379"], "WAIT_REPLICAS": 1, "CLIENT": {"ssl": True}}, []),
        ({**URL, "LEESE": 3.0}, ["E030"]),
        ({**URL, "LEASE": "30"}, ["E031"]),
        ({**URL, "LEASE": 0.5}, ["E031"]),
        ({**URL, "MAX_DEATHS": 0}, ["E031"]),
        ({**URL, "WAIT_REPLICAS": -1}, ["E031"]),
        ({**URL, "RESULT_TTL": 1.5}, ["E031"]),
        ({}, ["E032"]),
        ({**URL, "CLUSTER": ["10.0.0.1:6379"]}, ["E032"]),
        ({"SENTINELS": ["10.0.0.1:26379"]}, ["E032"]),
        ({"SERVICE": "shop", **URL}, ["E032"]),
        ({"CLUSTER": ["10.0.0.1"]}, ["E032"]),
        ({"URL": "http://127.0.0.1"}, ["E032"]),
        ({**URL, "PREFIX": "a{b}"}, ["E033"]),
    ],
)
def test_every_option_is_checked(options, ids):
    assert problems(options) == ids


@pytest.mark.parametrize("queues", [["emails", "{emails}"], ["e" * 32], ["to send"], [""], []])
def test_a_queue_s_name_fits_into_keys_and_ids(queues):
    assert problems(URL, queues) == ["E033"]


@pytest.mark.parametrize("options", [{}, {"URL": "redis://a", "CLUSTER": ["b:1"]}, {"SERVICE": "shop"}])
def test_nobody_connects_to_servers_that_are_not_named_clearly(options):
    with pytest.raises(ImproperlyConfigured):
        redis_servers(options)


def test_the_parts_of_a_url_reach_the_connection():
    door = redis_servers({"URL": "rediss://shop:s%20cret@redis.example:6380/3", "CLIENT": {"ssl_ca_certs": "/ca.pem"}})
    arguments = door.client("any").connection_pool.connection_kwargs
    wanted = {"host": "redis.example", "port": 6380, "db": 3, "username": "shop", "password": "s cret"}
    assert wanted | {"ssl_ca_certs": "/ca.pem"} == {name: arguments[name] for name in [*wanted, "ssl_ca_certs"]}
    assert "SSL" in door.client("any").connection_pool.connection_class.__name__
