-- What a text in a request to the admin API may look like: one test each, and the regular
-- expression that the OpenAPI description shows for it.

local units = require "lib.units"

local formats = {}

local DAY_OR_SECOND = "^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)?$"
local GROUPS = {
  "key", "team", "model", "group", "provider", "deployment", "user", "outcome", "day", "hour",
}

-- Letters that SQL, shells, logs and terminals give a meaning have no place in a name.
local function is_name(text)
  return text:find("^[%w][%w ._@:/+-]*$") ~= nil and text:sub(-1) ~= " "
end

local function is_when(text)
  return units.duration(text) ~= nil or units.date(text) ~= nil
end

formats.name = {
  is = is_name, most = 64, say = "1 to 64 letters, digits, spaces and ._@:/+- (a letter or "
    .. "digit first)",
  pattern = "^[A-Za-z0-9]([A-Za-z0-9 ._@:/+-]{0,62}[A-Za-z0-9._@:/+-])?$", example = "search",
}

formats.tag_name = {
  is = function(text) return text:find("^[%w_.-]+$") ~= nil and text ~= "team" end, most = 64,
  say = "1 to 64 letters, digits and _.- (the team is a field of its own)",
  pattern = "^[A-Za-z0-9_.-]{1,64}$", example = "tier",
}

formats.model = {
  is = function(text) return text:find("^[%w*][%w ._@:/+*-]*$") ~= nil end, most = 128,
  say = "a model's name, or a pattern such as openai/*",
  pattern = "^[A-Za-z0-9*][A-Za-z0-9 ._@:/+*-]{0,127}$", example = "gpt-4o",
}

formats.budget = {
  is = function(text) return units.budget(text) ~= nil end, most = 40,
  say = 'dollars a window, such as "$500/month", or for ever: "$500"',
  pattern = "^\\$[0-9]+(\\.[0-9]{1,9})?(/(minute|hour|day|week|month|year))?$",
  example = "$500/month",
}

formats.date = {
  is = function(text) return units.date(text) ~= nil end, most = 20,
  say = "a day (its end, UTC) or a second: 2026-12-31 or 2026-12-31T18:00:00Z",
  pattern = DAY_OR_SECOND, example = "2026-12-31T18:00:00Z",
}

formats.duration = {
  is = function(text) return units.duration(text) ~= nil end, most = 20,
  say = "a duration such as 90s, 24h or 7d, a year at most",
  pattern = "^([0-9]+(\\.[0-9]+)?(ms|s|m|h|d))+$", example = "24h",
}

formats.when = {
  is = is_when, most = 20, say = "how long ago (30m, 24h, 7d), or a date such as 2026-11-01",
  pattern = "^(([0-9]+(\\.[0-9]+)?(ms|s|m|h|d))+|" .. DAY_OR_SECOND:sub(2, -2) .. ")$",
  example = "7d",
}

formats.by = {
  is = function(text)
    for _, word in ipairs(GROUPS) do
      if text == word then return true end
    end
    local tag = text:match("^tag:(.+)$")
    return tag ~= nil and #tag <= 64 and tag:find("^[%w_.-]+$") ~= nil
  end,
  most = 68, say = "key, team, model, group, provider, deployment, user, outcome, day, hour or "
    .. "tag:NAME",
  words = GROUPS, -- of which a wrong one was probably meant to be
  pattern = "^(key|team|model|group|provider|deployment|user|outcome|day|hour|tag:.{1,64})$",
  example = "team",
}

formats.tag = {
  is = function(text)
    local name, value = text:match("^([^=]+)=(.+)$")
    return name ~= nil and #name <= 64 and name:find("^[%w_.-]+$") ~= nil and is_name(value)
  end,
  most = 129, say = "NAME=VALUE", pattern = "^[^=]{1,64}=.{1,64}$", example = "tier=batch",
}

-- What clients call their users is theirs to choose: anything but control characters.
formats.text = {
  is = function(text) return not text:find("[%z\1-\31\127]") end, most = 256,
  say = "1 to 256 characters, none of them a control character",
  pattern = "^[^\\u0000-\\u001f\\u007f]{1,256}$", example = "user-17",
}

formats.id = {
  is = function(text) return text:find("^[%w_-]+$") ~= nil end, most = 64,
  say = "an id as the list shows it", pattern = "^[A-Za-z0-9_-]{1,64}$",
  example = "k3vq7m2xw9ta",
}

-- LiteLLM's: the token itself, or our id.
formats.token = {
  is = function(text) return text:find("^[%w_-]+$") ~= nil end, most = 128,
  say = "a key, or its id", pattern = "^[A-Za-z0-9_-]{1,128}$", example = "k3vq7m2xw9ta",
}

return formats
