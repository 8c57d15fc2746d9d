/* One path for each thing that the tests of HTTP guests are about. */
#include "wasi-http.h"
#include "wasi-keyvalue.h"

/* list<tuple<string, string>> and the like: only the count is looked at, or the texts in order. */
typedef struct {
  const Text *texts;
  size_t count;
} TextPairs;

typedef struct {
  bool is_error;
  union {
    struct {
      bool is_some;
      Text bytes;
    } found;
    KvError error;
  };
} ResultValue;

typedef struct {
  bool is_error;
  union {
    bool exists;
    KvError error;
  };
} ResultExists;

typedef struct {
  bool is_error;
  _Alignas(8) uint8_t rest[40];
} ResultOutgoing;

IMPORT("wasi:cli/environment@0.2.12", "get-environment") void cli_environment(TextPairs *result);
IMPORT("wasi:cli/exit@0.2.12", "exit") void cli_exit(int32_t is_error);
IMPORT("wasi:cli/stderr@0.2.12", "get-stderr") OutputStream cli_get_stderr(void);
IMPORT("wasi:cli/terminal-stderr@0.2.12", "get-terminal-stderr") void cli_terminal_stderr(int32_t result[2]);
IMPORT("wasi:filesystem/preopens@0.2.12", "get-directories") void fs_directories(TextPairs *result);
IMPORT("wasi:clocks/monotonic-clock@0.2.12", "now") uint64_t clock_now(void);
IMPORT("wasi:clocks/monotonic-clock@0.2.12", "subscribe-duration") Pollable clock_subscribe_duration(uint64_t nanoseconds);
IMPORT("wasi:clocks/wall-clock@0.2.12", "now") void wall_now(uint64_t result[2]);
IMPORT("wasi:random/random@0.2.12", "get-random-u64") uint64_t random_u64(void);
IMPORT("wasi:random/random@0.2.12", "get-random-bytes") void random_bytes(uint64_t length, Text *result);
IMPORT("wasi:http/outgoing-handler@0.2.12", "handle")
void http_handle_outgoing(int32_t request, int32_t has_options, int32_t options, ResultOutgoing *result);
IMPORT(HTTP_TYPES, "[constructor]outgoing-request") int32_t http_outgoing_request_new(Fields headers);
IMPORT(HTTP_TYPES, "[constructor]fields") Fields http_fields_new(void);
IMPORT(HTTP_TYPES, "[resource-drop]outgoing-body") void http_outgoing_body_drop(OutgoingBody body);
IMPORT(IO_STREAMS, "[method]output-stream.blocking-write-and-flush")
void io_blocking_write_and_flush(OutputStream stream, const char *start, size_t length, ResultStream *result);
IMPORT(IO_STREAMS, "[method]input-stream.read") void io_read(InputStream stream, uint64_t bytes_max, ResultBytes *result);
IMPORT(IO_STREAMS, "[method]input-stream.subscribe") Pollable io_input_subscribe(InputStream stream);
IMPORT(IO_STREAMS, "[method]output-stream.blocking-splice")
void io_blocking_splice(OutputStream stream, InputStream source, uint64_t bytes_max, ResultU64 *result);
IMPORT(IO_POLL, "poll") void io_poll(const Pollable *pollables, size_t count, TextPairs *result);
IMPORT("wasi:keyvalue/store@0.2.0-draft", "[method]bucket.get") void kv_get(Bucket bucket, const char *key, size_t length, ResultValue *result);
IMPORT("wasi:keyvalue/store@0.2.0-draft", "[method]bucket.set")
void kv_set(Bucket bucket, const char *key, size_t length, const char *value, size_t value_length, ResultDone *result);
IMPORT("wasi:keyvalue/store@0.2.0-draft", "[method]bucket.exists")
void kv_exists(Bucket bucket, const char *key, size_t length, ResultExists *result);
IMPORT("wasi:keyvalue/batch@0.2.0-draft", "set-many") void kv_set_many(Bucket bucket, const Header *entries, size_t count, ResultDone *result);
IMPORT("wasi:keyvalue/batch@0.2.0-draft", "delete-many") void kv_delete_many(Bucket bucket, const Text *keys, size_t count, ResultDone *result);

static void respond_text(ResponseOutparam outparam, Text text) { respond(outparam, 200, PLAIN_TEXT, text); }

