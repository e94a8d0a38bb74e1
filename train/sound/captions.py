# SPDX-License-Identifier: GPL-3.0-or-later
"""Many ways to say what a sound is: hand-written phrases of the labels, words for attributes, WordNet.

A description is {"label", "phrases", "attributes"}; a caption is drawn anew each time it is used.
"""
import os
import re

PHRASES = """\
dog_bark: a dog barks; a dog barking; dog; barking dog; barking puppy; puppy barking; hound barking; dogs bark; woof; angry dog barks
rooster: rooster; a rooster crowing; a cock crows; cockerel crow; cock-a-doodle-doo; morning rooster on a farm; crowing chicken
rain: rain; rain falling; heavy rain; rainfall; downpour; heavy downpour on a roof; rainstorm; raining hard; pouring rain
sea_waves: sea waves; ocean waves; waves on the beach; waves on the shore; surf; the sea; waves crashing; ocean surf at the seaside
crackling_fire: crackling fire; fire; fireplace; campfire crackling; a burning fire; wood fire; bonfire; flames crackle
crying_baby: crying baby; a baby crying; infant crying; a baby cries; newborn wailing; a child weeping; toddler screaming
sneezing: sneeze; a person sneezing; sneezing; a man sneezes; achoo; somebody sneezes
clock_tick: ticking clock; clock ticking; tick tock; a clock ticks; wall clock; watch ticking
helicopter: helicopter; helicopter rotor; chopper flying; a helicopter flies; helicopter blades; a hovering helicopter
chainsaw: chainsaw; a chainsaw cutting wood; chainsaw motor; chain saw; sawing a tree with a power saw; lumberjack with chainsaw
thunder: thunder; thunder clap; thunderstorm; a thunder rumble; lightning and thunder
lightning_thunder: thunder; lightning and thunder; thunderstorm; thunder crack
cat_meow: cat meowing; a cat; kitten; meow; a kitten meows
cow_moo: cow mooing; a cow; cattle; moo; a bull
horse_neigh: horse neighing; a horse; horse whinny; pony
sheep_baa: sheep; a sheep bleating; lamb; baa
goat_bleat: goat; a goat bleating; billy goat
pig_snort: pig; a pig snorting; hog; grunting pig; oink
pig_squeal: pig squealing; piglet squeal
duck_quack: duck; a duck quacking; ducks quack; quack
goose: goose; honking goose; geese
chicken: chicken; hen clucking; chickens; poultry
crow_caw: crow; a crow cawing; raven caw
misc_crow: crow; crow cawing; raven
owl_hoot: owl; an owl hooting; owl at night; hooting owl
bird: bird; bird singing; birds chirping; bird song; a songbird
bird_tweet: bird tweet; bird chirping; birds singing; bird song; tweeting bird
birds_loop: birds singing; birds; bird song in the forest; morning birds; dawn chorus
canary: canary; canary singing; a chirping bird; bird song
seagull: seagull; gull crying; seagulls at the sea
frog: frog; a croaking frog; toad; frogs in a pond
cricket: cricket; chirping cricket; crickets at night; insects
cicada: cicada; cicadas; buzzing insects in summer
grasshopper: grasshopper; chirping grasshopper; insect
bee: bee; a buzzing bee; insect buzzing; bees; wasp
bumble_bee: bumble bee; buzzing bumblebee; bee
mosquito_buzz: mosquito; buzzing mosquito; a fly; insect buzz
wolf_howl: wolf howling; a wolf; howling wolf; wolves howl
coyote_howl: coyote howling; coyote
lion_bellow: lion; lion roaring; a big cat roars
tiger_roar: tiger; a tiger roars; tiger growl
elephant_trumpet: elephant; an elephant trumpeting
monkey: monkey; chattering monkey; chimpanzee; ape
whale: whale; whale song; humpback whale
dolphin_chirp: dolphin; dolphin chirping
puppy_bark: puppy barking; small dog barks; yapping puppy; little dog
zombie_growl: zombie growl; monster; undead growling
monster_growl: monster growl; a growling monster; beast; creature
door_close: door closing; a door shuts; closing a door; slamming door; door slam
door_open: door opening; a door opens; opening a door
door_creak: creaking door; squeaky door; door hinge creaks
hinge_creak: creaking hinge; squeaky hinge; creak
door_knock: knocking on a door; door knock; somebody knocks; knock knock
perc_door: door slam; door percussion
doorbell: doorbell; door bell rings; ding dong
telephone_ring: telephone ringing; phone ring; a phone rings; old telephone
church_bells: church bells; bells tolling; ringing bells; cathedral bells
bicycle_bell: bicycle bell; bike bell; ringing a bike bell
explosion: explosion; blast; big explosion; bomb
blast: explosion; blast; detonation; bomb blast
explosion_scifi: sci-fi explosion; science fiction explosion
laser: laser; sci-fi laser; laser gun; blaster shot; ray gun; laser beam
plasma_shot: plasma shot; sci-fi gun; plasma gun; laser shot
pistol_fire: pistol shot; gunshot; gun fire; handgun; shooting
rifle_fire: rifle shot; gunshot; rifle fire; shooting
gunshot: gunshot; gun shot; shooting; a gun fires
weapons_blunderbuss_gun_shoot: gunshot; old gun fires; musket shot
fireworks: fireworks; firework; firecrackers; rockets exploding
glass_break: breaking glass; glass smashing; glass breaks; shattering glass
glass_shatter: shattering glass; glass breaking; smashed window
splash: splash; water splash; splashing water; something falls into water
waterdrop: water drop; dripping water; drip
waterfall: waterfall; flowing water; stream; river; rushing water
bubble: bubbles; bubbling water; bubble
boiling: boiling water; bubbling; water boils
wind: wind; wind blowing; howling wind; gale; breeze
wind_loop: wind; wind blowing; windy; howling wind
windbag_gust: gust of wind; wind gust; air gust
seashore: seashore; sea waves; waves on the beach; surf
applause: applause; clapping audience; crowd clapping; people clap; ovation
scream: scream; a person screaming; shriek; yell
laughter: laughter; laughing; a person laughs; giggle
laugh_evil: evil laugh; evil laughter; villain laughing
singing: singing; a person sings; voice singing
car_motor: car engine; car motor; automobile; driving car
vehicle_motor_idle: car idling; engine idle; motor running
motorbike_idle: motorbike; motorcycle engine; motorcycle idling
vehicle_horn: car horn; horn honking; honk; beeping car
train_whistle: train whistle; steam train; locomotive whistle
steam_engine: steam engine; steam locomotive; train
jet_flyby: jet flying by; jet plane; airplane passing; aircraft
airplane_prop: propeller plane; airplane; aircraft engine
gallop: galloping horse; horse gallop; hooves
coin: coin; dropping a coin; money
cash: coins; cash register; money
leaves: leaves rustling; rustling leaves; walking in leaves
rustle: rustling; rustle; leaves rustle
tree_chop: chopping wood; axe chopping a tree; woodcutter
step_hard: footstep; footsteps; hard step; walking shoes
step_soft: footstep; soft step; footsteps; walking
zipper: zipper; zip; closing a zipper
whistle: whistle; whistling; a person whistles
sfx_alarm: alarm; alarm sound; alarm clock; warning alarm
sfx_beep: beep; short beep; bleep; electronic beep
sfx_whoosh: whoosh; swoosh; air whoosh
woosh: whoosh; swoosh; woosh
sfx_click: click; mouse click; button click
ui_click: click; button click; interface click
sfx_punch: punch; hit; a fist hits; fight punch
sfx_error: error sound; error beep; wrong answer
ui_error: error sound; interface error; error notification
ui_confirmation: confirmation sound; success notification; ok sound; interface confirmation
sfx_chime: chime; chimes; notification chime
sfx_fanfare: fanfare; victory fanfare; trumpet fanfare
fanfare: fanfare; victory fanfare; trumpets
robot: robot; robot voice; android; machine voice
mehackit_robot: robot; electronic robot sounds; robotic glitch
breathing: breathing; heavy breathing; a person breathes
vinyl_scratch: vinyl scratch; record scratch; dj scratch; turntable scratch
drum_kick_drum: kick drum; bass drum; kick
drum_deep_kick_drum: deep kick drum; bass drum; kick
drum_heavy_kick: heavy kick drum; kick; bass drum
drum_bass_hard: bass drum; kick drum; hard kick
drum_bass_soft: soft bass drum; soft kick drum
drum_snare_drum: snare drum; snare; snare hit
drum_electric_snare_drum: electric snare drum; electronic snare; snare
drum_snare_soft: soft snare drum; snare
elec_snare: electronic snare; snare drum; 808 snare
drum_closed_hi_hat: closed hi-hat; hi hat; hihat
drum_open_hi_hat: open hi-hat; hi hat; hihat
drum_crash_cymbal: crash cymbal; cymbal crash; cymbal
drum_ride_cymbal: ride cymbal; cymbal; ride
drum_splash_cymbal: splash cymbal; cymbal
drum_hand_clap: hand clap; clap; clapping hands
drum_cowbell: cowbell; cow bell
drum_tambourine: tambourine; shaking a tambourine
drum_maracas: maracas; shaker
drum_groove: drum beat; drum groove; drum loop; drums; rhythm; drum kit
drum_roll: drum roll; snare roll
bd_808: 808 kick; 808 bass drum
bd_boom: booming kick drum; 808 kick; bass drum
acoustic_grand_piano: piano; grand piano; acoustic piano; a pianist; concert piano
bright_acoustic_piano: bright piano; piano
electric_piano: electric piano; rhodes piano
nylon_string_guitar: classical guitar; nylon guitar; acoustic guitar; spanish guitar
steel_string_guitar: acoustic guitar; steel string guitar; folk guitar
clean_electric_guitar: electric guitar; clean guitar
distortion_guitar: distorted guitar; heavy metal guitar; rock guitar; electric guitar with distortion
overdriven_guitar: overdriven guitar; rock guitar
church_organ: church organ; pipe organ; cathedral organ
drawbar_organ: organ; hammond organ; drawbar organ
violin: violin; a violinist; solo violin
cello: cello; a cellist; solo cello
string_ensemble: strings; string orchestra; string section; orchestra; violins
choir_aahs: choir; singing choir; voices; chorus singing
trumpet: trumpet; a trumpeter; brass trumpet
flute: flute; a flutist; concert flute
tenor_saxophone: saxophone; sax; tenor sax; jazz saxophone
alto_saxophone: saxophone; alto sax; sax
harp: harp; a harpist; plucked harp
synth_bass: synth bass; synthesizer bass; electronic bass
warm_pad: warm pad; synth pad; ambient pad; synthesizer pad
sawtooth_lead: sawtooth synth; saw lead; synth lead; synthesizer lead
square_wave_lead: square synth; square lead; chiptune synth; 8 bit synth lead
steel_drums: steel drums; steel pan; caribbean drums
music_box: music box; toy music box
tubular_bells: tubular bells; bells; chimes
"""

