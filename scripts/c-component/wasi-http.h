/* Answering HTTP requests: the parts of wasi:http and wasi:io that a handler needs, and a few functions to use them by. */
#ifndef WASI_HTTP_H
#define WASI_HTTP_H

#include "canonical.h"

/* Handles of resources. */
typedef int32_t IncomingRequest, ResponseOutparam, Fields, OutgoingResponse, OutgoingBody, IncomingBody;
typedef int32_t InputStream, OutputStream, Pollable, FutureTrailers, IoError;

#define HTTP_TYPES "wasi:http/types@0.2.12"
#define IO_STREAMS "wasi:io/streams@0.2.12"
#define IO_POLL "wasi:io/poll@0.2.12"
#define IO_ERROR "wasi:io/error@0.2.12"

/* variant method: its number, and the text of `other`. */
typedef struct {
  uint8_t kind;
  Text other;
} Method;
enum { METHOD_GET, METHOD_HEAD, METHOD_POST, METHOD_PUT, METHOD_DELETE };

typedef struct {
  bool is_some;
  Text value;
} OptionText;

typedef struct {
  Text name;
  Text value;
} Header;

typedef struct {
  const Header *items;
  size_t count;
} Headers;

/* result<handle, something that is not looked at>; wide enough for header-error, stream-error and none. */
typedef struct {
  bool is_error;
  int32_t handle;
  int32_t error_handle;
} ResultHandle;

/* variant stream-error */
typedef struct {
  uint8_t kind;
  IoError error;
} StreamError;
enum { STREAM_FAILED, STREAM_CLOSED };

/* result<list<u8>, stream-error> */
typedef struct {
  bool is_error;
  union {
    Text bytes;
    StreamError failure;
  };
} ResultBytes;

/* result<u64, stream-error> */
typedef struct {
  bool is_error;
  union {
    uint64_t value;
    StreamError failure;
  };
} ResultU64;

/* result<_, stream-error> */
typedef struct {
  bool is_error;
  StreamError failure;
} ResultStream;

/* result<_, error-code>: only the first byte is looked at. */
typedef struct {
  bool is_error;
  uint64_t rest[5];
} ResultErrorCode;

IMPORT(HTTP_TYPES, "[method]incoming-request.method") void http_request_method(IncomingRequest request, Method *result);
IMPORT(HTTP_TYPES, "[method]incoming-request.path-with-query") void http_request_path_with_query(IncomingRequest request, OptionText *result);
IMPORT(HTTP_TYPES, "[method]incoming-request.headers") Fields http_request_headers(IncomingRequest request);
IMPORT(HTTP_TYPES, "[method]incoming-request.consume") void http_request_consume(IncomingRequest request, ResultHandle *result);
IMPORT(HTTP_TYPES, "[resource-drop]incoming-request") void http_request_drop(IncomingRequest request);
IMPORT(HTTP_TYPES, "[method]incoming-body.stream") void http_incoming_body_stream(IncomingBody body, ResultHandle *result);
IMPORT(HTTP_TYPES, "[resource-drop]incoming-body") void http_incoming_body_drop(IncomingBody body);
IMPORT(HTTP_TYPES, "[static]fields.from-list") void http_fields_from_list(const Header *items, size_t count, ResultHandle *result);
IMPORT(HTTP_TYPES, "[method]fields.entries") void http_fields_entries(Fields fields, Headers *result);
IMPORT(HTTP_TYPES, "[resource-drop]fields") void http_fields_drop(Fields fields);
IMPORT(HTTP_TYPES, "[constructor]outgoing-response") OutgoingResponse http_response_new(Fields headers);
IMPORT(HTTP_TYPES, "[method]outgoing-response.set-status-code") int32_t http_response_set_status(OutgoingResponse response, int32_t status);
IMPORT(HTTP_TYPES, "[method]outgoing-response.body") void http_response_body(OutgoingResponse response, ResultHandle *result);
IMPORT(HTTP_TYPES, "[method]outgoing-body.write") void http_outgoing_body_write(OutgoingBody body, ResultHandle *result);
IMPORT(HTTP_TYPES, "[static]outgoing-body.finish")
void http_outgoing_body_finish(OutgoingBody body, int32_t has_trailers, Fields trailers, ResultErrorCode *result);
IMPORT(HTTP_TYPES, "[resource-drop]outgoing-body") void http_outgoing_body_drop(OutgoingBody body);
/* The last six say which error-code it is, when `is_error`. */
IMPORT(HTTP_TYPES, "[static]response-outparam.set")
void http_outparam_set(ResponseOutparam outparam, int32_t is_error, int32_t response, int32_t, int64_t, int32_t, int32_t, int32_t, int32_t);

IMPORT(IO_STREAMS, "[method]input-stream.blocking-read") void io_blocking_read(InputStream stream, uint64_t bytes_max, ResultBytes *result);
IMPORT(IO_STREAMS, "[resource-drop]input-stream") void io_input_drop(InputStream stream);
IMPORT(IO_STREAMS, "[method]output-stream.check-write") void io_check_write(OutputStream stream, ResultU64 *result);
IMPORT(IO_STREAMS, "[method]output-stream.write") void io_write(OutputStream stream, const char *start, size_t length, ResultStream *result);
IMPORT(IO_STREAMS, "[method]output-stream.blocking-flush") void io_blocking_flush(OutputStream stream, ResultStream *result);
IMPORT(IO_STREAMS, "[method]output-stream.subscribe") Pollable io_output_subscribe(OutputStream stream);
IMPORT(IO_STREAMS, "[resource-drop]output-stream") void io_output_drop(OutputStream stream);
IMPORT(IO_POLL, "[method]pollable.block") void io_pollable_block(Pollable pollable);
IMPORT(IO_POLL, "[resource-drop]pollable") void io_pollable_drop(Pollable pollable);
IMPORT(IO_ERROR, "[resource-drop]error") void io_error_drop(IoError error);

