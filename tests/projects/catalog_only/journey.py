"""What this project must answer; `call` is tests/packaging/calling.py."""

#: Run with `python -m django` before the server starts; twice, for an import changes nothing the second time.
COMMANDS = [["import_products", "products.csv", "--format", "shopify"]] * 2
ENVIRONMENT = {}


def journey(call):
    """The imported products are listed, searched, filtered and shown, alike in both versions."""
    for path in ("/products", "/products?q=dress", "/products?in_stock=true&sort=price", "/categories", "/vendors"):
        first, second = call("GET", f"/api/v1/catalog{path}"), call("GET", f"/api/v2/catalog{path}")
        assert first == second, (path, first, second)
    products = call("GET", "/api/v2/catalog/products")["results"]
    assert {product["slug"] for product in products} == {"adire-wrap-dress", "tan-belt"}, products
    found = call("GET", "/api/v2/catalog/products?q=dress")["results"]
    assert [product["slug"] for product in found] == ["adire-wrap-dress"], found
    for version in ("v1", "v2"):
        detail = call("GET", f"/api/{version}/catalog/products/adire-wrap-dress")
        assert len(detail["variants"]) == 2, detail
        assert call("GET", f"/api/{version}/catalog/products/none", status=404)["status"] == 404
        call("GET", f"/api/{version}/catalog/products?cursor=nonsense", status=422)
