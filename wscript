# SPDX-License-Identifier: GPL-3.0-or-later
#
# The whole build. core/*.c make a library, host/*.c the program `meanwave`, tests/test_*.c one program
# each, tests/golden*.c the program `golden`; adding a file to one of these folders needs no change
# here. A file named *_avx2.c, *_avx512.c, *_vnni.c or *_neon.c is built only where its compiler flags exist.

import atexit
import json
import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from waflib import Options, Utils

APPNAME = "meanwave"
VERSION = "0.1.0"
top = "."
out = "build"

WARNINGS = ("-Wall -Wextra -Wshadow -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes "
            "-Wundef -Wvla -Wwrite-strings").split()
INSTRUCTION_SETS = {
    "avx2": (("x86_64", "amd64"), ["-mavx2", "-mfma", "-mf16c"]),
    "avx512": (("x86_64", "amd64"), ["-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq",
                                     "-mavx2", "-mfma", "-mf16c"]),
    "vnni": (("x86_64", "amd64"), ["-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq",
                                   "-mavx512vnni", "-mavx2", "-mfma"]),
    "neon": (("aarch64", "arm64"), []),
}
TEST_SECONDS = 300  # a busy machine included; most take one
SLOW_SECONDS = 1800  # with the thread sanitizer or in Valgrind


def options(opt):
    opt.load("compiler_c")
    opt.add_option("--debug", action="store_true", help="no optimisation, all symbols")
    opt.add_option("--sanitize", default="", metavar="LIST",
                   help="address,undefined or thread: build with these sanitizers")
    opt.add_option("--minutes", type=float, default=5.0, help="of ./waf fuzz NAME")
    opt.add_option("--werror", action="store_true", help="warnings are errors")


def configure(conf):
    conf.load("compiler_c gnu_dirs")
    for package, name in (("fftw3f", "FFTW"), ("sndfile", "SNDFILE"), ("portaudio-2.0", "PORTAUDIO"),
                          ("lv2", "LV2"), ("cmocka", "CMOCKA"), ("x11", "X11"),
                          ("cairo", "CAIRO"), ("xtst", "XTST")):
        conf.check_cfg(package=package, uselib_store=name, args="--cflags --libs")
    conf.check_cc(lib="m", uselib_store="M")
    flags = ["-std=gnu11", "-g", "-fPIC", "-pthread", "-fvisibility=hidden", "-ffp-contract=off"]
    flags += ["-O0"] if conf.options.debug else ["-O2"]
    flags += WARNINGS
    if conf.options.werror:
        flags.append("-Werror")
    links = ["-pthread"]
    if conf.options.sanitize:
        sanitizers = ["-fsanitize=" + conf.options.sanitize, "-fno-omit-frame-pointer",
                      "-fno-sanitize-recover=all"]
        flags += sanitizers
        links += sanitizers
    conf.env.append_value("CFLAGS", flags)
    conf.env.append_value("LINKFLAGS", links)
    conf.env.FUZZED = "fuzzer" in conf.options.sanitize
    if conf.env.FUZZED:
        conf.env.append_value("CFLAGS", "-fsanitize-coverage-ignorelist=" +
                              conf.path.find_node("tests/fuzz/computing.txt").abspath())
        conf.check_cc(fragment="int LLVMFuzzerTestOneInput(void);\n"
                      "int LLVMFuzzerTestOneInput(void) { return 0; }\n",
                      linkflags=["-fsanitize=fuzzer"], msg="Checking for libFuzzer")
    machine = conf.env.DEST_CPU
    conf.env.INSTRUCTION_SETS = [name for name, (machines, _) in INSTRUCTION_SETS.items()
                                 if machine in machines]
    for name in conf.env.INSTRUCTION_SETS:
        conf.define("MW_HAVE_" + name.upper(), 1)
    conf.define("MW_VERSION", VERSION)
    conf.define("MW_DATA_DIR", os.path.join(conf.env.DATADIR, "meanwave"))
    variant = "debug" if conf.options.debug else "release"
    if conf.options.sanitize:
        variant += ", sanitizers " + conf.options.sanitize
    conf.define("MW_BUILD", variant)
    conf.env.append_value("DEFINES", ["_GNU_SOURCE"])
    conf.env.VERSION_PARTS = VERSION.split(".")
    conf.recurse("plugins")


def instruction_set(node):
    match = re.search(r"_(avx2|avx512|vnni|neon)\.c$", node.name)
    return match.group(1) if match else None


