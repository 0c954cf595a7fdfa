"""Products, variants, vendors, categories and stock for a Django marketplace."""
