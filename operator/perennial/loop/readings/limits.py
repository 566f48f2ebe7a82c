"""Limits of the reader. Times are in seconds; the period of an object's reconciles is decide.readings.PERIOD, 15 s."""

# Queries at a time, over all servers. A Prometheus evaluates 20 at a time by default, and has other users.
PLACES = 8

# For one query, with its connection. Prometheus itself gives up after 120 s by default.
DEADLINE = 5.0

# Between two readings of a query. Less than PERIOD, so that the reconcile that a new value causes replaces the
# periodic one instead of coming beside it.
REFRESH = 10.0

# How long a value counts: two times REFRESH and DEADLINE, so that one lost reading changes nothing.
LONGEST_AGE = 30.0

# Failures in a row after which the breaker of a namespace opens. A few slow queries among answered ones don't open it.
FAILURES = 5

# Between two queries to a server whose breaker is open. More than DEADLINE, so that they never overlap; and so short
# that while slow queries open the breaker again and again, the values of the others don't become too old.
PAUSE = 15.0

# By how much a query that failed itself comes later then: whether the server works is better asked by another one.
HEAD_START = 1.0

# How long a query is kept after an object has last wanted it: twice the longest back-off of a reconcile.
KEPT = 120.0
