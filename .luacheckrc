std = "luajit"
max_line_length = 96
max_cyclomatic_complexity = 12
exclude_files = { "scripts/meta" }

stds.routes = { -- tests/unit/meta_spec.lua keeps this list equal to config.lua and meta/routes.lua
  read_globals = {
    "provider", "model", "alias", "virtual_key", "defaults", "route", "on_error", "on_usage",
    "fallback", "retry", "wait", "fail", "best", "env", "file", "log", "metric", "clock",
    "limits", "oauth",
  },
}
files["routes.lua"] = { std = "min+routes" }
files["tests/examples"] = { std = "min+routes" }
files["tests/**/*_spec.lua"] = {
  std = "luajit+busted",
  max_cyclomatic_complexity = false, -- a describe is a table of cases, not a function
}
files["scripts/cluster"] = { std = "lua51", read_globals = { "redis", "KEYS", "ARGV" } }
