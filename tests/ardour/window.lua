-- SPDX-License-Identifier: GPL-3.0-or-later
--
-- A session with Meanwave Sound on a track. Run by tests/ardour_window.sh.
AudioEngine:set_backend("None (Dummy)", "", "")
local s = create_session(os.getenv("SESSION"), "test", 48000)
assert(s, "no session")
local midi = ARDOUR.ChanCount(ARDOUR.DataType("midi"), 1)
local audio = ARDOUR.ChanCount(ARDOUR.DataType("audio"), 2)
s:new_midi_track(midi, audio, true, ARDOUR.PluginInfo(), nil, nil, 1, "keys", ARDOUR.PresentationInfo.max_order, ARDOUR.TrackMode.Normal, true)
local plugin = ARDOUR.LuaAPI.new_plugin(s, "urn:meanwave:sound", ARDOUR.PluginType.LV2, "")
assert(not plugin:isnil(), "no plugin")
s:route_by_name("keys"):add_processor_by_index(plugin, 0, nil, true)
s:save_state("")
print("made")
close_session()
quit()
