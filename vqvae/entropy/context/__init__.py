"""The context model: a small network of integers predicts each index from its neighbours."""
