/*
 * An HTTP service that counts visits per path, in the key-value bucket "default".
 *
 *   GET /healthz     "ok", without the key-value store
 *   GET /headers     the request's headers, as the service sees them
 *   ANY /echo        the request's body, streamed back
 *   GET /visits      all paths with their visits
 *   GET /any/path    counts one visit of that path and says how many there were
 *   DELETE /any/path forgets the visits of that path
 *
 * Visits are JSON for who accepts application/json, otherwise text.
 */
#include "wasi-http.h"
#include "wasi-keyvalue.h"

enum { ECHO_CHUNK_BYTES = 65536, VALUES_PER_BATCH = 100 };

#define KEY_PREFIX TEXT("visits:")

static bool is_ascii_case_equal(Text left, Text right) {
  if (left.length != right.length) return false;
  for (size_t index = 0; index < left.length; index++) {
    const char a = left.start[index], b = right.start[index];
    if (a != b && ((a ^ b) != 0x20 || (a | 0x20) < 'a' || (a | 0x20) > 'z')) return false;
  }
  return true;
}

static OptionText header_value(IncomingRequest request, Text name) {
  const Headers headers = request_headers(request);
  for (size_t index = 0; index < headers.count; index++) {
    if (is_ascii_case_equal(headers.items[index].name, name)) return (OptionText){true, headers.items[index].value};
  }
  return (OptionText){false, TEXT("")};
}

static bool wants_json(IncomingRequest request) {
  const OptionText accept = header_value(request, TEXT("accept"));
  return accept.is_some && text_find(accept.value, TEXT("application/json")) >= 0;
}

/* `text` as a JSON string with its quotes. */
static Text json_string(Text text) {
  char *start = arena_take(text.length * 6 + 2, 1);
  size_t length = 0;
  start[length++] = '"';
  for (size_t index = 0; index < text.length; index++) {
    const unsigned char character = (unsigned char)text.start[index];
    if (character == '"' || character == '\\') {
      start[length++] = '\\';
      start[length++] = (char)character;
    } else if (character < 0x20) {
      const char *hex = "0123456789abcdef";
      const char escape[] = {'\\', 'u', '0', '0', hex[character >> 4], hex[character & 15]};
      __builtin_memcpy(start + length, escape, sizeof escape);
      length += sizeof escape;
    } else {
      start[length++] = (char)character;
    }
  }
  start[length++] = '"';
  return (Text){start, length};
}

static void respond_with_error(ResponseOutparam outparam, const KvError *error) {
  switch (error->kind) {
    case KV_ACCESS_DENIED:
      respond(outparam, 403, PLAIN_TEXT,
              TEXT("This service may not count: it was not granted the key-value bucket \"default\". "
                   "Start it with --allow-kv to grant it.\n"));
      return;
    case KV_NO_SUCH_STORE:
      respond(outparam, 503, PLAIN_TEXT, TEXT("There is no key-value bucket \"default\" here.\n"));
      return;
    default:
      respond(outparam, 500, PLAIN_TEXT, text_join(text_join(TEXT("The key-value store failed: "), error->message), TEXT("\n")));
  }
}

static void respond_with_count(IncomingRequest request, ResponseOutparam outparam, Text path, uint64_t visits) {
  const Text number = text_from_number(visits);
  if (wants_json(request)) {
    const Text start = text_join(text_join(TEXT("{\"path\":"), json_string(path)), TEXT(",\"visits\":"));
    respond(outparam, 200, TEXT("application/json"), text_join(text_join(start, number), TEXT("}\n")));
    return;
  }
  const Text start = text_join(text_join(TEXT("Visits of "), path), TEXT(": "));
  respond(outparam, 200, PLAIN_TEXT, text_join(text_join(start, number), TEXT("\n")));
}

/* Opens the bucket, or answers why it cannot. */
static bool open_bucket(ResponseOutparam outparam, Bucket *bucket) {
  const Text name = TEXT("default");
  ResultBucket opened;
  kv_open(name.start, name.length, &opened);
  if (opened.is_error) respond_with_error(outparam, &opened.error);
  else *bucket = opened.bucket;
  return !opened.is_error;
}

static void count_visit(IncomingRequest request, ResponseOutparam outparam, Text path) {
  const Text key = text_join(KEY_PREFIX, path);
  Bucket bucket;
  if (!open_bucket(outparam, &bucket)) return;
  ResultSum counted;
  kv_increment(bucket, key.start, key.length, 1, &counted);
  kv_bucket_drop(bucket);
  if (counted.is_error) respond_with_error(outparam, &counted.error);
  else respond_with_count(request, outparam, path, counted.sum);
}

static void forget_visits(ResponseOutparam outparam, Text path) {
  const Text key = text_join(KEY_PREFIX, path);
  Bucket bucket;
  if (!open_bucket(outparam, &bucket)) return;
  ResultDone forgotten;
  kv_delete(bucket, key.start, key.length, &forgotten);
  kv_bucket_drop(bucket);
  if (forgotten.is_error) respond_with_error(outparam, &forgotten.error);
  else respond(outparam, 200, PLAIN_TEXT, text_join(text_join(TEXT("Forgot the visits of "), path), TEXT("\n")));
}

