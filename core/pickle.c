// SPDX-License-Identifier: GPL-3.0-or-later
#include "pickle.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// A byte that was read may take so much memory. The byte that makes a persistent id takes 224 with
// its places in lists; only a list or a name that is copied again and again takes more.
enum { BYTES_EACH = 256, BYTES_MORE = 1 << 12 };

typedef struct {
  const unsigned char *begin;
  const unsigned char *at;
  const unsigned char *end;
  arena *memory;
  size_t memory_before;    // bytes of it that are others'
  pickle_value stack;      // its items are the stack
  pickle_value memo;       // its items are the memo, by number; NULL where nothing was put
  pickle_value persistent; // its items are all of that kind
  const char *wrong;       // why reading stopped; NULL: memory
} machine;

static bool stop(machine *m, const char *why)
{
  m->wrong = why;
  return false;
}

static size_t bytes_read(const machine *m)
{
  return (size_t)(m->at - m->begin);
}

static void *take(machine *m, size_t count, size_t size)
{
  size_t taken = arena_bytes(m->memory) - m->memory_before;
  if (taken + count * size > BYTES_EACH * bytes_read(m) + BYTES_MORE) {
    stop(m, "it repeats itself beyond what its length allows");
    return NULL;
  }
  void *made = arena_take(m->memory, count, size);
  if (made == NULL) stop(m, NULL);
  return made;
}

static pickle_value *make(machine *m, pickle_kind kind)
{
  pickle_value *value = take(m, 1, sizeof *value);
  if (value != NULL) value->kind = kind;
  return value;
}

static bool append(machine *m, pickle_value *list, pickle_value *item)
{
  if (list->count == list->capacity) {
    size_t capacity = list->capacity > 0 ? 2 * list->capacity : 4;
    pickle_value **larger = take(m, capacity, sizeof(pickle_value *));
    if (larger == NULL) return false;
    if (list->count > 0) memcpy(larger, list->items, list->count * sizeof *larger);
    list->items = larger;
    list->capacity = capacity;
  }
  list->items[list->count++] = item;
  return true;
}

static bool push(machine *m, pickle_value *value)
{
  return value != NULL && append(m, &m->stack, value);
}

static pickle_value *pop(machine *m)
{
  if (m->stack.count == 0 || m->stack.items[m->stack.count - 1]->kind == PICKLE_MARK) {
    stop(m, "the stack is empty");
    return NULL;
  }
  return m->stack.items[--m->stack.count];
}

static pickle_value *top(machine *m)
{
  pickle_value *value = pop(m);
  if (value != NULL) m->stack.count++;
  return value;
}

static bool take_bytes(machine *m, size_t count, const unsigned char **bytes)
{
  if ((size_t)(m->end - m->at) < count) return stop(m, "it ends too early");
  *bytes = m->at;
  m->at += count;
  return true;
}

static bool take_number(machine *m, unsigned bytes, uint64_t *value)
{
  const unsigned char *at;
  if (!take_bytes(m, bytes, &at)) return false;
  *value = 0;
  while (bytes-- > 0) *value = *value << 8 | at[bytes];
  return true;
}

static bool push_string(machine *m, const unsigned char *bytes, size_t length)
{
  pickle_value *value = make(m, PICKLE_STRING);
  char *copy = take(m, length + 1, 1);
  if (value == NULL || copy == NULL) return false;
  memcpy(copy, bytes, length);
  value->string = copy;
  value->integer = (int64_t)length;
  return push(m, value);
}

static bool push_counted_string(machine *m, unsigned length_bytes)
{
  uint64_t length;
  const unsigned char *bytes;
  return take_number(m, length_bytes, &length) && take_bytes(m, length, &bytes) &&
         push_string(m, bytes, length);
}

static bool push_integer(machine *m, pickle_kind kind, int64_t integer)
{
  pickle_value *value = make(m, kind);
  if (value != NULL) value->integer = integer;
  return push(m, value);
}

static bool push_unsigned(machine *m, unsigned bytes)
{
  uint64_t value;
  return take_number(m, bytes, &value) &&
         push_integer(m, PICKLE_INTEGER, bytes == 4 ? (int32_t)value : (int64_t)value);
}

// LONG1: two's complement of any length; only those that fit 64 bits are numbers here.
static bool push_long(machine *m)
{
  uint64_t length;
  const unsigned char *bytes;
  if (!take_number(m, 1, &length) || !take_bytes(m, length, &bytes)) return false;
  if (length > 8) return push(m, make(m, PICKLE_NONE));
  uint64_t value = length > 0 && bytes[length - 1] >= 0x80 ? UINT64_MAX : 0;
  while (length-- > 0) value = value << 8 | bytes[length];
  return push_integer(m, PICKLE_INTEGER, (int64_t)value);
}

static bool push_float(machine *m)
{
  const unsigned char *bytes;
  if (!take_bytes(m, 8, &bytes)) return false;
  uint64_t bits = 0;
  for (int i = 0; i < 8; i++) bits = bits << 8 | bytes[i];
  pickle_value *value = make(m, PICKLE_FLOAT);
  if (value != NULL) memcpy(&value->number, &bits, 8);
  return push(m, value);
}

