"""What training, serving and the operator agree on: URIs, the artifact's manifest, exit codes.

Standard library only, so that each of the three can import it at no cost, and images of other frameworks can copy it;
but for the typed documents (job/, result, facts, and schemas/ of them), which want pydantic, and storage/, which wants
boto3 and which the operator never imports.
"""