/* Writes the visits of some keys; how many were written, or -1 when the store or the client fails. */
static ptrdiff_t write_visits(Response *response, Bucket bucket, const Text *keys, size_t key_count, bool is_json, bool is_first) {
  ResultEntries found;
  kv_get_many(bucket, keys, key_count, &found);
  if (found.is_error) return -1;
  ptrdiff_t written = 0;
  for (size_t index = 0; index < found.entries.count; index++) {
    const KvEntry *entry = &found.entries.items[index];
    /* A key may have gone since it was listed, or be somebody else's. */
    if (!entry->is_some || !text_starts_with(entry->key, KEY_PREFIX)) continue;
    const Text path = text_after(entry->key, KEY_PREFIX.length);
    const Text separator = is_first && written == 0 ? TEXT("") : TEXT(",");
    const Text line = is_json ? text_join(text_join(text_join(separator, json_string(path)), TEXT(":")), entry->value)
                              : text_join(text_join(text_join(entry->value, TEXT(" ")), path), TEXT("\n"));
    if (!response_write(response, line)) return -1;
    written++;
  }
  return written;
}

/* Page by page and batch by batch, so that any number of paths fits into little memory. */
static void list_visits(IncomingRequest request, ResponseOutparam outparam) {
  const bool is_json = wants_json(request);
  Bucket bucket;
  if (!open_bucket(outparam, &bucket)) return;
  ResultPage listed;
  kv_list_keys(bucket, 0, 0, &listed);
  if (listed.is_error) {
    kv_bucket_drop(bucket);
    respond_with_error(outparam, &listed.error);
    return;
  }
  const Header headers[] = {{TEXT("content-type"), is_json ? TEXT("application/json") : PLAIN_TEXT}};
  Response response = response_begin(outparam, 200, headers, 1);
  if (is_json) response_write(&response, TEXT("{"));
  bool is_first = true, is_whole = true;
  const ArenaMark page_mark = arena_mark();
  while (is_whole) {
    for (size_t start = 0; is_whole && start < listed.page.key_count; start += VALUES_PER_BATCH) {
      const ArenaMark batch_mark = arena_mark();
      const size_t left = listed.page.key_count - start;
      const size_t count = left < VALUES_PER_BATCH ? left : VALUES_PER_BATCH;
      const ptrdiff_t written = write_visits(&response, bucket, listed.page.keys + start, count, is_json, is_first);
      is_first = is_first && written <= 0;
      is_whole = written >= 0;
      arena_reset(batch_mark);
    }
    if (!listed.page.has_cursor) break;
    const uint64_t cursor = listed.page.cursor;
    arena_reset(page_mark);
    kv_list_keys(bucket, 1, cursor, &listed);
    is_whole = is_whole && !listed.is_error;
  }
  kv_bucket_drop(bucket);
  if (!is_whole) {
    response_break_off(&response);
    return;
  }
  if (is_json) response_write(&response, TEXT("}\n"));
  response_end(&response);
}

/* Reads no faster than the client takes the answer. */
static void echo(IncomingRequest request, ResponseOutparam outparam) {
  const OptionText type = header_value(request, TEXT("content-type"));
  const Header headers[] = {{TEXT("content-type"), type.is_some ? type.value : TEXT("application/octet-stream")}};
  ResultHandle body, input;
  http_request_consume(request, &body);
  if (body.is_error) __builtin_trap();
  http_incoming_body_stream(body.handle, &input);
  if (input.is_error) __builtin_trap();
  Response response = response_begin(outparam, 200, headers, 1);
  for (;;) {
    const ArenaMark mark = arena_mark();
    ResultBytes read;
    io_blocking_read(input.handle, ECHO_CHUNK_BYTES, &read);
    if (read.is_error && read.failure.kind == STREAM_FAILED) io_error_drop(read.failure.error);
    const bool goes_on = !read.is_error && response_write(&response, read.bytes);
    arena_reset(mark);
    if (!goes_on) break;
  }
  response_end(&response);
  io_input_drop(input.handle);
  http_incoming_body_drop(body.handle);
}

static void list_headers(IncomingRequest request, ResponseOutparam outparam) {
  const Headers headers = request_headers(request);
  const Header own[] = {{TEXT("content-type"), PLAIN_TEXT}};
  Response response = response_begin(outparam, 200, own, 1);
  for (size_t index = 0; index < headers.count; index++) {
    response_write(&response, headers.items[index].name);
    response_write(&response, TEXT(": "));
    response_write(&response, headers.items[index].value);
    response_write(&response, TEXT("\n"));
  }
  response_end(&response);
}

static void refuse_method(ResponseOutparam outparam) {
  const Header headers[] = {{TEXT("content-type"), PLAIN_TEXT}, {TEXT("allow"), TEXT("GET, HEAD, DELETE")}};
  Response response = response_begin(outparam, 405, headers, 2);
  response_write(&response, TEXT("Visits are counted by GET and forgotten by DELETE; /echo takes any method.\n"));
  response_end(&response);
}

static void handle_request(IncomingRequest request, ResponseOutparam outparam) {
  const Text path = path_without_query(request_path_with_query(request));
  Method method;
  http_request_method(request, &method);
  if (text_equals(path, TEXT("/echo"))) echo(request, outparam);
  else if (method.kind == METHOD_DELETE) forget_visits(outparam, path);
  else if (method.kind != METHOD_GET && method.kind != METHOD_HEAD) refuse_method(outparam);
  else if (text_equals(path, TEXT("/healthz"))) respond(outparam, 200, PLAIN_TEXT, TEXT("ok\n"));
  else if (text_equals(path, TEXT("/headers"))) list_headers(request, outparam);
  else if (text_equals(path, TEXT("/visits"))) list_visits(request, outparam);
  else count_visit(request, outparam, path);
}
