/*
 * What a component written in C without a C library needs: memory for what the host passes in, text, and the
 * shapes that the canonical ABI gives to strings and lists.
 *
 * Memory is an arena: nothing is freed by itself, `arena_reset` frees all that came after a mark. An exported
 * function resets it when it begins.
 */
#ifndef CANONICAL_H
#define CANONICAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IMPORT(module, name) __attribute__((import_module(module), import_name(name)))
#define EXPORT(name) __attribute__((export_name(name)))

/* A string or list<u8> as the canonical ABI stores it. */
typedef struct {
  const char *start;
  size_t length;
} Text;

#define TEXT(literal) ((Text){(literal), sizeof(literal) - 1})

enum { WASM_PAGE_BYTES = 65536 };

extern char __heap_base;
static uintptr_t arena_next;

typedef uintptr_t ArenaMark;

static inline ArenaMark arena_mark(void) { return arena_next; }
static inline void arena_reset(ArenaMark mark) { arena_next = mark; }

/* `bytes` of memory; traps when the host refuses more. */
static void *arena_take(size_t bytes, size_t alignment) {
  if (arena_next == 0) arena_next = (uintptr_t)&__heap_base;
  const uintptr_t start = (arena_next + alignment - 1) & ~(uintptr_t)(alignment - 1);
  if (start < arena_next || start + bytes < start) __builtin_trap();
  const size_t pages = (start + bytes + WASM_PAGE_BYTES - 1) / WASM_PAGE_BYTES;
  const size_t has = __builtin_wasm_memory_size(0);
  if (pages > has && __builtin_wasm_memory_grow(0, pages - has) == (size_t)-1) __builtin_trap();
  arena_next = start + bytes;
  return (void *)start;
}

/* The host calls this for room for what it passes in. */
EXPORT("cabi_realloc")
void *cabi_realloc(void *old, size_t old_bytes, size_t alignment, size_t bytes) {
  void *fresh = arena_take(bytes, alignment);
  if (old_bytes > 0) __builtin_memcpy(fresh, old, old_bytes < bytes ? old_bytes : bytes);
  return fresh;
}

static inline bool text_equals(Text left, Text right) {
  if (left.length != right.length) return false;
  for (size_t index = 0; index < left.length; index++) {
    if (left.start[index] != right.start[index]) return false;
  }
  return true;
}

static inline bool text_starts_with(Text text, Text start) {
  return text.length >= start.length && text_equals((Text){text.start, start.length}, start);
}

/* Where `part` begins in `text`, or -1. */
static inline ptrdiff_t text_find(Text text, Text part) {
  for (size_t index = 0; index + part.length <= text.length; index++) {
    if (text_equals((Text){text.start + index, part.length}, part)) return (ptrdiff_t)index;
  }
  return -1;
}

static inline Text text_after(Text text, size_t index) { return (Text){text.start + index, text.length - index}; }

/* Both texts, one after the other, in new memory. */
static inline Text text_join(Text left, Text right) {
  char *start = arena_take(left.length + right.length, 1);
  __builtin_memcpy(start, left.start, left.length);
  __builtin_memcpy(start + left.length, right.start, right.length);
  return (Text){start, left.length + right.length};
}

/* Decimal digits, in new memory. */
static inline Text text_from_number(uint64_t number) {
  enum { DIGITS_MAX = 20 };
  char *digits = arena_take(DIGITS_MAX, 1);
  size_t start = DIGITS_MAX;
  do digits[--start] = (char)('0' + number % 10);
  while ((number /= 10) > 0);
  return (Text){digits + start, DIGITS_MAX - start};
}

#endif
