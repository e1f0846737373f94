-- Modules whose turn may never come: what nobody asks this gateway for is neither read nor
-- held. They come from the files that the generation began with, like all others.

local loaded = package.loaded

--- The module of this name. From its first use on that is one look into a table.
return function(name) return loaded[name] or require(name) end
