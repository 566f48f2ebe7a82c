"""Every label and annotation that Perennial sets or reads, its API version, and its field managers."""

from perennial.api import GROUP, VERSION

API_VERSION = f"{GROUP}/{VERSION}"

# Field managers of server-side apply. The second one writes the conditions of an object that can't be parsed:
# an apply under the first would drop every status field that it does not name.
FIELD_MANAGER = "perennial"
UNREADABLE_FIELD_MANAGER = "perennial-unreadable"

# Labels of everything that Perennial makes; the watch selects by the first.
MANAGED_BY = {"app.kubernetes.io/managed-by": "perennial"}
OWNER_KIND = f"{GROUP}/owner-kind"
OWNER_NAME = f"{GROUP}/owner-name"

# Labels of pods.
TRAINING_JOB = f"{GROUP}/training-job"
DEPLOYMENT = f"{GROUP}/deployment"
MODEL_VERSION = f"{GROUP}/version"

# Annotation: generation of the Deployment that an apps/v1 Deployment was built from.
GENERATION = f"{GROUP}/generation"
# Annotations of an apps/v1 Deployment: digests of the spec's fields that shape its pods, and of the pod template as it
# was built; and which change the template was last built for, Spec or Defaults.
POD_SPEC = f"{GROUP}/pod-spec"
POD_TEMPLATE = f"{GROUP}/pod-template"
BUILT_FOR = f"{GROUP}/built-for"
# Annotation: digest of the manifest that an object was applied from.
MANIFEST_HASH = f"{GROUP}/manifest-hash"

# Set by the Job controller on each pod of an Indexed Job.
JOB_COMPLETION_INDEX = "batch.kubernetes.io/job-completion-index"
# Kueue: the queue of a Job, and the uid of the Job on its Workload.
KUEUE_QUEUE_NAME = "kueue.x-k8s.io/queue-name"
KUEUE_JOB_UID = "kueue.x-k8s.io/job-uid"
