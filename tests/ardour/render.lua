-- SPDX-License-Identifier: GPL-3.0-or-later
--
-- Opens that session, says what came back, and renders $FRAMES with a share of $MIX per cent to
-- $FOLDER/$NAME.wav. Run by tests/ardour.sh.
AudioEngine:set_backend("None (Dummy)", "", "")
local s = load_session(os.getenv("SESSION"), "test")
assert(s, "no session")
local track = s:route_by_name("speech")
local plugin = track:nth_plugin(0)
assert(not plugin:isnil(), "no plugin")
-- enabled, free-wheeling, voice, pitch, mix, gate, gain
for i = 2, 4 do print("value " .. i, (ARDOUR.LuaAPI.get_processor_param(plugin, i, true))) end
ARDOUR.LuaAPI.set_processor_param(plugin, 4, tonumber(os.getenv("MIX")))
ARDOUR.LuaAPI.usleep(3000000)
print("latency", plugin:to_insert():signal_latency(), track:to_track():signal_latency())
local export = s:simple_export()
export:set_preset("75969a1c-3133-4694-864b-a1fa50e43348") -- WAV at the session's rate, level untouched
export:set_folder(os.getenv("FOLDER"))
export:set_name(os.getenv("NAME"))
export:set_range(0, tonumber(os.getenv("FRAMES")))
assert(export:check_outputs(), "no outputs")
print("rendered", export:run_export())
close_session()
quit()
