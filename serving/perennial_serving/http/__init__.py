"""What all routes share: app, middleware, errors, parsing."""
