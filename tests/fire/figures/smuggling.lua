-- The smuggling corpus (rows S-01 to S-07) and MOONGATE_HEADS fuzzed requests (100,000; 10⁷ by
-- hand), each compared with a strict reader: what is served, and how long its body is.

local helper = require "helper"
local process = require "support.process"
local world = require "fire.figures.world"

local HEADS = world.size("MOONGATE_HEADS", 100000)
local FUZZER = "build/fuzz/tests/fuzz_head"

-- What busted says of files: passed, failed.
local function rows(files, filter)
  local _, out = process.run({
    "busted", "-o", "plainTerminal", "--filter=" .. filter, unpack(files),
  }, { seconds = 300 })
  local passed, failed, broken = out:match "(%d+) success%S* / (%d+) failures? / (%d+) errors?"
  return tonumber(passed) or 0, (tonumber(failed) or 1) + (tonumber(broken) or 0)
end

-- Runs, and whether one of them disagreed. The fuzzer stops at the first.
local function fuzz()
  local made = os.execute("make -s VARIANT=fuzz " .. FUZZER .. " >/dev/null 2>&1")
  if made ~= 0 then return nil end
  local dir = process.temp_dir()
  local status, _, err = process.run({
    FUZZER, "-runs=" .. HEADS, "-seed=1", "-max_len=4096", "-print_final_stats=1",
    "-dict=tests/fuzz/dict/head.dict", "-artifact_prefix=tests/fuzz/crashes/head-", dir,
    "tests/fuzz/corpus/head",
  }, { seconds = 36000 })
  helper.remove_tree(dir)
  return tonumber(err:match "number_of_executed_units:%s*(%d+)") or 0, status == 0 and 0 or 1
end

local figure = {
  what = "smuggling corpus and 10⁷ fuzzed heads",
  target = "0 disagreements on body length",
  command = ("MOONGATE_HEADS=%d luajit tests/fire/figures.lua smuggling"):format(HEADS),
}

function figure.take()
  local passed, failed = rows({ "tests/live/framing_spec.lua" }, "S%-0")
  local shared, mixed = rows({ "tests/fire/front_spec.lua" }, "S%-07")
  local runs, disagreed = fuzz()
  local text = ("%d of %d rows of the corpus refused or read alike; %d proxies in front: %d "
    .. "mixed answers; "):format(passed, passed + failed, shared, mixed)
  if not runs then return text .. "no clang here for the fuzzer", nil end
  return text .. ("%d fuzzed requests: %d disagreements"):format(runs, disagreed),
    failed + mixed + disagreed == 0 and passed > 0
end

return figure
