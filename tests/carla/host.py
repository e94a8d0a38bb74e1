#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Of tests/carla.sh: a session of Carla's engine with its dummy driver, in the rack.

make PROJECT VOICE SPEECH   Voice and Sound, from presets and a voice file, are heard and saved
open PROJECT COPY           they come back as they were, and are saved once more
remove                      instances go while they generate and load, and leave nothing behind
window inside|bridged       words that are typed in Sound's window become its sound
"""
import json
import os
import subprocess
import sys
import time

import carla_backend as carla

VOICE = "urn:meanwave:voice"
SOUND = "urn:meanwave:sound"
READY = {VOICE: 0, SOUND: 1}
BUSY = 2  # Sound's status while it generates
FILE = "http://kxstudio.sf.net/ns/carla/path"
TEXT = "http://kxstudio.sf.net/ns/carla/string"


def start():
    prefix = os.environ["CARLA"]
    host = carla.CarlaHostDLL(prefix + "/lib/carla/libcarla_standalone2.so", False)
    for option, number, text in (
            (carla.ENGINE_OPTION_PATH_BINARIES, 0, prefix + "/lib/carla"),
            (carla.ENGINE_OPTION_PATH_RESOURCES, 0, prefix + "/share/carla/resources"),
            (carla.ENGINE_OPTION_PLUGIN_PATH, carla.PLUGIN_LV2, os.environ["LV2_PATH"]),
            (carla.ENGINE_OPTION_PROCESS_MODE, carla.ENGINE_PROCESS_MODE_CONTINUOUS_RACK, ""),
            (carla.ENGINE_OPTION_TRANSPORT_MODE, carla.ENGINE_TRANSPORT_MODE_INTERNAL, ""),
            (carla.ENGINE_OPTION_AUDIO_BUFFER_SIZE, 512, ""),
            (carla.ENGINE_OPTION_AUDIO_SAMPLE_RATE, 48000, "")):
        host.set_engine_option(option, number, text)
    assert host.engine_init("Dummy", "test"), host.get_last_error()
    return host


def end(host):
    host.set_engine_about_to_close()
    host.remove_all_plugins()
    host.engine_close()


def idle(host, seconds, until=lambda: False):
    """As Carla's window does all the time; whether it came to be."""
    last = time.monotonic() + seconds
    while not until() and time.monotonic() < last:
        host.engine_idle()
        time.sleep(0.01)
    return until()


class Plugin:
    def __init__(self, host, uri, number=None, kind=carla.PLUGIN_LV2):
        self.host = host
        self.uri = uri
        self.number = host.get_current_plugin_count() if number is None else number
        if number is None and not host.add_plugin(carla.BINARY_NATIVE, kind, "", "", uri, 0, None, 0xffff):
            sys.exit("%s: %s" % (uri, host.get_last_error()))
        self.ports = {host.get_parameter_info(self.number, i)["symbol"]: i
                      for i in range(host.get_parameter_count(self.number))}
        self.programs = [host.get_program_name(self.number, i) for i in range(host.get_program_count(self.number))]

    def value(self, symbol):
        return self.host.get_current_parameter_value(self.number, self.ports[symbol])

    def set(self, symbol, value):
        self.host.set_parameter_value(self.number, self.ports[symbol], value)

    def port(self, symbol):
        """Least, greatest and standard value, unit, labels."""
        i = self.ports[symbol]
        ranges = self.host.get_parameter_ranges(self.number, i)
        about = self.host.get_parameter_info(self.number, i)
        return (ranges["min"], ranges["max"], ranges["def"], about["unit"],
                [self.host.get_parameter_scalepoint_info(self.number, i, k)["label"]
                 for k in range(about["scalePointCount"])])

    def preset(self, name):
        self.host.set_program(self.number, self.programs.index(name))
        self.ready()

    def ready(self):
        # it takes some blocks until it is busy
        idle(self.host, 0.5)
        assert idle(self.host, 60, lambda: self.value("status") == READY[self.uri]), "not ready"

    def is_heard(self, seconds=1.5):
        return idle(self.host, seconds, lambda: self.host.get_output_peak_value(self.number, True) > 0.01)

    def note(self):
        self.host.send_midi_note(self.number, 0, 60, 100)
        heard = self.is_heard()
        self.host.send_midi_note(self.number, 0, 60, 0)
        return heard

    def kept(self):
        """The state, as a project holds it."""
        host = self.host
        host.prepare_for_save(self.number)
        rows = [host.get_custom_data(self.number, i) for i in range(host.get_custom_data_count(self.number))]
        return {row["key"][len(self.uri) + 1:]: row["value"] for row in rows}

    def everything(self):
        settings = {symbol: self.value(symbol) for symbol, i in self.ports.items()
                    if self.host.get_parameter_data(self.number, i)["type"] == carla.PARAMETER_INPUT}
        return [settings, self.kept()]


