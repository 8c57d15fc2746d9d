/*
 * An HTTP service that breaks one rule by order of its path. Each order has a parameter by which it stays just within the
 * rule, so that a test can tell a limit that holds from one that is never reached.
 *
 *   /ok                        answers
 *   /spin?ms=N                 computes for N ms, by default for ever
 *   /sleep?ms=N                waits so long, by default for ever
 *   /recurse?depth=N&kind=K    calls itself; K: native (the engine's stack), shadow (the one in memory)
 *   /grow?mib=N&trap=1         takes memory, and traps or answers when it is refused more
 *   /trap?trap=0               traps
 *   /log?lines=N&bytes=B       writes log lines of B bytes       /output?lines=N&bytes=B  the same on standard output
 *   /hoard?kind=K&count=N      keeps N handles; K: fields, timers, responses, requests
 *   /huge?bytes=N              answers with so many bytes, by default without end
 *   /half?then=T               half an answer; T: trap, exit, spin, sleep, silence, finish
 *   /discard?what=W            throws away what it needs: outparam, body, stream, parent, request, twice, nothing
 *   /outgoing?count=N&url=U    begins N requests and awaits none
 *   /fields?count=N&bytes=B    gives the host N headers of B bytes in one list; with each=1 in a list each
 *   /after-end?kind=K          goes on after the end: body, outparam, nothing
 *   /garbage?kind=K            breaks the canonical ABI: pointer, count, utf8, handle, case, nothing
 */
#include "query-text.h"
#include "wasi-http-client.h"

IMPORT("wasi:cli/exit@0.2.12", "exit") void cli_exit(int32_t is_error);
IMPORT("wasi:cli/stdout@0.2.12", "get-stdout") OutputStream cli_get_stdout(void);
IMPORT("wasi:clocks/monotonic-clock@0.2.12", "now") uint64_t clock_now(void);
IMPORT("wasi:clocks/monotonic-clock@0.2.12", "subscribe-duration") Pollable clock_subscribe_duration(uint64_t nanoseconds);
IMPORT("wasi:logging/logging@0.1.0-draft", "log")
void log_line(int32_t level, const char *context, size_t context_length, const char *text, size_t length);
IMPORT(IO_STREAMS, "[method]output-stream.blocking-write-and-flush")
void io_blocking_write_and_flush(OutputStream stream, const char *start, size_t length, ResultStream *result);
IMPORT(HTTP_TYPES, "[resource-drop]response-outparam") void http_outparam_drop(ResponseOutparam outparam);

enum { BLOCK_BYTES = 4096, BYTES_PER_MIB = 1048576, PAGES_PER_MIB = 16, NS_PER_MS = 1000000 };
static const uint64_t FOR_EVER = UINT64_MAX / NS_PER_MS / 4;

static void ok(ResponseOutparam outparam, Text text) { respond(outparam, 200, PLAIN_TEXT, text); }

static void ok_number(ResponseOutparam outparam, Text text, uint64_t number) { ok(outparam, text_join(text, text_from_number(number))); }

static bool is_query(Text url, Text name, Text value) { return text_equals(query_text(url, name, TEXT("")), value); }

/* `bytes` of text, the last a line feed. */
static Text line_of(uint64_t bytes) {
  char *start = arena_take(bytes, 1);
  __builtin_memset(start, 'x', bytes);
  if (bytes > 0) start[bytes - 1] = '\n';
  return (Text){start, bytes};
}

static void spin(uint64_t milliseconds) {
  if (milliseconds == FOR_EVER) for (volatile uint32_t turns = 0;;) turns = turns + 1;
  const uint64_t end = clock_now() + milliseconds * NS_PER_MS;
  while (clock_now() < end) for (volatile uint32_t turns = 0; turns < 10000;) turns = turns + 1;
}

static void sleep_ms(uint64_t milliseconds) {
  const Pollable timer = clock_subscribe_duration(milliseconds * NS_PER_MS);
  io_pollable_block(timer);
  io_pollable_drop(timer);
}

/* `*left` counts down; nothing is kept in memory, so that the engine's stack is what ends. */
__attribute__((noinline)) static uint64_t recurse_natively(volatile uint64_t *left) {
  if (*left == 0) return 0;
  *left = *left - 1;
  return recurse_natively(left) + *left;
}

/* Each turn takes 1 KiB of the stack in memory. */
__attribute__((noinline)) static uint64_t recurse_in_memory(uint64_t left) {
  volatile char kept[1024];
  kept[left % sizeof kept] = (char)left;
  return left == 0 ? 0 : recurse_in_memory(left - 1) + (uint64_t)kept[left % sizeof kept];
}

static void recurse(ResponseOutparam outparam, Text url) {
  volatile uint64_t depth = query_number(url, TEXT("depth"), UINT64_MAX);
  if (is_query(url, TEXT("kind"), TEXT("shadow"))) recurse_in_memory(depth);
  else recurse_natively(&depth);
  ok(outparam, TEXT("came back"));
}

