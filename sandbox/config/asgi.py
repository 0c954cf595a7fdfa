"""The ASGI application that granian or uvicorn serves."""

import os

from django.conf import settings
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.asgi import get_asgi_application
from fashionistar_common.events import event_bus
from fashionistar_common.observability.tracing import configure_tracing

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")

configure_tracing()
application = get_asgi_application()
event_bus.verify()  # an unknown event or a field of another type is an error now, not when it happens
if settings.DEBUG:  # in production the proxy in front serves the files that collectstatic has gathered
    application = ASGIStaticFilesHandler(application)
