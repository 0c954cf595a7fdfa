"""What must be true of this app in production; see `fashionistar_common.production`."""

from django.conf import settings
from fashionistar_common.production import Result, failed, passed, production_item

from .checks import INSECURE_PREFIX, KEY_BYTES
from .conf import conf, signing_key


@production_item(
    "auth.signing_key",
    "Tokens are signed with a long random key of their own, which can be changed without ending sessions.",
    evidence="FASHIONISTAR_AUTH['SIGNING_KEY']",
)
def own_signing_key() -> Result:
    key = signing_key()
    if len(key.encode()) < KEY_BYTES or len(set(key)) < 10 or key.startswith(INSECURE_PREFIX):
        return failed(f"it can be guessed; {KEY_BYTES} random bytes cannot")
    if not conf.SIGNING_KEY or conf.SIGNING_KEY in {settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS}:
        return failed("it is SECRET_KEY: one leak is two, and neither can be changed alone")
    return passed()
