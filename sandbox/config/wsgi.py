"""The WSGI application, for servers that speak only that; v2 then runs one thread for each request."""

import os

from django.core.wsgi import get_wsgi_application
from fashionistar_common.events import event_bus
from fashionistar_common.observability.tracing import configure_tracing

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")

configure_tracing()
application = get_wsgi_application()
event_bus.verify()  # an unknown event or a field of another type is an error now, not when it happens
