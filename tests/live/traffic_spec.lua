-- Recorded traffic at the door of chat: tests/support/traffic/ says what is to be shown.

require "support.traffic.spec" ({ "chat" }, "recorded traffic at the door of chat")
