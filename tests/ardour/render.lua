-- SPDX-License-Identifier: GPL-3.0-or-later
--
-- Opens that session, says what came back, and renders $FRAMES with a share of $MIX per cent to
-- $FOLDER/$NAME.wav. Run by tests/ardour.sh.
local backend = AudioEngine:set_backend("None (Dummy)", "", "")
backend:set_buffer_size(8192) -- the longer a period, the fewer frames where an export may begin
local s = load_session(os.getenv("SESSION"), "test")
assert(s, "no session")
local opened = s:engine():processed_samples()
local track = s:route_by_name("speech")
local plugin = track:nth_plugin(0)
assert(not plugin:isnil(), "no plugin")
-- enabled, free-wheeling, voice, pitch, mix, gate, gain
for i = 2, 4 do print("value " .. i, (ARDOUR.LuaAPI.get_processor_param(plugin, i, true))) end
ARDOUR.LuaAPI.set_processor_param(plugin, 4, tonumber(os.getenv("MIX")))
ARDOUR.LuaAPI.usleep(500000)
print("latency", plugin:to_insert():signal_latency(), track:to_track():signal_latency())
local export = s:simple_export()
export:set_preset("2f6a3c1e-7d52-4b0e-9a36-0c1d5e8f7a42") -- float.preset of tests/ardour.sh
export:set_folder(os.getenv("FOLDER"))
export:set_name(os.getenv("NAME"))
export:set_range(0, tonumber(os.getenv("FRAMES")))
assert(export:check_outputs(), "no outputs")
print("heard", s:engine():processed_samples() - opened, s:get_block_size())
print("rendered", export:run_export())
close_session()
quit()
