-- How a provider speaks a client's dialect itself, where it does: `natives` of an adapter, by
-- the dialect's name. A face may say of which deployments that holds (`speaks`).

local natives = {}

--- The face of a deployment's adapter for clients of this dialect, or nil.
function natives.of(dialect, dep)
  local adapter = dep and dep.provider and dep.provider.adapter
  local face = adapter and adapter.natives and adapter.natives[dialect]
  if not face or (face.speaks and not face.speaks(dep)) then return nil end
  return face
end

return natives