static void grow(ResponseOutparam outparam, Text url) {
  const uint64_t wanted = query_number(url, TEXT("mib"), UINT64_MAX);
  uint64_t pages = 0;
  while (pages / PAGES_PER_MIB < wanted) {
    const size_t page = __builtin_wasm_memory_grow(0, 1);
    if (page == (size_t)-1) {
      if (query_number(url, TEXT("trap"), 0) == 1) __builtin_trap();
      return ok_number(outparam, TEXT("refused after MiB "), pages / PAGES_PER_MIB);
    }
    *(volatile char *)(page * WASM_PAGE_BYTES) = 1;
    pages++;
  }
  ok_number(outparam, TEXT("took MiB "), pages / PAGES_PER_MIB);
}

static void write_log(ResponseOutparam outparam, Text url) {
  const uint64_t lines = query_number(url, TEXT("lines"), UINT64_MAX);
  const Text line = line_of(query_number(url, TEXT("bytes"), 64));
  for (uint64_t written = 0; written < lines; written++) log_line(2, "", 0, line.start, line.length);
  ok_number(outparam, TEXT("logged "), lines);
}

static void write_output(ResponseOutparam outparam, Text url) {
  const uint64_t lines = query_number(url, TEXT("lines"), UINT64_MAX);
  const Text line = line_of(query_number(url, TEXT("bytes"), 64));
  const OutputStream output = cli_get_stdout();
  for (uint64_t written = 0; written < lines; written++) {
    for (size_t offset = 0; offset < line.length; offset += BLOCK_BYTES) {
      ResultStream result;
      const size_t rest = line.length - offset;
      io_blocking_write_and_flush(output, line.start + offset, rest < BLOCK_BYTES ? rest : BLOCK_BYTES, &result);
      if (result.is_error) return ok_number(outparam, TEXT("cut off after lines "), written);
    }
  }
  io_output_drop(output);
  ok_number(outparam, TEXT("wrote "), lines);
}

static void hoard(ResponseOutparam outparam, Text url) {
  const uint64_t count = query_number(url, TEXT("count"), UINT64_MAX);
  const Text kind = query_text(url, TEXT("kind"), TEXT("fields"));
  for (uint64_t held = 0; held < count; held++) {
    if (text_equals(kind, TEXT("timers"))) clock_subscribe_duration(FOR_EVER);
    else if (text_equals(kind, TEXT("responses"))) http_response_new(http_fields_new());
    else if (text_equals(kind, TEXT("requests"))) http_outgoing_request_new(http_fields_new());
    else http_fields_new();
  }
  ok_number(outparam, TEXT("holds "), count);
}

static Response begin(ResponseOutparam outparam) {
  const Header headers[] = {{TEXT("content-type"), PLAIN_TEXT}};
  return response_begin(outparam, 200, headers, 1);
}

static void huge(ResponseOutparam outparam, Text url) {
  uint64_t left = query_number(url, TEXT("bytes"), UINT64_MAX);
  const Text block = line_of(BLOCK_BYTES);
  Response response = begin(outparam);
  while (left > 0 && response_write(&response, (Text){block.start, left < BLOCK_BYTES ? (size_t)left : BLOCK_BYTES})) {
    left -= left < BLOCK_BYTES ? left : BLOCK_BYTES;
  }
  response_end(&response);
}

static void half(ResponseOutparam outparam, Text url) {
  Response response = begin(outparam);
  response_write(&response, TEXT("the first half"));
  response_flush(&response);
  const Text then = query_text(url, TEXT("then"), TEXT("trap"));
  if (text_equals(then, TEXT("trap"))) __builtin_trap();
  if (text_equals(then, TEXT("exit"))) cli_exit(1);
  if (text_equals(then, TEXT("spin"))) spin(FOR_EVER);
  if (text_equals(then, TEXT("sleep"))) sleep_ms(FOR_EVER);
  if (text_equals(then, TEXT("finish"))) response_end(&response);
}

static void discard(ResponseOutparam outparam, IncomingRequest request, Text url) {
  const Text what = query_text(url, TEXT("what"), TEXT("nothing"));
  if (text_equals(what, TEXT("outparam"))) return http_outparam_drop(outparam);
  if (text_equals(what, TEXT("twice"))) {
    const Fields fields = http_fields_new();
    http_fields_drop(fields);
    http_fields_drop(fields);
  }
  if (text_equals(what, TEXT("request"))) {
    ResultHandle body;
    http_request_consume(request, &body);
    http_incoming_body_drop(body.handle);
  }
  if (!text_equals(what, TEXT("body")) && !text_equals(what, TEXT("stream")) && !text_equals(what, TEXT("parent")))
    return ok(outparam, TEXT("kept what it needs"));
  Response response = begin(outparam);
  response_write(&response, TEXT("incomplete"));
  if (text_equals(what, TEXT("parent"))) http_outgoing_body_drop(response.body);
  io_output_drop(response.stream);
  if (text_equals(what, TEXT("body"))) http_outgoing_body_drop(response.body);
}

