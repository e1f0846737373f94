-- Secrets in places where they may not be: rows of tests/fire, after each of which answers,
-- log, metrics and files are searched (tests/support/invariants.lua), and what the canary specs
-- look for. MOONGATE_CANARIES=all: every file there is.

local lfs = require "lfs"
local process = require "support.process"

local ALL = os.getenv "MOONGATE_CANARIES" == "all"
local SOME = { "answers", "hostile", "oddities", "streams", "verdicts" }

local figure = {
  what = "canary secrets over the whole matrix",
  target = "0 hits in any output",
  command = (ALL and "MOONGATE_CANARIES=all " or "")
    .. "luajit tests/fire/figures.lua canaries",
}

local function files()
  local list = {}
  if not ALL then
    for _, name in ipairs(SOME) do list[#list + 1] = "tests/fire/" .. name .. "_spec.lua" end
  end
  for name in lfs.dir(ALL and "tests/fire" or "tests/live") do
    local wanted = ALL and name:find "_spec%.lua$" or name == "canary_spec.lua"
    if wanted then list[#list + 1] = (ALL and "tests/fire/" or "tests/live/") .. name end
  end
  if ALL then list[#list + 1] = "tests/live/canary_spec.lua" end
  table.sort(list)
  return list
end

function figure.take()
  local looks, hits, broken = os.tmpname(), 0, 0
  for _, path in ipairs(files()) do
    local status, out = process.run({ "busted", "-o", "plainTerminal", path },
      { seconds = 600, env = { MOONGATE_LOOKS = looks } })
    for _ in out:gmatch "INV canaries" do hits = hits + 1 end
    if path:find "canary" and status ~= 0 then hits = hits + 1 end
    if status ~= 0 then broken = broken + 1 end
  end
  local times = #process.read(looks)
  os.remove(looks)
  return ("after %d rows every answer, the log, the metrics and all files searched for the "
    .. "provider's key, the client's key and the prompt: %d hits (%d files of tests with other "
    .. "failures)"):format(times, hits, broken), hits == 0 and times > 0
end

return figure
