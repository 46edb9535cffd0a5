-- Health of a ModelMaintenance. The resource follows kstatus: status.observedGeneration (-1 until the operator has looked), Ready, and
-- Stalled only while a person must act. What its reasons mean: docs/reasons.md of Model Maintenance for Kubernetes.
-- Runs, a degraded model and a Prometheus that is away are what the operator is there for: Healthy, and the message tells of them.
local status = obj.status or {}
if status.observedGeneration ~= obj.metadata.generation then
  return { status = "Progressing", message = "Waiting for the operator to look at this spec." }
end

local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
end
local absent = { status = "Unknown", message = "" }
local ready = conditions.Ready or absent
local stalled = conditions.Stalled or absent
local training = conditions.Training or absent
local degraded = conditions.Degraded or absent
local metrics = conditions.MetricsAvailable or absent

if stalled.status == "True" then
  return { status = "Degraded", message = stalled.message }
end
if ready.status ~= "True" then
  return { status = "Progressing", message = ready.message }
end
if obj.spec.suspend == true then
  return { status = "Suspended", message = "spec.suspend is true: watching, starting nothing." }
end

local told = {}
if degraded.status == "True" then
  table.insert(told, degraded.message)
end
if metrics.status == "False" then
  table.insert(told, metrics.message)
end
local decision = status.decision or {}
if status.run ~= nil then
  table.insert(told, training.message)
elseif decision.action == "Blocked" and (degraded.status == "True" or status.champion == nil) then
  table.insert(told, decision.message)
end
if #told == 0 then
  table.insert(told, ready.message)
end
return { status = "Healthy", message = table.concat(told, " ") }