/* What a component that includes this file must define. */
static void handle_request(IncomingRequest request, ResponseOutparam outparam);

EXPORT("wasi:http/incoming-handler@0.2.12#handle")
void http_handle(IncomingRequest request, ResponseOutparam outparam) {
  const ArenaMark mark = arena_mark();
  handle_request(request, outparam);
  http_request_drop(request);
  arena_reset(mark);
}

/* A response body that is being written; not open any more when the client has gone. */
typedef struct {
  OutgoingBody body;
  OutputStream stream;
  bool is_open;
} Response;

/* Path and query; "/" if the request has none. */
static inline Text request_path_with_query(IncomingRequest request) {
  OptionText path;
  http_request_path_with_query(request, &path);
  return path.is_some ? path.value : TEXT("/");
}

static inline Text path_without_query(Text path) {
  const ptrdiff_t query = text_find(path, TEXT("?"));
  return query < 0 ? path : (Text){path.start, (size_t)query};
}

/* The number that `name=` has in the query, or `otherwise`. */
static inline uint64_t query_number(Text path, Text name, uint64_t otherwise) {
  const ptrdiff_t query = text_find(path, TEXT("?"));
  for (Text rest = query < 0 ? TEXT("") : text_after(path, (size_t)query + 1); rest.length > 0;) {
    const ptrdiff_t end = text_find(rest, TEXT("&"));
    const Text pair = {rest.start, end < 0 ? rest.length : (size_t)end};
    if (text_starts_with(pair, name) && pair.length > name.length + 1 && pair.start[name.length] == '=') {
      uint64_t number = 0;
      for (size_t index = name.length + 1; index < pair.length; index++) {
        if (pair.start[index] < '0' || pair.start[index] > '9') return otherwise;
        number = number * 10 + (uint64_t)(pair.start[index] - '0');
      }
      return number;
    }
    rest = end < 0 ? TEXT("") : text_after(rest, (size_t)end + 1);
  }
  return otherwise;
}

/* All headers, their memory in the arena. */
static inline Headers request_headers(IncomingRequest request) {
  const Fields fields = http_request_headers(request);
  Headers headers;
  http_fields_entries(fields, &headers);
  http_fields_drop(fields);
  return headers;
}

/* Sends status and headers; the body follows by `response_write` and `response_end`. */
static inline Response response_begin(ResponseOutparam outparam, int32_t status, const Header *headers, size_t header_count) {
  ResultHandle fields, body, stream;
  http_fields_from_list(headers, header_count, &fields);
  if (fields.is_error) __builtin_trap();
  const OutgoingResponse response = http_response_new(fields.handle);
  if (http_response_set_status(response, status) != 0) __builtin_trap();
  http_response_body(response, &body);
  if (body.is_error) __builtin_trap();
  http_outparam_set(outparam, 0, response, 0, 0, 0, 0, 0, 0);
  http_outgoing_body_write(body.handle, &stream);
  if (stream.is_error) __builtin_trap();
  return (Response){body.handle, stream.handle, true};
}

static inline bool response_failed(Response *response, StreamError failure) {
  if (failure.kind == STREAM_FAILED) io_error_drop(failure.error);
  response->is_open = false;
  return false;
}

/* Waits until the host takes at least one byte; how many it takes, 0 when the client has gone. */
static inline size_t response_room(Response *response) {
  while (response->is_open) {
    ResultU64 room;
    io_check_write(response->stream, &room);
    if (room.is_error) return response_failed(response, room.failure);
    if (room.value > 0) return room.value > WASM_PAGE_BYTES ? WASM_PAGE_BYTES : (size_t)room.value;
    const Pollable writable = io_output_subscribe(response->stream);
    io_pollable_block(writable);
    io_pollable_drop(writable);
  }
  return 0;
}

/* Writes all of `text`; false when the client has gone. */
static inline bool response_write(Response *response, Text text) {
  while (text.length > 0) {
    const size_t room = response_room(response);
    if (room == 0) return false;
    const size_t length = text.length < room ? text.length : room;
    ResultStream written;
    io_write(response->stream, text.start, length, &written);
    if (written.is_error) return response_failed(response, written.failure);
    text = text_after(text, length);
  }
  return true;
}

/* Hands what was written to the client now; false when it has gone. */
static inline bool response_flush(Response *response) {
  if (!response->is_open) return false;
  ResultStream flushed;
  io_blocking_flush(response->stream, &flushed);
  return flushed.is_error ? response_failed(response, flushed.failure) : true;
}

static inline void response_end(Response *response) {
  ResultErrorCode finished;
  io_output_drop(response->stream);
  http_outgoing_body_finish(response->body, 0, 0, &finished);
}

/* Ends a response that is not whole, so that the client can tell: a body that is dropped unfinished counts as broken off. */
static inline void response_break_off(Response *response) {
  io_output_drop(response->stream);
  http_outgoing_body_drop(response->body);
}

/* A whole response. */
static inline void respond(ResponseOutparam outparam, int32_t status, Text content_type, Text body) {
  const Header headers[] = {{TEXT("content-type"), content_type}};
  Response response = response_begin(outparam, status, headers, 1);
  response_write(&response, body);
  response_end(&response);
}

#define PLAIN_TEXT TEXT("text/plain; charset=utf-8")

#endif