def build(bld):
    libraries = "FFTW SNDFILE M"
    sources = bld.path.ant_glob("core/*.c")
    plain = [node for node in sources if instruction_set(node) is None]
    objects = []
    for name in bld.env.INSTRUCTION_SETS:
        chosen = [node for node in sources if instruction_set(node) == name]
        if chosen:
            bld.objects(source=chosen, target="core_" + name, includes="core", use=libraries,
                        # they parse nothing, and clang takes minutes to instrument them
                        cflags=INSTRUCTION_SETS[name][1] + (["-fno-sanitize=all"] if bld.env.FUZZED else []))
            objects.append("core_" + name)
    bld.stlib(source=plain, target="core", includes="core", use=[*objects, *libraries.split()],
              export_includes="core")
    if bld.path.ant_glob("host/*.c"):
        bld.objects(source=bld.path.ant_glob("host/*.c", excl="host/main.c"), target="host", includes="host",
                    export_includes="host", use="core PORTAUDIO " + libraries)
        bld.program(source="host/main.c", target="meanwave", use="host core PORTAUDIO " + libraries)
        # the option table is the man page and the completions too
        bld.install_files("${DATADIR}/applications", "host/meanwave.desktop")
        for words, target, place in (
                ("--man", "meanwave.1", "${MANDIR}/man1"),
                ("--completion bash", "completion/meanwave", "${DATADIR}/bash-completion/completions"),
                ("--completion zsh", "completion/_meanwave", "${DATADIR}/zsh/site-functions")):
            bld(rule="${SRC[0].abspath()} %s > ${TGT}" % words, source="meanwave", target=target,
                install_path=place)
    bld.recurse("plugins")
    support = bld.path.ant_glob("tests/*.c", excl=["tests/test_*.c", "tests/golden*.c", "tests/lv2_*.c",
                                                     "tests/trap.c", "tests/jumping_clock.c",
                                                     "tests/x11_*.c"])
    if support:
        bld.objects(source=support, target="test_support", includes="tests", use="core CMOCKA")
    helpers = " test_support" if support else ""
    # these stand in front of the C library, so only where they are wanted
    bld.objects(source="tests/trap.c", target="trap", includes="tests")
    bld.objects(source="tests/jumping_clock.c", target="jumping_clock", includes="tests")
    more = {"test_live.c": " trap jumping_clock", "test_real_time.c": " trap",
            "test_examples.c": " trap", "test_global_variance.c": " trap", "test_partials.c": " trap",
            "test_clock.c": " jumping_clock host PORTAUDIO", "test_memory_host.c": " host PORTAUDIO"}
    for node in bld.path.ant_glob("tests/test_*.c", excl=["tests/test_plugin_*.c", "tests/test_ui_*.c"]):
        bld.program(source=[node], target="tests/" + node.name[:-2], includes="tests",
                    install_path=None,
                    use="core CMOCKA " + libraries + helpers + more.get(node.name, ""))
    bld.objects(source=bld.path.ant_glob("tests/lv2_*.c"), target="lv2_host", includes="tests",
                use="LILV LV2 CMOCKA")
    bld.objects(source=bld.path.ant_glob("tests/x11_*.c"), target="x11_host", includes="tests",
                use="LILV LV2 X11 XTST CAIRO CMOCKA")
    for node in bld.path.ant_glob("tests/test_ui_*.c"):
        bld.program(source=[node], target="tests/" + node.name[:-2],
                    includes=["tests", bld.path.find_dir("plugins/ui")],
                    install_path=None, linkflags=["-rdynamic"],
                    use="core CMOCKA LILV LV2 X11 XTST CAIRO lv2_host trap jumping_clock x11_host ui_edit " + libraries + helpers)
    for node in bld.path.ant_glob("tests/test_plugin_*.c"):
        bld.program(source=[node], target="tests/" + node.name[:-2], includes="tests",
                    install_path=None, linkflags=["-rdynamic"],
                    use="core CMOCKA LILV LV2 lv2_host trap jumping_clock sampler " + libraries + helpers)
    build_fuzz_targets(bld, libraries + helpers)
    golden = bld.path.ant_glob("tests/golden*.c")
    if golden:
        bld.program(source=golden, target="tests/golden", includes="tests", install_path=None,
                    use="core " + libraries + helpers)
    bld.program(source="tests/bench/look_ahead.c", target="tests/look_ahead", install_path=None,
                use="core " + libraries)
    for folder in ("models", "presets"):
        files = bld.path.ant_glob(folder + "/**/*")
        bld.install_files("${DATADIR}/meanwave/" + folder, files,
                          cwd=bld.path.find_dir(folder), relative_trick=True)
    bld.install_files("${DATADIR}/doc/meanwave", "LICENSE")
    if bld.bldnode is bld.path.find_node(out):  # no variant
        bld.add_post_fun(write_compile_database)


