-- How a provider speaks a client's dialect itself, where it does: `natives` of an adapter, by
-- the dialect's name. A face may say of which deployments that holds (`speaks`).
--
-- Where a deployment is asked by `api = "responses"`, or its model is served there only, those
-- who speak a chat in any dialect are told by the face `told`; by `api = "chat"`, as a chat
-- whatever dialect the server speaks beside.

local natives = {}

local CHATS = { openai = true, anthropic = true, gemini = true, completions = true }
local WHOLE = { responses = true, anthropic = true } -- may be passed on, or told as a chat
local find = string.find

-- Is this one of the models that are served by Responses only? In plain words, not patterns:
-- this is asked more than once a request.
local function only_there(adapter, model)
  local words = adapter.responses_only
  if not words then return false end
  for i = 1, #words do
    if find(model, words[i], 1, true) then return true end
  end
  return false
end

local function speaks(face, dep)
  return face and (not face.speaks or face.speaks(dep)) and face or nil
end

-- The face that Responses answer through, where this deployment is asked so.
local function told_of(adapter, dep)
  if dep.api == "responses" or not dep.api and only_there(adapter, dep.model) then
    return speaks(adapter.natives.told, dep)
  end
  return nil
end

--- The face of a deployment's adapter for clients of this dialect, or nil.
function natives.of(dialect, dep)
  local adapter = dep and dep.provider and dep.provider.adapter
  local faces = adapter and adapter.natives
  if not faces then return nil end
  local told = faces.told and CHATS[dialect] and told_of(adapter, dep)
  if told then return told end
  if dep.api == "chat" and WHOLE[dialect] then return nil end
  return speaks(faces[dialect], dep)
end

return natives
