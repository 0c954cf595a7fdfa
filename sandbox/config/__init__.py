"""The marketplace: five apps, composed."""
