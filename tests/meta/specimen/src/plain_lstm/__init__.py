"""An LSTM in plain NumPy, as somebody else may have written one, and an adapter for it."""