def build_fuzz_targets(bld, libraries):
    """tests/fuzz/fuzz_NAME.c become programs: with libFuzzer's main where it is asked for, else with
    one that replays a corpus."""
    bld.objects(source="tests/fuzz/fuzz.c", target="fuzz_support", includes="tests/fuzz", use="core")
    driver = [] if bld.env.FUZZED else ["tests/fuzz/replay.c"]
    for node in bld.path.ant_glob("tests/fuzz/fuzz_*.c"):
        bld.program(source=[node, *driver], target="tests/" + node.name[:-2], includes="tests/fuzz tests",
                    install_path=None, linkflags=["-fsanitize=fuzzer"] if bld.env.FUZZED else [],
                    use=("host PORTAUDIO " if node.name == "fuzz_arguments.c" else "") +
                    "fuzz_support core CMOCKA LV2 " + libraries)


def write_compile_database(bld):
    """compile_commands.json for editors and clang-tidy."""
    entries = []
    for group in bld.groups:
        for generator in group:
            for task in getattr(generator, "compiled_tasks", []):
                command = (Utils.to_list(task.env.CC) + task.env.CFLAGS +
                           ["-D" + define for define in task.env.DEFINES] +
                           ["-I" + path for path in task.env.INCPATHS] +
                           ["-c", task.inputs[0].abspath(), "-o", task.outputs[0].abspath()])
                entries.append({"directory": bld.bldnode.abspath(), "arguments": command,
                                "file": task.inputs[0].abspath()})
    bld.path.make_node("compile_commands.json").write(json.dumps(entries, indent=1))


# ---- check and demo ----

def ensure_built(ctx, configure_options, variant="", compiler=None):
    """Configures when that was never done, then builds; the commands of a user do the same. A variant
    lies in a folder of its own in the build's, and is configured anew when a wscript is."""
    waf = [sys.executable, os.path.join(ctx.path.abspath(), "waf")]
    folder = os.path.join(out, variant)
    environment = dict(os.environ)
    if variant:
        environment["WAFLOCK"] = ".lock-waf-" + variant
    if compiler:
        environment["CC"] = compiler
    cache = os.path.join(ctx.path.abspath(), folder, "c4che", "_cache.py")
    configured = os.path.getmtime(cache) if os.path.isfile(cache) else 0.0
    newest = max(os.path.getmtime(node.abspath()) for node in ctx.path.ant_glob("wscript */wscript"))
    if configured == 0.0 or (variant and configured < newest):
        run_or_fail(ctx, waf + ["configure", "--out", folder] + configure_options, environment)
    run_or_fail(ctx, waf + ["build"], environment)


def run_or_fail(ctx, command, environment=None):
    if subprocess.run(command, cwd=ctx.path.abspath(), env=environment).returncode:
        ctx.fatal("failed: " + " ".join(command[1:]))


def test_environment(ctx, variant=""):
    source = ctx.path.abspath()
    out = os.path.join(globals()["out"], variant)
    return dict(os.environ, MEANWAVE_TEST_DATA=os.path.join(source, "tests", "data"),
                MEANWAVE_MODELS=os.path.join(source, "models"),
                MEANWAVE_PRESETS=os.path.join(source, "presets"),
                MEANWAVE_PROGRAM=os.path.join(source, out, "meanwave"),
                LSAN_OPTIONS="print_suppressions=0:suppressions=" + os.path.join(source, "tests", "leaks.supp"),
                LV2_PATH=os.path.join(source, out, "plugins") + ":/usr/lib/lv2")


def run_test(name, command, environment, seconds):
    """One test program: its name, tests passed, tests failed, what it printed."""
    try:
        ran = subprocess.run(command, env=environment, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, timeout=seconds)
        text = ran.stdout.decode("utf-8", "replace")
        code = ran.returncode
    except subprocess.TimeoutExpired as expired:
        text = (expired.stdout or b"").decode("utf-8", "replace") + "\ntook longer than %d s" % seconds
        code = 1
    passed = re.findall(r"\[  PASSED  \] (\d+) test", text)
    failed = re.findall(r"\[  FAILED  \] (\d+) test", text)
    good = int(passed[-1]) if passed else int(code == 0)
    bad = int(failed[-1]) if failed else 0
    if code != 0 and bad == 0:
        bad = 1
        good = good if passed else 0
    return name, good, bad, text


