// SPDX-License-Identifier: GPL-3.0-or-later
#include "lv2_host_parts.h" // before the macros of Xlib

#include <dlfcn.h>
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include <X11/Xutil.h>
#include <cairo/cairo.h>
#include <lv2/ui/ui.h>

#include "x11_host.h"

enum { FRAMES = 256, MOST_CHANNELS = 4 };

enum { UNDRAWN = 0xFF00FF }; // the host's window; nothing in ours is like it

Display *x11_display;
static pid_t server;
static float fed;

struct x11_host {
  lv2_host *plugin;
  void *library;
  const LV2UI_Descriptor *descriptor;
  LV2UI_Handle handle;
  Window parent;
  Window window;
  const LV2UI_Idle_Interface *idle;
  const LV2UI_Resize *resize;
  float said[MOST_PORTS]; // values of control ports that the window knows
  int wanted_width;
  int wanted_height;
  int32_t background;
  float scale;
};

static void sleep_ms(int ms)
{
  const struct timespec pause = {ms / 1000, ms % 1000 * 1000000L};
  nanosleep(&pause, NULL);
}

// ---- The screen ----

// The number of the display that the server has taken, in name[32].
static bool start_server(char *name)
{
  int ends[2];
  char number[16] = "";
  char text[16];
  if (pipe(ends) != 0) return false;
  server = fork();
  if (server == 0) {
    int nothing = open("/dev/null", O_WRONLY);
    close(ends[0]);
    dup2(nothing, STDERR_FILENO);
    snprintf(text, sizeof text, "%d", ends[1]);
    execlp("Xvfb", "Xvfb", "-displayfd", text, "-screen", "0", "1400x1000x24", "-nolisten", "tcp",
           (char *)NULL);
    _exit(127);
  }
  close(ends[1]);
  // a line, or nothing when the server ends
  size_t bytes = 0;
  while (bytes + 1 < sizeof number && read(ends[0], number + bytes, 1) == 1 &&
         number[bytes] != '\n')
    bytes++;
  close(ends[0]);
  snprintf(name, 32, ":%d", atoi(number));
  return server > 0 && bytes > 0;
}

void x11_forget(void)
{
  char path[512];
  snprintf(path, sizeof path, "%s/.config/meanwave/windows", getenv("HOME"));
  remove(path);
}

bool x11_start(size_t tests)
{
  char name[32];
  if (!start_server(name)) {
    printf("skipped %zu: Xvfb does not start here, and a window needs a screen\n", tests);
    x11_stop();
    return false;
  }
  setenv("DISPLAY", name, 1);
  unsetenv("XDG_CONFIG_HOME"); // the home is the test's own
  for (int i = 0; i < 100 && x11_display == NULL; i++) {
    x11_display = XOpenDisplay(name);
    if (x11_display == NULL) sleep_ms(50);
  }
  assert_non_null(x11_display);
  x11_peer_make();
  return true;
}

void x11_stop(void)
{
  if (x11_display != NULL) XCloseDisplay(x11_display);
  x11_display = NULL;
  if (server > 0) {
    kill(server, SIGTERM);
    waitpid(server, NULL, 0);
  }
  server = 0;
}

// ---- The host's side ----

static void from_window(LV2UI_Controller controller, uint32_t port, uint32_t bytes, uint32_t format,
                        const void *data)
{
  x11_host *x = controller;
  lv2_host *h = x->plugin;
  assert_true(port < h->port_count && h->is_input[port]);
  if (format == 0) {
    assert_int_equal(h->kinds[port], CONTROL);
    assert_int_equal(bytes, sizeof(float));
    memcpy(&h->values[port], data, sizeof(float));
    assert_true(isfinite(h->values[port]));
    x->said[port] = h->values[port];
    return;
  }
  const LV2_Atom *atom = data;
  assert_int_equal(format, urid_of(LV2_ATOM__eventTransfer));
  assert_int_equal(h->kinds[port], ATOM);
  assert_int_equal(bytes, sizeof *atom + atom->size);
  lv2_atom_forge_frame_time(&h->forge, 0);
  assert_true(lv2_atom_forge_write(&h->forge, data, bytes) != 0);
}

static void from_plugin(void *context, const LV2_Atom *atom)
{
  x11_host *x = context;
  uint32_t notify = port_index(x->plugin, "notify");
  x->descriptor->port_event(x->handle, notify, (uint32_t)sizeof *atom + atom->size,
                            urid_of(LV2_ATOM__eventTransfer), atom);
}

void x11_say(x11_host *x, uint32_t port, uint32_t bytes, uint32_t format, const void *data)
{
  x->descriptor->port_event(x->handle, port, bytes, format, data);
}

