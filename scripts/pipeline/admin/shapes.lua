-- What goes in and out of the admin API, as JSON Schema: read by the checks before a request
-- does anything, by the OpenAPI description, and by the test that tries every field wrong.

local shapes = {}

local MOST_COUNT, MOST_TOKENS, MOST_PAGE, MOST_MODELS = 1e9, 1e12, 1000, 256
local MOST_ROWS = 10000

-- Small schemas ----------------------------------------------------------------------------

-- The description shows the format's pattern and length.
local function text(format, description)
  return { type = "string", format = format, description = description }
end

local function integer(least, most, description)
  return { type = "integer", minimum = least, maximum = most, description = description }
end

local function flag(description)
  return { type = "boolean", description = description }
end

local function word(list, description)
  return { type = "string", enum = list, description = description }
end

local function list(items, least, most, description)
  return {
    type = "array", items = items, minItems = least, maxItems = most, description = description,
  }
end

local function any(schema)
  local out = {}
  for name, value in pairs(schema) do out[name] = value end
  return out
end

-- Null means "none": no limit, no team, no end.
local function optional(schema)
  local out = any(schema)
  if out.anyOf then
    out.anyOf = { unpack(schema.anyOf) }
    out.anyOf[#out.anyOf + 1] = { type = "null" }
  else
    out.type = { schema.type, "null" }
  end
  return out
end

local function object(properties, required, description)
  return {
    type = "object", properties = properties, required = required, description = description,
    additionalProperties = false,
  }
end

-- An answer names all of its members.
local function answer(name, properties, may_lack)
  local required = {}
  for member in pairs(properties) do
    if not (may_lack and may_lack[member]) then required[#required + 1] = member end
  end
  table.sort(required)
  local out = object(properties, required)
  out.title = name
  return out
end

local function request(name, properties, required)
  local out = object(properties, required)
  out.title = name
  return out
end

local function pages(name, item)
  return answer(name, {
    data = list(item, 0, MOST_PAGE),
    next = optional { type = "string", maxLength = 256,
      description = "hand it over as `after` for the page that follows; null on the last" },
  })
end

-- Parts --------------------------------------------------------------------------------------

local BUDGET = {
  anyOf = { text "budget", list(text "budget", 1, 7) },
  say = 'dollars a window such as "$500/month", or a list of them',
  description = "dollars a window of UTC (minute, hour, day, week, month, year), or for ever "
    .. "where none is named; all of a list hold at once",
}

local TAGS = {
  type = "object", additionalProperties = text "name", propertyNames = { format = "tag_name" },
  maxProperties = 32, description = "names and values that go into usage rows; limits may hold "
    .. "for them",
}

local function limits(out)
  out.models = optional(list(text "model", 1, MOST_MODELS,
    "models that may be asked for; null and [\"*\"]: all"))
  out.rpm = optional(integer(1, MOST_COUNT, "requests a minute"))
  out.tpm = optional(integer(1, MOST_TOKENS, "tokens a minute"))
  out.parallel = optional(integer(1, 1e6, "requests at the same time"))
  out.budget = optional(BUDGET)
  out.soft_budget = optional(BUDGET)
  out.tags = optional(TAGS)
  return out
end

local function key_fields(out)
  out = limits(out)
  out.name = text("name", "what usage and logs call it")
  out.team = optional(text("name", "the team it belongs to"))
  out.expires = optional(text("date", "when it ends"))
  out.on_low_budget = word({ "refuse", "clamp" },
    "a request that may cost more than is left is refused, or its max_tokens cut to what is")
  out.without_cluster = word({ "open", "closed" },
    "while the shared limits cannot be reached: serve, or refuse")
  return out
end

local function with_switches(out)
  out.disabled = flag "refused until enabled again"
  return out
end

shapes.new_key = key_fields {}
shapes.new_key.role = word({ "client", "team_admin" },
  "client: asks models; team_admin: also administers its team here")
shapes.new_key = request("NewKey", with_switches(shapes.new_key), { "name" })
shapes.change_key = request("KeyChange", with_switches(key_fields {}))

shapes.new_team = limits { name = text("name", "what usage and logs call it") }
shapes.new_team = request("NewTeam", with_switches(shapes.new_team), { "name" })
shapes.change_team = request("TeamChange", with_switches(limits {}))

shapes.rotation = request("Rotation", {
  overlap = optional(text("duration", "how long the old secret works beside the new one; none "
    .. "where it is not said")),
})

-- Answers ------------------------------------------------------------------------------------

local INSTANT = {
  type = "string", pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$",
}
local USD = {
  type = "string", pattern = "^-?[0-9]+(\\.[0-9]{1,9})?$", description = "dollars, exact",
}
local NANO = { type = "integer", description = "the same in nano-dollars" }
local COUNT = { type = "integer", minimum = 0 }
local NAME = { type = "string" }

local function shown_limits(out)
  out.models = list(NAME, 1, MOST_MODELS)
  out.rpm, out.tpm, out.parallel = optional(COUNT), optional(COUNT), optional(COUNT)
  out.budget, out.soft_budget = list(text "budget", 0, 7), list(text "budget", 0, 7)
  out.tags = { type = "object", additionalProperties = NAME }
  out.disabled = flag()
  out.created, out.updated = optional(INSTANT), optional(INSTANT)
  out.warnings = list(NAME, 1, MOST_MODELS,
    "where models were named that routes.lua does not have now: one sentence each")
  return out
end

local MAY_LACK = { warnings = true }

local function shown_key(more)
  local out = shown_limits {
    id = text "id", name = NAME, team = optional(NAME), role = NAME,
    expires = optional(INSTANT), on_low_budget = NAME, without_cluster = NAME,
  }
  for name, schema in pairs(more or {}) do out[name] = schema end
  return out
end

local SECRET = {
  key = { type = "string", pattern = "^mg-[A-Za-z0-9_-]+$",
    description = "the key itself: shown now and never again" },
}

shapes.key = answer("Key", shown_key(), MAY_LACK)
shapes.made_key = answer("MadeKey", shown_key(SECRET), MAY_LACK)
shapes.rotated_key = answer("RotatedKey", shown_key {
  key = SECRET.key, previous_until = optional(INSTANT),
}, MAY_LACK)
shapes.keys = pages("Keys", shapes.key)
shapes.team = answer("Team", shown_limits { name = NAME }, MAY_LACK)
shapes.teams = pages("Teams", shapes.team)
shapes.deleted_key = answer("DeletedKey", { id = text "id", deleted = flag() })
shapes.deleted_team = answer("DeletedTeam", { name = NAME, deleted = flag() })

local function sums(name)
  return answer(name, {
    name = NAME, requests = COUNT, failed = COUNT, input_tokens = COUNT, cached_tokens = COUNT,
    cache_write_tokens = COUNT, output_tokens = COUNT, reasoning_tokens = COUNT,
    spend_nano = NANO, spend_usd = USD, unpriced = COUNT, estimated = COUNT,
    suspected_extra_tokens = COUNT,
  })
end

shapes.usage_row = sums "UsageRow"
shapes.usage = answer("Usage", {
  by = NAME, since = optional(INSTANT), ["until"] = optional(INSTANT),
  rows = list(shapes.usage_row, 0, MOST_ROWS), total = shapes.usage_row, unsettled = COUNT,
  more = { type = "integer", minimum = 0, description = "rows beyond `limit`; in the total" },
})

shapes.budget_row = answer("Budget", {
  account = NAME, name = NAME, window = NAME, soft = flag(), limit_usd = USD, spent_usd = USD,
  reserved_usd = USD, remaining_usd = USD, resets_at = optional(INSTANT),
})
shapes.budgets = pages("Budgets", shapes.budget_row)

shapes.audit_sum = answer("AuditSum", {
  name = NAME, nano = NANO, usd = USD, expected_nano = NANO, expected_usd = USD, equal = flag(),
})
shapes.audit = answer("Audit", {
  equal = flag(), settled = flag "nothing was on its way while this was added up",
  sums = list(shapes.audit_sum, 0, 20), accounts = COUNT,
  different = list(shapes.audit_sum, 0, 100),
})

local PRICE = {
  type = "string", pattern = "^[0-9]+(\\.[0-9]+)?$",
  description = "dollars per million tokens, exact",
}
shapes.price = {
  type = "object", title = "Price", required = { "model", "provider" },
  properties = { model = NAME, provider = NAME, max_input = COUNT, max_output = COUNT },
  additionalProperties = PRICE, description = "prices by class of token",
}
shapes.prices = answer("Prices", {
  date = NAME, version = NAME, source = NAME, models = list(shapes.price, 0, 1e5),
})

shapes.health = answer("Health",
  { status = NAME, generation = COUNT, reload_refused = NAME },
  { generation = true, reload_refused = true })
shapes.reloaded = answer("Reloaded", { generation = COUNT })
shapes.any = { type = "object", additionalProperties = true }

shapes.failure = {
  type = "object", title = "Error", required = { "error" },
  properties = {
    error = answer("ErrorBody", {
      message = NAME, type = NAME, param = optional(NAME), code = optional(NAME),
    }),
    errors = { type = "array", items = { type = "object" },
      description = "a refused reload: one entry a reason" },
  },
}

-- Queries: name → schema --------------------------------------------------------------------

local PAGE = {
  limit = integer(1, MOST_PAGE, "how many a page; 100"),
  after = text("name", "the `next` of the page before"),
}

shapes.key_query = {
  limit = PAGE.limit, after = PAGE.after, team = text "name", name = text "name",
  disabled = flag(),
}
shapes.team_query = { limit = PAGE.limit, after = PAGE.after }
shapes.usage_query = {
  by = text("by", "one row each: key (where it is not said), team, model, group, provider, "
    .. "deployment, user, outcome, day, hour, tag:NAME"),
  since = text("when", "from then on"), ["until"] = text("when", "up to then"),
  key = text("name", "of this key only: its name or id"), team = text "name",
  model = text "text", provider = text "name", deployment = text "text",
  user = text "text", tag = text "tag",
  limit = integer(1, MOST_ROWS, "how many rows; 1000"),
}
shapes.budget_query = {
  team = text "name", account = text("text", "one account, such as key:search"),
  limit = PAGE.limit, after = text("text", "the `next` of the page before"),
}

shapes.parts = {
  text = text, integer = integer, flag = flag, list = list, optional = optional,
  answer = answer, request = request, USD = USD, COUNT = COUNT, NAME = NAME,
  INSTANT = INSTANT, TAGS = TAGS,
}

return shapes
