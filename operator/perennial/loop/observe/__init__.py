"""What a decision looks at, read from the cache, and from the server where the cache is not enough.

One module for each kind; each has an `observe` that returns the kind's Observed. What must be known is decided by
`needs` in perennial.decide.
"""
