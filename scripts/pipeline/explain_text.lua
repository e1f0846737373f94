-- A trace of pipeline/explain.lua as people read it.

local money = require "lib.money"
local prices = require "lib.prices"
local units = require "lib.units"

local explain_text = {}

local WHEN = {
  context_window = "if too long for the context", content_policy = "if the provider declines",
  rate_limit = "if rate limited", timeout = "if it takes too long",
  connect = "if unreachable", overloaded = "if overloaded", server_error = "if it fails",
  unavailable = "if nobody is left", bad_request = "if refused as a bad request",
  auth = "if the credentials are refused", model_missing = "if the provider lacks the model",
  invalid_response = "if the answer makes no sense", truncated = "if the answer breaks off",
}

local PICKED = {
  least_busy = "picked: whoever is least busy",
  lowest_latency = "picked: whoever answers first",
  lowest_cost = "picked: whoever is cheapest",
  ["function"] = "picked: by the function of routes.lua",
}

local function pad(text, width) return text .. (" "):rep(width - #text) end

local function widest(list, field)
  local width = 0
  for _, item in ipairs(list) do width = math.max(width, #item[field]) end
  return width
end

local function limits(dep)
  local out = {}
  if dep.rpm then out[#out + 1] = ("%7s"):format(units.show_count(dep.rpm) .. " rpm") end
  if dep.tpm then out[#out + 1] = ("%8s"):format(units.show_count(dep.tpm) .. " tpm") end
  if dep.region then out[#out + 1] = dep.region end
  return table.concat(out, "  ")
end

local function deployment_lines(group)
  local out, width, digits = {}, widest(group.deployments, "name"), 1
  for _, dep in ipairs(group.deployments) do
    digits = math.max(digits, #tostring(dep.percent))
  end
  for i, dep in ipairs(group.deployments) do
    local share = ("%" .. digits .. "d %%"):format(dep.percent)
    local line = ("%s  %s   %s"):format(share, pad(dep.name, width), limits(dep))
    out[i] = line:gsub("%s+$", "")
  end
  return out
end

-- What becomes of what a provider has no word for (docs/unsupported.md), where that is not the
-- usual: all deployments of a group in one line, else those it holds for by their names.
local FITTING = {
  { "strict", "what it has no word for is refused, hints too: a 400 (strict)" },
  { "drop_unsupported", "what it has no word for is left out, and named (drop_unsupported)" },
}

local function fitting_lines(out, group)
  for _, one in ipairs(FITTING) do
    local names = {}
    for _, dep in ipairs(group.deployments) do
      if dep[one[1]] then names[#names + 1] = dep.name end
    end
    if #names == #group.deployments then
      out[#out + 1] = one[2]
    elseif #names > 0 then
      out[#out + 1] = table.concat(names, ", ") .. ": " .. one[2]
    end
  end
end

-- Who is left alone now, as the running gateway says.
local function rest_lines(out, group)
  local up = false
  for _, dep in ipairs(group.deployments) do
    up = up or not dep.rests_s
    if dep.rests_s then
      out[#out + 1] = ("%s rests for %d s more"):format(dep.name, math.ceil(dep.rests_s))
    end
  end
  if up then return end
  out[#out + 1] = group.cooldown.when_all_rest == "try"
    and "all rest: a fallback answers, or who recovers first is tried, unless it asked to rest"
    or "all rest: a fallback answers, or a 503 says until when"
end

-- "openai/gpt-4o", or every deployment with its share.
local function in_short(group)
  local list, out = group.deployments, {}
  if #list == 1 then return list[1].name end
  for i, dep in ipairs(list) do out[i] = ("%s  %d %%"):format(dep.name, dep.percent) end
  return table.concat(out, ", ")
end

local function retries(group)
  if group.retries == 0 then return "no retries" end
  return ("%d %s, %s apart, doubling"):format(group.retries,
    group.retries == 1 and "retry" or "retries", units.show_duration(group.backoff))
end

local function group_lines(trace)
  local group = trace.group
  local out = deployment_lines(group)
  rest_lines(out, group)
  fitting_lines(out, group)
  out[#out + 1] = PICKED[group.balance]
  out[#out + 1] = retries(group)
  local width = widest(trace.fallbacks, "name")
  for _, to in ipairs(trace.fallbacks) do
    out[#out + 1] = ("then    %s → %s"):format(pad(to.name, width), in_short(to))
  end
  for _, each in ipairs(trace.fallbacks_by_kind) do
    local to = each.group
    out[#out + 1] = ("%s: %s"):format(WHEN[each.kind],
      to and to.name .. " → " .. in_short(to) or "no fallback")
  end
  for _, hook in ipairs(trace.hooks) do
    out[#out + 1] = hook == "route" and "route() may choose another model"
      or "on_error() may decide otherwise"
  end
  return out
end

local function budget(list, word)
  local out = {}
  for i, each in ipairs(list) do
    local window = each.window ~= "ever" and "/" .. each.window or ""
    out[i] = "$" .. money.dollars(each.nano) .. window .. word
  end
  return table.concat(out, " · ")
end

local function date(epoch)
  local at = units.civil(epoch - 1)
  return ("%04d-%02d-%02d"):format(at.year, at.month, at.day)
end

local function may_use(key)
  if key.models[1] == "*" then return "may use every model" end
  return "may use " .. table.concat(key.models, ", ")
end

local function left(list)
  return "left now: " .. budget(list, "")
end

-- The limits of a key, a team or whoever else, after what `out` holds.
local function limits_of(key, out)
  local function add(value, format) if value then out[#out + 1] = format(value) end end
  add(key.rpm, function(n) return units.show_count(n) .. " rpm" end)
  add(key.tpm, function(n) return units.show_count(n) .. " tpm" end)
  add(key.parallel, function(n) return units.show_count(n) .. " at once" end)
  add(key.budget, function(list) return budget(list, "") end)
  add(key.soft_budget, function(list) return budget(list, " (soft)") end)
  add(key.expires_at, function(epoch) return "until " .. date(epoch) end)
  add(key.left, left)
  return table.concat(out, " · ")
end

local function key_line(key)
  return limits_of(key, { may_use(key) })
end

-- "team:search" → "team search: 600 rpm · …"
local function account_line(account)
  return account.name:gsub(":", " ", 1) .. ": " .. limits_of(account, {})
end

-- Fewer digits than the bill has, rounded up: it says "at most".
local function about(nano)
  local step = 10 ^ math.max(0, #("%.0f"):format(nano) - 3)
  return money.dollars(math.ceil(nano / step) * step)
end

local function cost(estimate)
  if #estimate.unpriced > 0 then
    return "no price is known for " .. table.concat(estimate.unpriced, ", ")
  end
  if #estimate.unbounded > 0 then
    return ("$%s are set aside, %s tokens out; the longest answer of %s is not known"):format(
      about(estimate.nano), units.show_tokens(prices.USUAL_OUTPUT),
      table.concat(estimate.unbounded, ", "))
  end
  return "at most $" .. about(estimate.nano)
end

local function estimate_lines(trace)
  local estimate = trace.estimate
  if not estimate or (trace.key and not trace.key.allowed) then return {} end
  local tokens = units.show_tokens(estimate.input_tokens)
  local out = { ("this call: about %s tokens in, %s"):format(tokens, cost(estimate)) }
  for _, dep in ipairs(trace.group.deployments) do
    if dep.max_input and estimate.input_tokens > dep.max_input then
      out[#out + 1] = ("too long for %s, which reads %s"):format(dep.name,
        units.show_tokens(dep.max_input))
    end
  end
  return out
end

local function who_may(trace)
  local names = table.concat(trace.keys, ", ")
  if not trace.ledger then
    return names == "" and "no virtual_key may use it" or names .. " may use it"
  end
  return (names == "" and "keys of the ledger that allow it may use it"
    or names .. " may use it, and keys of the ledger that allow it") .. "; --key NAME shows one"
end

local function key_lines(trace)
  local key, out = trace.key, {}
  if key then
    out[1] = key_line(key)
    if not key.allowed then
      out[2] = ("and so not %s: this call gets a 404"):format(trace.group.name)
    end
    if key.disabled then
      out[#out + 1] = "and it, or its team, is disabled: this call gets a 403"
    elseif key.expired then
      out[#out + 1] = "and it has expired: this call gets a 403"
    end
    for _, account in ipairs(key.accounts) do out[#out + 1] = account_line(account) end
  elseif trace.open then
    out[1] = "anyone on this machine may use it: no virtual_key is declared"
  else
    out[1] = who_may(trace)
  end
  for _, line in ipairs(estimate_lines(trace)) do out[#out + 1] = line end
  return out
end

-- The name once, its lines beside it.
local function block(name, lines, width)
  local out = {}
  for i, line in ipairs(lines) do
    out[i] = ("  %s%s"):format(pad(i == 1 and name or "", width), line)
  end
  return table.concat(out, "\n")
end

-- `gpt-4o  is an alias of  smart          routes.lua:45`
local function heading(trace, width)
  local place = trace.file .. ":"
  local text
  if trace.alias then
    text = ("  %sis an alias of  %s"):format(pad(trace.asked, width), trace.alias.to)
    place = place .. trace.alias.line
  elseif trace.group.pattern then
    text = ("  %sis covered by  %s"):format(pad(trace.asked, width), trace.group.pattern)
    place = place .. trace.group.line
  else
    return nil
  end
  return pad(text, math.max(62, #text + 2)) .. " " .. place
end

--- The trace as text, with a line break at its end.
function explain_text.of(trace)
  local name = trace.key and trace.key.name or "keys"
  local width = math.max(#trace.asked, #trace.group.name, #name) + 2
  local out = { heading(trace, width) } -- which may be nil
  out[#out + 1] = block(trace.group.name, group_lines(trace), width)
  out[#out + 1] = block(name, key_lines(trace), width)
  return "\n" .. table.concat(out, "\n\n") .. "\n"
end

return explain_text
