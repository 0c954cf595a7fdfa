"""The page behind the link to unsubscribe, and the mail program's own way there (RFC 8058)."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from ..exceptions import NotFoundError
from ..notifications.preferences import read_unsubscribe_token
from ..notifications.preferences import unsubscribe as switch_off


@csrf_exempt  # a mail program posts without a cookie; the signed token is what allows it
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """Ask on GET, for programs that scan mail follow links; switch off on POST, by the button or the mail program."""
    try:
        category = switch_off(token) if request.method == "POST" else read_unsubscribe_token(token)[1]
    except NotFoundError as error:
        raise Http404 from error
    context = {"category": category, "done": request.method == "POST"}
    response = render(request, "fashionistar_common/notifications/unsubscribe.html", context)
    response["Cache-Control"] = "no-store"
    response["Referrer-Policy"] = "no-referrer"  # the address is the permission
    return response
