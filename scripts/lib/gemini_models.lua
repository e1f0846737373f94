-- What Gemini's models take, by the version in their names.

local models = {}

local NEWEST = 99 -- gemini-flash-latest and other names without a version

---@class GeminiModel
---@field json_schema boolean            takes JSON Schema as it is
---@field thinking "budget"|"level"|nil  how its thinking is limited
---@field signatures boolean             refuses calls of tools without their signatures
---@field ids boolean                    names calls of tools by id
---@field least_budget integer           thinking cannot be limited below
---@field most_budget integer

--- What the model of this name takes.
---@return GeminiModel
function models.of(name)
  local version = tonumber(name:match("gemini%-(%d+%.?%d*)")) or name:find("gemini", 1, true)
    and NEWEST or 1
  local pro = name:find("pro", 1, true) ~= nil
  return {
    json_schema = version >= 2.5,
    thinking = version >= 3 and "level" or version >= 2.5 and "budget" or nil,
    signatures = version >= 3, ids = version >= 3, pro = pro,
    least_budget = pro and 128 or 0, most_budget = pro and 32768 or 24576,
  }
end

return models
