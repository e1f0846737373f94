-- LiteLLM's requests and answers, as far as we speak them, in the schemas of shapes.lua.

local ours = require "pipeline.admin.shapes"

local shapes = {}

local parts = ours.parts
local answer, list, optional, request = parts.answer, parts.list, parts.optional, parts.request
local text, COUNT, NAME, INSTANT = parts.text, parts.COUNT, parts.NAME, parts.INSTANT

local USD = { type = "number", minimum = 0, maximum = 9007199,
  description = "dollars; the digits count, not the double" }
local SHORT = { type = "string", maxLength = 20 }

local function limits(out)
  out.models = optional(list(text "model", 0, 256, "none: all"))
  out.max_budget, out.budget_duration = optional(USD), optional(SHORT)
  out.tpm_limit = optional(parts.integer(1, 1e12))
  out.rpm_limit = optional(parts.integer(1, 1e9))
  out.max_parallel_requests = optional(parts.integer(1, 1e6))
  out.metadata, out.blocked = optional(parts.TAGS), parts.flag()
  return out
end

local function key(out)
  out = limits(out)
  out.key_alias, out.team_id = text "name", optional(text "name")
  out.duration = optional(SHORT)
  out.tags = optional(list(text "tag_name", 0, 16))
  return out
end

shapes.new_key = request("LitellmNewKey", key {})
shapes.change_key = request("LitellmKeyChange", key { key = text "token" }, { "key" })
shapes.delete_keys = request("LitellmDeleteKeys",
  { keys = list(text "token", 1, 1000) }, { "keys" })
shapes.new_team = request("LitellmNewTeam",
  limits { team_id = text "name", team_alias = text "name" })

local function shown(out)
  out.spend, out.max_budget = { type = "number" }, optional { type = "number" }
  out.budget_duration, out.models = optional(NAME), list(NAME, 0, 1000)
  out.tpm_limit, out.rpm_limit = optional(COUNT), optional(COUNT)
  out.max_parallel_requests = optional(COUNT)
  out.metadata = { type = "object", additionalProperties = NAME }
  out.blocked = parts.flag()
  out.created_at, out.updated_at = optional(INSTANT), optional(INSTANT)
  return out
end

local function shown_key(more)
  local out = shown {
    token = NAME, key_alias = NAME, team_id = optional(NAME), tags = list(NAME, 0, 16),
    expires = optional(INSTANT),
  }
  if more then out.key = NAME end
  return out
end

shapes.key = answer("LitellmKey", shown_key())
shapes.made_key = answer("LitellmMadeKey", shown_key(true))
shapes.changed_key = shapes.made_key
shapes.key_info = answer("LitellmKeyInfo", { key = NAME, info = shapes.key })
shapes.deleted_keys = answer("LitellmDeletedKeys", { deleted_keys = list(NAME, 1, 1000) })
shapes.team = answer("LitellmTeam", shown { team_id = NAME, team_alias = NAME })
shapes.team_info = answer("LitellmTeamInfo", {
  team_id = NAME, team_info = shapes.team, keys = list(shapes.key, 0, 1e6),
  team_memberships = list(NAME, 0, 0),
})

shapes.log = answer("LitellmSpendLog", {
  request_id = NAME, call_type = NAME, api_key = NAME, spend = optional { type = "number" },
  total_tokens = COUNT, prompt_tokens = COUNT, completion_tokens = COUNT, startTime = INSTANT,
  endTime = INSTANT, model = NAME, model_group = optional(NAME), model_id = optional(NAME),
  custom_llm_provider = optional(NAME), user = optional(NAME), end_user = optional(NAME),
  team_id = optional(NAME), cache_hit = NAME, status = NAME,
  request_tags = list(NAME, 0, 1000), metadata = ours.any,
})
shapes.logs = list(shapes.log, 0, 1000)

shapes.key_query = { key = text "token" }
shapes.team_query = { team_id = text "name" }
shapes.logs_query = {
  api_key = text "token", request_id = text "id", user_id = text "text",
  start_date = text "date", end_date = text "date",
  summarize = { type = "string", enum = { "false" },
    description = "sums by day are /admin/usage's; with dates, say false" },
  limit = parts.integer(1, 1000, "100 where it is not said"),
}

return shapes
