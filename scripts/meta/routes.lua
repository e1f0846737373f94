---@meta
-- The words of routes.lua. Editors read this file, docs/routes.md is made from it; the gateway
-- does not load it.

-- What fields hold ---------------------------------------------------------------

---A time with its unit: `"250ms"`, `"30s"`, `"1m30s"`, `"1.5h"`, `"1d"`.
---@alias Duration string

---Dollars and a window: `"$500/month"`, `"$20/day"`; minute, hour, day, week (from Monday),
---month, year, all in UTC; or none for ever.
---@alias Budget string

---What can go wrong with an attempt.
---@alias FaultKind
---| "rate_limit"        # too many requests, or tokens, for this deployment
---| "timeout"           # no answer in time, or a stalled one
---| "connect"           # no connection
---| "overloaded"        # the provider says it is too busy
---| "server_error"      # the provider failed
---| "unavailable"       # every deployment rests or is over its limit
---| "context_window"    # the prompt is too long for the model
---| "content_policy"    # the provider declined the prompt
---| "bad_request"       # the provider refused the request
---| "auth"              # the provider refused our key
---| "model_missing"     # the provider does not have the model
---| "invalid_response"  # the answer makes no sense
---| "truncated"         # the answer broke off

---@class Provider
---@field name? string          unique; the adapter's name where none is given
---@field api_key? string       the provider's key (theirs, outbound)
---@field base_url? string      where it lives, if not where the adapter says
---@field headers? table<string, string>  sent with every request
---@field timeout? Timeout      for all its deployments
---@field private? boolean      its name is a public one and leads into one's own network all the same
---@field secret? string        a shared secret, for adapters that sign
---@field token? OAuthToken|string  instead of a key: an access token, which oauth() fetches, or the text of one

---@class OAuthToken            made by oauth

---@class OAuth
---@field service_account? string  the text of a Google service account's key file; or
---@field client_id? string     a client's own credentials (Azure Entra, Databricks)
---@field client_secret? string
---@field token_url? string     where tokens are asked for: https, or http within one's own network; what the service account's file says
---@field metadata? boolean     or the account of the machine itself, in Google's cloud
---@field aws? "machine"|"container"  or the role of the machine or the container, in AWS's: keys that sign, for bedrock
---@field scope? string         what for; all of Google's cloud for a service account

---@class Deployment
---@field [1] string            the provider's name for the model
---@field name? string          unique; "provider/model" where none is given
---@field weight? number        its share of the group's traffic; 1
---@field rpm? integer          requests a minute it takes; above, others are picked
---@field tpm? integer          tokens a minute it takes
---@field price? Price          instead of the list price
---@field region? string        for `balance` and for people
---@field max_tokens? integer   of an answer, where the client names no limit
---@field timeout? Timeout      over the group's and the provider's
---@field drop_unsupported? boolean  drop what the target cannot take instead of refusing it
---@field strict? boolean        drop nothing: refuse hints too that the target cannot take

---Dollars per million tokens, and dollars each for what is counted. Cached tokens, sound and
---images cost what `input` does where nothing is said, in answers what `output` does.
---@class Price
---@field input number          or as text: "2.50"
---@field output number
---@field cache_read? number    0 is free
---@field cache_write? number   for five minutes
---@field cache_write_1h? number  for an hour; else what `cache_write` says
---@field reasoning? number     where it differs from `output`
---@field audio_input? number
---@field audio_output? number
---@field image_input? number
---@field image_output? number
---@field above? PriceAbove|PriceAbove[]  for long prompts: the whole request costs this
---@field batch? number|PriceService  where the provider says that it served so
---@field flex? number|PriceService  its own prices, or a factor of all those above: 0.5
---@field priority? number|PriceService
---@field request? number       dollars for each request
---@field web_search? number|PriceSearch  dollars for each search
---@field code_interpreter? number  dollars for each session
---@field file_search? number   dollars for each call
---@field query? number         dollars for each search unit of a reranker
---@field image? number|table<string, number>  dollars for each image made; or by quality and size
---@field image_read? number    dollars for each image read
---@field page? number          dollars for each page read
---@field character_input? number  dollars for each character spoken
---@field second_input? number  dollars for each second of sound heard
---@field second_output? number  dollars for each second of sound made