ATTRIBUTES = {
    "pitch": {"high": "high; high; high pitched; shrill", "low": "low; low; deep; low pitched"},
    "speed": {"fast": "fast; fast; quick; rapid", "slow": "slow; slow; slowly"},
    "place": {"near": "near; close; loud; nearby", "far": "distant; distant; far away; faint; in the distance"},
    "mode": {"major": "major; major; happy", "minor": "minor; minor; sad"},
    "density": {"heavy": "heavy; strong", "light": "light; soft; gentle"},
    "brightness": {"bright": "bright; bright; brilliant", "dark": "dark; soft; mellow; gentle"},
    "direction": {"rising": "rising; ascending", "falling": "falling; descending"},
    "form": {"arpeggio": "arpeggio; arpeggio; broken chord", "melody": "melody; melody; tune",
             "chord": "chord", "note": "single note; note; tone"},
}
VARIED = 0.3  # of the captions get another word for one
BARE = 0.3  # of the captions of what has attributes tell none of them
COMMON = ("the sound recording of while there is over with then key sharp flat playing outside",)
KINDS_DEPTH, KINDS_MOST = 4, 350  # of a word: how far down, and more than that say too little of it
FAMILIES = "lead pad reed pipe brass bass grand steel nylon"  # of instruments, which mean something else first
DISTANT = ("distant", "far away", "faint")
HAND = {line.split(": ")[0]: line.split(": ")[1].split("; ") for line in PHRASES.splitlines()}


