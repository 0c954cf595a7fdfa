"""Where a request comes from: addresses behind proxies, browsers, users; and the checks of the chain."""

import json
from ipaddress import ip_address

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.http import JsonResponse
from django.test import AsyncClient, Client
from django.urls import path
from django.utils.deprecation import MiddlewareMixin
from fashionistar_common.checks.middleware import check_middleware, check_proxies
from fashionistar_common.context import Origin, carried, carrier, origin
from fashionistar_common.exceptions import NotAuthenticatedError
from fashionistar_common.http import drf
from fashionistar_common.http import ninja as v2
from fashionistar_common.http.client_ip import client_ip
from fashionistar_common.types import Actor, Role
from hypothesis import given
from hypothesis import strategies as st
from ninja import NinjaAPI
from rest_framework.response import Response

PROXIES = ["10.0.0.0/8", "2001:db8:17::/48", "192.0.2.7"]
CALLER = "198.51.100.9"


def ip(remote, *, header="X-Forwarded-For", **headers):
    return client_ip({"REMOTE_ADDR": remote, **{f"HTTP_{name.upper()}": value for name, value in headers.items()}})


@pytest.fixture
def behind_proxies(settings):
    settings.FASHIONISTAR_COMMON = {**settings.FASHIONISTAR_COMMON, "TRUSTED_PROXIES": PROXIES}


@pytest.fixture
def told_by_forwarded(settings, behind_proxies):
    settings.FASHIONISTAR_COMMON = {**settings.FASHIONISTAR_COMMON, "FORWARDED_HEADER": "Forwarded"}


@pytest.mark.parametrize("remote", ["10.0.0.1", CALLER, "::1"])
def test_without_trusted_proxies_no_header_is_believed(remote):
    assert ip(remote, x_forwarded_for="1.2.3.4", forwarded="for=1.2.3.4", x_real_ip="1.2.3.4") == remote


@pytest.mark.parametrize(
    ("remote", "header", "found"),
    [
        (CALLER, "1.2.3.4", CALLER),  # not a proxy: it may write what it wants
        ("10.0.0.1", CALLER, CALLER),
        ("192.0.2.7", CALLER, CALLER),
        ("192.0.2.8", CALLER, "192.0.2.8"),
        ("10.0.0.1", f"1.2.3.4, {CALLER}", CALLER),  # what stands further left was sent by the caller
        ("10.0.0.1", f"1.2.3.4, {CALLER}, 10.9.9.9,10.0.0.2", CALLER),
        ("10.0.0.1", f"10.1.1.1, 10.2.2.2, {CALLER}, 10.9.9.9", CALLER),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),  # all of them ours: one of ours is asking
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", ", ,", "10.0.0.1"),
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", "1.2.3.4, unknown", "10.0.0.1"),
        ("10.0.0.1", "1.2.3.4, <script>, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "999.1.1.1", "10.0.0.1"),
        ("10.0.0.1", "010.0.0.1", "10.0.0.1"),
        ("10.0.0.1", "١.٢.٣.٤", "10.0.0.1"),
        ("10.0.0.1", f"{CALLER}:50123", CALLER),
        ("10.0.0.1", f"{CALLER}:port", "10.0.0.1"),
        ("10.0.0.1", "2001:db8::1", "2001:db8::1"),
        ("10.0.0.1", "[2001:0DB8:0::1]:50123", "2001:db8::1"),
        ("10.0.0.1", "[2001:db8::1]", "2001:db8::1"),
        ("10.0.0.1", "[2001:db8::1]x", "10.0.0.1"),
        ("10.0.0.1", "[2001:db8::1", "2001:db8::1"),
        ("10.0.0.1", f"{CALLER}, 2001:db8:17::5", CALLER),
        ("10.0.0.1", f"::ffff:{CALLER}", CALLER),
        ("::ffff:10.0.0.1", CALLER, CALLER),  # a server that listens on both kinds at once
        ("10.0.0.1", f"{CALLER}, fe80::1%eth0", "fe80::1"),
        ("", CALLER, ""),  # a Unix socket
        ("unix:", CALLER, ""),
    ],
)
def test_the_address_is_the_last_that_a_proxy_vouches_for(behind_proxies, remote, header, found):
    assert ip(remote, x_forwarded_for=header, forwarded="for=6.6.6.6") == found


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (f"for={CALLER}", CALLER),
        (f"For={CALLER};proto=https;by=10.0.0.1", CALLER),
        (f'proto=https; for="{CALLER}:4711"', CALLER),
        ('for="[2001:db8::1]:4711"', "2001:db8::1"),
        (f"for=1.2.3.4, for={CALLER}, for=10.0.0.2", CALLER),
        (f'for="1.2.3.4, for=6.6.6.6", for={CALLER}', CALLER),
        (f'for="1.2.3.4;for=6.6.6.6";by=x, for={CALLER}', CALLER),
        ("for=_hidden, for=10.0.0.2", "10.0.0.2"),
        ("for=unknown", "10.0.0.1"),
        ("by=1.2.3.4", "10.0.0.1"),
        ("xfor=1.2.3.4", "10.0.0.1"),
        ('for="1.2.3.4', "10.0.0.1"),
        (f'for="6.6.6.6, for={CALLER}', "10.0.0.1"),  # a quote left open by the caller swallows what our proxy adds
        (r'for="\"6.6.6.6"', "10.0.0.1"),
        ("", "10.0.0.1"),
    ],
)
def test_forwarded_is_read_with_its_quotes(told_by_forwarded, header, found):
    assert ip("10.0.0.1", forwarded=header, x_forwarded_for="6.6.6.6") == found