static void tell_values(x11_host *x)
{
  const lv2_host *h = x->plugin;
  for (uint32_t i = 0; i < h->port_count; i++) {
    if (h->kinds[i] != CONTROL || x->said[i] == h->values[i] || isnan(h->values[i])) continue;
    x->said[i] = h->values[i];
    x11_say(x, i, sizeof(float), 0, &x->said[i]);
  }
}

static int want_size(LV2UI_Feature_Handle handle, int width, int height)
{
  x11_host *x = handle;
  x->wanted_width = width;
  x->wanted_height = height;
  return 0;
}

// The descriptor of the plugin's X11 window, as its metadata names it.
static void find_window(x11_host *x)
{
  const lv2_host *h = x->plugin;
  LilvUIs *uis = lilv_plugin_get_uis(h->plugin);
  LilvNode *kind = lilv_new_uri(h->world, LV2_UI__X11UI);
  LILV_FOREACH(uis, i, uis)
  {
    const LilvUI *ui = lilv_uis_get(uis, i);
    if (!lilv_ui_is_a(ui, kind)) continue;
    char *path = lilv_file_uri_parse(lilv_node_as_uri(lilv_ui_get_binary_uri(ui)), NULL);
    x->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (x->library == NULL) fail_msg("%s", dlerror());
    LV2UI_DescriptorFunction find = (LV2UI_DescriptorFunction)dlsym(x->library, "lv2ui_descriptor");
    assert_non_null(find);
    x->descriptor = find(0);
    assert_null(find(1));
    assert_string_equal(x->descriptor->URI, lilv_node_as_uri(lilv_ui_get_uri(ui)));
    lilv_free(path);
  }
  lilv_node_free(kind);
  lilv_uis_free(uis);
  assert_non_null(x->descriptor);
}

static void instantiate(x11_host *x)
{
  LV2UI_Widget widget = NULL;
  LV2UI_Resize resize = {x, want_size};
  const LV2_URID int_type = urid_of(LV2_ATOM__Int);
  LV2_Options_Option options[3] = {
      {LV2_OPTIONS_INSTANCE, 0, urid_of(LV2_UI__backgroundColor), 4, int_type, &x->background}};
  if (x->scale > 0.0f)
    options[1] =
        (LV2_Options_Option){LV2_OPTIONS_INSTANCE,     0,        urid_of(LV2_UI__scaleFactor), 4,
                             urid_of(LV2_ATOM__Float), &x->scale};
  const LV2_Feature map = {LV2_URID__map, &uri_map};
  const LV2_Feature parent = {LV2_UI__parent, (void *)x->parent};
  const LV2_Feature sized = {LV2_UI__resize, &resize};
  const LV2_Feature chosen = {LV2_OPTIONS__options, options};
  const LV2_Feature *const none[] = {&map, NULL};
  const LV2_Feature *const all[] = {&map, &parent, &sized, &chosen, NULL};
  const char *uri = lilv_node_as_uri(lilv_plugin_get_uri(x->plugin->plugin));
  // without a parent there is no window, and nothing else goes wrong
  assert_null(x->descriptor->instantiate(x->descriptor, uri, "/", from_window, x, &widget, none));
  assert_null(
      x->descriptor->instantiate(x->descriptor, "urn:else", "/", from_window, x, &widget, all));
  x->handle = x->descriptor->instantiate(x->descriptor, uri, "/", from_window, x, &widget, all);
  assert_non_null(x->handle);
  x->window = (Window)(uintptr_t)widget;
}

x11_host *x11_open(lv2_host *plugin, uint32_t background, float scale)
{
  x11_host *x = calloc(1, sizeof *x);
  assert_non_null(x);
  x->plugin = plugin;
  x->background = (int32_t)background;
  x->scale = scale;
  for (uint32_t i = 0; i < MOST_PORTS; i++) x->said[i] = NAN;
  x->parent = XCreateSimpleWindow(x11_display, DefaultRootWindow(x11_display), 0, 0, 700, 500, 0, 0,
                                  UNDRAWN);
  XSelectInput(x11_display, x->parent, KeyPressMask);
  XMapWindow(x11_display, x->parent);
  XSync(x11_display, False);
  find_window(x);
  instantiate(x);
  assert_true(x->wanted_width > 0 && x->wanted_height > 0);
  XResizeWindow(x11_display, x->parent, (unsigned)x->wanted_width, (unsigned)x->wanted_height);
  XSync(x11_display, False);
  x->idle = x->descriptor->extension_data(LV2_UI__idleInterface);
  x->resize = x->descriptor->extension_data(LV2_UI__resize);
  assert_non_null(x->idle);
  assert_non_null(x->resize);
  assert_null(x->descriptor->extension_data("urn:nobody:knows"));
  plugin->listener = from_plugin;
  plugin->listener_context = x;
  x11_turn(x, 100);
  return x;
}

