/*
 * An HTTP service that misbehaves when asked to, to see that nobody else suffers. README.md says what each path does.
 */
#include "wasi-http.h"

IMPORT("wasi:cli/exit@0.2.12", "exit") void cli_exit(int32_t is_error);
IMPORT("wasi:cli/stderr@0.2.12", "get-stderr") OutputStream cli_get_stderr(void);
IMPORT("wasi:io/streams@0.2.12", "[method]output-stream.blocking-write-and-flush")
void io_blocking_write_and_flush(OutputStream stream, const char *start, size_t length, ResultStream *result);
IMPORT("wasi:clocks/monotonic-clock@0.2.12", "subscribe-duration") Pollable clock_subscribe_duration(uint64_t nanoseconds);

enum { BLOCK_BYTES = 4096, BYTES_PER_MIB = 1048576, PAGES_PER_MIB = 16 };

static void wait_ms(uint64_t milliseconds) {
  const Pollable timer = clock_subscribe_duration(milliseconds * 1000000);
  io_pollable_block(timer);
  io_pollable_drop(timer);
}

static void respond_ok(ResponseOutparam outparam, Text text) { respond(outparam, 200, PLAIN_TEXT, text); }

/* The volatile counter keeps the compiler from leaving the loop out. */
static void loop(void) {
  for (volatile uint32_t turns = 0;;) turns = turns + 1;
}

/* Deeper and deeper; `*depth` begins at 1, and the stack is long gone before it comes round to 0. */
__attribute__((noinline)) static uint32_t recurse(volatile uint32_t *depth) {
  if (*depth == 0) return 0;
  *depth = *depth + 1;
  return recurse(depth) + *depth;
}

/* Takes memory, page by page, until there is no more, and writes to each so that it is really used. */
static void grow(ResponseOutparam outparam, Text path) {
  const uint64_t limit_mib = query_number(path, TEXT("mib"), UINT64_MAX);
  uint64_t pages = 0;
  bool is_refused = false;
  while (!is_refused && pages / PAGES_PER_MIB < limit_mib) {
    const size_t page = __builtin_wasm_memory_grow(0, 1);
    is_refused = page == (size_t)-1;
    if (is_refused) break;
    *(volatile char *)(page * WASM_PAGE_BYTES) = 1;
    pages++;
  }
  const Text taken = text_join(text_join(TEXT("Took "), text_from_number(pages / PAGES_PER_MIB)), TEXT(" MiB, "));
  respond_ok(outparam, text_join(taken, is_refused ? TEXT("then was refused more.\n") : TEXT("as asked.\n")));
}

/* As many whole lines as fit into a block. */
static Text block_of_lines(Text line) {
  char *start = arena_take(BLOCK_BYTES, 1);
  size_t length = 0;
  for (; length + line.length <= BLOCK_BYTES; length += line.length) __builtin_memcpy(start + length, line.start, line.length);
  return (Text){start, length};
}

/* Writes log lines as fast as they are taken. */
static void flood(ResponseOutparam outparam, Text path) {
  const uint64_t mib = query_number(path, TEXT("mib"), 16);
  const Text lines = block_of_lines(TEXT("misbehave: nobody wants to read this line, and there are many.\n"));
  const OutputStream log = cli_get_stderr();
  for (uint64_t written = 0; written < mib * BYTES_PER_MIB; written += lines.length) {
    ResultStream result;
    io_blocking_write_and_flush(log, lines.start, lines.length, &result);
    if (result.is_error) break;
  }
  io_output_drop(log);
  respond_ok(outparam, text_join(text_join(TEXT("Logged "), text_from_number(mib)), TEXT(" MiB.\n")));
}

static Response begin_plain(ResponseOutparam outparam) {
  const Header headers[] = {{TEXT("content-type"), PLAIN_TEXT}};
  return response_begin(outparam, 200, headers, 1);
}

/* A body without an end, until nobody takes it any more. */
static void huge(ResponseOutparam outparam) {
  const Text lines = block_of_lines(TEXT("This response has no end, and every line of it says the same.\n"));
  Response response = begin_plain(outparam);
  while (response_write(&response, lines)) continue;
  response_end(&response);
}

/* Begins a response and fails in the middle of it. */
static void half(ResponseOutparam outparam) {
  Response response = begin_plain(outparam);
  response_write(&response, TEXT("This is the first half; the sec"));
  response_flush(&response);
  __builtin_trap();
}

/* One line at a time, with a pause before each. */
static void drip(ResponseOutparam outparam, Text path) {
  const uint64_t lines = query_number(path, TEXT("lines"), 10), milliseconds = query_number(path, TEXT("ms"), 1000);
  Response response = begin_plain(outparam);
  for (uint64_t line = 0; line < lines; line++) {
    wait_ms(milliseconds);
    if (!response_write(&response, TEXT("drip\n")) || !response_flush(&response)) break;
  }
  response_end(&response);
}

static void slow(ResponseOutparam outparam, Text path) {
  const uint64_t milliseconds = query_number(path, TEXT("ms"), 1000);
  wait_ms(milliseconds);
  respond_ok(outparam, text_join(text_join(TEXT("Waited "), text_from_number(milliseconds)), TEXT(" ms.\n")));
}

static void handle_request(IncomingRequest request, ResponseOutparam outparam) {
  const Text path_with_query = request_path_with_query(request);
  const Text path = path_without_query(path_with_query);
  volatile uint32_t depth = 1;
  if (text_equals(path, TEXT("/ok"))) respond_ok(outparam, TEXT("ok\n"));
  else if (text_equals(path, TEXT("/loop"))) loop();
  else if (text_equals(path, TEXT("/trap"))) __builtin_trap();
  else if (text_equals(path, TEXT("/exit"))) cli_exit(1);
  else if (text_equals(path, TEXT("/grow"))) grow(outparam, path_with_query);
  else if (text_equals(path, TEXT("/recurse"))) recurse(&depth);
  else if (text_equals(path, TEXT("/flood"))) flood(outparam, path_with_query);
  else if (text_equals(path, TEXT("/slow"))) slow(outparam, path_with_query);
  else if (text_equals(path, TEXT("/drip"))) drip(outparam, path_with_query);
  else if (text_equals(path, TEXT("/huge"))) huge(outparam);
  else if (text_equals(path, TEXT("/half"))) half(outparam);
  else if (text_equals(path, TEXT("/silent"))) return;
  else respond(outparam, 404, PLAIN_TEXT, TEXT("Try /ok /loop /trap /exit /grow /recurse /flood /slow /drip /huge /half /silent\n"));
}