---@class PriceAbove
---@field tokens integer        above so many prompt tokens, cached ones among them
---@field input number
---@field output number
---@field cache_read? number    this and the next: where the price names it
---@field cache_write? number
---@field cache_write_1h? number
---@field reasoning? number
---@field audio_input? number
---@field audio_output? number
---@field image_input? number
---@field image_output? number

---@class PriceService
---@field input number
---@field output number
---@field cache_read? number    this and the next: where the price names it
---@field cache_write? number
---@field cache_write_1h? number
---@field reasoning? number
---@field audio_input? number
---@field audio_output? number
---@field image_input? number
---@field image_output? number
---@field above? PriceAbove|PriceAbove[]  with the thresholds of the price

---@class PriceSearch
---@field low number            by the size of the search's context
---@field medium number
---@field high number

---@class Timeout
---@field connect? Duration     until the connection stands; 3s
---@field first_token? Duration  until the first piece of the answer; 60s
---@field idle? Duration        between two pieces, of whatever; 60s
---@field event? Duration       between two events, comments being none; 5m
---@field total? Duration       for the whole request; 10m, and 1h for streams

---@class Cooldown
---@field allowed_fails? integer  so many requests may fail there, with all of their tries; 3
---@field within? Duration      in this time; 1m
---@field time? Duration        then the deployment rests so long; 30s
---@field when_all_rest? "refuse"|"try"  where every deployment rests when a request comes, and no fallback is left: a 503 at once (the default), or one try at the one that recovers first, unless its provider asked to be left alone

---@class ModelGroup
---@field [integer] Deployment
---@field fallback? (string|false)[]|table<FaultKind, string|false>  groups to try next
---@field retries? integer      more tries inside the group, 0 to 7; 2
---@field backoff? Duration     before the first retry, doubling; 250ms
---@field cooldown? Cooldown    when a deployment rests
---@field balance? "weighted"|"least_busy"|"lowest_latency"|"lowest_cost"|Balance
---@field timeout? Timeout      for all its deployments
---@field on_disconnect? "cancel"|"drain"  when the client leaves: stop the provider, and bill the prompt and what was seen (the default); or read on, for 20 s at most, and bill what it reports
---@field strict? boolean       for its deployments that say nothing of it

---@class Defaults
---@field on_disconnect? "cancel"|"drain"
---@field strict? boolean
---@field timeout? Timeout
---@field retries? integer
---@field backoff? Duration
---@field cooldown? Cooldown

---@class VirtualKey
---@field token? string         what the client sends (ours, inbound)
---@field hash? string          or "sha256:" and the token's hash in hexadecimal digits
---@field models? string[]      model groups it may ask for, `*` in them for any; all
---@field team? string          whose limits and sums it counts for too; its tag `team` if not said
---@field rpm? integer          requests a minute
---@field tpm? integer          tokens a minute, in and out
---@field parallel? integer     requests at once
---@field budget? Budget|Budget[]  what it may spend; what a call may cost is set aside before it
---@field soft_budget? Budget|Budget[]  where warnings begin
---@field on_low_budget? "refuse"|"clamp"  refuse a call that may cost more than is left (the default), or shorten its answer to what is left
---@field without_cluster? "open"|"closed"  with several gateways, where what they share is away: go on within its own limits, or stop at what this one was lent (the default)
---@field expires? string       "2026-12-31": good to the end of that day (UTC)
---@field tags? table<string, string>  for hooks, `moongate usage --by tag:team`, the log

