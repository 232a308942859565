"""A saved model behind HTTP: validated, batched, measured, stopped gracefully. Needs the extra `modelyard[serve]`."""
