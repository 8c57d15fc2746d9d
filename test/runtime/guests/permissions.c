/*
 * An HTTP service that does one thing of each capability by order of its path, and says what came of it:
 *
 *   /kv/get?key=K  /kv/set?key=K&value=V  /kv/delete?key=K  /kv/exists?key=K  /kv/increment?key=K&by=N  /kv/list
 *       (each also with bucket=B)
 *   /http?url=URL            GET; with a body in the request, POST of that body. The URL is escaped: %3F for its "?"
 *   /publish?topic=T&body=B  /publish?topic=T&body=B&reply=R    /request?topic=T&body=B&ms=N
 *   /file/read?path=P  /file/write?path=P&text=T  /file/list?path=P  /file/stat?path=P  /file/delete?path=P  /file/mkdir?path=P
 *   /env  /env?name=N    /config?key=K    /log?level=0..5&text=T    /folders
 *
 * 200 with the outcome; 403 if it was denied (in the words of the interface); 404 if there is no such thing; 502 and
 * the interface's error otherwise.
 */
#include "query-text.h"
#include "wasi-filesystem.h"
#include "wasi-http-client.h"
#include "wasi-keyvalue.h"
#include "wasmcloud-messaging.h"

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
  Text name;
  Text value;
} Variable;

typedef struct {
  const Variable *items;
  size_t count;
} Variables;

/* result<option<string>, error> */
typedef struct {
  bool is_error;
  struct {
    uint8_t is_some;
    Text text;
  } found;
} ResultConfig;

IMPORT("wasi:cli/environment@0.2.12", "get-environment") void cli_environment(Variables *result);
IMPORT("wasi:config/store@0.2.0-rc.1", "get") void config_get(const char *key, size_t length, ResultConfig *result);
IMPORT("wasi:logging/logging@0.1.0-draft", "log")
void log_line(int32_t level, const char *context, size_t context_length, const char *text, size_t length);
IMPORT("wasi:keyvalue/store@0.2.0-draft", "[method]bucket.get") void kv_get(Bucket bucket, const char *key, size_t length, ResultValue *result);
IMPORT("wasi:keyvalue/store@0.2.0-draft", "[method]bucket.set")
void kv_set(Bucket bucket, const char *key, size_t length, const char *value, size_t value_length, ResultDone *result);
IMPORT("wasi:keyvalue/store@0.2.0-draft", "[method]bucket.exists")
void kv_exists(Bucket bucket, const char *key, size_t length, ResultExists *result);

enum { OK = 200, DENIED = 403, NOT_FOUND = 404, FAILED = 502 };

/* The outcome of one order. */
typedef struct {
  int32_t status;
  Text text;
} Outcome;

static Outcome done(Text text) { return (Outcome){OK, text}; }

#include "permissions-files.h"

static Outcome kv_failed(const KvError *error) {
  if (error->kind == KV_ACCESS_DENIED) return (Outcome){DENIED, TEXT("access-denied")};
  if (error->kind == KV_NO_SUCH_STORE) return (Outcome){NOT_FOUND, TEXT("no-such-store")};
  return (Outcome){FAILED, text_join(TEXT("other: "), error->message)};
}

static Outcome kv_in_bucket(Bucket bucket, Text action, Text url) {
  const Text key = query_text(url, TEXT("key"), TEXT("k"));
  if (text_equals(action, TEXT("get"))) {
    ResultValue value;
    kv_get(bucket, key.start, key.length, &value);
    if (value.is_error) return kv_failed(&value.error);
    return value.found.is_some ? done(value.found.bytes) : (Outcome){NOT_FOUND, TEXT("none")};
  }
  if (text_equals(action, TEXT("exists"))) {
    ResultExists exists;
    kv_exists(bucket, key.start, key.length, &exists);
    return exists.is_error ? kv_failed(&exists.error) : done(exists.exists ? TEXT("true") : TEXT("false"));
  }
  if (text_equals(action, TEXT("increment"))) {
    ResultSum sum;
    kv_increment(bucket, key.start, key.length, query_number(url, TEXT("by"), 1), &sum);
    return sum.is_error ? kv_failed(&sum.error) : done(text_from_number(sum.sum));
  }
  if (text_equals(action, TEXT("list"))) {
    ResultPage page;
    kv_list_keys(bucket, 0, 0, &page);
    if (page.is_error) return kv_failed(&page.error);
    Text keys = TEXT("");
    for (size_t index = 0; index < page.page.key_count; index++) keys = text_join(keys, text_join(page.page.keys[index], TEXT("\n")));
    return done(keys);
  }
  ResultDone changed;
  if (text_equals(action, TEXT("delete"))) {
    kv_delete(bucket, key.start, key.length, &changed);
  } else {
    const Text value = query_text(url, TEXT("value"), TEXT(""));
    kv_set(bucket, key.start, key.length, value.start, value.length, &changed);
  }
  return changed.is_error ? kv_failed(&changed.error) : done(TEXT("done"));
}

static Outcome use_kv(Text action, Text url) {
  const Text name = query_text(url, TEXT("bucket"), TEXT("default"));
  ResultBucket opened;
  kv_open(name.start, name.length, &opened);
  if (opened.is_error) return kv_failed(&opened.error);
  const Outcome outcome = kv_in_bucket(opened.bucket, action, url);
  kv_bucket_drop(opened.bucket);
  return outcome;
}