---@class Limits
---@field org? Limit            for all together
---@field team? table<string, Limit>  for the keys of a team together
---@field tag? table<string, Limit>   for the keys of a tag together: `["tier=batch"] = { … }`
---@field user? UserLimit       for each end user alone
---@field webhook? string       an address that is told (POST, JSON) of soft budgets that are passed

---What may be taken; whatever is not said is not limited.
---@class Limit
---@field models? string[]      model groups that may be asked for, `*` in them for any; all
---@field rpm? integer          requests a minute
---@field tpm? integer          tokens a minute, in and out
---@field parallel? integer     requests at once
---@field budget? Budget|Budget[]  what may be spent
---@field soft_budget? Budget|Budget[]  where warnings begin

---@class UserLimit
---@field rpm? integer          requests a minute
---@field tpm? integer          tokens a minute, in and out
---@field parallel? integer     requests at once
---@field budget? Budget|Budget[]  what each may spend
---@field soft_budget? Budget|Budget[]  where warnings begin
---@field header? string        the header that names the end user; else the body's `user`, `safety_identifier` or `metadata.user_id`

-- What functions see --------------------------------------------------------------

---@class Call
---@field id string
---@field model string          as the client asked for it
---@field group? string         the model group, once chosen
---@field stream boolean
---@field input_tokens integer  counted when read; exact where the model's vocabulary is public
---@field fits fun(self: Call, tokens: number): boolean  for certain at most so many input tokens? Counted only where the size of the body does not say
---@field user? string          the end user the client named
---@field key { name: string, tags: table<string, string> }
---@field header fun(self: Call, name: string): string?  the client's x-… headers and user-agent
---@field percent fun(self: Call): number  0 to 99, the same for one user of one key

---@class Fault
---@field kind FaultKind
---@field message string
---@field code? string
---@field status? integer       of the provider's answer
---@field retry_after? number   seconds
---@field deployment? string
---@field provider? string
---@field attempts integer      so far

---@class Usage
---@field input_tokens integer  cached ones included
---@field output_tokens integer
---@field cache_read_tokens integer
---@field cost number           dollars; 0 where no price is known
---@field priced boolean        whether one is known
---@field estimated boolean     the provider did not say; the counts are estimates

---A deployment as `balance` sees it: its fields, and
---@class DeploymentView: Deployment
---@field stats { in_flight: integer, first_token_p95: number }

---@class Verdict               made by fallback, retry, wait and fail

---@alias Balance fun(deployments: DeploymentView[], call: Call): DeploymentView?

-- Words that declare --------------------------------------------------------------

---Where models live, and the credentials. `adapter` is a file of providers/: openai, azure,
---anthropic, gemini, cohere; vertex and azure with tokens too (oauth); groq, mistral, deepseek,
---together, openrouter, xai, perplexity, fireworks, cerebras, huggingface, nvidia, github;
---databricks (`host`), cloudflare (`account`);
---bedrock and bedrock_openai (`region`, and `api_key` or `access_key_id` and `secret_access_key`);
---ollama, vllm, llama_cpp, lm_studio on this machine, or elsewhere by `base_url`;
---openai_compatible for any other that speaks OpenAI's dialect (`name`, `base_url`, and
---`responses = true` or `messages = true` where it serves those, too); mock; or your own. Returns
---a maker of deployments: call it with a model's name, or with a table to say more. Name it with
---`local`, so two regions are two locals. Where a provider serves OpenAI's Responses or Anthropic's
---Messages beside a chat's dialect (docs/providers.md), clients of these pass as they came; a
---deployment that says `api = "chat"` is asked for a chat by all, one with `api = "responses"` by
---Responses.
---```lua
---local openai = provider "openai" { api_key = env.OPENAI_API_KEY }
---local gpu    = provider "openai_compatible" { name = "gpu", base_url = "http://gpu-1:8000/v1" }
---
---model "chat" { openai "gpt-4o-mini", gpu { "qwen2.5-32b-instruct", weight = 9 } }
---```
---@param adapter string
---@return fun(fields: Provider): fun(model: string|Deployment): Deployment
function provider(adapter) end

