-- The windows that budgets hold for: whole minutes, hours, days, weeks (from Monday), months
-- and years of UTC, and "ever".

local units = require "lib.units"

local windows = {}

local EVEN = { minute = 60, hour = 3600, day = 86400 }

--- From the shortest to the longest.
windows.names = { "minute", "hour", "day", "week", "month", "year", "ever" }

local function first_of(year, month)
  return units.date(("%04d-%02d-01T00:00:00Z"):format(year, month))
end

--- Epoch seconds at which the window began that `now` is in; 0 for "ever"; nil: no such window.
function windows.start(window, now)
  if window == "ever" then return 0 end
  if EVEN[window] then return now - now % EVEN[window] end
  local civil = units.civil(now)
  if window == "month" then return first_of(civil.year, civil.month) end
  if window == "year" then return first_of(civil.year, 1) end
  if window ~= "week" then return nil end
  return now - now % 86400 - (civil.weekday - 1) * 86400
end

--- … and at which it ends; nil for "ever".
function windows.finish(window, now)
  if window == "ever" then return nil end
  local start = windows.start(window, now)
  if EVEN[window] then return start + EVEN[window] end
  if window == "week" then return start + 7 * 86400 end
  local civil = units.civil(start)
  if window == "year" then return first_of(civil.year + 1, 1) end
  if civil.month == 12 then return first_of(civil.year + 1, 1) end
  return first_of(civil.year, civil.month + 1)
end

return windows
