-- Recorded traffic at the door of messages: tests/support/traffic/ says what is to be shown.

require "support.traffic.spec" ({ "messages" }, "recorded traffic at the door of messages")
