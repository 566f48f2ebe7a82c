"""HTTP: the application, its middleware, errors, parsing."""
