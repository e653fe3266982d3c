"""Simulations that come with Headway; `headway run town` runs one of them."""
