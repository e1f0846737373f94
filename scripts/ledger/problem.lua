-- What a verb of the ledger raises when it refuses: the answer its asker gets.

local problem = {}

--- Refuse. Nothing has been changed, or what has is rolled back.
---@param status 400|403|404|409
---@param code string
---@param message string   for people
---@param param? string    the field at fault
function problem.raise(status, code, message, param)
  error({ kind = code, status = status, code = code, message = message, param = param }, 0)
end

--- A field that holds what it may not.
function problem.field(name, must)
  problem.raise(400, "invalid_value", name .. " " .. must, name)
end

--- More than whoever asks may give away.
function problem.not_permitted(name, message)
  problem.raise(403, "not_permitted", message, name)
end

--- Absent, or somebody else's: one answer, so that nobody learns which.
function problem.not_found(what)
  problem.raise(404, "not_found", "there is no such " .. what)
end

return problem