def make(project, voice_file, speech):
    host = start()
    player = Plugin(host, "audiofile", kind=carla.PLUGIN_INTERNAL)
    host.set_custom_data(player.number, TEXT, "file", os.path.abspath(speech))
    host.set_parameter_value(player.number, 1, 0.0)  # not with the transport
    voice = Plugin(host, VOICE)
    assert voice.port("pitch") == (-24, 24, 0, "semi", []), voice.port("pitch")
    most, labels = voice.port("voice")[1], voice.port("voice")[4]
    assert most > 0 and len(labels) == most + 1 and "cedar" in labels, labels
    voice.preset("deep")
    assert voice.value("pitch") < 0 and voice.value("voice") > 0
    assert voice.value("latency") > 0 and voice.is_heard(5)
    voice.set("voice", 0)
    host.set_custom_data(voice.number, FILE, "file", os.path.abspath(voice_file))
    voice.set("mix", 90)
    voice.ready()
    assert voice.is_heard(5)

    sound = Plugin(host, SOUND)
    assert sound.port("seed") == (0, 16777215, 0, "", []), sound.port("seed")
    assert len(sound.port("factory_prompt")[4]) == len(sound.programs) + 1 > 2
    host.remove_plugin(player.number)
    voice.number, sound.number = 0, 1
    voice.set("gain", -60)
    idle(host, 1)
    sound.preset("chime")
    assert not sound.is_heard(0.3) and sound.note()
    sound.set("gain", -6)
    assert host.save_project(project), host.get_last_error()
    with open("saved", "w") as saved:
        json.dump([voice.everything(), sound.everything(), sound.value("clip_seconds")], saved)
    # what was taken away is not in the next project
    assert voice.kept()["file"] == "mixed.voice", voice.kept()
    voice.preset("plain")
    assert voice.kept()["file"] == "", voice.kept()
    end(host)


def reopen(project, copy):
    host = start()
    assert host.load_project(project), host.get_last_error()
    voice, sound = Plugin(host, VOICE, 0), Plugin(host, SOUND, 1)
    # nothing is generated again
    assert not idle(host, 2, lambda: sound.value("status") == BUSY), "the sound was lost"
    sound.ready()
    voice.ready()
    with open("saved") as saved:
        before = json.load(saved)
    now = [voice.everything(), sound.everything(), sound.value("clip_seconds")]
    assert now == before, (before, now)
    assert sound.note()
    assert host.save_project(copy), host.get_last_error()
    end(host)


def left_behind():
    return len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))


def remove():
    host = start()
    before = None
    for round_number in range(10):
        several = [Plugin(host, uri) for uri in (SOUND, VOICE, SOUND, VOICE + "-stereo")]
        for p in several:
            host.set_program(p.number, round_number)
        several[0].set("seconds", 60)
        several[0].set("generate", 1)
        assert idle(host, 10, lambda: several[0].value("status") == BUSY)
        for p in several:
            host.remove_plugin(0)
        idle(host, 0.1)
        before = before or left_behind()
    assert left_behind() == before, (before, left_behind())
    end(host)


def xdotool(*words):
    return subprocess.run(["xdotool", *map(str, words)], stdout=subprocess.PIPE, text=True).stdout.split()


def window(where):
    host = start()
    host.set_engine_option(carla.ENGINE_OPTION_PREFER_UI_BRIDGES, int(where == "bridged"), "")
    sound = Plugin(host, SOUND)
    shown = lambda: xdotool("search", "--onlyvisible", "--name", "Meanwave Sound")
    for words in ("rain", "campfire"):
        host.show_custom_ui(sound.number, True)
        assert idle(host, 10, shown), "no window"
        idle(host, 0.5)
        xdotool("mousemove", "--window", shown()[0], 500, 110, "click", 1, "key", "ctrl+a", "type", words)
        xdotool("key", "ctrl+Return")
        assert idle(host, 10, lambda: sound.kept()["prompt"] == words), sound.kept()
        sound.ready()
        assert sound.note()
        host.show_custom_ui(sound.number, False)
        assert idle(host, 10, lambda: not shown()), "the window stays"
    host.show_custom_ui(sound.number, True)
    assert idle(host, 10, shown), "no window"
    host.remove_plugin(sound.number)
    assert idle(host, 10, lambda: not shown()), "the window stays"
    end(host)


if __name__ == "__main__":
    {"make": make, "open": reopen, "remove": remove, "window": window}[sys.argv[1]](*sys.argv[2:])
