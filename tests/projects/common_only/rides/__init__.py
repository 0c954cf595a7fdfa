"""Rides: an app of somebody else's, built on fashionistar_common alone."""
