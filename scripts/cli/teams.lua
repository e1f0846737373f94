-- moongate teams: teams in the ledger, whose limits hold for all of their keys together.

local actions = require "cli.actions"
local gateway = require "cli.gateway"
local json = require "engine.json"
local limits = require "cli.limits"
local table_text = require "cli.table_text"

local SHOWN = {
  "name", "models", "rpm", "tpm", "parallel", "budget", "soft_budget", "disabled", "tags",
  "created", "updated",
}

local function fields(parsed)
  local body = {}
  local ok, problem = limits.read(parsed, body)
  if not ok then return nil, problem end
  return body
end

local function new_fields(parsed)
  local body, problem = fields(parsed)
  if not body then return nil, problem end
  body.name = parsed[1]
  return body
end

local function changed_fields(parsed)
  local body, problem = fields(parsed)
  if not body then return nil, problem end
  if next(body) == nil then return nil, "nothing to change was said" end
  return body
end

-- ask(method, "/admin/teams/{name}" .. rest, body)
local function at_team(ask, method, name, rest, body)
  local record, problem = ask(method, "/admin/teams/" .. gateway.escaped(name) .. rest, body)
  if record == nil and problem.status == 404 then
    problem.message = ('there is no team "%s" in the ledger; `moongate teams list` names those '
      .. "there are, and those of routes.lua are changed there"):format(name)
  end
  return record, problem
end

local function show(host, parsed, record)
  host.print(parsed.json and json.encode(record) or limits.lines(record, SHOWN))
  return true
end

local function create(ask, parsed, host, body)
  local record, problem = ask("POST", "/admin/teams", body)
  if not record then return nil, problem end
  limits.warn(host, body, record)
  return show(host, parsed, record)
end

local function all_pages(ask)
  local out, query = json.array {}, { limit = 1000 }
  repeat
    local page, problem = ask("GET", gateway.target("/admin/teams", query))
    if not page then return nil, problem end
    for _, record in ipairs(page.data) do out[#out + 1] = record end
    query.after = page.next ~= json.null and page.next or nil
  until not query.after
  return out
end

local function list(ask, parsed, host)
  local records, problem = all_pages(ask)
  if not records then return nil, problem end
  if parsed.json then
    host.print(json.encode(records))
  elseif #records == 0 then
    host.complain "There are no teams in the ledger."
  else
    local lines = {}
    for i, record in ipairs(records) do
      lines[i] = {
        record.name, limits.listed(record.models), limits.or_dash(record.rpm),
        limits.or_dash(record.tpm), limits.listed(record.budget),
        record.disabled and "disabled" or "-",
      }
    end
    host.print(table_text.of({ "team", "models", "rpm", "tpm", "budget", "state" }, lines))
  end
  return true
end

local function shower(method, rest)
  return function(ask, parsed, host, body)
    local record, problem = at_team(ask, method, parsed[1], rest,
      method == "PATCH" and body or nil)
    if not record then return nil, problem end
    limits.warn(host, body, record)
    return show(host, parsed, record)
  end
end

local function delete(ask, parsed, host)
  local gone, problem = at_team(ask, "DELETE", parsed[1], "")
  if not gone then return nil, problem end
  if parsed.json then host.print(json.encode(gone)) end
  host.complain(("%s is deleted; its usage stays"):format(parsed[1]))
  return true
end

local function help(text)
  return text .. "\n\n" .. gateway.HELP
end

return actions.of {
  name = "teams", noun = "team",
  about = "Teams in the ledger: their limits and budgets hold for all of their keys together.",
  order = { "create", "list", "show", "update", "disable", "enable", "delete" },
  actions = {
    create = {
      says = "create NAME [limits]", least = 1, most = 1, body = new_fields, run = create,
      flags = limits.FLAGS, help = help("Makes a team.\n\n" .. limits.HELP),
    },
    list = { says = "list", most = 0, run = list, help = help "All teams, a line each." },
    show = {
      says = "show TEAM", least = 1, most = 1, run = shower("GET", ""), help = help "One team.",
    },
    update = {
      says = "update TEAM [limits]", least = 1, most = 1, body = changed_fields,
      run = shower("PATCH", ""), flags = limits.FLAGS,
      help = help("Changes what is named, at once and in every worker; `none` takes a limit "
        .. "away.\n\n" .. limits.HELP),
    },
    disable = {
      says = "disable TEAM", least = 1, most = 1, run = shower("POST", "/disable"),
      help = help "Refuses all keys of a team until it is enabled again.",
    },
    enable = {
      says = "enable TEAM", least = 1, most = 1, run = shower("POST", "/enable"),
      help = help "Lets the keys of a disabled team in again.",
    },
    delete = {
      says = "delete TEAM", least = 1, most = 1, run = delete,
      help = help "Takes a team away that has no keys. What it has used stays in the sums.",
    },
  },
}
