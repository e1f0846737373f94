-- A provider that serves models of several families, each in a dialect of its own. Its adapter
-- lists them: families = { { name = "claude", models = { "^claude" }, adapter = … }, … }. A
-- deployment's `family` names one; else the first counts whose patterns know its model; else it
-- is the adapter itself that speaks.

local families = {}

local NONE = {}

local function covers(family, dep)
  if dep.family then return dep.family == family.name end
  for _, pattern in ipairs(family.models or NONE) do
    if dep.model:find(pattern) then return true end
  end
  return false
end

--- Which adapter speaks for a deployment.
function families.adapter(adapter, dep)
  for _, family in ipairs(adapter.families or NONE) do
    if covers(family, dep) then return family.adapter or adapter end
  end
  return adapter
end

--- The provider as a deployment sees it: with the adapter that speaks for its model. What a `*`
--- stands for is not known before a request comes.
function families.provider(provider, dep)
  if not (provider and provider.adapter) or dep.wildcard then return provider end
  local adapter = families.adapter(provider.adapter, dep)
  if adapter == provider.adapter then return provider end
  return setmetatable({ adapter = adapter }, { __index = provider })
end

--- The names a deployment's `family` may have; nil where there is one family only.
function families.names(adapter)
  if not adapter.families then return nil end
  local names = {}
  for i, family in ipairs(adapter.families) do names[i] = family.name end
  return names
end

return families
