-- What lib/tokens says of recorded requests, beside what their providers reported: a table by
-- family. `luajit tests/tokens/table.lua [all]`

package.path = "./scripts/?.lua;./tests/?.lua;" .. package.path
package.cpath = "./build/tests/?.so;" .. package.cpath
require "engine"

local exchanges = require "tokens.exchanges"
local tokens = require "lib.tokens"

local FOLDER = os.getenv "MOONGATE_TRAFFIC" or "../shared/traffic"
local APART = {
  "vision", "document", "server_tools", "mcp", "tool_search", "stored_prompt", "server_state",
  "audio_in", "video_in", "thinking_replay", "citations",
}

local all = arg and arg[1] == "all"
local profiles, groups, order = tokens.profiles(), {}, {}

local function is_apart(one)
  for _, name in ipairs(APART) do
    if one.has(name) then return name end
  end
end

for _, one in ipairs(exchanges.all(FOLDER)) do
  local profile = profiles:of(one.model)
  local n, about = tokens.count_doc(one.doc, profile)
  local tools = one.has "tools" or one.has "json_schema"
  local name = profile.family.kind .. (tools and " + tools" or "")
  local apart = is_apart(one)
  if apart then name = "apart: " .. (about.images and "images, files" or apart) end
  local group = groups[name]
  if not group then
    group = { name = name, errors = {}, within = 0 }
    groups[name], order[#order + 1] = group, name
  end
  local off = n - one.reported
  group.errors[#group.errors + 1] = math.abs(off) / one.reported
  if about.low <= one.reported and one.reported <= about.high then group.within = group.within + 1 end
  if all then
    print(("%-40s %6d counted %6d %+5d %5.1f%% [%d %d] %s %s"):format(name, one.reported, n, off,
      100 * off / one.reported, about.low, about.high, one.model:sub(-24), one.file:match "[^/]*$":sub(1,46)))
  end
end

table.sort(order)
print "| family | requests | median error | 90 % | worst | within bounds |"
print "| --- | --- | --- | --- | --- | --- |"
for _, name in ipairs(order) do
  local e = groups[name].errors
  table.sort(e)
  print(("| %s | %d | %.1f %% | %.1f %% | %.1f %% | %d |"):format(name, #e,
    100 * e[math.ceil(#e / 2)], 100 * e[math.ceil(#e * 0.9)], 100 * e[#e], groups[name].within))
end
