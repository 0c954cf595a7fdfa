"""Payments and signed webhooks behind one provider interface for Django."""
