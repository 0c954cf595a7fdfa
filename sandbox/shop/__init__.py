"""The sandbox's own shop: what it sells on the first day."""
