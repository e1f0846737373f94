-- GET /spend/logs: one row a request, with LiteLLM's names for what the ledger keeps.

local fields = require "pipeline.admin.litellm_fields"
local json = require "engine.json"
local limits = require "pipeline.admin.limits"
local units = require "lib.units"

local logs = {}

local PAGE = 100
local ROW = {
  "request_id", "call_type", "api_key", "spend", "total_tokens", "prompt_tokens",
  "completion_tokens", "startTime", "endTime", "model", "model_group", "model_id",
  "custom_llm_provider", "user", "end_user", "team_id", "cache_hit", "status",
  "request_tags", "metadata",
}

local function tag_list(tags)
  local out = json.array {}
  for name, value in pairs(tags or {}) do
    out[#out + 1] = value == "true" and name or name .. "=" .. tostring(value)
  end
  table.sort(out)
  return out
end

local function metadata(row)
  return json.object({}, {
    user_api_key_alias = row.key, user_api_key_team_id = row.team, outcome = row.outcome,
    attempts = row.attempts, error = row.error, estimated = row.estimated,
    cache_read_input_tokens = row.cache_read, cache_creation_input_tokens = row.cache_write,
  })
end

-- A request without a price has no spend: null, never a silent 0.
local function show(row)
  local ended = row.ts_ms / 1000
  return json.object(ROW, {
    request_id = row.id, call_type = "acompletion", api_key = row.key_id or row.key,
    spend = row.cost_nano and fields.usd(row.cost_nano) or json.null,
    prompt_tokens = row.input, completion_tokens = row.output,
    total_tokens = row.input + row.output,
    startTime = limits.instant(ended - (row.duration_ms or 0) / 1000),
    endTime = limits.instant(ended), model = row.model,
    model_group = limits.or_null(row.group), model_id = limits.or_null(row.deployment),
    custom_llm_provider = limits.or_null(row.provider), user = limits.or_null(row.user),
    end_user = limits.or_null(row.user), team_id = limits.or_null(row.team),
    cache_hit = "False", status = row.outcome == "ok" and "success" or "failure",
    request_tags = tag_list(row.tags), metadata = metadata(row),
  })
end

-- A date without a time: the day's beginning, for both ends, as there.
local function midnight(text)
  local at = text and units.date(text)
  return at and (#text == 10 and at - 86400 or at)
end

function logs.list(want)
  local query = want.query
  if (query.start_date or query.end_date) and not query.summarize then
    return nil, {
      status = 400, code = "missing_required_parameter", param = "summarize",
      message = "with dates LiteLLM sums by day unless summarize=false; here sums are at "
        .. "/admin/usage?by=day, so say summarize=false",
    }
  end
  local result, err = want.ask("usage.logs", {
    key = query.api_key and fields.id_of(want, query.api_key),
    id = query.request_id, user = query.user_id, since = midnight(query.start_date),
    ["until"] = midnight(query.end_date), limit = query.limit or PAGE,
    team = want.actor and want.actor.team,
  })
  if not result then return nil, err end
  local out = json.array {}
  for i, row in ipairs(result.rows) do out[i] = show(row) end
  return out
end

return logs