def attributes_of(caption):
    """What a caption of the pack says of its music."""
    words, found = caption.replace("-", " ").split(), {}
    for name, values in ATTRIBUTES.items():
        for value in values:
            if value in words:
                found[name] = value
    return found


def describe(row):
    """A row of the `sounds` manifest -> its description."""
    label = row["label"]
    plain = re.sub("^(sfx|ui|drum|perc|elec|weapons|ambi) ", "", label.replace("_", " "))
    attributes = attributes_of(row["caption"]) if row["group"] == "music" else {}
    if attributes.get("form"):
        return {"label": label, "phrases": HAND.get(label, []) + [plain], "attributes": attributes}
    return {"label": label, "phrases": HAND.get(label, []) + [row["caption"], plain], "attributes": attributes}


class Thesaurus:
    """Other names of a noun in WordNet, and of the kinds below it that mean just that in their first sense. Of an
    instrument it is the sense that is one: an organ is no part of a body."""

    def __init__(self, folder="/usr/share/wordnet"):
        self.synsets, self.senses, self.found = {}, {}, {}
        with open(os.path.join(folder, "data.noun"), encoding="latin-1") as file:
            for line in file:
                if line.startswith("  "):
                    continue
                field = line.split(" | ")[0].split()
                count = int(field[3], 16)
                names = [field[4 + 2 * i].lower() for i in range(count)]
                pointers = field[4 + 2 * count + 1:]
                below = [pointers[i + 1] for i in range(0, len(pointers) - 3, 4) if pointers[i] == "~"]
                self.synsets[field[0]] = (names, below)
        with open(os.path.join(folder, "index.noun"), encoding="latin-1") as file:
            for line in file:
                field = line.split()
                if not line.startswith("  "):
                    self.senses[field[0]] = field[-int(field[2]):]
        self.instruments = set(self.below(self.senses["musical_instrument"][0], 9))

    def below(self, key, depth):
        """The senses under one, down to a depth, each once."""
        found, last = {}, [key]
        for _ in range(depth):
            last = [under for above in last for under in self.synsets[above][1] if under not in found]
            found.update(dict.fromkeys(last))
        return list(found)

    def names(self, word):
        """-> single words that mean the same, single words that mean a kind of it"""
        if word not in self.found:
            senses = self.senses.get(word, [])
            key = next((sense for sense in senses if sense in self.instruments), senses[0] if senses else None)
            single = lambda sense: [name for name in self.synsets[sense][0] if "_" not in name and name != word]
            under = self.below(key, KINDS_DEPTH) if key and key not in self.instruments else []  # they sound otherwise
            kinds = [name for sense in under for name in single(sense) if self.senses[name][0] == sense]
            self.found[word] = (single(key) if key else [], kinds if len(kinds) < KINDS_MOST else [])
        return self.found[word]


