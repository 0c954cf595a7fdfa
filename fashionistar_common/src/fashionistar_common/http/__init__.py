"""What both faces share: problems, pages, idempotency, identity."""