static Text with_line(Text report, Text name, Text value) {
  return text_join(report, text_join(text_join(name, TEXT("=")), text_join(value, TEXT("\n"))));
}

static void report_error(ResponseOutparam outparam, const KvError *error) {
  if (error->kind == KV_ACCESS_DENIED) respond(outparam, 403, PLAIN_TEXT, TEXT("access-denied"));
  else if (error->kind == KV_OTHER) respond(outparam, 500, PLAIN_TEXT, text_join(TEXT("other: "), error->message));
  else respond(outparam, 404, PLAIN_TEXT, TEXT("no-such-store"));
}

/* Every operation of the key-value interfaces once; stops at the first that fails. */
static void use_kv(ResponseOutparam outparam) {
  ResultBucket opened;
  ResultDone done;
  Text report = TEXT("");
  kv_open("default", 7, &opened);
  if (opened.is_error) return report_error(outparam, &opened.error);
  kv_set(opened.bucket, "a", 1, "one", 3, &done);
  if (done.is_error) return report_error(outparam, &done.error);
  ResultValue value;
  kv_get(opened.bucket, "a", 1, &value);
  if (value.is_error) return report_error(outparam, &value.error);
  report = with_line(report, TEXT("get a"), value.found.is_some ? value.found.bytes : TEXT("none"));
  kv_get(opened.bucket, "b", 1, &value);
  if (value.is_error) return report_error(outparam, &value.error);
  report = with_line(report, TEXT("get b"), value.found.is_some ? value.found.bytes : TEXT("none"));
  ResultExists exists;
  kv_exists(opened.bucket, "a", 1, &exists);
  if (exists.is_error) return report_error(outparam, &exists.error);
  report = with_line(report, TEXT("exists a"), exists.exists ? TEXT("true") : TEXT("false"));
  const Header entries[] = {{TEXT("b"), TEXT("two")}, {TEXT("c"), TEXT("three")}};
  kv_set_many(opened.bucket, entries, 2, &done);
  if (done.is_error) return report_error(outparam, &done.error);
  const Text keys[] = {TEXT("a"), TEXT("x"), TEXT("c")};
  ResultEntries found;
  kv_get_many(opened.bucket, keys, 3, &found);
  if (found.is_error) return report_error(outparam, &found.error);
  for (size_t index = 0; index < found.entries.count; index++) {
    const KvEntry *entry = &found.entries.items[index];
    report = with_line(report, TEXT("many"), entry->is_some ? text_join(entry->key, entry->value) : TEXT("none"));
  }
  ResultPage page;
  for (bool has_cursor = false;; has_cursor = true) {
    kv_list_keys(opened.bucket, has_cursor, has_cursor ? page.page.cursor : 0, &page);
    if (page.is_error) return report_error(outparam, &page.error);
    for (size_t index = 0; index < page.page.key_count; index++) report = with_line(report, TEXT("key"), page.page.keys[index]);
    report = with_line(report, TEXT("more"), page.page.has_cursor ? TEXT("true") : TEXT("false"));
    if (!page.page.has_cursor) break;
  }
  kv_delete(opened.bucket, "a", 1, &done);
  if (done.is_error) return report_error(outparam, &done.error);
  kv_delete_many(opened.bucket, keys, 3, &done);
  if (done.is_error) return report_error(outparam, &done.error);
  ResultSum sum;
  kv_increment(opened.bucket, "n", 1, 41, &sum);
  if (sum.is_error) return report_error(outparam, &sum.error);
  report = with_line(report, TEXT("sum"), text_from_number(sum.sum));
  kv_list_keys(opened.bucket, true, 999, &page);
  report = with_line(report, TEXT("foreign cursor"), page.is_error ? page.error.message : TEXT("taken"));
  kv_increment(opened.bucket, "n", 1, UINT64_MAX, &sum);
  report = with_line(report, TEXT("too much"), sum.is_error ? sum.error.message : TEXT("taken"));
  kv_bucket_drop(opened.bucket);
  respond_text(outparam, report);
}

static InputStream request_stream(IncomingRequest request) {
  ResultHandle body, input;
  http_request_consume(request, &body);
  if (body.is_error) __builtin_trap();
  http_incoming_body_stream(body.handle, &input);
  if (input.is_error) __builtin_trap();
  return input.handle;
}