HOSTILE = st.text(alphabet='0123456789abcdef.:,;="[]% for\\\x00\ud800٣', max_size=200)


@given(HOSTILE)
def test_whatever_a_caller_writes_the_proxy_s_word_stands(written):
    """The caller fills the header, the proxy appends where it was called from."""
    from django.test import override_settings

    for header in ("X-Forwarded-For", "Forwarded"):
        with override_settings(FASHIONISTAR_COMMON={"TRUSTED_PROXIES": PROXIES, "FORWARDED_HEADER": header}):
            appended = f"{written}, {'for=' if header == 'Forwarded' else ''}{CALLER}"
            meta = {"REMOTE_ADDR": "10.0.0.1", "HTTP_" + header.upper().replace("-", "_"): appended}
            # With a quote left open, nothing in `Forwarded` is believed.
            assert client_ip(meta) in ({CALLER, "10.0.0.1"} if '"' in written else {CALLER})
            meta[next(key for key in meta if key.startswith("HTTP"))] = written
            ip_address(client_ip(meta))


# In a request -------------------------------------------------------------------------------------------------------


def authenticate(token):
    if token == "nobody":
        raise NotAuthenticatedError
    return Actor(id=f"id-of-{token}", role=Role(token))


def told():
    now = origin.get()
    return {"user_id": now.user_id, "role": now.role, "ip": now.ip, "browser": now.browser}


class V1(drf.ApiView):
    authentication_classes = [drf.bearer(Role.CLIENT)]

    def get(self, request):
        return Response(told())


api = NinjaAPI(urls_namespace="tests-origin", docs_url=None)
v2.install_problem_handlers(api)


@api.get("origin", auth=v2.Bearer(Role.CLIENT))
async def origin_v2(request):
    return await sync_to_async(told)()


async def bare(request):
    return JsonResponse(told())


class Outermost:
    """Sees what is left of the request on its way out, as a middleware that logs does."""

    sync_capable, async_capable = True, False
    seen = []

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        response = self.get_response(request)
        self.seen.append(origin.get())
        return response


class Inner(Outermost):
    """The same, within OriginMiddleware."""

    seen = []


class Urls:
    urlpatterns = [path("api/v1/origin", V1.as_view()), path("api/v2/", api.urls), path("bare", bare)]


@pytest.fixture(params=["wsgi", "asgi"])
def get(request, settings, monkeypatch):
    settings.ROOT_URLCONF = Urls
    settings.FASHIONISTAR_COMMON = {**settings.FASHIONISTAR_COMMON, "AUTHENTICATOR": f"{__name__}.authenticate"}
    monkeypatch.setattr(
        "fashionistar_common.http.security.import_string", {f"{__name__}.authenticate": authenticate}.get
    )
    if request.param == "wsgi":
        return Client().get
    return async_to_sync(AsyncClient().get)


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_request_knows_its_address_browser_and_user(get, version):
    headers = {"authorization": "Bearer client", "user-agent": "Loom/1.0"}
    body = get(f"/api/{version}/origin", headers=headers).json()
    assert body == {"user_id": "id-of-client", "role": "client", "ip": "127.0.0.1", "browser": "Loom/1.0"}
    assert origin.get() is None


