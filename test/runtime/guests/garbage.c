/* Exports whose results break the canonical ABI, unless they are asked to be good. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXPORT(name) __attribute__((export_name("wasmatrix:garbage/functions#" name)))

typedef struct {
  const char *start;
  size_t length;
} Text;

static uint32_t realloc_mode;
static _Alignas(16) char arena[65536];

__attribute__((export_name("cabi_realloc"))) void *cabi_realloc(void *old, size_t old_bytes, size_t alignment, size_t bytes) {
  (void)old, (void)old_bytes, (void)alignment, (void)bytes;
  if (realloc_mode == 1) return (void *)0xffffff00;
  if (realloc_mode == 2) return arena + 1;
  if (realloc_mode == 3) __builtin_trap();
  if (realloc_mode == 4) for (volatile uint32_t turns = 0;;) turns = turns + 1;
  return arena;
}

EXPORT("text") Text *text(bool is_good) {
  static Text result;
  result = is_good ? (Text){"good", 4} : (Text){(const char *)0xfffffff0, 1000};
  return &result;
}

EXPORT("bytes") Text *bytes(bool is_good) {
  static Text result;
  result = is_good ? (Text){"good", 4} : (Text){arena, 0x7fffffff};
  return &result;
}

EXPORT("letter") uint32_t letter(bool is_good) { return is_good ? 'g' : 0xd800; }

EXPORT("hue") uint32_t hue(bool is_good) { return is_good ? 1 : 200; }

EXPORT("maybe") uint64_t *maybe(bool is_good) {
  static uint64_t result[2];
  result[0] = is_good ? 1 : 99;
  result[1] = 7;
  /* An odd address for what must be aligned. */
  return is_good ? result : (uint64_t *)((char *)result + 1);
}

EXPORT("set-realloc") void set_realloc(uint32_t mode) { realloc_mode = mode; }

EXPORT("length") uint32_t length(const char *start, uint32_t count) { return (void)start, count; }

EXPORT("numbers") uint32_t numbers(const uint32_t *items, uint32_t count) { return (void)items, count; }