---Access tokens for providers that take no fixed key: fetched when first needed, kept until
---shortly before they end and renewed in good time. Several providers may share one.
---```lua
---local entra = oauth {
---  token_url = "https://login.microsoftonline.com/TENANT/oauth2/v2.0/token",
---  client_id = env.ENTRA_ID, client_secret = env.ENTRA_SECRET,
---  scope = "https://cognitiveservices.azure.com/.default",
---}
---local ours = provider "azure" { name = "ours", resource = "acme", token = entra }
---model "ours" { ours "gpt-4o" }
---```
---For Google's Vertex, `oauth { service_account = file "vertex.json" }`.
---@param fields OAuth
---@return OAuthToken
function oauth(fields) end

---A model group: the name clients ask for, and the deployments that can answer. A name with a
---`*` covers every name it fits; what the `*` stood for stands for the deployment's.
---```lua
---model "smart"   { azure { "gpt-4o", weight = 3 }, openai "gpt-4o", fallback = { "claude" } }
---model "azure/*" { azure "*" }
---```
---`fallback` names groups to try next, in order; their own fallbacks are not followed. Where a
---kind of fault is named, it has its own way, or `false` for none.
---```lua
---model "careful" {
---  openai "gpt-5",
---  fallback = { "claude", context_window = "long", content_policy = false },
---}
---```
---`balance` says who is asked first: `"weighted"` (the default), `"least_busy"`,
---`"lowest_latency"`, `"lowest_cost"`, or a function that returns one of the deployments, or nil
---to refuse.
---```lua
---model "near" {
---  azure { "gpt-4o", region = "eu" }, openai { "gpt-4o", region = "us" },
---  balance = function(deployments, call)
---    return best(deployments, function(d) return d.region == call.key.tags.region and 1 or 0 end)
---  end,
---}
---```
---@param name string
---@return fun(group: ModelGroup): string
function model(name) end

---Other names for model groups. `default` is a name like any other.
---```lua
---alias { ["gpt-4o"] = "smart", default = "small" }
---```
---@param names table<string, string>
function alias(names) end

---Who may ask, beside the keys of the ledger (`moongate keys`). Where neither has any, whoever
---asks is served, and only on this machine.
---```lua
---virtual_key "search" {
---  token  = env.SEARCH_KEY,
---  models = { "smart", "small" },
---  rpm    = 120, tpm = 200e3, parallel = 16,
---  budget = { "$50/day", "$500/month" },
---  team   = "search",
---}
---```
---@param name string
---@return fun(key: VirtualKey): string
function virtual_key(name) end

---What the organisation, teams, tags and end users may take, whatever their keys say. All that
---apply hold: a request is let in where every one of them has room, and counts for each.
---```lua
---limits {
---  org  = { budget = "$20000/month", soft_budget = "$15000/month" },
---  team = { search = { rpm = 600, budget = { "$100/day", "$2000/month" } } },
---  tag  = { ["tier=batch"] = { parallel = 4, models = { "small" } } },
---  user = { rpm = 20, budget = "$1/day", header = "x-end-user" },
---}
---```
---@param fields Limits
function limits(fields) end

---For every model group that does not say otherwise.
---```lua
---defaults {
---  timeout  = { connect = "2s", first_token = "20s", idle = "30s", total = "5m" },
---  retries  = 2,
---  backoff  = "250ms",
---  cooldown = { allowed_fails = 3, within = "1m", time = "30s" },
---}
---```
---@param fields Defaults
function defaults(fields) end

---Runs once a request, before a deployment is picked: the model group that answers; nil means
---what the client asked for.
---```lua
---route(function(call)
---  if not call:fits(150e3) then return "long" end
---end)
---```
---@param choose fun(call: Call): string?
function route(choose) end

