"""The pages that show the API to people. Every file they load is ours, and nothing in them is inline."""

from typing import Any

from django.views.generic import TemplateView


class DocsPage(TemplateView):
    """One version's interactive documentation.

    Args (of ``as_view``):
        title: The heading of the page.
        schema: The name of the URL that serves the version's OpenAPI document.
    """

    template_name = "config/docs.html"
    title = ""
    schema = ""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the title and the schema's URL name."""
        return super().get_context_data(title=self.title, schema=self.schema, **kwargs)