def clang_warnings(ctx):
    """The same sources through clang, warnings as errors, where clang is installed."""
    if shutil.which("clang") is None:
        return []
    database = json.loads(ctx.path.find_node("compile_commands.json").read())

    def syntax(entry):
        kept = entry["arguments"][1:-4]
        return subprocess.run(["clang", "-fsyntax-only", "-Werror"] + kept + [entry["file"]],
                              cwd=entry["directory"], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)

    results = []
    with ThreadPoolExecutor(2) as workers:
        for entry, ran in zip(database, workers.map(syntax, database)):
            name = "clang " + os.path.relpath(entry["file"], ctx.path.abspath())
            results.append((name, int(ran.returncode == 0), int(ran.returncode != 0),
                            ran.stdout.decode("utf-8", "replace")))
    return results


SENTENCE = ("A voice belongs to a person. This one belongs to nobody: a program rendered it, "
            "and another one took it apart and made it again.")


DEMO_VOICES = ("deep", "bright")
DEMO_SOUNDS = ("rain", "fire", "dog", "chainsaw", "drum-groove")


def demo(ctx):
    """converts a spoken sentence into two voices, makes five sounds, and says where to listen and look"""
    ensure_built(ctx, ["--werror"])
    folder = ctx.path.make_node("demo")
    folder.mkdir()
    program = os.path.join(ctx.path.abspath(), out, "meanwave")
    spoken = folder.make_node("spoken.wav").abspath()
    run_or_fail(ctx, ["flite", "-voice", "rms", "-t", SENTENCE, "-o", spoken])
    draw(ctx, spoken)
    print("%-22s %s (%.1f s)" % ("rendered speech", spoken, length(spoken)))
    render = ["presets", "render"]
    for what, words in ([("vocoder alone", ["vocode", spoken])] +
                        [("voice " + name, render + [name, spoken]) for name in DEMO_VOICES] +
                        [("sound " + name, render + [name]) for name in DEMO_SOUNDS]):
        made = folder.make_node(what.replace(" ", "-") + ".wav").abspath()
        begun = time.time()
        ran = subprocess.run([program] + words + ["-q", "-y", "-o", made], env=test_environment(ctx))
        took = time.time() - begun
        if ran.returncode:
            ctx.fatal("demo failed: " + " ".join(words))
        draw(ctx, made)
        seconds = length(made)
        print("%-22s %s (%.1f s) in %.2f s, start included: RTF %.3f" % (
            what, made, seconds, took, took / seconds))
    print("%-22s %s" % ("spectrograms", os.path.join(folder.abspath(), "*.png")))


def draw(ctx, path):
    """The spectrogram of a recording, as PNG beside it."""
    run_or_fail(ctx, ["sox", "-V1", path, "-n", "spectrogram", "-t", os.path.basename(path),
                      "-o", os.path.splitext(path)[0] + ".png"])


def length(path):
    """Seconds of a recording."""
    return float(subprocess.run(["soxi", "-V1", "-D", path], stdout=subprocess.PIPE, check=True).stdout)


def fuzz(ctx):
    """fuzz NAME [--minutes N]: gives a parser ever changed inputs, by clang's libFuzzer"""
    names = sorted(node.name[5:-2] for node in ctx.path.ant_glob("tests/fuzz/fuzz_*.c"))
    name = Options.commands.pop(0) if Options.commands else ""
    if name not in names:
        ctx.fatal("usage: ./waf fuzz NAME [--minutes N] with a NAME of: " + " ".join(names))
    if shutil.which("clang") is None:
        ctx.fatal("fuzzing needs clang and its libFuzzer: apt-get install clang")
    ensure_built(ctx, ["--sanitize=fuzzer-no-link,address,undefined"], "fuzz", "clang")
    found = ctx.path.make_node(os.path.join(out, "fuzz", "found", name))
    found.mkdir()
    print("%s: for %g minutes; what it finds lies in %s" % (name, Options.options.minutes, found.abspath()),
          flush=True)
    run_or_fail(ctx, [os.path.join(ctx.path.abspath(), out, "fuzz", "tests", "fuzz_" + name),
                      "-max_total_time=%d" % (60 * Options.options.minutes), "-timeout=20",
                      "-rss_limit_mb=2048", "-artifact_prefix=%s/" % found.parent.abspath(),
                      found.abspath(), os.path.join(ctx.path.abspath(), "tests", "fuzz", "corpus", name)],
                test_environment(ctx, "fuzz"))


