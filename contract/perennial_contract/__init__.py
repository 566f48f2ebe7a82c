"""What training, serving and the operator agree on: URIs, the artifact's manifest, exit codes.

Standard library only, so that each of the three can import it at no cost; but for job/, which wants pydantic, and
storage/, which wants boto3 and which the operator never imports.
"""