void x11_close(x11_host *x)
{
  x->plugin->listener = NULL;
  x->descriptor->cleanup(x->handle);
  if (x->parent != None) x11_lose_parent(x);
  dlclose(x->library);
  free(x);
}

void x11_close_both(x11_host *x)
{
  lv2_host *plugin = x->plugin;
  x11_close(x);
  host_close(plugin);
}

void x11_lose_parent(x11_host *x)
{
  XDestroyWindow(x11_display, x->parent);
  XSync(x11_display, False);
  x->parent = None;
}

void x11_feed(float level)
{
  fed = level;
}

Window x11_xid(const x11_host *x)
{
  return x->window;
}

void x11_turn(x11_host *x, int milliseconds)
{
  enum { STEP_MS = 5 };
  static float in[MOST_CHANNELS][FRAMES];
  static float out[MOST_CHANNELS][FRAMES];
  const float *const from[MOST_CHANNELS] = {in[0], in[1], in[2], in[3]};
  float *const to[MOST_CHANNELS] = {out[0], out[1], out[2], out[3]};
  for (int i = 0; i < MOST_CHANNELS * FRAMES; i++) in[i / FRAMES][i % FRAMES] = i % 2 ? fed : -fed;
  for (int passed = 0; passed <= milliseconds; passed += STEP_MS) {
    host_run(x->plugin, from, to, FRAMES, false);
    host_work(x->plugin);
    tell_values(x);
    assert_int_equal(x->idle->idle(x->handle), 0);
    x11_peer_serve();
    sleep_ms(STEP_MS);
  }
  assert_null(host_trapped());
}

void x11_until_told(x11_host *x, const char *property, const char *text)
{
  const char *said = NULL;
  for (int i = 0; i < 400; i++) {
    said = host_told(x->plugin, property);
    if (said != NULL && strcmp(said, text) == 0) return;
    x11_turn(x, 20);
  }
  fail_msg("%s is '%s', not '%s'", property, said != NULL ? said : "", text);
}

void x11_until_value(x11_host *x, const char *symbol, float low, float high)
{
  for (int i = 0; i < 400; i++) {
    float value = host_value(x->plugin, symbol);
    if (value >= low && value <= high) return;
    x11_turn(x, 20);
  }
  fail_msg("%s is %g, not between %g and %g", symbol, (double)host_value(x->plugin, symbol),
           (double)low, (double)high);
}

void x11_resize(x11_host *x, int width, int height)
{
  XResizeWindow(x11_display, x->parent, (unsigned)width, (unsigned)height);
  XSync(x11_display, False);
  assert_int_equal(x->resize->ui_resize(x->handle, width, height), 0);
  x11_turn(x, 100);
}

// ---- Eye ----

static void save_picture(const XImage *image, const char *name)
{
  const char *folder = getenv("MEANWAVE_SCREENSHOTS");
  char path[512];
  if (folder == NULL) return;
  snprintf(path, sizeof path, "%s/%s.png", folder, name);
  cairo_surface_t *surface =
      cairo_image_surface_create_for_data((unsigned char *)image->data, CAIRO_FORMAT_RGB24,
                                          image->width, image->height, image->bytes_per_line);
  cairo_surface_write_to_png(surface, path);
  cairo_surface_destroy(surface);
}

x11_picture x11_look(x11_host *x, const char *name)
{
  static bool seen[1 << 12];
  XWindowAttributes about;
  x11_turn(x, 50);
  assert_true(XGetWindowAttributes(x11_display, x->window, &about));
  XImage *image = XGetImage(x11_display, x->window, 0, 0, (unsigned)about.width,
                            (unsigned)about.height, AllPlanes, ZPixmap);
  assert_non_null(image);
  x11_picture p = {.width = about.width, .height = about.height, .print = 14695981039346656037u};
  memset(seen, 0, sizeof seen);
  for (int row = 0; row < p.height; row++)
    for (int column = 0; column < p.width; column++) {
      unsigned long pixel = XGetPixel(image, column, row) & 0xFFFFFF;
      unsigned red = pixel >> 16 & 255;
      unsigned green = pixel >> 8 & 255;
      unsigned blue = pixel & 255;
      unsigned coarse = red >> 4 << 8 | green >> 4 << 4 | blue >> 4;
      p.colours += !seen[coarse];
      seen[coarse] = true;
      p.undrawn += pixel == UNDRAWN;
      p.mean += (red + green + blue) / 765.0;
      p.print = (p.print ^ pixel) * 1099511628211u;
    }
  p.mean /= (double)p.width * p.height;
  save_picture(image, name);
  XDestroyImage(image);
  return p;
}
