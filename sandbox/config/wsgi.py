"""The WSGI application, for servers that speak only that; v2 then runs one thread for each request."""

import os

from django.core.wsgi import get_wsgi_application
from fashionistar_common.observability.tracing import configure_tracing

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")

configure_tracing()
application = get_wsgi_application()
