-- moongate keys: virtual keys in the ledger.

local actions = require "cli.actions"
local gateway = require "cli.gateway"
local json = require "engine.json"
local limits = require "cli.limits"
local table_text = require "cli.table_text"
local units = require "lib.units"

local OWN = {
  team = "NAME", expires = "DATE", ["on-low-budget"] = "refuse|clamp",
  ["without-cluster"] = "open|closed",
}
local OWN_HELP = [[
  --team NAME          the team it belongs to
  --expires WHEN       2026-12-31 (its end, UTC), 2026-12-31T18:00:00Z, or 30d from now; none
  --on-low-budget W    refuse what may cost more than is left, or clamp its max_tokens
  --without-cluster W  open or closed while the shared limits cannot be reached]]
local SHOWN = {
  "id", "name", "team", "role", "models", "rpm", "tpm", "parallel", "budget", "soft_budget",
  "expires", "disabled", "tags", "on_low_budget", "without_cluster", "created", "updated",
}

local function merged(...)
  local out = {}
  for _, flags in ipairs { ... } do
    for name, kind in pairs(flags) do out[name] = kind end
  end
  return out
end

-- Words → fields ---------------------------------------------------------------------------

local WHEN = "--expires takes a day (its end, UTC) such as 2026-12-31, a second such as "
  .. "2026-12-31T18:00:00Z, how long from now such as 12h or 30d (a year at most), or none; "
  .. "not %s"

local function instant(text)
  if text == "none" or units.date(text) then return text end
  local seconds = units.duration(text)
  if not seconds then return nil, WHEN:format(text) end
  return os.date("!%Y-%m-%dT%H:%M:%SZ", math.floor(os.time() + seconds))
end

local function fields(parsed)
  local body = {}
  local ok, problem = limits.read(parsed, body)
  if not ok then return nil, problem end
  for name in pairs(OWN) do
    local text = parsed[name]
    if text then
      if name == "expires" then text, problem = instant(text) end
      if not text then return nil, problem end
      body[name:gsub("-", "_")] = text == "none" and json.null or text
    end
  end
  return body
end

local function new_fields(parsed)
  local body, problem = fields(parsed)
  if not body then return nil, problem end
  body.name, body.role, body.disabled = parsed[1], parsed.role, parsed.disabled
  return body
end

local function changed_fields(parsed)
  local body, problem = fields(parsed)
  if not body then return nil, problem end
  body.name = parsed.name
  if next(body) == nil then return nil, "nothing to change was said" end
  return body
end

-- Which key --------------------------------------------------------------------------------

-- People say a key's name; the gateway wants its id.
local function id_of(ask, word)
  local found, problem = ask("GET", gateway.target("/admin/keys", { name = word, limit = 2 }))
  if found and #found.data == 1 then return found.data[1].id end
  if found and #found.data > 1 then
    return nil, {
      message = ("several keys are called %s; name one by its id (moongate keys list)"):format(
        word),
    }
  end
  if not found and problem.status ~= 400 then return nil, problem end
  return word
end

-- ask("POST", "/admin/keys/{the key's id}" .. rest, body)
local function at_key(ask, method, word, rest, body)
  local id, problem = id_of(ask, word)
  if not id then return nil, problem end
  local record
  record, problem = ask(method, "/admin/keys/" .. gateway.escaped(id) .. rest, body)
  if record == nil and problem.status == 404 then
    problem.message = ('there is no key "%s" in the ledger; `moongate keys list` names those '
      .. "there are, and those of routes.lua are changed there"):format(word)
  end
  return record, problem
end

-- What people see --------------------------------------------------------------------------

local function show(host, parsed, record)
  host.print(parsed.json and json.encode(record) or limits.lines(record, SHOWN))
  return true
end

-- Times of one form sort as text.
local function state_of(record)
  if record.disabled then return "disabled" end
  local ends = record.expires ~= json.null and record.expires
  return ends and ends <= os.date "!%Y-%m-%dT%H:%M:%SZ" and "expired" or "-"
end

-- Either is easily a slip, and shows only when the key is used.
local function warn(host, record)
  local state = state_of(record)
  if state ~= "-" then host.complain(("%s is %s"):format(record.name, state)) end
end

-- The key alone on standard output, so that KEY=$(moongate keys create …) works.
local function show_secret(host, parsed, record, note)
  if parsed.json then
    host.print(json.encode(record))
  else
    host.print(record.key)
    host.complain(("%s %s (id %s); it is not shown again"):format(note, record.name, record.id))
    warn(host, record)
  end
  return true
end

local function create(ask, parsed, host, body)
  local record, problem = ask("POST", "/admin/keys", body)
  if not record then return nil, problem end
  limits.warn(host, body, record)
  return show_secret(host, parsed, record, "this is the new key")
end