static Outcome http_failed(uint8_t error) {
  const Text name = error < sizeof HTTP_ERROR_NAMES / sizeof *HTTP_ERROR_NAMES ? HTTP_ERROR_NAMES[error] : TEXT("unknown error");
  return (Outcome){error == HTTP_REQUEST_DENIED ? DENIED : FAILED, name};
}

/* What the other side answers: its status, a line feed, its body. */
static Outcome use_http(Text url, Text body) {
  const Text target = query_text(url, TEXT("url"), TEXT(""));
  const Sent sent = http_begin(body.length > 0 ? METHOD_POST : METHOD_GET, target, body);
  if (sent.is_error) return http_failed(sent.error);
  const Received received = http_await(sent.future);
  if (received.is_error) return http_failed(received.error);
  ResultHandle incoming, stream;
  http_incoming_consume(received.response, &incoming);
  if (incoming.is_error) __builtin_trap();
  http_incoming_body_stream(incoming.handle, &stream);
  if (stream.is_error) __builtin_trap();
  const Text status = text_join(text_from_number((uint64_t)http_incoming_status(received.response)), TEXT("\n"));
  const Text text = text_join(status, stream_read_all(stream.handle));
  io_input_drop(stream.handle);
  http_incoming_body_drop(incoming.handle);
  http_incoming_drop(received.response);
  return done(text);
}

static Outcome use_messaging(Text action, Text url) {
  const Text topic = query_text(url, TEXT("topic"), TEXT("")), body = query_text(url, TEXT("body"), TEXT(""));
  if (text_equals(action, TEXT("/publish"))) {
    const Text reply_to = query_text(url, TEXT("reply"), TEXT(""));
    MessagingDone published;
    messaging_publish(topic.start, topic.length, body.start, body.length, reply_to.length > 0, reply_to.start, reply_to.length, &published);
    return published.is_error ? (Outcome){FAILED, published.message} : done(TEXT("published"));
  }
  MessagingReply reply;
  messaging_request(topic.start, topic.length, body.start, body.length, (int32_t)query_number(url, TEXT("ms"), 1000), &reply);
  return reply.is_error ? (Outcome){FAILED, reply.message} : done(reply.reply.body);
}

static Outcome environment(Text url) {
  const Text wanted = query_text(url, TEXT("name"), TEXT(""));
  Variables variables;
  cli_environment(&variables);
  Text all = TEXT("");
  for (size_t index = 0; index < variables.count; index++) {
    const Variable *variable = &variables.items[index];
    if (wanted.length > 0 && text_equals(variable->name, wanted)) return done(variable->value);
    all = text_join(all, text_join(text_join(variable->name, TEXT("=")), text_join(variable->value, TEXT("\n"))));
  }
  return wanted.length > 0 ? (Outcome){NOT_FOUND, TEXT("not set")} : done(all);
}

static Outcome config(Text url) {
  const Text key = query_text(url, TEXT("key"), TEXT(""));
  ResultConfig value;
  config_get(key.start, key.length, &value);
  if (value.is_error) return (Outcome){FAILED, TEXT("config failed")};
  return value.found.is_some ? done(value.found.text) : (Outcome){NOT_FOUND, TEXT("not set")};
}

static Outcome write_log(Text url) {
  const Text text = query_text(url, TEXT("text"), TEXT("a line"));
  log_line((int32_t)query_number(url, TEXT("level"), 2), "probe", 5, text.start, text.length);
  return done(TEXT("logged"));
}

/* The request's whole body. */
static Text body_of(IncomingRequest request) {
  ResultHandle body, input;
  http_request_consume(request, &body);
  if (body.is_error) __builtin_trap();
  http_incoming_body_stream(body.handle, &input);
  if (input.is_error) __builtin_trap();
  const Text text = stream_read_all(input.handle);
  io_input_drop(input.handle);
  http_incoming_body_drop(body.handle);
  return text;
}

static Outcome outcome_of(IncomingRequest request, Text url) {
  const Text path = path_without_query(url);
  if (text_starts_with(path, TEXT("/kv/"))) return use_kv(text_after(path, 4), url);
  if (text_starts_with(path, TEXT("/file/"))) return use_file(text_after(path, 6), url);
  if (text_equals(path, TEXT("/folders"))) return list_folders();
  if (text_equals(path, TEXT("/http"))) return use_http(url, body_of(request));
  if (text_equals(path, TEXT("/publish")) || text_equals(path, TEXT("/request"))) return use_messaging(path, url);
  if (text_equals(path, TEXT("/env"))) return environment(url);
  if (text_equals(path, TEXT("/config"))) return config(url);
  if (text_equals(path, TEXT("/log"))) return write_log(url);
  return (Outcome){NOT_FOUND, TEXT("no such path")};
}

static void handle_request(IncomingRequest request, ResponseOutparam outparam) {
  const Outcome outcome = outcome_of(request, request_path_with_query(request));
  respond(outparam, outcome.status, PLAIN_TEXT, outcome.text);
}