static bool take_line(machine *m, const unsigned char **line, size_t *length)
{
  const unsigned char *end = memchr(m->at, '\n', (size_t)(m->end - m->at));
  if (end == NULL) return stop(m, "it ends too early");
  *line = m->at;
  *length = (size_t)(end - m->at);
  m->at = end + 1;
  return true;
}

static bool push_global(machine *m, const void *module, size_t module_length, const void *name,
                        size_t name_length)
{
  pickle_value *value = make(m, PICKLE_GLOBAL);
  char *joined = take(m, module_length + name_length + 2, 1);
  if (value == NULL || joined == NULL) return false;
  memcpy(joined, module, module_length);
  joined[module_length] = '.';
  memcpy(joined + module_length + 1, name, name_length);
  value->string = joined;
  return push(m, value);
}

static bool read_global(machine *m)
{
  const unsigned char *module;
  const unsigned char *name;
  size_t module_length;
  size_t name_length;
  return take_line(m, &module, &module_length) && take_line(m, &name, &name_length) &&
         push_global(m, module, module_length, name, name_length);
}

static bool read_stack_global(machine *m)
{
  pickle_value *name = pop(m);
  pickle_value *module = pop(m);
  if (name == NULL || module == NULL) return false;
  if (name->kind != PICKLE_STRING || module->kind != PICKLE_STRING)
    return stop(m, "a class without a name");
  return push_global(m, module->string, strlen(module->string), name->string, strlen(name->string));
}

// Moves the items above the last mark into `target` and drops the mark.
static bool collect(machine *m, pickle_value *target)
{
  size_t mark = m->stack.count;
  while (mark > 0 && m->stack.items[mark - 1]->kind != PICKLE_MARK) mark--;
  if (mark == 0) return stop(m, "a mark is missing");
  size_t end = m->stack.count;
  m->stack.count = mark - 1;
  if (target == NULL) return true;
  for (size_t i = mark; i < end; i++)
    if (!append(m, target, m->stack.items[i])) return false;
  return true;
}

static bool push_tuple(machine *m, size_t count)
{
  pickle_value *tuple = make(m, PICKLE_TUPLE);
  if (tuple == NULL) return false;
  pickle_value *items[3];
  for (size_t i = count; i-- > 0;)
    if ((items[i] = pop(m)) == NULL) return false;
  for (size_t i = 0; i < count; i++)
    if (!append(m, tuple, items[i])) return false;
  return push(m, tuple);
}

static bool push_collected(machine *m, pickle_kind kind)
{
  pickle_value *value = make(m, kind);
  return value != NULL && collect(m, value) && push(m, value);
}

// APPENDS, SETITEMS, ADDITEMS: the container lies below the mark. Other targets (a call standing
// for an object with list or dict items) swallow them.
static bool extend_top(machine *m)
{
  size_t mark = m->stack.count;
  while (mark > 0 && m->stack.items[mark - 1]->kind != PICKLE_MARK) mark--;
  if (mark < 2 || m->stack.items[mark - 2]->kind == PICKLE_MARK)
    return stop(m, "a mark is missing");
  pickle_value *target = m->stack.items[mark - 2];
  bool container = target->kind == PICKLE_LIST || target->kind == PICKLE_DICT;
  return collect(m, container ? target : NULL);
}

static bool set_item(machine *m, size_t count)
{
  pickle_value *items[2];
  for (size_t i = count; i-- > 0;)
    if ((items[i] = pop(m)) == NULL) return false;
  pickle_value *target = top(m);
  if (target == NULL) return false;
  if (target->kind != PICKLE_LIST && target->kind != PICKLE_DICT) return true;
  for (size_t i = 0; i < count; i++)
    if (!append(m, target, items[i])) return false;
  return true;
}

// A call of OrderedDict is a dict (filled by SETITEMS later, or from pairs given); anything else is
// remembered.
static bool call(machine *m)
{
  pickle_value *arguments = pop(m);
  pickle_value *callable = pop(m);
  if (arguments == NULL || callable == NULL) return false;
  bool ordered =
      callable->kind == PICKLE_GLOBAL && strcmp(callable->string, "collections.OrderedDict") == 0;
  pickle_value *result = make(m, ordered ? PICKLE_DICT : PICKLE_CALL);
  if (result == NULL) return false;
  if (!ordered)
    return append(m, result, callable) && append(m, result, arguments) && push(m, result);
  if (arguments->kind == PICKLE_TUPLE && arguments->count == 1 &&
      arguments->items[0]->kind == PICKLE_LIST) {
    const pickle_value *pairs = arguments->items[0];
    for (size_t i = 0; i < pairs->count; i++) {
      const pickle_value *pair = pairs->items[i];
      if (pair->count != 2 || (pair->kind != PICKLE_LIST && pair->kind != PICKLE_TUPLE))
        return stop(m, "a broken dictionary");
      if (!append(m, result, pair->items[0]) || !append(m, result, pair->items[1])) return false;
    }
  }
  return push(m, result);
}