@pytest.mark.parametrize("token", ["nobody", "vendor"])
def test_who_is_not_admitted_is_not_named(get, token, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "fashionistar_common.http.middleware.Origin", lambda **facts: seen.append(Origin(**facts)) or seen[0]
    )
    assert get("/api/v1/origin", headers={"authorization": f"Bearer {token}"}).status_code == 401
    assert [(now.user_id, now.role) for now in seen] == [("", "")]


def test_the_user_is_known_further_out_than_the_authentication(get, settings, monkeypatch):
    names = {"test_origin.Inner": Inner, "test_origin.Outermost": Outermost}
    for kind in names.values():
        kind.seen = []
    from django.core.handlers import base

    plain = base.import_string
    monkeypatch.setattr(base, "import_string", lambda name: names.get(name) or plain(name))
    ours = "fashionistar_common.http.middleware.OriginMiddleware"
    settings.MIDDLEWARE = ["test_origin.Outermost", ours, "test_origin.Inner"]
    get("/api/v1/origin", headers={"authorization": "Bearer client"})
    assert [now.user_id for now in Inner.seen] == ["id-of-client"]
    assert Outermost.seen == [None]


def test_what_a_browser_says_of_itself_is_cut_and_storable(get):
    body = get("/bare", headers={"user-agent": "a\x00b" + "x" * 5000}).json()
    assert body["browser"].startswith("a\\x00bxxx")
    assert len(body["browser"]) == 200


def test_requests_at_the_same_time_do_not_mix(settings):
    settings.ROOT_URLCONF = Urls

    async def both():
        import asyncio

        client = AsyncClient()
        calls = (client.get("/bare", headers={"user-agent": str(number)}) for number in range(50))
        return [response.json()["browser"] for response in await asyncio.gather(*calls)]

    assert async_to_sync(both)() == [str(number) for number in range(50)]


def test_the_user_goes_on_into_other_work_and_the_address_does_not():
    token = origin.set(Origin(user_id="u", role="client", ip=CALLER, browser="Loom"))
    try:
        facts = json.loads(json.dumps(carrier()))
    finally:
        origin.reset(token)
    assert CALLER not in str(facts)
    with carried(facts):
        assert told() == {"user_id": "u", "role": "client", "ip": "", "browser": ""}


# Checks -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("proxies", "ids"),
    [
        (PROXIES, []),
        ([], []),
        (["10.0.0.1/8"], ["E050"]),  # host bits: somebody meant another network
        (["proxy.example"], ["E050"]),
        (["0.0.0.0/0"], ["E051"]),
        (["10.0.0.0/8", "::/0"], ["E051"]),
    ],
)
def test_proxies_are_checked(settings, proxies, ids):
    settings.FASHIONISTAR_COMMON = {"TRUSTED_PROXIES": proxies}
    assert [message.id for message in check_proxies()] == [f"fashionistar_common.{name}" for name in ids]


class Mixed(MiddlewareMixin):
    def process_request(self, request): ...


class Native(Mixed):
    async def __acall__(self, request):
        return await self.get_response(request)


def old_style(get_response):
    return get_response


OURS = [
    f"fashionistar_common.http.middleware.{name}Middleware"
    for name in ("RequestID", "ServerTiming", "Origin", "Problem")
]


@pytest.mark.parametrize(
    ("chain", "ids"),
    [
        (OURS, []),
        ([OURS[0], *OURS[2:]], []),
        ([*OURS, "django.middleware.common.CommonMiddleware", "no.such.Middleware"], []),
        (["tests.Native", *OURS], []),
        ([*OURS, "tests.old_style"], ["W050"]),
        (["tests.Mixed", *OURS, "tests.Inner"], ["W050", "W050"]),
        (OURS[1:], ["W051"]),
        ([], ["W051"]),
        ([*OURS[2:], *OURS[:2]], ["W052"]),
        ([OURS[3], OURS[0]], ["W051", "W052"]),
    ],
)
def test_the_chain_is_checked(settings, monkeypatch, chain, ids):
    from fashionistar_common.checks import middleware

    mine = {f"tests.{thing.__name__}": thing for thing in (Mixed, Native, Inner, old_style)}
    plain = middleware.import_string
    monkeypatch.setattr(middleware, "import_string", lambda name: mine.get(name) or plain(name))
    settings.MIDDLEWARE = chain
    assert [message.id for message in check_middleware()] == [f"fashionistar_common.{name}" for name in ids]
