-- SPDX-License-Identifier: GPL-3.0-or-later
--
-- A session with Meanwave Voice on a track, from a preset with a voice file. Run by tests/ardour.sh.
AudioEngine:set_backend("None (Dummy)", "", "")
local s = create_session(os.getenv("SESSION"), "test", 48000)
assert(s, "no session")
s:new_audio_track(1, 2, nil, 1, "speech", ARDOUR.PresentationInfo.max_order, ARDOUR.TrackMode.Normal, true)
local track = s:route_by_name("speech")
local plugin = ARDOUR.LuaAPI.new_plugin(s, "urn:meanwave:voice", ARDOUR.PluginType.LV2, "from a file")
assert(not plugin:isnil(), "no plugin")
track:add_processor_by_index(plugin, 0, nil, true)
ARDOUR.LuaAPI.usleep(1000000)
s:save_state("")
print("made")
close_session()
quit()