class Writer:
    def __init__(self, known, thesaurus):
        """known: {word: its place by how common it is}"""
        self.known, self.thesaurus = known, thesaurus
        self.plain = set(" ".join([*COMMON, FAMILIES, *(words for values in ATTRIBUTES.values() for words in values.values())])
                         .replace(";", "").split())

    def attribute(self, random, name, value):
        return self.choose(random, ATTRIBUTES[name][value].split("; "))

    @staticmethod
    def choose(random, some):
        return some[random.integers(len(some))]

    def others(self, word):
        """-> lists of other words for what a word names, in its number; the word itself in the other number or None"""
        plural = word[-1] == "s" and word not in self.thesaurus.senses and word[:-1] in self.thesaurus.senses
        one = word[:-1] if plural else word
        lists = [[name + "s" * plural for name in names] for names in self.thesaurus.names(one)]
        known = [[name for name in names if name in self.known] for names in lists]
        number = one if plural else one + "s"
        return [names for names in known if names], number if plural or one in self.thesaurus.senses else None

    def varied(self, random, caption, share=VARIED):
        """A share of the times another word for one of those that name something, of four the commonest; at times one in
        the other number."""
        words = caption.split()
        found = [(at, *self.others(word)) for at, word in enumerate(words) if len(word) > 2 and word not in self.plain]
        named = [(at, names) for at, lists, _ in found for names in lists]
        numbers = [(at, number) for at, _, number in found if number in self.known]
        dice = random.random()
        if named and dice < share:
            at, names = self.choose(random, named)
            words[at] = min((self.choose(random, names) for _ in range(4)), key=self.known.get)
        elif numbers and dice > 0.93:
            at, number = self.choose(random, numbers)
            words[at] = number
        return " ".join(words)

    def write(self, random, description):
        """-> a caption, and the attributes that it tells"""
        base = self.choose(random, description["phrases"])
        open_to_tell = {} if random.random() < BARE else description["attributes"]
        told = {name: value for name, value in open_to_tell.items() if name == "form" or random.random() < 0.85}
        before, after = [], []
        for name, value in told.items():
            if name == "form":
                continue
            if name == "key":
                continue
            word = self.attribute(random, name, value)
            if name == "mode":
                if word not in ("major", "minor"):
                    before.append(word)
                elif "key" in told and random.random() < 0.7:
                    after.append("in %s %s" % (told["key"], word))
                elif random.random() < 0.5:
                    after.append("in a %s key" % word)
                else:
                    before.append(word)
            elif word == "in the distance" or (word in DISTANT + ("nearby",) and random.random() < 0.3):
                after.append({"distant": "in the distance", "faint": "in the distance"}.get(word, word))
            else:
                before.append(word)
        before = [before[i] for i in random.permutation(len(before))]
        base = re.sub("^(an?|the) ", "", base)
        if "form" in told:
            form = self.attribute(random, "form", told["form"])
            if random.random() < 0.5:
                words = before + [base, form]
            elif random.random() < 0.5:
                words = before + [form, "on a", base]
            else:
                words = ["a", base, "playing a"] + before + [form]
        else:
            words = before + [base]
        caption = " ".join(words + after)
        dice = random.random()
        if dice < 0.12:
            return "the sound of " + caption, told
        if dice < 0.2:
            return "recording of a " + caption, told
        return ("a " if dice < 0.4 else "") + caption, told

    def pair(self, random, first, second):
        join = self.choose(random, ["and", "with", "and", "then", "with a", "while there is", "over"])
        return "%s %s %s" % (self.write(random, first)[0], join, self.write(random, second)[0])

    def caption(self, random, descriptions):
        """-> a caption, and the attributes that it tells of a sound alone"""
        if len(descriptions) == 1:
            return self.write(random, descriptions[0])
        order = random.permutation(2)
        return self.pair(random, descriptions[order[0]], descriptions[order[1]]), {}


def all_words(described):
    """Every word that a caption without WordNet may hold."""
    texts = [phrase for row in described for of in row["of"] for phrase in of["phrases"]]
    texts += list(COMMON) + [words for values in ATTRIBUTES.values() for words in values.values()]
    return set(re.findall("[a-z0-9]+", " ".join(texts).lower()))


class Strays:
    """Words that tell nothing of a sound, put among those of a caption."""

    def __init__(self, vocabulary, described, rows):
        telling = all_words(described)
        self.rows = rows
        self.idle = [i for i, word in enumerate(vocabulary.words[:3000]) if word not in telling]

    def among(self, random, ids, share):
        """ids, a share of the times with one to three others among them"""
        ids = list(ids)
        if random.random() < share:
            for word in random.choice(self.idle, random.integers(1, 4)):
                ids.insert(int(random.integers(len(ids) + 1)), int(word))
        return ids[:self.rows]
