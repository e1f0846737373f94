-- Recorded traffic at the door of gemini: tests/support/traffic/ says what is to be shown.

require "support.traffic.spec" ({ "gemini" }, "recorded traffic at the door of gemini")