/* Waits by poll and reads without blocking; answers how the body ended and how many bytes it had. */
static void count_body(IncomingRequest request, ResponseOutparam outparam) {
  const InputStream input = request_stream(request);
  uint64_t total = 0;
  for (;;) {
    const Pollable either[] = {clock_subscribe_duration(UINT64_MAX / 4), io_input_subscribe(input)};
    TextPairs ready;
    const ArenaMark mark = arena_mark();
    io_poll(either, 2, &ready);
    io_pollable_drop(either[0]);
    io_pollable_drop(either[1]);
    ResultBytes read;
    io_read(input, WASM_PAGE_BYTES, &read);
    if (read.is_error) {
      const bool is_end = read.failure.kind == STREAM_CLOSED;
      if (!is_end) io_error_drop(read.failure.error);
      return respond_text(outparam, text_join(is_end ? TEXT("end after ") : TEXT("failed after "), text_from_number(total)));
    }
    total += read.bytes.length;
    arena_reset(mark);
  }
}

/* The body back, moved by the host. */
static void splice(IncomingRequest request, ResponseOutparam outparam) {
  const InputStream input = request_stream(request);
  const Header headers[] = {{TEXT("content-type"), PLAIN_TEXT}};
  Response response = response_begin(outparam, 200, headers, 1);
  for (;;) {
    ResultU64 moved;
    io_blocking_splice(response.stream, input, 4096, &moved);
    if (moved.is_error) break;
  }
  response_end(&response);
}

/* Writes `bytes` and says on the log what came of it. */
static void fill(ResponseOutparam outparam, uint64_t bytes) {
  static char block[WASM_PAGE_BYTES];
  const Header headers[] = {{TEXT("content-type"), PLAIN_TEXT}};
  Response response = response_begin(outparam, 200, headers, 1);
  bool is_open = true;
  while (bytes > 0 && is_open) {
    const size_t length = bytes < sizeof block ? (size_t)bytes : sizeof block;
    is_open = response_write(&response, (Text){block, length});
    bytes -= length;
  }
  ResultStream written;
  const Text said = is_open ? TEXT("all written\n") : TEXT("cut off\n");
  const OutputStream log = cli_get_stderr();
  io_blocking_write_and_flush(log, said.start, said.length, &written);
  io_output_drop(log);
  response_end(&response);
}

static void surroundings(ResponseOutparam outparam) {
  TextPairs environment, directories;
  int32_t terminal[2];
  uint64_t wall[2];
  Text random;
  cli_environment(&environment);
  fs_directories(&directories);
  cli_terminal_stderr(terminal);
  wall_now(wall);
  random_bytes(16, &random);
  const uint64_t before = clock_now();
  const Pollable timer = clock_subscribe_duration(2000000);
  io_pollable_block(timer);
  io_pollable_drop(timer);
  Text report = TEXT("");
  for (size_t index = 0; index < environment.count; index++) {
    report = with_line(report, environment.texts[index * 2], environment.texts[index * 2 + 1]);
  }
  report = with_line(report, TEXT("directories"), text_from_number(directories.count));
  report = with_line(report, TEXT("terminal"), text_from_number((uint64_t)(terminal[0] & 1)));
  report = with_line(report, TEXT("this century"), wall[0] > 1700000000 ? TEXT("true") : TEXT("false"));
  report = with_line(report, TEXT("random"), random.length == 16 && random_u64() != random_u64() ? TEXT("true") : TEXT("false"));
  report = with_line(report, TEXT("slept"), clock_now() - before >= 2000000 ? TEXT("true") : TEXT("false"));
  ResultOutgoing denied;
  http_handle_outgoing(http_outgoing_request_new(http_fields_new()), 0, 0, &denied);
  enum { HTTP_REQUEST_DENIED = 15 };
  report = with_line(report, TEXT("outgoing denied"), denied.is_error && denied.rest[0] == HTTP_REQUEST_DENIED ? TEXT("true") : TEXT("false"));
  respond_text(outparam, report);
}

/* A list whose every element names the same megabyte. */
static void amplify(ResponseOutparam outparam, uint64_t count) {
  enum { BYTES = 1048576 };
  char *bytes = arena_take(BYTES, 1);
  for (size_t index = 0; index < BYTES; index++) bytes[index] = 'x';
  Header *headers = arena_take(count * sizeof(Header), 4);
  for (size_t index = 0; index < count; index++) headers[index] = (Header){TEXT("x"), {bytes, BYTES}};
  ResultHandle fields;
  http_fields_from_list(headers, count, &fields);
  respond_text(outparam, fields.is_error ? TEXT("refused") : TEXT("taken"));
}

