-- Builds under a sanitizer (make asan, make tsan). What their programs report fails the test
-- that runs, wherever they write and however they end; and what such a build cannot show is
-- said here, once each, with the reason, and printed wherever it is left out.

local ffi = require "ffi"
local lfs = require "lfs"
local process = require "support.process"

local KIND = (os.getenv "MOONGATE_BIN" or "build/moongate"):match "([at]san)/"

local sanitizer = { on = KIND ~= nil }
local said = {} -- what was not shown

-- Claims of tests that hold in every other build.
local REASONS = {
  memory = "what was freed is kept a while, all has its shadow, and nothing is given back",
  speed = "every access is looked at, which takes several times as long",
  confinement = "who looks for leaks traces its own process, and a report asks another program "
    .. "for names: such a build gives nothing up",
  release = "how the binary was built is asked of the release",
}

-- Aborts, so that a report is never an exit status that a test expects. The reports of whoever
-- is started go to files: a test may have closed standard error, or filled it.
local OPTIONS = {
  asan = {
    ASAN_OPTIONS = "abort_on_error=1:verify_asan_link_order=0:log_path=%s/report",
    UBSAN_OPTIONS = "print_stacktrace=1",
  },
  tsan = { TSAN_OPTIONS = "exitcode=66:log_path=%s/report" },
}

-- The names of the folder's reports, sorted.
local function names_in(folder)
  local names = {}
  for name in lfs.dir(folder) do
    if name:find "^report%." then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

--- What is reported in a folder: a function that returns what is new there, or nil. A process
--- that lives on adds to its file.
function sanitizer.reader(folder)
  local read = {} -- name → bytes
  return function()
    local texts = {}
    for _, name in ipairs(names_in(folder)) do
      local text = process.read(folder .. "/" .. name)
      if #text > (read[name] or 0) then texts[#texts + 1] = text:sub((read[name] or 0) + 1) end
      read[name] = #text
    end
    return texts[1] and table.concat(texts, "\n")
  end
end

-- One who started us has a folder already, and looks there as well.
local function begin()
  local folder = os.getenv "MOONGATE_REPORTS"
  if not folder then
    folder = process.temp_dir()
    ffi.C.setenv("MOONGATE_REPORTS", folder, 1)
    sanitizer.own = folder
  end
  for name, options in pairs(OPTIONS[KIND]) do
    local given = os.getenv(name)
    ffi.C.setenv(name, (given and given .. ":" or "") .. options:format(folder), 1)
  end
  sanitizer.take = sanitizer.reader(folder)
end

--- Is there a report in a text?
function sanitizer.is_report(text)
  return text:find("Sanitizer", 1, true) ~= nil or text:find("runtime error:", 1, true) ~= nil
end

--- What was reported since this was last asked, or nil.
function sanitizer.take() return nil end

--- Raises what was reported since this was last asked, also in a log: who has no descriptor
--- left cannot open a file.
function sanitizer.look(log)
  local text = sanitizer.take()
  if not text and type(log) == "string" and sanitizer.is_report(log) then text = log end
  if text then
    error(("a sanitizer reports (%s):\n%s"):format(sanitizer.test or "?", text), 0)
  end
end

--- An environment for whom a test is going to send SIGSEGV: that is no finding.
function sanitizer.struck()
  local env = {}
  for name in pairs(OPTIONS[KIND] or {}) do env[name] = os.getenv(name) .. ":handle_segv=0" end
  return env
end

--- Forget the folder, where it is ours.
function sanitizer.finish()
  if not sanitizer.own then return end
  for _, name in ipairs(names_in(sanitizer.own)) do os.remove(sanitizer.own .. "/" .. name) end
  lfs.rmdir(sanitizer.own)
end

--- Is a claim to be looked at (of the running test, where no other subject is named)? Yes, but
--- of a sanitized build, where the reasons above say no: that is printed, and
--- tests/tools/run.sh prints it again at its end, each once.
function sanitizer.shows(claim, subject)
  local why = assert(REASONS[claim], claim)
  subject = subject or sanitizer.test or "?"
  if sanitizer.on and not said[subject .. claim] then
    said[subject .. claim] = true
    print(("\nnot shown by this build: %s: %s (%s)"):format(subject, claim, why))
  end
  return not sanitizer.on
end

--- The reason, for a row that has nothing left to show.
function sanitizer.why(claim) return "under a sanitizer: " .. REASONS[claim] end

if sanitizer.on then begin() end

return sanitizer
