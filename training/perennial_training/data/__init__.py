"""From the URIs of a job's data to examples: what is learned from, and what is held out."""