def test_jobs(ctx, variant=""):
    """The test programs and the corpora of the fuzz targets: names and commands."""
    programs = os.path.join(ctx.path.abspath(), out, variant, "tests")
    jobs = []
    for node in ctx.path.ant_glob("tests/test_*.c"):
        jobs.append((node.name[:-2], [os.path.join(programs, node.name[:-2])]))
    for node in ctx.path.ant_glob("tests/fuzz/fuzz_*.c"):
        corpus = os.path.join(ctx.path.abspath(), "tests", "fuzz", "corpus", node.name[5:-2])
        jobs.append(("fuzz corpus " + node.name[5:-2], [os.path.join(programs, node.name[:-2]), corpus]))
    return jobs


# Sound servers and hosts that play in real time: nothing runs beside these.
TIMED = ("ardour.sh", "ardour_window.sh", "carla.sh", "jalv.sh", "live.sh", "live_pipewire.sh", "live_view.sh")


def run_tests(jobs, environment, at_once=2, seconds=TEST_SECONDS):
    with ThreadPoolExecutor(at_once) as workers:
        return list(workers.map(lambda job: run_test(job[0], job[1], environment, seconds), jobs))


SANITIZERS = {"asan": "address,undefined", "tsan": "thread"}
THREADED = ("ring", "pool", "stream", "live", "live_clocks", "generate", "places", "plugin_sampler",
            "plugin_sound", "plugin_voice", "plugin_voice_state")


def sanitized_tests(ctx, variant):
    """The tests once more, built with sanitizers; for threads, those that have some."""
    ensure_built(ctx, ["--werror", "--sanitize=" + SANITIZERS[variant]], variant)
    jobs = [(variant + " " + name, command) for name, command in test_jobs(ctx, variant)
            if variant != "tsan" or name[5:] in THREADED]
    return run_tests(jobs, test_environment(ctx, variant),
                     seconds=SLOW_SECONDS if variant == "tsan" else TEST_SECONDS)


def check(ctx):
    """builds with warnings as errors and runs every test, also with sanitizers"""
    ensure_built(ctx, ["--werror"])
    program = os.path.join(ctx.path.abspath(), out, "tests", "golden")
    jobs = test_jobs(ctx)
    for folder in ctx.path.ant_glob("tests/data/golden/*/*", dir=True, src=False):
        jobs.append(("golden " + folder.path_from(ctx.path.find_node("tests/data/golden")),
                     [program, folder.abspath()]))
    timed = []
    for node in ctx.path.ant_glob("tests/*.sh"):
        (timed if node.name in TIMED else jobs).append((node.name, ["bash", node.abspath()]))
    results = run_tests(jobs, test_environment(ctx))
    results += run_tests(timed, test_environment(ctx), 1)
    results += sanitized_tests(ctx, "asan")
    results += clang_warnings(ctx)
    report(ctx, results)


def threads(ctx):
    """runs the tests that have threads built with the thread sanitizer"""
    report(ctx, sanitized_tests(ctx, "tsan"))


# Of the tests' own malloc, which notes what an audio thread calls, it takes the place too.
VALGRIND = ["valgrind", "-q", "--soname-synonyms=somalloc=NONE", "--fair-sched=yes", "--leak-check=full",
            "--errors-for-leak-kinds=definite", "--error-exitcode=9"]
IN_VALGRIND = ("plugin_notify", "plugin_paths", "plugin_sampler", "plugin_sound", "plugin_voice")


def valgrind(ctx):
    """runs tests of the plugins in Valgrind"""
    if shutil.which("valgrind") is None:
        ctx.fatal("valgrind is not installed: apt-get install valgrind")
    ensure_built(ctx, ["--werror"])
    jobs = [("valgrind " + name, VALGRIND + command) for name, command in test_jobs(ctx)
            if name[5:] in IN_VALGRIND]
    report(ctx, run_tests(jobs, test_environment(ctx), seconds=SLOW_SECONDS))


def report(ctx, results):
    passed = sum(good for _, good, _, _ in results)
    failed = sum(bad for _, _, bad, _ in results)
    for name, good, bad, text in results:
        if bad:
            print("---- %s\n%s" % (name, text.rstrip()))
    for name, good, bad, _ in results:
        print("%-44s %4d passed%s" % (name, good, ", %d FAILED" % bad if bad else ""))
    # waf prints a line of its own when a command ends; the sum is the last line all the same
    skipped = sum(int(count) for _, _, _, text in results
                  for count in re.findall(r"^skipped (\d+)", text, re.M))
    summary = "%d passed, %d failed" % (passed, failed) + (", %d skipped" % skipped if skipped else "")
    atexit.register(print, summary, flush=True)
    if failed or not passed:
        ctx.fatal("check failed")
