{{/* The names of all objects begin with this: the release's name, with the chart's unless it holds it. */}}
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

{{/* An image by its role: a list of the root and operator, training or serving. */}}
{{- define "perennial.image" -}}
{{- $root := first . -}}
{{- $role := last . -}}
{{- with $root.Values.image -}}
{{- get . $role | default (printf "%s/%s:%s" .registry $role .tag) -}}
{{- end -}}
{{- end -}}

{{/* What the operator may do with objects of the namespaces that it serves: no wildcard, no Secret. */}}
{{- define "perennial.rules" -}}
- apiGroups: [perennial.dev]
  resources: [languagemodels]
  verbs: [get, list, watch]
# A LanguageModel makes its TrainingJobs and its Deployment.
- apiGroups: [perennial.dev]
  resources: [trainingjobs, deployments]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [perennial.dev]
  resources: [languagemodels/status, trainingjobs/status, deployments/status]
  verbs: [patch]
# To be named as an owner that waits for its children (blockOwnerDeletion), where that is enforced (OpenShift).
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
# Results are in the pods' termination messages, progress in their logs.
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
- apiGroups: [""]
  resources: [pods/log, persistentvolumeclaims]
  verbs: [get]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
# Why the pods of a Job can't be made (a quota, say) is in the Events of the Job controller only.
- apiGroups: [""]
  resources: [events]
  verbs: [list]
# Its own Lease, whose renewals prove that events flow; the watch looks for it wherever it looks for all else.
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [{{ include "perennial.fullname" . }}]
  verbs: [list, watch]
{{- end -}}

{{- define "perennial.subjects" -}}
- kind: ServiceAccount
  name: {{ include "perennial.serviceAccountName" . }}
  namespace: {{ .Release.Namespace }}
{{- end -}}
