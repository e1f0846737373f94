-- Recorded traffic at the door of responses: tests/support/traffic/ says what is to be shown.

require "support.traffic.spec" ({ "responses" }, "recorded traffic at the door of responses")
