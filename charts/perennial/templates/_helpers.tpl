{{/* Prefix of all names: the name of the release, and that of the chart unless the former contains it. */}}
{{- define "perennial.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 53 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 53 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "perennial.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end -}}

{{- define "perennial.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "perennial.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "perennial.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (include "perennial.fullname" .) -}}
{{- end -}}

{{/* One Lease for all releases that watch the whole cluster; one for each release that watches some namespaces. */}}
{{- define "perennial.leaseNamespace" -}}
{{- .Values.leaderElection.namespace | default (.Values.watchNamespaces | empty | ternary "kube-system" .Release.Namespace) -}}
{{- end -}}

{{- define "perennial.leaseName" -}}
{{- $own := include "perennial.fullname" . -}}
{{- .Values.leaderElection.name | default (.Values.watchNamespaces | empty | ternary "perennial-operator" $own) -}}
{{- end -}}

{{/* Reference of an image; the argument is a list of the root context and operator, training or serving. */}}
{{- define "perennial.image" -}}
{{- $root := first . -}}
{{- $role := last . -}}
{{- with $root.Values.image -}}
{{- get . $role | default (printf "%s/%s:%s" .registry $role .tag) -}}
{{- end -}}
{{- end -}}

{{/* Permissions in the watched namespaces: no wildcard, no Secret. */}}
{{- define "perennial.rules" -}}
- apiGroups: [perennial.dev]
  resources: [languagemodels]
  verbs: [get, list, watch]
# A LanguageModel owns its TrainingJobs and its Deployment.
- apiGroups: [perennial.dev]
  resources: [trainingjobs, deployments]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [perennial.dev]
  resources: [languagemodels/status, trainingjobs/status, deployments/status]
  verbs: [patch]
# For ownerReferences with blockOwnerDeletion, where their permission is enforced (OpenShift).
- apiGroups: [perennial.dev]
  resources: [languagemodels/finalizers, trainingjobs/finalizers, deployments/finalizers]
  verbs: [update]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [services, configmaps]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
# Results are in the termination messages of pods, progress in their logs.
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
- apiGroups: [""]
  resources: [pods/log, persistentvolumeclaims]
  verbs: [get]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
# Why the Job controller can't create pods (a quota, for example) is in its Events only.
- apiGroups: [""]
  resources: [events]
  verbs: [list]
# Its own Lease: the renewals prove that watch events arrive.
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [{{ include "perennial.leaseName" . | quote }}]
  verbs: [list, watch]
{{- end -}}

{{- define "perennial.subjects" -}}
- kind: ServiceAccount
  name: {{ include "perennial.serviceAccountName" . }}
  namespace: {{ .Release.Namespace }}
{{- end -}}
