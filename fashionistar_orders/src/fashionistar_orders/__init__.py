"""Cart, checkout and orders split per vendor for a Django marketplace."""
