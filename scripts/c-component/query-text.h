/* Texts from the query of a request, with their percent signs resolved. */
#ifndef QUERY_TEXT_H
#define QUERY_TEXT_H

#include "wasi-http.h"

static inline int hex_digit(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

/* `%41` and `+` resolved, in new memory; what is no such thing stays as it is. */
static inline Text text_unescaped(Text text) {
  char *start = arena_take(text.length, 1);
  size_t length = 0;
  for (size_t index = 0; index < text.length; index++) {
    const char byte = text.start[index];
    const int high = byte == '%' && index + 2 < text.length ? hex_digit(text.start[index + 1]) : -1;
    const int low = high < 0 ? -1 : hex_digit(text.start[index + 2]);
    if (low >= 0) index += 2;
    start[length++] = low >= 0 ? (char)(high * 16 + low) : byte == '+' ? ' ' : byte;
  }
  return (Text){start, length};
}

/* What `name=` has in the query, or `otherwise`. */
static inline Text query_text(Text path, Text name, Text otherwise) {
  const ptrdiff_t query = text_find(path, TEXT("?"));
  for (Text rest = query < 0 ? TEXT("") : text_after(path, (size_t)query + 1); rest.length > 0;) {
    const ptrdiff_t end = text_find(rest, TEXT("&"));
    const Text pair = {rest.start, end < 0 ? rest.length : (size_t)end};
    if (text_starts_with(pair, name) && pair.length > name.length && pair.start[name.length] == '=')
      return text_unescaped(text_after(pair, name.length + 1));
    rest = end < 0 ? TEXT("") : text_after(rest, (size_t)end + 1);
  }
  return otherwise;
}

#endif