static bool build(machine *m)
{
  pickle_value *state = pop(m);
  pickle_value *target = top(m);
  if (state == NULL || target == NULL) return false;
  if (target->kind == PICKLE_CALL) target->state = state;
  return true;
}

static bool remember(machine *m, uint64_t number)
{
  pickle_value *value = top(m);
  if (value == NULL) return false;
  // Numbers are given out in order, each to a value that took a byte or more.
  if (number > bytes_read(m)) return stop(m, "a memo number out of order");
  while (m->memo.count <= number)
    if (!append(m, &m->memo, NULL)) return false;
  m->memo.items[number] = value;
  return true;
}

static bool recall(machine *m, unsigned bytes)
{
  uint64_t number;
  if (!take_number(m, bytes, &number)) return false;
  if (number >= m->memo.count || m->memo.items[number] == NULL)
    return stop(m, "an unknown memo number");
  return push(m, m->memo.items[number]);
}

static bool put(machine *m, unsigned bytes)
{
  uint64_t number;
  return take_number(m, bytes, &number) && remember(m, number);
}

static bool persistent(machine *m)
{
  pickle_value *id = pop(m);
  pickle_value *value = make(m, PICKLE_PERSISTENT);
  return id != NULL && value != NULL && append(m, value, id) && append(m, &m->persistent, value) &&
         push(m, value);
}

static bool skip(machine *m, unsigned bytes)
{
  const unsigned char *ignored;
  return take_bytes(m, bytes, &ignored);
}

static bool step(machine *m, unsigned char operation)
{
  switch (operation) {
  case 0x80: return skip(m, 1); // PROTO
  case 0x95: return skip(m, 8); // FRAME
  case '(': return push(m, make(m, PICKLE_MARK));
  case '0': return pop(m) != NULL;
  case '1': return collect(m, NULL);
  case '2': {
    pickle_value *value = top(m);
    return value != NULL && push(m, value);
  }
  case 'N': return push(m, make(m, PICKLE_NONE));
  case 0x88: return push_integer(m, PICKLE_BOOL, 1);
  case 0x89: return push_integer(m, PICKLE_BOOL, 0);
  case 'J': return push_unsigned(m, 4);
  case 'K': return push_unsigned(m, 1);
  case 'M': return push_unsigned(m, 2);
  case 0x8A: return push_long(m);
  case 'G': return push_float(m);
  case 'X': // BINUNICODE
  case 'T': // BINSTRING
  case 'B': return push_counted_string(m, 4);
  case 0x8C: // SHORT_BINUNICODE
  case 'U':  // SHORT_BINSTRING
  case 'C': return push_counted_string(m, 1);
  case 0x8D: // BINUNICODE8
  case 0x8E: return push_counted_string(m, 8);
  case '}': return push(m, make(m, PICKLE_DICT));
  case ']': // EMPTY_LIST
  case 0x8F: return push(m, make(m, PICKLE_LIST));
  case ')': return push(m, make(m, PICKLE_TUPLE));
  case 't': return push_collected(m, PICKLE_TUPLE);
  case 'l': return push_collected(m, PICKLE_LIST);
  case 'd': return push_collected(m, PICKLE_DICT);
  case 0x85: return push_tuple(m, 1);
  case 0x86: return push_tuple(m, 2);
  case 0x87: return push_tuple(m, 3);
  case 'a': return set_item(m, 1);
  case 's': return set_item(m, 2);
  case 'e': // APPENDS
  case 'u': // SETITEMS
  case 0x90: return extend_top(m);
  case 'c': return read_global(m);
  case 0x93: return read_stack_global(m);
  case 'R': // REDUCE
  case 0x81: return call(m);
  case 'b': return build(m);
  case 'q': return put(m, 1);
  case 'r': return put(m, 4);
  case 0x94: return remember(m, m->memo.count);
  case 'h': return recall(m, 1);
  case 'j': return recall(m, 4);
  case 'Q': return persistent(m);
  default: return stop(m, "an operation PyTorch does not use");
  }
}

mw_status pickle_read(pickle_tree *tree, const unsigned char *bytes, size_t size, const char *what,
                      arena *memory, mw_error *error)
{
  machine m = {.begin = bytes,
               .at = bytes,
               .end = bytes + size,
               .memory = memory,
               .memory_before = arena_bytes(memory),
               .wrong = "it ends too early"};
  while (m.at < m.end) {
    unsigned char operation = *m.at++;
    if (operation == '.') {
      pickle_value *value = pop(&m);
      if (value == NULL) break;
      *tree = (pickle_tree){.root = value,
                            .size = bytes_read(&m),
                            .persistent = m.persistent.items,
                            .persistent_count = m.persistent.count};
      return MW_OK;
    }
    m.wrong = "it ends too early";
    if (!step(&m, operation)) break;
  }
  if (m.wrong == NULL || arena_failed(memory)) return mw_fail_memory(error, "reading a pickle");
  return mw_fail(error, MW_ERROR_FORMAT, "%s: broken pickle at byte %zu: %s", what, bytes_read(&m),
                 m.wrong);
}
