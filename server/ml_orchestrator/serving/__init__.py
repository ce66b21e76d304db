"""Loading verified models and predicting with them."""