static void outgoing(ResponseOutparam outparam, Text url) {
  const uint64_t count = query_number(url, TEXT("count"), UINT64_MAX);
  const Text target = query_text(url, TEXT("url"), TEXT("http://127.0.0.1:9/"));
  for (uint64_t begun = 0; begun < count; begun++) {
    const Sent sent = http_begin(METHOD_GET, target, TEXT(""));
    if (sent.is_error) return ok_number(outparam, text_join(HTTP_ERROR_NAMES[sent.error], TEXT(" after ")), begun);
  }
  ok_number(outparam, TEXT("began "), count);
}

static void give_fields(ResponseOutparam outparam, Text url) {
  const uint64_t count = query_number(url, TEXT("count"), UINT64_MAX);
  const Text value = {line_of(query_number(url, TEXT("bytes"), 1000)).start, query_number(url, TEXT("bytes"), 1000) - 1};
  const bool is_each = query_number(url, TEXT("each"), 0) == 1;
  Header *headers = is_each ? 0 : arena_take(count * sizeof(Header), 4);
  const Header header = {TEXT("x"), value};
  ResultHandle fields = {.is_error = false};
  uint64_t given = 0;
  for (; given < count && !fields.is_error; given++) {
    if (is_each) http_fields_from_list(&header, 1, &fields);
    else headers[given] = header;
  }
  if (!is_each) http_fields_from_list(headers, count, &fields);
  ok_number(outparam, fields.is_error ? TEXT("refused at ") : TEXT("gave "), given);
}

static void after_end(ResponseOutparam outparam, Text url) {
  ResultErrorCode finished;
  ResultHandle stream;
  Response response = begin(outparam);
  response_write(&response, TEXT("whole"));
  io_output_drop(response.stream);
  http_outgoing_body_finish(response.body, 0, 0, &finished);
  if (is_query(url, TEXT("kind"), TEXT("body"))) http_outgoing_body_write(response.body, &stream);
  if (is_query(url, TEXT("kind"), TEXT("outparam"))) http_outparam_set(outparam, 0, http_response_new(http_fields_new()), 0, 0, 0, 0, 0, 0);
}

static void garbage(ResponseOutparam outparam, Text url) {
  const Text kind = query_text(url, TEXT("kind"), TEXT("nothing"));
  ResultHandle fields;
  if (text_equals(kind, TEXT("pointer"))) http_fields_from_list((const Header *)0xfffffff0, 1000, &fields);
  if (text_equals(kind, TEXT("count"))) http_fields_from_list((const Header *)1024, 0x7fffffff, &fields);
  if (text_equals(kind, TEXT("utf8"))) http_fields_from_list(&(Header){TEXT("x-\xff\xfe"), TEXT("")}, 1, &fields);
  if (text_equals(kind, TEXT("handle"))) http_outparam_set(outparam, 0, 12345, 0, 0, 0, 0, 0, 0);
  if (text_equals(kind, TEXT("case"))) http_outparam_set(outparam, 7, 0, 0, 0, 0, 0, 0, 0);
  ok(outparam, TEXT("made sense"));
}

static void handle_request(IncomingRequest request, ResponseOutparam outparam) {
  const Text url = request_path_with_query(request);
  const Text path = path_without_query(url);
  if (text_equals(path, TEXT("/recurse"))) return recurse(outparam, url);
  if (text_equals(path, TEXT("/grow"))) return grow(outparam, url);
  if (text_equals(path, TEXT("/log"))) return write_log(outparam, url);
  if (text_equals(path, TEXT("/output"))) return write_output(outparam, url);
  if (text_equals(path, TEXT("/hoard"))) return hoard(outparam, url);
  if (text_equals(path, TEXT("/huge"))) return huge(outparam, url);
  if (text_equals(path, TEXT("/half"))) return half(outparam, url);
  if (text_equals(path, TEXT("/discard"))) return discard(outparam, request, url);
  if (text_equals(path, TEXT("/outgoing"))) return outgoing(outparam, url);
  if (text_equals(path, TEXT("/fields"))) return give_fields(outparam, url);
  if (text_equals(path, TEXT("/after-end"))) return after_end(outparam, url);
  if (text_equals(path, TEXT("/garbage"))) return garbage(outparam, url);
  if (text_equals(path, TEXT("/spin"))) spin(query_number(url, TEXT("ms"), FOR_EVER));
  else if (text_equals(path, TEXT("/sleep"))) sleep_ms(query_number(url, TEXT("ms"), FOR_EVER));
  else if (text_equals(path, TEXT("/trap")) && query_number(url, TEXT("trap"), 1) == 1) __builtin_trap();
  ok(outparam, TEXT("ok"));
}
