-- Where a model is in Gemini's API: "models/…", or the whole name of one that was tuned.

local percent = require "lib.percent"

local place = {}

--- A deployment's model by the name that requests and addresses have.
function place.name(dep)
  return dep.model:find("/", 1, true) and dep.model or "models/" .. dep.model
end

--- The path at which that model does something: ":embedContent".
function place.path(dep, verb)
  return "/" .. percent.encode(place.name(dep), "[^%w%-._~/]") .. verb
end

return place
