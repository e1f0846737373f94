-- When a provider's limit is open again, where a 429 says it by the limit's own headers alone:
-- x-ratelimit-reset-requests and -tokens, of the one of which nothing remains.
-- Durations as Go prints them ("6m0s", "1.5s", "20ms") or plain seconds.

local resets = {}

local SECONDS = { ms = 0.001, s = 1, m = 60, h = 3600, d = 86400 }

--- "1m2.5s" → 62.5; nil where it is no duration.
function resets.duration(text)
  if tonumber(text) then return tonumber(text) >= 0 and tonumber(text) or nil end
  if text:gsub("%d+%.?%d*%a+", "") ~= "" or text == "" then return nil end
  local sum = 0
  for number, unit in text:gmatch "(%d+%.?%d*)(%a+)" do
    if not SECONDS[unit] then return nil end
    sum = sum + tonumber(number) * SECONDS[unit]
  end
  return sum
end

--- Seconds | nil. `header` is a function: name → value | nil.
function resets.of(header)
  local longest
  for _, kind in ipairs { "requests", "tokens" } do
    local remaining = tonumber(header("x-ratelimit-remaining-" .. kind) or "")
    local text = header("x-ratelimit-reset-" .. kind)
    if remaining and remaining <= 0 and text and #text <= 32 then
      local seconds = resets.duration(text)
      if seconds then longest = math.max(longest or 0, seconds) end
    end
  end
  return longest
end

return resets