---What follows a failed attempt: a verdict; nil means the usual retries and fallbacks.
---```lua
---on_error(function(err)
---  if err.kind == "content_policy" then return fail "The provider declined this prompt." end
---  if err.kind == "rate_limit" and err.retry_after == 1 then return wait(1) end
---end)
---```
---@param decide fun(err: Fault, call: Call): Verdict?
function on_error(decide) end

---What a finished request leaves behind.
---```lua
---on_usage(function(usage, call)
---  metric("acme_spend_usd", usage.cost, { team = call.key.tags.team })
---end)
---```
---@param note fun(usage: Usage, call: Call)
function on_usage(note) end

-- Words that decide, returned from on_error ------------------------------------------

---Leave for another model group.
---```lua
---on_error(function(err)
---  if err.kind == "context_window" then return fallback "long" end
---end)
---```
---@param group string
---@return Verdict
function fallback(group) end

---Try the same group again: somebody not asked yet, or after the usual wait.
---```lua
---on_error(function(err)
---  if err.kind == "invalid_response" then return retry() end
---end)
---```
---@return Verdict
function retry() end

---Try the same group again, after this long.
---```lua
---on_error(function(err)
---  if err.kind == "overloaded" then return wait "500ms" end
---end)
---```
---@param time number|Duration  seconds, or with a unit
---@return Verdict
function wait(time) end

---Stop, and say this to the client.
---```lua
---on_error(function(err)
---  if err.kind == "auth" then return fail "The gateway's account is being renewed." end
---end)
---```
---@param message string
---@return Verdict
function fail(message) end

-- Words that help ---------------------------------------------------------------------

---Variables of the environment: `env.NAME` must be set, `env "NAME"` may be nil. An empty one is
---not set.
---```lua
---if env "OPENAI_API_KEY" then
---  local cloud = provider "openai" { name = "cloud", api_key = env.OPENAI_API_KEY }
---  model "cloud" { cloud "gpt-4o" }
---end
---```
---@type table<string, string>|fun(name: string): string?
env = {}

---The text of a file, without the white space at its end: for secrets that are mounted.
---```lua
---local vault = provider "anthropic" { name = "vault", api_key = file "secret.txt" }
---model "mounted" { vault "claude-sonnet-4-5" }
---```
---@param path string
---@return string
function file(path) end

---The item with the highest score; the first of equals, none for nil scores.
---```lua
---model "idle" {
---  openai { "gpt-4o", name = "one" }, openai { "gpt-4o", name = "two" },
---  balance = function(deployments)
---    return best(deployments, function(d) return -d.stats.in_flight end)
---  end,
---}
---```
---@generic T
---@param list T[]
---@param score fun(item: T): number?
---@return T?
function best(list, score) end

---The time, in UTC: `clock.year() month() day() hour() minute() second()`, `weekday()` (Monday
---is 1) and `now()` in seconds.
---```lua
---route(function(call)
---  if call.key.tags.tier == "free" and clock.hour() >= 22 then return "small" end
---end)
---```
---@type table<"year"|"month"|"day"|"hour"|"minute"|"second"|"weekday"|"now", fun(): number>
clock = {}

---A counter of your own in `/metrics`.
---```lua
---on_usage(function(usage, call)
---  metric("acme_tokens_total", usage.output_tokens, { model = call.model })
---end)
---```
---@param name string             letters, digits and `_`
---@param value number            is added
---@param labels? table<string, string>
function metric(name, value, labels) end

---A line in the log: `log.debug`, `log.info`, `log.warn`, `log.error`.
---```lua
---on_usage(function(usage, call)
---  if usage.cost > 1 then log.warn("expensive", { key = call.key.name, usd = usage.cost }) end
---end)
---```
---@type table<"debug"|"info"|"warn"|"error", fun(event: string, fields?: table)>
log = {}
