-- routes.lua: the whole gateway in three statements.

local openai = provider "openai" { api_key = env.OPENAI_API_KEY }

model "gpt-4o-mini" { openai "gpt-4o-mini" }

virtual_key "me" { token = env.MOONGATE_KEY }
