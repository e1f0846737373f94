-- Written units: "30s", "$500/month", "2026-12-31"; and the same back as text.

local money = require "lib.money"

local units = {}

local SECONDS = { ms = 0.001, s = 1, m = 60, h = 3600, d = 86400 }
local WINDOWS = {
  minute = true, hour = true, day = true, week = true, month = true, year = true,
}
local LONGEST = 366 * 86400

--- "250ms", "1.5s", "1m30s" → seconds | nil
function units.duration(text)
  if type(text) ~= "string" then return nil end
  local total, at = 0, 1
  while at <= #text do
    local number, unit, after = text:match("^(%d+%.?%d*)(%a+)()", at)
    if not number or not SECONDS[unit] then return nil end
    total, at = total + tonumber(number) * SECONDS[unit], after
  end
  if at == 1 or total > LONGEST then return nil end
  return total
end

--- "$500/month", "$20" → { nano = integer nano-dollars, window = "month" | nil } | nil
function units.budget(text)
  if type(text) ~= "string" then return nil end
  local amount, rest = text:match("^%$(%d+%.?%d*)(.*)$")
  local nano = amount and money.nano(amount)
  if not nano then return nil end
  if rest == "" then return { nano = nano } end
  local window = rest:match("^/(%a+)$")
  if not WINDOWS[window] then return nil end
  return { nano = nano, window = window }
end

-- Days from 1970-01-01 to a civil date, in the Gregorian calendar.
local function days(year, month, day)
  if month <= 2 then year, month = year - 1, month + 12 end
  local era = math.floor(year / 400)
  local of_era = year - era * 400
  local of_year = math.floor((153 * (month - 3) + 2) / 5) + day - 1
  return era * 146097 + of_era * 365 + math.floor(of_era / 4) - math.floor(of_era / 100)
    + of_year - 719468
end

local function month_length(year, month)
  return days(month == 12 and year + 1 or year, month % 12 + 1, 1) - days(year, month, 1)
end

local function midnight(text)
  local year, month, day = text:match("^(%d%d%d%d)%-(%d%d)%-(%d%d)")
  year, month, day = tonumber(year), tonumber(month), tonumber(day)
  if not year or month < 1 or month > 12 or day < 1 then return nil end
  if day > month_length(year, month) then return nil end
  return days(year, month, day) * 86400
end

--- "2026-12-31" → the end of that day, UTC; "2026-12-31T18:00:00Z" → that second; else nil
function units.date(text)
  local start = type(text) == "string" and midnight(text)
  if not start then return nil end
  if #text == 10 then return start + 86400 end
  local hour, minute, second = text:match("^T(%d%d):(%d%d):(%d%d)Z$", 11)
  hour, minute, second = tonumber(hour), tonumber(minute), tonumber(second)
  if not hour or hour > 23 or minute > 59 or second > 59 then return nil end
  return start + hour * 3600 + minute * 60 + second
end

--- Epoch seconds → { year, month, day, hour, minute, second, weekday (Monday is 1) }, UTC
function units.civil(epoch)
  local count = math.floor(epoch / 86400)
  local z = count + 719468
  local era = math.floor(z / 146097)
  local doe = z - era * 146097
  local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524)
    - math.floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  local mp = math.floor((5 * doy + 2) / 153)
  local month = mp < 10 and mp + 3 or mp - 9
  local rest = math.floor(epoch - count * 86400)
  return {
    year = yoe + era * 400 + (month <= 2 and 1 or 0),
    month = month,
    day = doy - math.floor((153 * mp + 2) / 5) + 1,
    hour = math.floor(rest / 3600),
    minute = math.floor(rest % 3600 / 60),
    second = rest % 60,
    weekday = (count + 3) % 7 + 1,
  }
end

--- 0.25 → "250 ms", 90 → "90 s", 300 → "5 min"
function units.show_duration(seconds)
  if seconds < 1 then return ("%g ms"):format(seconds * 1000) end
  if seconds >= 120 and seconds % 60 == 0 then return ("%g min"):format(seconds / 60) end
  return ("%g s"):format(seconds)
end

--- 450000 → "450k", 900 → "900"
function units.show_count(n)
  if n >= 1e6 and n % 1e5 == 0 then return ("%gM"):format(n / 1e6) end
  if n >= 10000 and n % 100 == 0 then return ("%gk"):format(n / 1000) end
  return ("%.0f"):format(n)
end

--- 1200 → "1,200"
function units.show_tokens(n)
  local digits = ("%.0f"):format(n)
  local grouped = digits:reverse():gsub("(%d%d%d)", "%1,"):reverse()
  return (grouped:gsub("^,", ""))
end

return units
