"""Prints real text that every Python brings along: the topics of the Python language reference (0.5 MB).

python3 examples/data/reference.py > corpus.txt
kubectl create configmap python-reference --from-file=corpus.txt
"""

from pydoc_data.topics import topics

for name in sorted(topics):
    print(topics[name].strip(), end="\n\n")
