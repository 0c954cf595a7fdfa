"""Accounts, e-mail verification and JWT for a Django marketplace."""