local function rotate(ask, parsed, host, body)
  local record, problem = at_key(ask, "POST", parsed[1], "/rotate", body)
  if not record then return nil, problem end
  show_secret(host, parsed, record, "this is the new secret of")
  if record.previous_until ~= json.null and not parsed.json then
    host.complain("the one before works until " .. record.previous_until)
  end
  return true
end

local function all_pages(ask, query)
  local out = json.array {}
  repeat
    local page, problem = ask("GET", gateway.target("/admin/keys", query))
    if not page then return nil, problem end
    for _, record in ipairs(page.data) do out[#out + 1] = record end
    query.after = page.next ~= json.null and page.next or nil
  until not query.after
  return out
end

local function row(record)
  return {
    record.name, record.id, limits.or_dash(record.team), limits.listed(record.models),
    limits.or_dash(record.rpm), limits.listed(record.budget),
    limits.or_dash(record.expires), state_of(record),
  }
end

local function list(ask, parsed, host)
  local records, problem = all_pages(ask, {
    team = parsed.team, disabled = parsed.disabled and "true" or nil, limit = 1000,
  })
  if not records then return nil, problem end
  if parsed.json then
    host.print(json.encode(records))
  elseif #records == 0 then
    host.complain "There are no keys in the ledger."
  else
    local lines = {}
    for i, record in ipairs(records) do lines[i] = row(record) end
    host.print(table_text.of(
      { "key", "id", "team", "models", "rpm", "budget", "expires", "state" }, lines))
  end
  return true
end

local function shower(method, rest)
  return function(ask, parsed, host, body)
    local record, problem = at_key(ask, method, parsed[1], rest,
      method == "PATCH" and body or nil)
    if not record then return nil, problem end
    limits.warn(host, body, record)
    return show(host, parsed, record)
  end
end

local function delete(ask, parsed, host)
  local gone, problem = at_key(ask, "DELETE", parsed[1], "")
  if not gone then return nil, problem end
  if parsed.json then host.print(json.encode(gone)) end
  host.complain(("%s is deleted; its usage stays"):format(parsed[1]))
  return true
end

local function help(text)
  return text .. "\n\n" .. gateway.HELP
end

return actions.of {
  name = "keys", noun = "key",
  about = "Virtual keys in the ledger; those of routes.lua are changed there. A key that is "
    .. "rotated keeps\nits name, id, limits and spend; its old text works for --overlap "
    .. "longer, or not at all.",
  order = { "create", "list", "show", "update", "rotate", "disable", "enable", "delete" },
  actions = {
    create = {
      says = "create NAME [limits]", least = 1, most = 1, body = new_fields, run = create,
      flags = merged(limits.FLAGS, OWN, { role = "client|team_admin", disabled = true }),
      help = help("Makes a key and prints it, alone and this once: "
        .. "KEY=$(moongate keys create search).\n\n" .. limits.HELP .. "\n" .. OWN_HELP .. "\n"
        .. "  --role team_admin    it also administers its team on the admin listener\n"
        .. "  --disabled           not to be used yet"),
    },
    list = {
      says = "list [--team NAME] [--disabled]", most = 0, run = list,
      flags = { team = "NAME", disabled = true }, help = help "All keys, a line each.",
    },
    show = {
      says = "show KEY", least = 1, most = 1, run = shower("GET", ""),
      help = help "One key, by its name or id.",
    },
    update = {
      says = "update KEY [limits]", least = 1, most = 1, body = changed_fields,
      run = shower("PATCH", ""), flags = merged(limits.FLAGS, OWN, { name = "NAME" }),
      help = help("Changes what is named, at once and in every worker; `none` takes a limit "
        .. "away.\n\n" .. limits.HELP .. "\n" .. OWN_HELP .. "\n"
        .. "  --name NAME          another name"),
    },
    rotate = {
      says = "rotate KEY [--overlap 24h]", least = 1, most = 1, run = rotate,
      flags = { overlap = "DURATION" },
      body = function(parsed) return { overlap = parsed.overlap } end,
      help = help("Another text for a key, printed alone and this once. The old one works for "
        .. "the overlap\nlonger (30d at most); without one it ends now, and all before it. "
        .. "Name, id, team, limits\nand what was spent stay; what stands behind `mg-` in the "
        .. "text is new, too."),
    },
    disable = {
      says = "disable KEY", least = 1, most = 1, run = shower("POST", "/disable"),
      help = help "Refuses a key until it is enabled again.",
    },
    enable = {
      says = "enable KEY", least = 1, most = 1, run = shower("POST", "/enable"),
      help = help "Lets a disabled key in again.",
    },
    delete = {
      says = "delete KEY", least = 1, most = 1, run = delete,
      help = help "Takes a key away for good. What it has used stays in the sums.",
    },
  },
}
