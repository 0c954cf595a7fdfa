"""The full-text document of a product, on PostgreSQL only.

A generated column cannot read the names of the vendor and the categories, so triggers keep the column. They hold
for every writer: services, bulk imports and hand-written SQL. On other databases this migration does nothing.
"""

from django.db import migrations

FORWARDS = """
ALTER TABLE fashionistar_catalog_product ADD COLUMN search_document tsvector NOT NULL DEFAULT ''::tsvector;

CREATE FUNCTION fashionistar_catalog_product_document() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.search_document :=
        setweight(to_tsvector('english', NEW.name), 'A')
        || setweight(to_tsvector('english', concat_ws(' ',
            NEW.brand,
            (SELECT name FROM fashionistar_catalog_vendor WHERE id = NEW.vendor_id),
            (SELECT concat_ws(' ', name, replace(path, '/', ' '))
                FROM fashionistar_catalog_category WHERE id = NEW.category_id))), 'B')
        || setweight(to_tsvector('english', left(NEW.description, 100000)), 'C');
    RETURN NEW;
END
$$;

CREATE TRIGGER fashionistar_catalog_product_document
    BEFORE INSERT OR UPDATE OF name, brand, description, vendor_id, category_id
    ON fashionistar_catalog_product
    FOR EACH ROW EXECUTE FUNCTION fashionistar_catalog_product_document();

CREATE FUNCTION fashionistar_catalog_renamed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME = 'fashionistar_catalog_vendor' THEN
        UPDATE fashionistar_catalog_product SET name = name WHERE vendor_id = NEW.id;
    ELSE
        UPDATE fashionistar_catalog_product SET name = name WHERE category_id = NEW.id;
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER fashionistar_catalog_vendor_renamed
    AFTER UPDATE OF name ON fashionistar_catalog_vendor
    FOR EACH ROW WHEN (OLD.name IS DISTINCT FROM NEW.name)
    EXECUTE FUNCTION fashionistar_catalog_renamed();

CREATE TRIGGER fashionistar_catalog_category_renamed
    AFTER UPDATE OF name, path ON fashionistar_catalog_category
    FOR EACH ROW WHEN ((OLD.name, OLD.path) IS DISTINCT FROM (NEW.name, NEW.path))
    EXECUTE FUNCTION fashionistar_catalog_renamed();

UPDATE fashionistar_catalog_product SET name = name;

CREATE INDEX catalog_product_search ON fashionistar_catalog_product USING gin (search_document);
"""

BACKWARDS = """
DROP TRIGGER fashionistar_catalog_category_renamed ON fashionistar_catalog_category;
DROP TRIGGER fashionistar_catalog_vendor_renamed ON fashionistar_catalog_vendor;
DROP TRIGGER fashionistar_catalog_product_document ON fashionistar_catalog_product;
DROP FUNCTION fashionistar_catalog_renamed();
DROP FUNCTION fashionistar_catalog_product_document();
ALTER TABLE fashionistar_catalog_product DROP COLUMN search_document;
"""


class PostgreSQLOnly(migrations.RunSQL):
    """SQL that runs on PostgreSQL and is skipped elsewhere."""

    def _run_sql(self, schema_editor, sqls):
        if schema_editor.connection.vendor == "postgresql":
            super()._run_sql(schema_editor, sqls)


class Migration(migrations.Migration):
    dependencies = [("fashionistar_catalog", "0001_initial")]

    operations = [PostgreSQLOnly(FORWARDS, BACKWARDS)]