static void headers_of_all_kinds(ResponseOutparam outparam) {
  const Header good[] = {{TEXT("x-twice"), TEXT("1")}, {TEXT("X-Twice"), TEXT("2")}, {TEXT("x-byte"), TEXT("\xe9\tx")}};
  const Header bad[] = {{TEXT("x-split"), TEXT("a\r\nset-cookie: b")}};
  const Header forbidden[] = {{TEXT("Transfer-Encoding"), TEXT("chunked")}};
  ResultHandle first, second;
  http_fields_from_list(bad, 1, &first);
  http_fields_from_list(forbidden, 1, &second);
  Response response = response_begin(outparam, 201, good, 3);
  response_write(&response, first.is_error && second.is_error ? TEXT("refused") : TEXT("taken"));
  response_end(&response);
}

static void drop_body(ResponseOutparam outparam) {
  const Header headers[] = {{TEXT("content-type"), PLAIN_TEXT}};
  Response response = response_begin(outparam, 200, headers, 1);
  response_write(&response, TEXT("half of"));
  io_output_drop(response.stream);
  http_outgoing_body_drop(response.body);
}

/* Body first, response afterwards. */
static void write_early(ResponseOutparam outparam) {
  ResultHandle body, stream;
  ResultErrorCode finished;
  const OutgoingResponse response = http_response_new(http_fields_new());
  http_response_body(response, &body);
  http_outgoing_body_write(body.handle, &stream);
  Response early = {body.handle, stream.handle, true};
  response_write(&early, TEXT("early"));
  io_output_drop(stream.handle);
  http_outgoing_body_finish(body.handle, 0, 0, &finished);
  http_outparam_set(outparam, 0, response, 0, 0, 0, 0, 0, 0);
}

/* Takes handles of resources without end and gives none back. */
static void hoard(Text kind) {
  for (;;) {
    if (text_equals(kind, TEXT("/hoard/bodies"))) {
      ResultHandle body;
      http_response_body(http_response_new(http_fields_new()), &body);
    } else if (text_equals(kind, TEXT("/hoard/timers"))) {
      clock_subscribe_duration(1);
    } else {
      /* As large as they may be. */
      static char value[32000];
      const Header header = {TEXT("x"), {value, sizeof value}};
      for (size_t index = 0; index < sizeof value; index++) value[index] = 'x';
      ResultHandle fields;
      http_fields_from_list(&header, 1, &fields);
    }
  }
}

static uint64_t calls;

static void handle_request(IncomingRequest request, ResponseOutparam outparam) {
  const Text whole = request_path_with_query(request);
  const Text path = path_without_query(whole);
  calls++;
  if (text_equals(path, TEXT("/calls"))) respond_text(outparam, text_from_number(calls));
  else if (text_equals(path, TEXT("/kv"))) use_kv(outparam);
  else if (text_equals(path, TEXT("/count"))) count_body(request, outparam);
  else if (text_equals(path, TEXT("/splice"))) splice(request, outparam);
  else if (text_equals(path, TEXT("/fill"))) fill(outparam, query_number(whole, TEXT("bytes"), 0));
  else if (text_equals(path, TEXT("/surroundings"))) surroundings(outparam);
  else if (text_equals(path, TEXT("/headers"))) headers_of_all_kinds(outparam);
  else if (text_equals(path, TEXT("/amplify"))) amplify(outparam, query_number(whole, TEXT("count"), 1));
  else if (text_equals(path, TEXT("/early"))) write_early(outparam);
  else if (text_equals(path, TEXT("/half"))) drop_body(outparam);
  else if (text_equals(path, TEXT("/error"))) http_outparam_set(outparam, 1, 38, 1, (int64_t)(uintptr_t) "no idea", 7, 0, 0, 0);
  else if (text_equals(path, TEXT("/silence"))) return;
  else if (text_equals(path, TEXT("/trap"))) __builtin_trap();
  else if (text_starts_with(path, TEXT("/hoard"))) hoard(path);
  else if (text_equals(path, TEXT("/exit"))) cli_exit(1);
  else if (text_equals(path, TEXT("/spin"))) for (volatile uint32_t turns = 0;;) turns = turns + 1;
  else respond(outparam, 404, PLAIN_TEXT, TEXT("no such path"));
}
