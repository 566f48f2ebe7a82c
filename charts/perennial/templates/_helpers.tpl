{{- define "perennial.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 53 | trimSuffix "-" -}}
{{- end -}}

{{/* Prefix of all names: the name of the release, and that of the chart unless the former contains it. */}}
{{- define "perennial.fullname" -}}
{{- $name := include "perennial.name" . -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- .Values.fullnameOverride | default $full | trunc 53 | trimSuffix "-" -}}
{{- end -}}

{{- define "perennial.selectorLabels" -}}
app.kubernetes.io/name: {{ include "perennial.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end -}}

{{/* Labels of the pod of `helm test`. */}}
{{- define "perennial.testLabels" -}}
{{- include "perennial.selectorLabels" . | fromYaml | merge (dict "app.kubernetes.io/component" "test") | toYaml -}}
{{- end -}}

{{/* Labels of every object; the argument is the root context. */}}
{{- define "perennial.labels" -}}
{{- include "perennial.labelsWith" (list . dict) -}}
{{- end -}}

{{/* The same, and further ones; the argument is a list of the root context and a map. */}}
{{- define "perennial.labelsWith" -}}
{{- $root := first . -}}
{{- $own := include "perennial.selectorLabels" $root | fromYaml -}}
{{- $own = set $own "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_") -}}
{{- $own = set $own "app.kubernetes.io/version" $root.Chart.AppVersion -}}
{{- $own = set $own "app.kubernetes.io/managed-by" $root.Release.Service -}}
{{- merge (dict) (last .) $own ($root.Values.commonLabels | default dict) | toYaml -}}
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

{{/* The file of --prometheus-config: what is set of prometheus, but for the URL and the Secret. */}}
{{- define "perennial.prometheusConfig" -}}
{{- $config := dict -}}
{{- range $key, $value := omit .Values.prometheus "url" "existingSecret" -}}
{{- if $value }}{{ $_ := set $config $key $value }}{{ end -}}
{{- end -}}
{{- if and (or $config .Values.prometheus.existingSecret) (not .Values.prometheus.url) -}}
{{- fail "prometheus.url must be set with the other values of prometheus" -}}
{{- end -}}
{{- if and .Values.prometheus.existingSecret (not $config) -}}
{{- fail "prometheus.existingSecret has no effect unless another value of prometheus names a file of it" -}}
{{- end -}}
{{- with $config }}{{ toYaml . }}{{ end -}}
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
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
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

{{/*
CEL: of each block of an object that shapes pods what only those may say who may run pods. The argument is the object;
all three kinds have the same fields at one of these places.
*/}}
{{- define "perennial.policy.shape" -}}
[{{ . }}.?spec, {{ . }}.?spec.?training, {{ . }}.?spec.?deployment].filter(block, block.hasValue()).map(block, [
  block.?pod.orValue({}),
  block.?runtime.?image.orValue(''),
  block.?runtime.?command.orValue([]),
  block.?runtime.?args.orValue([]),
  dyn((block.?data.?train.orValue([]) + [block.?data.?validation.orValue({})])
    .map(source, source.?uri.orValue('')).filter(uri, uri.startsWith('file:')))])
{{- end -}}
