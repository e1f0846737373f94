---@meta
-- engine.tokens: how many tokens a text has, and what is learned of that.

---@class tokens
local tokens = {}

---@param text string
---@param encoding? string  "o200k_base" …; without one, or where its vocabulary is not here, estimated
---@param limit? number     stop there: a text of more tokens has limit + 1
---@return integer n, boolean exact  false: an estimate. May wait, where the text is long
function tokens.count(text, encoding, limit) end

---@class OutlineRule  what a member of a body is; all of it may be absent
---@field text? boolean    a string, and those of an array, count
---@field image? boolean   an image or a file, or where it is
---@field detail? boolean  how closely an image is looked at
---@field into? string     the place of an object, and of an array's objects
---@field raw? boolean     an object or array counts as the JSON that it is
---@field named? boolean   the member's own name counts
---@field ruled? boolean   where it is there, nobody knows the number for certain
---@field add? number      tokens where it is there
---@field each? number     for each element of an array
---@field alone? number    where it is a string, not an array
---@field before? string   what stands before a text, at most 7 bytes
---@field after? string    and behind it

---@class OutlinePlace
---@field add? number  tokens for each object
---@field members table<string, OutlineRule>  by name; "*" is any other

---Where a body's tokens are. See lib/token_shapes.lua.
---@param spec { places: table<string, OutlinePlace>, order: string[], weights: number[]?, otherwise: number? }
---@return userdata outline
function tokens.outline(spec) end

---Tokens of a body (or of a text), weighed as the outline says: of its texts, whether those are
---exact, of what stands around them; what script it is in (1 Latin, 2 code, 3 Greek or
---Cyrillic, 4 Chinese or Japanese, 5 Korean; 0: nobody weighed), whether something was there that
---is ruled, and its images and files.
---May wait, where the body is long.
---@param doc Document|string
---@param outline userdata
---@param encoding string
---@param limit? number  stop there, before weighing
---@param now? boolean   never waits: what one turn has no time for is estimated
---@return number texts, boolean exact, number frames, integer script, boolean ruled, table[]? pictures
function tokens.body(doc, outline, encoding, limit, now) end

---Take into account what a reported number was of the one that was estimated. Shared by all
---workers, kept over restarts.
---@param name string   a model
---@param kind integer  0 to 15
---@param ratio number
---@return number? mean, number? deviation, integer? count
function tokens.learn(name, kind, ratio) end

---@param name string
---@param kind integer
---@return number? mean, number? deviation, integer? count  nil: nothing is known
function tokens.learned(name, kind) end

---What moongate_token_drift_ratio says of a model.
---@param model string
---@param ratio number
function tokens.drift(model, ratio) end

---Is the vocabulary of an encoding here?
---@param encoding string
---@return boolean
function tokens.has(encoding) end

---@return string  why vocabularies are missing; "" where none is
function tokens.complaint() end

---Do a document's bytes hold one of these texts? One pass, nothing is decoded.
---@param doc Document
---@param ... string  none empty
---@return boolean
function tokens.mentions(doc, ...) end

return { tokens = tokens }
