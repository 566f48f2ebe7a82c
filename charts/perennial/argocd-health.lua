-- Health of LanguageModels, TrainingJobs and Deployments of perennial.dev, for Argo CD: docs/operations/gitops.md.
-- It uses no library that Argo CD does not give to every script.
local status = obj.status or {}
local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
end

local function is_true(type)
  return conditions[type] ~= nil and conditions[type].status == "True"
end

local function health(verdict, type)
  return {status = verdict, message = conditions[type].reason .. ": " .. conditions[type].message}
end

if status.observedGeneration ~= obj.metadata.generation or conditions.Ready == nil then
  return {status = "Progressing", message = "The operator has not observed this generation yet."}
end
if is_true("Stalled") then
  return health("Degraded", "Stalled")
end
if is_true("Reconciling") then
  return health("Progressing", "Reconciling")
end
if is_true("Ready") then
  return health("Healthy", "Ready")
end
-- What is neither ready nor in progress waits for a person: for an approval, or until it is resumed.
return health("Suspended", "Ready")
