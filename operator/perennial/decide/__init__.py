"""The product's logic, pure: decide(spec, observed, now) -> Outcome. No I/O, no clock, no randomness."""
