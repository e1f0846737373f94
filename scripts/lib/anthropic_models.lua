-- What Anthropic's models take, by the version in their names.

local models = {}

local NEWEST = 9900 -- a name without a version

--- 100 × major + minor: claude-3-5-haiku-20241022 → 305, claude-opus-4-20250514 → 400.
local function version(name)
  local major, minor
  for digits in name:gmatch("%d+") do
    if #digits > 2 then break end -- a date
    if major then
      minor = digits
      break
    end
    major = digits
  end
  return major and 100 * tonumber(major) + tonumber(minor or 0) or NEWEST
end

local function max_tokens(v, opus, haiku)
  if v < 305 then return 4096 end
  if v < 307 then return 8192 end
  if opus and v < 405 then return 32000 end
  if haiku or v < 406 or (v < 500 and not opus) then return 64000 end
  return 128000
end

local function thinking(v)
  if v < 307 then return nil end
  return v < 406 and "budget" or "adaptive"
end

---@class AnthropicModel
---@field version integer               100 × major + minor
---@field max_tokens integer            the most it writes; what stands when nobody says
---@field thinking "budget"|"adaptive"|nil
---@field sampling boolean              may temperature and the like be chosen?
---@field one_sampler boolean           temperature or top_p, not both
---@field schema boolean                structured output and strict tools
---@field xhigh boolean                 knows that effort

--- What the model of this name takes.
---@return AnthropicModel
function models.of(name)
  local v = version(name:match("claude.*") or name)
  local opus, haiku = name:find("opus", 1, true), name:find("haiku", 1, true)
  return {
    version = v, max_tokens = max_tokens(v, opus, haiku), thinking = thinking(v),
    sampling = v <= 406, one_sampler = v >= 401,
    schema = v >= 405 or (v == 401 and opus ~= nil), xhigh = v >= 407,
  }
end

return models
