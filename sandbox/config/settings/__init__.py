"""Settings of the sandbox: ``base`` and what development, production and tests change in it."""
